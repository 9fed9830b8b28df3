"""The section Picture: what is dropped, pasted or chosen starts a run, or is read for its settings."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vqclip_nb as vq


@pytest.fixture
def studio(quick, tiny) -> vq.Studio:
    out = quick.pop("out")
    return vq.Studio(vq.Settings(prompt="a lemon", **quick), models=tiny, out=out)


def _url(image: Image.Image, kind: str = "png") -> str:
    file = io.BytesIO()
    image.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _write(studio: vq.Studio, name: str, text: str) -> None:
    """Write to a hidden box, as the page does."""
    (box,) = (each for each in studio.panel.everything() if name in each._dom_classes)
    box.value = text


def _press(studio: vq.Studio, name: str) -> None:
    assert not studio.panel.buttons[name].disabled
    studio.panel.buttons[name].click()


def _usable(studio: vq.Studio) -> set[str]:
    names = ("shown", "init", "sentence", "settings")
    return {name for name in names if not studio.panel.buttons[name].disabled}


def test_a_run_starts_from_a_dropped_photo_in_its_proportions(studio):
    assert _usable(studio) == set()
    _write(studio, "vq-brought", _url(Image.new("RGB", (300, 100), "teal"), "jpeg"))
    assert _usable(studio) == {"init", "sentence", "settings"}
    before = studio.panel.form.settings()
    _press(studio, "init")
    settings = studio.panel.form.settings()
    assert Path(settings.init_image).parent == studio.out / "inputs"
    width, height = settings.im_shape
    assert width / height == pytest.approx(3, rel=0.3)
    assert width * height == pytest.approx(before.im_shape[0] * before.im_shape[1], rel=0.3)
    _press(studio, "start")
    assert studio.result().images[0].size == settings.im_shape


def test_strokes_are_the_mask_and_their_removal_removes_it(studio):
    _write(studio, "vq-brought", _url(Image.new("RGB", (64, 64), "teal")))
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 255
    _write(studio, "vq-strokes", _url(Image.fromarray(mask)))
    settings = studio.panel.form.settings()
    assert settings.init_image == str(studio.panel.picture_in.file)
    assert np.array_equal(np.asarray(Image.open(settings.mask).convert("L")), mask)
    _write(studio, "vq-strokes", "none")
    settings = studio.panel.form.settings()
    assert (settings.mask, settings.init_image) == ("", str(studio.panel.picture_in.file))


def test_the_settings_of_a_brought_picture_are_loaded_from_its_own_bytes(studio, tiny, quick):
    before = vq.generate("a pear", models=tiny, out=studio.out, **quick).folder / "picture.png"
    data = base64.b64encode(before.read_bytes()).decode()
    _write(studio, "vq-brought", f"data:image/png;base64,{data}")
    _press(studio, "settings")
    assert studio.panel.form.settings().prompt == "a pear"


def test_a_picture_is_part_of_the_prompt(studio):
    _write(studio, "vq-brought", _url(Image.new("RGB", (64, 64), "teal")))
    _press(studio, "sentence")
    story = studio.panel.form.settings().story
    assert [prompt.kind for prompt in story[0]] == ["text", "picture"]


def test_the_picture_that_is_shown_can_be_taken(studio):
    _press(studio, "start")
    result = studio.result()
    _press(studio, "shown")
    kept = studio.panel.picture_in.file
    assert kept.read_bytes() == (result.folder / "picture.png").read_bytes()
    assert _usable(studio) == {"shown", "init", "sentence", "settings"}


@pytest.mark.parametrize(
    "text",
    ["nonsense", "data:image/png;base64,****", "data:image/png;base64,aGVsbG8=", "data:,", "none"],
)
def test_what_is_no_picture_is_refused_and_the_panel_stays(studio, text):
    _write(studio, "vq-strokes", text)
    _write(studio, "vq-brought", text)
    assert "is not a picture that can be read" in studio.panel.views["status"].value
    assert _usable(studio) == set()
    assert not (studio.out / "inputs").exists()
    _write(studio, "vq-brought", _url(Image.new("RGB", (64, 64))))
    _write(studio, "vq-strokes", text)
    assert studio.panel.form.settings().mask == ""
