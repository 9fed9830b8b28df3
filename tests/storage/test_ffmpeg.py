"""Videos, read back with ffmpeg: frames, size, codec, pixel format."""

import re
from pathlib import Path

import numpy as np
import pytest
from film_frames import metadata, probe
from hypothesis import given
from hypothesis import strategies as st

import vqclip_nb as vq
from vqclip_nb.storage.ffmpeg import (
    Encoder,
    frame_count,
    join_videos,
    read_video,
    shrink,
    write_video,
)


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


NAMES = ["C# course", "what?", "10:30", "file:a", "-y", "it's", "100%d", "two\nlines", "ä", "a b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_film_can_be_written_and_read_in_a_folder_of_any_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path(name)
    folder.mkdir()
    write_video(folder / "a.mp4", _grey([50] * 5), comment="of its making")
    write_video(folder / f"{name}.mp4", _grey([90] * 3))
    join_videos(folder / "all.mp4", [folder / "a.mp4"] * 2, comment="of its making")
    assert len(list(read_video(folder / "all.mp4"))) == 10
    assert len(list(read_video(folder / f"{name}.mp4"))) == 3
    shrink(folder / "all.mp4", folder / "small.mp4", 10_000)
    assert list(read_video(folder / "small.mp4"))
    assert len(list(folder.iterdir())) == 4


def test_a_run_in_a_folder_of_any_name_has_a_film(quick, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick |= {"out": "-C# course/10:30?", "total_iter": 2}
    result = vq.generate("a red apple", models=tiny, **quick)
    assert frame_count(result.folder / "timelapse.mp4") == 2


COMMENT = '{"=;#\\n": "' + "a; long = text # of \\ everything " * 40_000 + 'ä"}'


@pytest.mark.parametrize("join", [False, True])
def test_a_comment_of_any_length_and_letters_is_kept(join, tmp_path):
    write_video(tmp_path / "a.mp4", _grey([50] * 2), comment=COMMENT)
    if join:
        join_videos(tmp_path / "b.mp4", [tmp_path / "a.mp4"], comment=COMMENT)
    (line,) = [
        line
        for line in metadata(tmp_path / ("b.mp4" if join else "a.mp4")).split("\n")
        if line.startswith("comment=")
    ]
    assert re.sub(r"\\(.)", r"\1", line.removeprefix("comment=")) == COMMENT


def test_the_frames_of_a_whole_film_are_counted_and_a_cut_one_has_none(tmp_path):
    film = tmp_path / "a.mp4"
    for count in (1, 7, 60):
        write_video(film, _grey([50] * count))
        assert frame_count(film) == count == len(probe(film)["frames"])
    data = film.read_bytes()
    for length in range(0, len(data), 97):
        film.write_bytes(data[:length])
        assert frame_count(film) == 0
    assert frame_count(tmp_path) == frame_count(tmp_path / "none.mp4") == 0


@given(st.binary(max_size=200))
def test_the_frames_of_any_file_are_counted(tmp_path_factory, data):
    film = tmp_path_factory.getbasetemp() / "any.mp4"
    film.write_bytes(data)
    assert frame_count(film) == 0


def test_what_is_no_film_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no film")
    with pytest.raises(ValueError, match=r"a\.mp4 is not a film that can be read"):
        list(read_video(tmp_path / "a.mp4"))


def test_an_interrupt_while_a_film_is_finished_leaves_no_process(tmp_path, monkeypatch):
    encoder = Encoder(tmp_path / "a.mp4")
    encoder.add(_grey([50])[0])
    process = encoder._process
    wait = process.wait

    def interrupted():
        monkeypatch.setattr(process, "wait", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encoder.close()
    assert process.returncode is not None
    assert list(tmp_path.iterdir()) == []
