"""Edits of a run's film: length, pace, hold, forward and back, captions; read back with ffmpeg."""

import json
import subprocess
import sys

import numpy as np
import pytest
from film_frames import metadata, probe
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.storage.ffmpeg import read_video, write_video


@pytest.fixture(scope="module")
def painted(tiny, tmp_path_factory):
    fields = {"total_iter": 20, "show_step": 10, "im_shape": (64, 64), "cutn": 2, "seed": 1}
    run = vq.Run(
        vq.Settings(prompt="a red apple", **fields),
        models=tiny,
        out=tmp_path_factory.mktemp("runs"),
    )
    for it in run:
        if it.i == 10:
            run.update(prompt="a green apple")
    return run.folder.path


def test_a_film_has_the_requested_length(painted):
    film = vq.timelapse(painted, seconds=3, fps=10, hold=0.5)
    read = probe(film)
    assert film == painted / "film.mp4"
    assert (len(read["frames"]), read["fps"], read["codec"]) == (35, 10, "h264")
    assert np.abs(read["frames"][29].astype(int) - read["frames"][34]).mean() < 2


def test_there_and_back_ends_beside_the_first_frame(tmp_path):
    film = vq.timelapse(_run_of(range(0, 200, 10), tmp_path), ping_pong=True)
    levels = probe(film)["frames"].mean((1, 2, 3))
    there_and_back = [*range(0, 200, 10), *range(180, 0, -10)]  # neither end is shown twice
    assert np.abs(levels - there_and_back).max() < 4


def test_by_change_every_frame_moves_as_much(tmp_path):
    run = _run_of([0] * 50 + list(range(0, 200, 4)), tmp_path)
    levels = probe(vq.timelapse(run, seconds=1, fps=20, pace="change"))["frames"].mean((1, 2, 3))
    assert np.diff(levels).min() > 4  # half of all frames stand still, and are not shown
    assert levels[0] < 5
    assert levels[-1] > 190


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_interpolation_adds_frames_in_which_things_move(ending, tmp_path):
    """A spot that jumps by 4 pixels jumps by 1 to 2, and does not fade from place to place."""
    down, across = np.mgrid[0:64, 0:160]
    spots = [np.hypot(across - 20 - 4 * i, down - 32) < 10 for i in range(24)]
    frames = (np.where(spot[..., None], 230, 20).astype(np.uint8).repeat(3, 2) for spot in spots)
    write_video(tmp_path / "timelapse.mp4", frames, fps=10)
    Image.new("RGB", (160, 64)).save(tmp_path / "picture.png")
    film = vq.timelapse(tmp_path, tmp_path / f"film.{ending}", fps=10, interpolate=30)
    read = np.stack(list(read_video(film)))[..., 0]
    assert 60 <= len(read) <= 72
    lit = read > 125
    places = (lit * across).sum((1, 2)) / lit.sum((1, 2))
    assert np.abs(np.diff(places[3:-3])).max() < 3
    assert lit.sum((1, 2))[3:-3].min() > 0.7 * spots[0].sum()


def _run_of(levels, folder):
    """The folder of a run whose frames have these greys."""
    frames = (np.full((32, 32, 3), level, np.uint8) for level in levels)
    write_video(folder / "timelapse.mp4", frames)
    Image.new("RGB", (32, 32)).save(folder / "picture.png")
    return folder


def test_a_caption_stands_below_the_picture_and_follows_live_changes(painted):
    frames = probe(vq.timelapse(painted, caption=True))["frames"]
    plain = probe(painted / "timelapse.mp4")["frames"]
    assert frames.shape[1] > 64
    assert np.abs(frames[:, :64].astype(int) - plain).mean() < 8  # what compression changes
    strips = frames[:, 64:].astype(int)
    assert strips.max() > 200  # white on black
    words = strips[:, : strips.shape[1] // 2]
    assert np.abs(words[3] - words[15]).mean() > 2 * np.abs(words[3] - words[6]).mean()


def test_a_gif_moves_and_loops(painted):
    with Image.open(vq.timelapse(painted, format="gif", fps=10)) as gif:
        assert (gif.format, gif.n_frames, gif.size) == ("GIF", 20, (64, 64))
        assert gif.info["loop"] == 0


def test_the_film_carries_its_provenance(painted):
    comment = metadata(vq.timelapse(painted))
    assert "a red apple" in comment
    assert str(painted) not in comment


def test_two_thousand_frames_take_no_memory(tmp_path):
    run = _run_of((i % 256 for i in range(2000)), tmp_path)
    program = (
        "import resource, sys, vqclip_nb as vq, vqclip_nb.films.timelapse\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "vq.timelapse(sys.argv[1], ping_pong=True)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, run], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 60_000  # kB
    assert len(probe(run / "film.mp4")["frames"]) == 3998


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"fps": 0}, "fps must be a number from 1 to 60, got 0"),
        ({"seconds": "long"}, "seconds must be a number from 0 to 3600, got 'long'"),
        ({"pace": "slow"}, "pace must be one of iterations, change, got 'slow'"),
        ({"format": "avi"}, "format must be one of mp4, gif, got 'avi'"),
    ],
)
def test_a_wrong_value_is_refused(painted, cut, message):
    with pytest.raises(ValueError, match=message):
        vq.timelapse(painted, **cut)


def test_a_folder_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no frames"):
        vq.timelapse(tmp_path)


def test_the_command_line_cuts_a_film(painted, tmp_path, capsys):
    from vqclip_nb.cli import main

    file = tmp_path / "a.mp4"
    words = ["video", str(painted), "--seconds", "1", "--fps", "10", "--to", str(file), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"video": str(file)}
    assert len(probe(file)["frames"]) == 10
    assert main(["video", str(painted), "--fps", "900"]) == 2
    assert "got 900" in capsys.readouterr().err
