"""Films painted over: length, rate, sound, flicker, what moves along, resuming, refusals."""

import io
import json
import struct
import subprocess
from functools import partial
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from film_frames import metadata, probe, torn
from PIL import Image
from quick_runs import settings_of

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.films.optical_flow import follow, motion
from vqclip_nb.storage.ffmpeg import write_video

FPS = 12
PICTURE = Path(__file__).parents[2] / "assets" / "picture.png"


def _scene(frames: int) -> list[np.ndarray]:
    """A disc that crosses a sky and a meadow, uint8 [48, 96, 3]."""
    down, across = np.mgrid[0:48, 0:96]
    scene = []
    for number in range(frames):
        frame = np.where(down[..., None] < 30, [140, 190, 240], [90, 150, 60])
        near = np.hypot(across - 20 - 1.5 * number, down - 20) < 9
        scene.append(np.where(near[..., None], [200, 40, 40], frame).astype(np.uint8))
    return scene


@pytest.fixture
def film(tmp_path):
    """Half a second with a tone."""
    silent, film = tmp_path / "silent.mp4", tmp_path / "film.mp4"
    write_video(silent, _scene(6), fps=FPS)
    tone = ["-f", "lavfi", "-i", "sine=440:d=0.5", "-c:v", "copy", "-c:a", "aac", "-shortest"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", silent, *tone, film]
    subprocess.run(command, check=True)
    return film


@pytest.fixture
def plan(quick):
    return settings_of(quick, prompt="a red apple")


def _gif_of(width: int, height: int) -> bytes:
    """A small GIF that claims a size."""
    buffer = io.BytesIO()
    Image.new("P", (8, 8)).save(buffer, "GIF")
    data = bytearray(buffer.getvalue())
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def _has_sound(film) -> bool:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", film]
    return "Audio: aac" in subprocess.run(command, capture_output=True, text=True).stderr


def test_the_new_film_keeps_proportions_rate_length_and_sound(film, plan, tiny, tmp_path):
    made = vq.restyle(film, plan, tmp_path / "new.mp4", models=tiny, out=tmp_path, iterations=1)
    read = probe(made)
    assert read["frames"].shape == (6, 48, 88, 3)  # the area of 64 x 64, twice as wide as high
    assert read["fps"] == FPS
    assert _has_sound(made)
    record = json.loads(vq.Settings.from_png(next(tmp_path.glob("*/picture.png"))).to_json())
    assert record["im_shape"] == [88, 48]
    assert '"kind": "restyle"' in metadata(made).replace("\\", "")
    assert str(tmp_path) not in metadata(made)


def test_a_lower_frame_rate_paints_fewer_frames_of_the_same_time(film, plan, tiny, tmp_path):
    how = {"models": tiny, "out": tmp_path, "iterations": 1, "fps": 6}
    read = probe(vq.restyle(film, plan, tmp_path / "new.mp4", **how))
    assert len(read["frames"]) == 3


def test_three_seconds_are_painted_over_and_hardly_flicker(plan, tiny, tmp_path):
    """The view moves over a picture; a change from frame to frame is at most twice the film's."""
    source, picture = tmp_path / "long.mp4", Image.open(PICTURE).convert("RGB")
    views = (picture.crop((2 * i, i, 2 * i + 160, i + 120)).resize((72, 56)) for i in range(36))
    write_video(source, map(np.asarray, views), fps=FPS)
    plan = plan.replace(prompt="a castle on a hill", extras="oil painting", total_iter=10, cutn=8)
    made = vq.restyle(source, plan, tmp_path / "made.mp4", models=tiny, out=tmp_path)
    new, old = (probe(file)["frames"].astype(float) for file in (made, source))
    assert new.shape == old.shape == (36, 56, 72, 3)
    assert np.abs(new - old)[-6:].mean() > 8  # of 255
    assert _flicker(new) < 2 * _flicker(old)


def _flicker(frames: np.ndarray) -> float:
    return np.abs(np.diff(frames, axis=0)).mean()


@pytest.mark.parametrize("shift", [(0, 0), (5, 0), (-4, 3)])
def test_motion_is_found_and_followed(shift):
    """A texture of soft spots, moved by whole pixels."""
    noise = torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(1))
    before = torch.nn.functional.avg_pool2d(noise, 7, 1, 3)
    after = before.roll(shift, (3, 2))
    moved = motion(before, after)
    inside = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    wanted = -torch.tensor(shift, dtype=torch.float32).view(1, 2, 1, 1)
    assert (moved - wanted)[inside].abs().median() < 0.2
    assert (follow(before, moved) - after)[inside].abs().mean() < 0.01


def test_an_interrupted_film_plays_and_resumes_to_the_same_frames(film, plan, tiny, tmp_path):
    how = {"models": tiny, "out": tmp_path, "iterations": 1}
    new = tmp_path / "torn.mp4"
    assert torn(partial(vq.restyle, film, plan, **how), new, at=3, total=6) == 3
    vq.restyle(film, plan, new, **how)
    whole = vq.restyle(film, plan, tmp_path / "whole.mp4", **how)
    assert np.array_equal(probe(whole)["frames"], probe(new)["frames"])
    assert _has_sound(new)


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("film.mp4", ["--steady", "2"], "steady must be a number from 0 to 1, got 2"),
        ("nowhere.mp4", [], "nowhere.mp4 cannot be read as a film: No such file"),
        ("list.m3u8", [], "list.m3u8 is not a film that can be read"),
        ("huge.gif", [], "huge.gif is not a film that can be read"),
        (".", [], ". cannot be read as a film: it is a folder, not a file"),
        ("film.mp4", ["--to", "film.mp4"], "is the film itself: choose another name"),
        ("film.mp4", ["--init-image", "i.png"], "init_image is the film's own frame"),
    ],
)
def test_bad_input_gets_one_sentence(name, words, message, film, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfilm.mp4\n#EXT-X-ENDLIST\n")
    Image.new("RGB", (8, 8)).save(tmp_path / "i.png")
    (tmp_path / "huge.gif").write_bytes(_gif_of(12_000, 12_000))
    assert main(["restyle", name, "--prompt", "a cat", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()
