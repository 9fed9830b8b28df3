"""Films written frame by frame: what an interrupt leaves, how they resume, what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from film_frames import probe
from PIL import Image

from vqclip_nb.films import resumable_writer
from vqclip_nb.films.resumable_writer import ResumableWriter, film_file

PLAN = {"kind": "test", "settings": {"seed": 3, "prompt": "a red apple"}}


def _fill(file, upto, stop_at=None, plan=PLAN):
    """Frames whose look depends on a state that is carried from one to the next."""
    with ResumableWriter(file, fps=25, plan=plan, comment="about it") as writer:
        walk = writer.state.get("walk", torch.zeros(1))
        for number in range(writer.frames, upto):
            walk.mul_(1.7).add_(number).remainder_(97)
            if number == stop_at:
                raise KeyboardInterrupt
            noise = np.random.default_rng(int(walk)).integers(0, 99, (9, 12, 3), np.uint8)
            writer.add(noise.repeat(5, 0).repeat(5, 1), {"walk": walk})


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_resumed_film_has_the_frames_of_one_never_interrupted(tmp_path, ending):
    whole, torn = tmp_path / f"whole.{ending}", tmp_path / f"it's torn, ä.{ending}"
    _fill(whole, 120)
    for stop_at in (0, 20, 50, 117):
        with pytest.raises(KeyboardInterrupt):
            _fill(torn, 120, stop_at)
        assert torn.exists() == (stop_at > 0)
        if stop_at:
            assert _count(torn) == stop_at  # playable
    _fill(torn, 120)
    assert whole.read_bytes() == torn.read_bytes()
    assert not torn.with_name(f"{torn.name}.parts").exists()


def _count(film):
    if film.suffix == ".gif":
        with Image.open(film) as gif:
            return gif.n_frames
    return len(probe(film)["frames"])


def test_it_reads_back_in_the_requested_format(tmp_path):
    _fill(tmp_path / "a.mp4", 60)
    read = probe(tmp_path / "a.mp4")
    assert (read["codec"], read["format"], read["fps"]) == ("h264", "yuv420p", 25)
    assert read["frames"].shape == (60, 46, 60, 3)  # 45 is odd


def test_what_was_made_after_the_last_state_is_made_again(tmp_path):
    """As after a crash: the encoded segment is there, the state is of before."""
    whole, torn = tmp_path / "whole.mp4", tmp_path / "torn.mp4"
    _fill(whole, 70)
    with pytest.raises(KeyboardInterrupt):
        _fill(torn, 70, 30)
    parts = tmp_path / "torn.mp4.parts"
    (parts / "000050.mp4").write_bytes(b"later")
    (parts / "film.part.mp4").write_bytes(b"not whole")
    _fill(torn, 70)
    assert whole.read_bytes() == torn.read_bytes()


def test_parts_of_another_film_are_refused_and_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _fill(tmp_path / "a.mp4", 70, 30)
    other = {"kind": "test", "settings": {"seed": 4, "prompt": "a red apple"}}
    with pytest.raises(ValueError, match="holds 30 frames of a film that differs in seed: finish"):
        _fill(tmp_path / "a.mp4", 70, plan=other)
    assert resumable_writer.seed_of(tmp_path / "a.mp4") == 3
    _fill(tmp_path / "a.mp4", 70)


def test_a_folder_that_belongs_to_no_film_is_not_touched(tmp_path):
    (tmp_path / "a.mp4.parts").mkdir()
    (tmp_path / "a.mp4.parts" / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"a\.mp4\.parts exists but belongs to no film"):
        _fill(tmp_path / "a.mp4", 3)
    assert (tmp_path / "a.mp4.parts" / "diary.txt").read_text() == "mine"


def test_a_broken_state_is_refused(tmp_path):
    (tmp_path / "a.mp4.parts").mkdir()
    (tmp_path / "a.mp4.parts" / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"cannot be read .* to start again"):
        _fill(tmp_path / "a.mp4", 3)


def test_parts_that_lack_frames_are_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _fill(tmp_path / "a.mp4", 120, 117)
    (tmp_path / "a.mp4.parts" / "000050.mp4").unlink()
    with pytest.raises(
        ValueError, match=r"a\.mp4\.parts has only 67 of 117 frames: it was damaged"
    ):
        _fill(tmp_path / "a.mp4", 120)


def test_a_film_goes_on_in_another_working_directory_and_under_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = film_file("-a#1: b?.mp4")
    with ResumableWriter(file, fps=25, plan=PLAN) as writer:
        monkeypatch.chdir("/")
        for _ in range(60):
            writer.add(np.zeros((16, 16, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["-a#1: b?.mp4"]


def test_two_processes_do_not_make_one_film(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from vqclip_nb.films.resumable_writer import ResumableWriter\n"
        "ResumableWriter(Path(sys.argv[1]), fps=25, plan={})"
    )
    with ResumableWriter(tmp_path / "a.mp4", fps=25, plan={}) as writer:
        other = [sys.executable, "-c", program, tmp_path / "a.mp4"]
        done = subprocess.run(other, capture_output=True, text=True)
        writer.add(np.zeros((16, 16, 3), np.uint8))
    assert "Another process paints in" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("film.avi", "film.avi is not a film: choose"),
        ("film", "film is not a film: choose"),
        ("folder.mp4", "folder.mp4 is a folder"),
        ("file/film.mp4", "film.mp4 cannot be written"),
    ],
)
def test_a_film_that_cannot_be_written_is_refused(tmp_path, name, message):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=message):
        film_file(tmp_path / name)


def test_a_thousand_frames_take_no_memory(tmp_path):
    program = (
        "import resource, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from vqclip_nb.films.resumable_writer import ResumableWriter\n"
        "def film(name, count):\n"
        "    with ResumableWriter(Path(sys.argv[1], name), fps=30, plan={}) as writer:\n"
        "        for i in range(count):\n"
        "            writer.add(np.full((128, 128, 3), i % 256, np.uint8))\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = film('short.mp4', 100)\n"
        "print(film('long.mp4', 1000) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 10_000  # kB; all frames are 48 MB
    assert len(probe(tmp_path / "long.mp4")["frames"]) == 1000
