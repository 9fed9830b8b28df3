"""Untrusted picture files: limits hold, and every defect becomes one sentence."""

import io
import json

import pytest
import torch
from PIL import Image

from vqclip_nb import pictures
from vqclip_nb.pictures import as_png, open_picture, portable, provenance_in
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import load_picture, remembered

RECORD = portable(Settings(prompt="a cat").to_dict())


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is not a picture that can be read: unknown format."),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "it is not a picture that can be read"),
        (as_png(Image.new("RGB", (99, 99)), None)[:-30], "it is not a picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unknown format"),  # no Ghostscript
        (as_png(Image.new("L", (200, 200)), None), "it is larger than|has 200 × 200 pixels, more"),
    ],
)
def test_a_picture_that_is_broken_or_too_large_gets_a_sentence(data, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        open_picture(data, "it", most_pixels=20_000)
    assert "\n" not in str(refused.value)


def test_a_file_is_not_read_beyond_its_limit(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(as_png(Image.new("RGB", (9, 9)), None) + bytes(2**20))
    open_picture(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MOST_BYTES", 2**20)
    with pytest.raises(ValueError, match=r"a\.png cannot .*: it is larger than the allowed 1 MiB"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize("path", ["none.png", "~nobody-of-that-name/a.png", "a\0.png", "."])
def test_a_path_that_cannot_be_read_gets_a_sentence(path):
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        load_picture(path)


def test_a_record_survives_a_round_trip_through_a_png():
    image = open_picture(as_png(Image.new("RGB", (9, 9), "red"), RECORD))
    record = json.loads(provenance_in(image))
    assert record.pop("pixels") == pictures.checksum(image)
    assert record == RECORD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"\xff{",
        "3",
        "[]",
        "{}",
        _nested(100_000),
        '{"settings": {}, "updates": ' + _nested(900) + "}",
        '{"settings": {"w1": 1' + "0" * 400 + '}, "updates": []}',
        '{"settings": {"seed": 1' + "0" * 5000 + '}, "updates": []}',
        '{"settings": {"w1": NaN}, "updates": []}',
        '{"settings": {"prompt": null}, "updates": []}',
        '{"settings": {"im_shape": {"a": 1}}, "updates": []}',
        '{"settings": {"colour": 1}, "updates": []}',
        '{"settings": {}, "updates": [{"iteration": 1, "seed": 2}]}',
    ],
)
def test_every_defect_of_a_record_becomes_one_sentence(text):
    with pytest.raises(ValueError, match=r"^It cannot be read: .*\.$") as refused:
        Settings.from_provenance(text, "It")
    assert "\n" not in str(refused.value)


def test_a_picture_is_upright_and_on_white(tmp_path):
    image = Image.new("RGBA", (20, 10), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    x = load_picture(str(tmp_path / "a.png"))
    assert x.shape == (1, 3, 20, 10)
    assert x[0, :, 0, 0].tolist() == [0, 0, 1]
    assert x[0, :, -1, 0].tolist() == [1, 1, 1]


def test_a_remembered_picture_outlives_its_source(tmp_path):
    noise = (torch.rand(12, 16, 3) * 255).byte().numpy()
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    source = tmp_path / "a.jpg"
    source.write_bytes(buffer.getvalue())
    first = remembered(str(source), tmp_path / "inputs")
    assert torch.equal(first, load_picture(str(source)))
    source.unlink()
    assert torch.equal(remembered(str(source), tmp_path / "inputs"), first)


def test_the_record_of_a_picture_names_clips_and_hides_folders():
    clips = ["ViT-B/32", "FARE4-B/32", "open_clip:ViT-B-32/openai", "/home/mine/ViT-B-32.pt"]
    said = portable(Settings(clip=clips, models="/home/mine/f16.ckpt").to_dict())["settings"]
    assert said["clip"] == [*clips[:3], "ViT-B-32.pt"]
    assert said["models"] == "f16.ckpt"
