"""Films as HTML: what the page is given."""

import base64
import json
import os
import re
import sys
import types

import numpy as np
import pytest
from PIL import Image

from vqclip_nb.storage.ffmpeg import write_video
from vqclip_nb.widgets.html_media import figure, link, play, served, sheet, still


@pytest.mark.parametrize(("ending", "tag"), [("mp4", "video"), ("gif", "img")])
def test_a_film_is_in_the_page_as_it_is_in_the_file(ending, tag, tmp_path):
    film = tmp_path / f"a.{ending}"
    write_video(film, [np.full((16, 16, 3), level, np.uint8) for level in (0, 200)])
    shown = play(film).data
    addresses = re.findall(r'(?:src|href)="data:[a-z]+/[a-z0-9]+;base64,([^"]+)"', shown)
    assert f"<{tag} " in shown
    assert [base64.b64decode(each) for each in addresses] == [film.read_bytes()] * 2


def test_captions_are_words_and_no_code(tmp_path):
    film = tmp_path / "<b>.mp4"
    write_video(film, [np.zeros((16, 16, 3), np.uint8)])
    shown = play(film, captions=['"><script>']).data
    assert "<script>" not in shown
    assert "<b>" not in shown


@pytest.fixture
def film(tmp_path):
    """Three seconds of noise, which no codec makes small."""
    chance = np.random.default_rng(0)
    frames = (chance.integers(0, 255, (128, 128, 3), np.uint8) for _ in range(90))
    write_video(tmp_path / "a film.mp4", frames)
    return tmp_path / "a film.mp4"


@pytest.fixture(params=[("jpserver", "root_dir"), ("nbserver", "notebook_dir")])
def server(request, tmp_path, monkeypatch):
    """The note that a server, JupyterLab's or the classic one, leaves of itself."""
    (name, root), runtime = request.param, tmp_path / "runtime"
    runtime.mkdir()
    note = {root: str(tmp_path), "base_url": "/user/ada/"}
    (runtime / f"{name}-77.json").write_text(json.dumps(note))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("JPY_PARENT_PID", "77")


def test_what_the_page_s_server_serves_is_named_and_not_copied(server, film):
    address = f"/user/ada/files/a%20film.mp4?version={film.stat().st_mtime_ns}"
    assert served(film) == address
    assert "base64" not in figure(film, "a film")
    assert f'href="{address}&amp;download=1"' in link(film)


def test_a_film_that_was_made_again_has_another_address(server, film):
    """A page that knows the address would go on showing the film before."""
    before = served(film)
    os.utime(film, (2**31, 2**31))
    assert served(film) != before


def test_what_it_does_not_serve_has_no_address(server, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}.mp4"
    (tmp_path / ".hidden").mkdir()
    for file in (tmp_path / ".hidden" / "a.mp4", outside):
        file.touch()
        assert served(file) is None


def test_colab_s_page_is_served_by_none(server, film, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert served(film) is None


def test_without_a_server_a_film_plays_as_a_small_copy(film, monkeypatch):
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert film.stat().st_size > 300_000
    shown = figure(film, "a film")
    assert "<video" in shown
    assert len(shown) < 100_000
    assert link(film) == f"{film} is ready."


@pytest.mark.parametrize(("size", "width"), [(64, None), (1024, None), (256, 208), (48, 48)])
def test_a_picture_in_a_panel_has_few_bytes(size, width):
    chance = np.random.default_rng(0)
    blobs = Image.fromarray(chance.integers(0, 255, (48, 48, 3), np.uint8)).resize((size, size))
    shown = still(blobs, "blobs", width)
    assert len(shown) < (45_000 if width is None else 16_000)
    assert 'alt="blobs"' in shown


def test_a_plain_picture_loses_nothing(tmp_path):
    image = Image.new("RGB", (64, 64), (200, 10, 10))
    data = re.search(r"data:image/png;base64,([^\"]+)", still(image, "red"))[1]
    (tmp_path / "red.png").write_bytes(base64.b64decode(data))
    assert Image.open(tmp_path / "red.png").tobytes() == image.tobytes()


def test_a_sheet_shows_pictures_and_files_above_their_captions_within_limits(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8))
    noise.save(tmp_path / "noise.png")
    shown = sheet([tmp_path / "noise.png", noise], ["a <b>", "two"], columns=2).data
    assert re.findall("<figcaption[^>]*>(.*?)</figcaption>", shown) == ["a &lt;b&gt;", "two"]
    assert shown.count('src="data:image/jpeg') == 2
    assert len(shown) < 250_000  # noise is the largest picture there is
    assert sheet([noise]).data.count("<img") == 1
