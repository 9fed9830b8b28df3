"""Films in segments: the same frames with and without an interrupt, and none lost."""

import subprocess

import numpy as np
import pytest
from film_frames import probe

import vqclip_nb as vq
from vqclip_nb.storage.ffmpeg import write_video
from vqclip_nb.storage.segmented_film import SegmentedFilm


def _grey(levels, height=64, width=64):
    return [np.full((height, width, 3), level, np.uint8) for level in levels]


def test_a_segment_is_the_video_of_its_frames_however_often_encoding_pauses(tmp_path):
    frames = [np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8) for i in range(9)]
    write_video(tmp_path / "whole.mp4", frames)
    film = SegmentedFilm(tmp_path)
    for number, frame in enumerate(frames):
        film.add(frame)
        if number in (2, 5):
            film.pause()
            assert not list(tmp_path.glob("*.part*"))
    film.end_segment(7)
    assert film.pending == []
    film.settle()
    assert (tmp_path / "000007.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_an_encoder_that_dies_is_reported_and_loses_no_frame(tmp_path):
    film, frames = SegmentedFilm(tmp_path), _grey(range(5))
    for frame in frames:
        film.add(frame)
    film._encoder._process.kill()
    film.end_segment(7)
    with pytest.raises(OSError, match=r"000007\.mp4 could not be written"):
        film.settle()
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(film.pending, frames)
    film.add(frames[0])
    film.end_segment(7)
    film.settle()
    assert len(probe(tmp_path / "000007.mp4")["frames"]) == 6


def test_a_loop_that_records_waits_for_no_encoder(tmp_path, monkeypatch):
    started, waited = [], []

    class Counted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

        def wait(self, *arguments):
            waited.append(self)
            return super().wait(*arguments)

    monkeypatch.setattr(subprocess, "Popen", Counted)
    film = SegmentedFilm(tmp_path)
    for frame in _grey(range(0, 250, 10), 512, 512):
        film.add(frame)
    film.end_segment(25)
    assert (len(started), waited) == (1, [])
    film.settle()
    assert waited == started


def test_a_resumed_runs_timelapse_has_the_same_frames(quick, tiny):
    undisturbed = vq.generate("a red apple", models=tiny, **quick)
    settings = vq.Settings.from_png(undisturbed.folder / "picture.png")
    run = vq.Run(settings, models=tiny, out=quick["out"])
    for it in run:
        if it.i == 3:
            break
    resumed = vq.Run.resume(run.folder.path, models=tiny)
    list(resumed)
    theirs = probe(resumed.folder.timelapse)["frames"]
    assert np.array_equal(probe(undisturbed.folder / "timelapse.mp4")["frames"], theirs)
