"""Videos, read back with ffmpeg: frames, size, codec, pixel format."""

import numpy as np
import pytest
from film_frames import probe

import vqclip_nb as vq
from vqclip_nb.storage.ffmpeg import join_videos, write_video


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


def test_a_file_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(OSError, match=r"a\.mp4 could not be written: .*No such file"):
        write_video(tmp_path / "nowhere" / "a.mp4", _grey(range(99), 256, 256))


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
