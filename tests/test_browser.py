"""What a browser makes of it: the film plays, the Studio is played with."""

import contextlib
import json
import os
import random
import re
import time
import zipfile
from pathlib import Path

import nbclient
import nbformat
import pytest
from front_ends import Classic, JupyterLab, opened, until
from shorter import shortened

import vqclip_nb as vq


@pytest.mark.slow
def test_chromium_plays_the_timelapse_to_its_end(page, quick, tiny, tmp_path):
    result = vq.generate("a red apple", models=tiny, **(quick | {"total_iter": 45}))
    (tmp_path / "page.html").write_text(
        f'<video src="{(result.folder / "timelapse.mp4").as_uri()}" muted autoplay></video>'
    )
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function("document.querySelector('video').ended", timeout=30_000)
    seen = page.evaluate(
        "(v => [v.currentTime, v.videoWidth, v.videoHeight])(document.querySelector('video'))"
    )
    assert seen == [pytest.approx(1.5, abs=0.1), 64, 64]


PLAYS = "document.querySelector('video')?.currentTime > 0.2"
STUDIO = [
    "import vqclip_nb as vq\n\nstudio = vq.Studio(vq.Settings(seed=3, cutn=8, show_step=10))",
    "result = studio.run(wait=True)",
]


@pytest.mark.slow
def test_chromium_plays_every_film_of_the_video_notebook(page, tmp_path):
    """What its cells put out, as a page of its own."""
    path = Path(__file__).parents[1] / "notebooks" / "02_video.ipynb"
    notebook = shortened(nbformat.read(path, as_version=4))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=place).execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    shown = [o.data["text/html"] for o in outputs if "text/html" in o.get("data", {})]
    (tmp_path / "films.html").write_text("".join(shown), encoding="utf-8")
    page.goto((tmp_path / "films.html").as_uri())
    assert page.locator("video").count() == page.locator("a[download]").count() == 4
    moving = "[...document.querySelectorAll('video')].every(v => v.currentTime > 0.2)"
    page.wait_for_function(moving, timeout=30_000)


@pytest.fixture(scope="module", params=[JupyterLab, Classic])
def front(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("front"))


@pytest.mark.slow
def test_someone_plays_with_the_studio(front, page, tmp_path):
    with opened(front, page, tmp_path, STUDIO) as person:
        person.write("prompt", "a yellow star")
        person.press("Start")
        pictures = set()
        person.until(lambda: pictures.add(person.picture()) or len(pictures) > 3)
        _change_live(person)
        _pause_and_go_on(person)
        _refuse(person)
        person.press("Stop")
        person.until(lambda: "Kept in" in person.status())
        person.scrub()
        person.until(lambda: ", step 10" in person.picture()[0])
        person.press("Save")
        person.until(lambda: "Saved in" in person.status())
        person.press("Film")
        page.wait_for_function(PLAYS, timeout=60_000)
        person.press("Zip")
        link = page.locator("a[download$='.zip']")
        link.wait_for(timeout=30_000)
        with page.expect_download() as saved:
            link.click()
        assert zipfile.is_zipfile(saved.value.path())
        assert "base64" not in page.locator("video").first.get_attribute("src")
        _fly(person)
        person.press("Load")
        person.until(lambda: "Loaded" in person.status())
        person.write("extras", "neon")
        person.press("Start")
        person.until(lambda: "Kept in" in person.status(), 120)
        person.until(person.button("Start").is_enabled)
        person.keep(f"studio in {type(front).__name__}")
        person.press("Set beside")
        person.until(lambda: page.locator("img[alt='picture B']").count() == 1)
        person.keep(f"beside in {type(front).__name__}")

        files = Path(vq.__file__).parent / "models" / "tiny"
        with page.expect_file_chooser() as chooser:
            person.button("Upload").or_(person.button(r"Upload \(0\)")).click()
        chooser.value.set_files([files / "vqgan.yaml", files / "vqgan.safetensors"])
        person.until(lambda: "Kept" in person.status() and "uploads" in person.status())
        person.press("Close")
        assert front.errors(page).count() == 0
        runs = sorted((tmp_path / "runs").glob("*/settings.json"))
    assert len(runs) == 3  # with the first picture of the journey
    changes = json.loads(runs[0].read_text())["updates"]
    assert {name for change in changes for name in change} >= {"w2", "prompt"}


DEAF = ["import sys; sys.modules['jupyter_ui_poll'] = None  # as where it is not installed"]
PAINT = "studio.run(wait=True)"


@pytest.mark.slow
def test_where_jupyter_ui_poll_is_missing_the_panel_says_what_is_true(front, page, tmp_path):
    """With Colab's versions; in JupyterLab buttons are heard without it."""
    deaf = isinstance(front, Classic)
    cells = [*DEAF, STUDIO[0], PAINT]
    with opened(front, page, tmp_path, cells) as person:
        told = page.get_by_text("Buttons do not work while this cell runs: change the form")
        seen = set()
        if deaf:
            person.until(lambda: seen.add(person.status()) or person.iteration() > 3, 120)
            assert told.count() == 1
            assert person.button("Stop").is_disabled()
            assert person.button("Start").is_disabled()
            person.until(lambda: seen.add(person.status()) or "Kept in" in person.status(), 120)
            assert not any("press Start" in each for each in seen)
            person.until(person.button("Start").is_enabled)
            person.press("Start")
            person.until(lambda: "Run the cell with studio.run()" in person.status())
        else:
            person.press("Start")
            person.until(lambda: person.iteration() > 3, 120)
            assert told.count() == 0
            person.press("Stop")
            person.until(lambda: "Kept in" in person.status())
            person.press("Close")
        person.keep(f"without jupyter-ui-poll in {type(front).__name__}")
        assert front.errors(page).count() == 0


@pytest.mark.slow
def test_random_play_leaves_no_stuck_panel(page, tmp_path):
    """MONKEY=2000 does so many things."""
    number, chance = int(os.environ.get("MONKEY", "200")), random.Random(6)
    with opened(JupyterLab(tmp_path), page, tmp_path, STUDIO) as person:
        person.press("Start")
        person.until(lambda: person.iteration() > 2)
        for _ in range(number):
            person.play(chance)
            page.wait_for_timeout(100)
        person.keep("played")
        for name in ("Go on", "Stop"):
            if person.button(name).is_enabled():
                person.press(name)
        person.until(lambda: person.button("Stop").is_disabled())
        person.press("Load")
        person.press("Start")
        person.until(lambda: person.iteration() > 1, 120)
        person.press("Stop")
        person.until(lambda: "Kept in" in person.status())
        person.press("Close")
        assert page.get_by_text("Traceback").count() == 0
    until(lambda: _processes_in(tmp_path) == [], 30)


def _processes_in(folder: Path) -> list[str]:
    """The commands of processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve().is_relative_to(folder):
                found.append((process / "cmdline").read_text())
    return found


def _change_live(person) -> None:
    """While it paints: the curve has a mark for each change."""
    marks = person.page.locator("svg line title")
    person.write("w2", "0.8")
    person.until(lambda: marks.count() == 1)
    person.write("prompt", "a red heart")
    person.until(lambda: marks.count() == 2)


def _fly(person) -> None:
    """A journey that is stopped plays; its first picture becomes the run that is shown."""
    person.unfold("Film")
    person.choose("film", "journey")
    person.press("Film")
    person.until(lambda: re.match(r"Frame ([2-9]\d|\d{3})", person.status()), 120)
    person.press("Stop")
    person.until(lambda: "Stopped" in person.status())
    person.page.wait_for_function(PLAYS, timeout=60_000)
    person.keep(f"a journey in {type(person.front).__name__}")


def _pause_and_go_on(person) -> None:
    person.press("Pause")
    person.until(lambda: "Paused" in person.status())
    stands = person.iteration()
    time.sleep(2)
    assert person.iteration() == stands
    person.press("Go on")
    person.until(lambda: person.iteration() > stands)


def _refuse(person) -> None:
    """A prompt that is none is refused beside its field; the run goes on with the one before."""
    refused = person.page.get_by_text("✗ prompt must say what to paint")
    person.write("prompt", "")
    person.until(lambda: refused.count() == 1)
    assert person.button("Start").is_disabled()
    person.write("prompt", "a red heart")
    person.until(lambda: refused.count() == 0)
