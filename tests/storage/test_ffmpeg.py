"""Videos, read back with ffmpeg: frames, size, codec, pixel format."""

import subprocess

import numpy as np
import pytest
from film_frames import probe

import vqclip_nb as vq
from vqclip_nb.storage.ffmpeg import Segment, join_videos, write_video


def _grey(levels, height=64, width=64):
    return [np.full((height, width, 3), level, np.uint8) for level in levels]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80), (63, 101), (2, 2)])
def test_a_video_has_its_frames_at_its_size_up_to_even_numbers(tmp_path, height, width):
    count = write_video(tmp_path / "a.mp4", _grey(range(0, 200, 20), height, width), fps=25)
    read = probe(tmp_path / "a.mp4")
    assert (read["codec"], read["format"], read["fps"]) == ("h264", "yuv420p", 25)
    assert read["frames"].shape == (count, height + height % 2, width + width % 2, 3)
    levels = read["frames"].mean(axis=(1, 2, 3))
    assert np.abs(levels - np.arange(0, 200, 20)).max() < 3


def test_joined_videos_play_one_after_the_other(tmp_path):
    for name, level in (("a", 30), ("b", 200)):
        write_video(tmp_path / f"{name}.mp4", _grey([level] * 5))
    join_videos(tmp_path / "all.mp4", [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    levels = probe(tmp_path / "all.mp4")["frames"].mean(axis=(1, 2, 3))
    assert np.abs(levels - np.repeat([30, 200], 5)).max() < 3


def test_a_segment_is_the_video_of_its_frames_however_often_encoding_rested(tmp_path):
    frames = [np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8) for i in range(9)]
    write_video(tmp_path / "whole.mp4", frames)
    segment = Segment(tmp_path)
    for number, frame in enumerate(frames):
        segment.add(frame)
        if number in (2, 5):
            segment.rest()
            assert not list(tmp_path.glob("*.part*"))
    segment.end("segment.mp4")
    assert segment.frames == []
    segment.settle()
    assert (tmp_path / "segment.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_an_encoder_that_dies_is_told_and_loses_no_frame(tmp_path):
    segment, frames = Segment(tmp_path), _grey(range(5))
    for frame in frames:
        segment.add(frame)
    segment._encoder._process.kill()
    segment.end("segment.mp4")
    with pytest.raises(OSError, match=r"segment\.mp4 could not be written"):
        segment.settle()
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(segment.frames, frames)
    segment.add(frames[0])
    segment.end("segment.mp4")
    segment.settle()
    assert len(probe(tmp_path / "segment.mp4")["frames"]) == 6


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OSError, match=r"a\.mp4 could not be written: .*No such file"):
        write_video(tmp_path / "nowhere" / "a.mp4", _grey(range(99), 256, 256))


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
    segment = Segment(tmp_path)
    for frame in _grey(range(0, 250, 10), 512, 512):
        segment.add(frame)
    segment.end("segment.mp4")
    assert (len(started), waited) == (1, [])
    segment.settle()
    assert waited == started


def test_no_frames_are_refused_and_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"empty\.mp4 would have no frames"):
        write_video(tmp_path / "empty.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_the_timelapse_has_one_frame_an_iteration_and_ends_with_the_picture(quick, tiny):
    result = vq.generate("a red apple", models=tiny, **quick)
    frames = probe(result.folder / "timelapse.mp4")["frames"]
    assert len(frames) == 6
    # in patches of 4x4: yuv420p keeps one colour for each 2x2
    last, shown = (
        np.asarray(picture, float).reshape(16, 4, 16, 4, 3).mean((1, 3))
        for picture in (result.images[0], frames[-1])
    )
    assert np.abs(shown - last).mean() < 5


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
