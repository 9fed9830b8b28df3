"""What a browser makes of it: the film plays, the Studio is played with."""

import base64
import contextlib
import io
import json
import os
import random
import re
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from front_ends import Classic, JupyterLab, opened, until
from PIL import Image
from playwright.sync_api import expect

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
    "import vqclip_nb as vq\n\nsmall = vq.Settings(seed=3, cutn=8, im_shape=(128, 128))\n"
    "studio = vq.Studio(small.replace(total_iter=60, show_step=10))",
]
QUICK_START = Path(__file__).parents[1] / "notebooks" / "00_quickstart.ipynb"


@pytest.fixture(scope="module", params=[JupyterLab, Classic])
def front(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("front"))


@pytest.mark.slow
def test_someone_plays_with_the_studio(front, page, tmp_path):
    with opened(front, page, tmp_path, STUDIO) as person:
        person.until(lambda: "Ready" in person.status())
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
        person.reveal("Load", "Runs")
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
        _paint_a_grid(person)

        files = Path(vq.__file__).parent / "models" / "tiny"
        person.reveal(r"Upload(?: \(0\))?", "Settings", "Picture and model")
        with page.expect_file_chooser() as chooser:
            person.button(r"Upload(?: \(0\))?").click()
        chooser.value.set_files([files / "vqgan.yaml", files / "vqgan.safetensors"])
        person.until(lambda: "Kept" in person.status() and "uploads" in person.status())
        assert front.errors(page).count() == 0
        runs = sorted((tmp_path / "runs").glob("*/settings.json"))
    assert len(runs) == 4  # with the first picture of the journey
    changes = json.loads(runs[0].read_text())["updates"]
    assert {name for change in changes for name in change} >= {"w2", "prompt"}


@pytest.mark.slow
def test_a_click_enlarges_a_picture_and_arrows_go_through_its_steps(front, page, tmp_path):
    with opened(front, page, tmp_path, STUDIO) as person:
        person.until(lambda: "Ready" in person.status())
        person.press("4 at once")
        person.until(lambda: re.match(r"\d+ % · ", page.title()), 90)
        page.locator(".vq-frame img").nth(2).click()
        view = page.locator("dialog.vq-large")
        large, says = view.locator("img"), view.locator("span")
        person.until(lambda: "picture 3" in says.inner_text())
        seen = large.get_attribute("src")
        person.until(lambda: large.get_attribute("src") != seen)  # it follows what is painted
        person.until(lambda: "Kept in" in person.status(), 120)
        person.until(lambda: "%" not in page.title())
        for key, step in (("ArrowLeft", 60), ("ArrowLeft", 50), ("ArrowRight", 60)):
            page.keyboard.press(key)
            person.until(lambda step=step: f"step {step}, picture 3" in says.inner_text())
        wide = large.bounding_box()["width"]
        page.keyboard.press("1")
        assert large.bounding_box()["width"] < 256 < wide
        page.keyboard.press("p")
        assert large.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
        page.screenshot(path=str(person.screenshots / f"large in {type(front).__name__}.png"))
        page.keyboard.press("Escape")
        expect(view).to_have_count(0)
        page.locator(".vq-strip span").first.click()
        person.until(lambda: "step 10, picture 1" in person.picture()[0])
        person.keep(f"four in {type(front).__name__}")
        assert front.errors(page).count() == 0


FORM = """
from IPython.display import HTML, display
from vqclip_nb.widgets.form import form

def shout(word="cat", times=2, mark="!"):
    display(HTML("<i class=way>on its way</i>"))
    if mark == "?":
        raise ValueError("nobody asks")
    return HTML(f"<b class=made>{word * times}{mark}</b>")

form(shout, "Shout", times=(1, 5), mark=["!", "?"])
"""


@pytest.mark.slow
def test_a_form_makes_its_result_anew_in_the_place_of_the_former(front, page, tmp_path):
    with opened(front, page, tmp_path, [FORM], ends=".made") as person:
        made = page.locator(".made")
        expect(made).to_have_text("catcat!")
        person.write("word", "dog")
        person.front.slider(page).press("ArrowRight")
        person.press("Shout")
        expect(made).to_have_text("dogdogdog!")
        expect(page.locator(".way")).to_have_count(1)  # of the cell itself
        page.screenshot(path=str(person.screenshots / f"form in {type(front).__name__}.png"))
        person.choose("mark", "?")
        person.press("Shout")
        expect(page.get_by_text("ValueError: nobody asks")).to_be_visible()
        expect(made).to_have_text("dogdogdog!")


IN_VIEW = [".vq-prompt textarea", ".vq-start", ".vq-pause", ".vq-stop", ".vq-frame img"]
IN_VIEW += [".vq-slider >> nth=0", ".vq-slider >> nth=3"]  # w1 to learning_rate
TEXTS = [".vq-prompt textarea", ".vq-status", ".vq-stop", ".vq-chip:visible >> nth=-1"]
TEXTS += [".vq-row label:visible >> nth=1", ".vq-curve text >> nth=0"]
TEXTS += [".vq-slider label:visible >> nth=3", ".vq-beside input:visible >> nth=0"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(900, 640), (1366, 768), (1920, 1080)])
def test_run_all_ends_with_the_panel_in_view_painting(front, page, tmp_path, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    with opened(front, page, tmp_path, QUICK_START) as person:
        pictures = set()
        person.until(lambda: pictures.add(person.picture()) or len(pictures) > 3)
        page.wait_for_timeout(2000)  # the panel scrolls into view when it has its height
        for part in IN_VIEW:
            in_view = expect(page.locator(f".vq-panel {part}").first).to_be_in_viewport
            in_view(ratio=0.99)  # of its area, since a border may end between two pixels
        assert front.errors(page).count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_panel_is_legible_in_a_light_theme_and_in_a_dark_one(theme, page, tmp_path):
    with opened(JupyterLab(tmp_path, theme), page, tmp_path, QUICK_START) as person:
        person.until(lambda: person.iteration() > 1)
        person.keep(f"{theme} theme")
        for text in TEXTS:
            shown = page.locator(f".vq-panel {text}").first.screenshot()
            light = _luminance(np.asarray(Image.open(io.BytesIO(shown)).convert("RGB")) / 255)
            assert (light.max() + 0.05) / (light.min() + 0.05) >= 4.5, text


def _luminance(srgb: np.ndarray) -> np.ndarray:
    """Relative luminance [h, w] of colours [h, w, 3], as WCAG defines it."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


@pytest.mark.slow
def test_words_are_suggested_and_a_panel_without_kernel_says_so(page, tmp_path):
    lost = ".vq-panel.jupyter-widgets-disconnected"
    with opened(JupyterLab(tmp_path), page, tmp_path, STUDIO) as person:
        prompt = page.locator(".vq-prompt textarea")
        prompt.fill("")
        prompt.type("a red limousine")
        person.press("limousine → car")
        person.until(lambda: prompt.input_value() == "a red car")
        prompt.press("End")
        prompt.type(" and a pengui")
        person.press("penguin")
        person.until(lambda: prompt.input_value() == "a red car and a penguin")
        prompt.press("Enter")
        person.until(lambda: person.iteration() > 1)
        assert page.locator(lost).count() == 0
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_text("Restart Kernel…", exact=True).click()
        page.locator(".jp-Dialog-button.jp-mod-accept").click()
        page.locator(lost).wait_for(timeout=60_000)
        told = page.locator(lost).evaluate("e => getComputedStyle(e, '::before').content")
        assert "lost its kernel" in told


# As on Colab, whose page does not show what a thread changes.
COLAB = "from vqclip_nb.widgets import studio as s; s.can_paint_on_thread = lambda: False"
DEAF = "import sys; sys.modules['jupyter_ui_poll'] = None  # as where it is not installed"
PAINT = "result = studio.run()"


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [False, True])
def test_on_colab_the_cell_paints_and_says_what_is_true_of_buttons(front, page, tmp_path, deaf):
    if isinstance(front, JupyterLab):
        pytest.skip("Colab has the versions of the classic notebook.")
    cells = [DEAF] * deaf + [*STUDIO, COLAB, PAINT]
    with opened(front, page, tmp_path, cells) as person:
        told = page.get_by_text("Buttons do not work while this cell runs: change the form")
        person.until(lambda: person.iteration() > 3, 120)
        assert told.count() == deaf
        if deaf:
            assert person.button("Stop").is_disabled()
            assert person.button("Start").is_disabled()
        else:
            person.press("Stop")
        person.until(lambda: "Kept in" in person.status(), 120)
        if not deaf:
            person.press("Start")
            person.until(lambda: person.iteration() > 3, 120)
            person.press("Stop")
            person.until(lambda: "Kept in" in person.status())
            person.press("End the cell")
        person.press("Start")
        person.until(lambda: "Run the panel's cell again" in person.status())
        assert front.errors(page).count() == 0


@pytest.mark.slow
def test_random_play_leaves_the_panel_as_it_was(page, tmp_path):
    """MONKEY=2000 does so many things, in ten minutes."""
    number, chance, frames = int(os.environ.get("MONKEY", "200")), random.Random(6), []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: frames.append(1)))
    with opened(JupyterLab(tmp_path), page, tmp_path, STUDIO) as person:
        before = _painted_star(person, tmp_path, frames)
        person.press("Start")
        person.until(lambda: person.iteration() > 2)
        for _ in range(number):
            person.play(chance)
            page.wait_for_timeout(100)
        person.keep("played")
        person.halt()
        person.reveal("Load", "Runs")
        person.press("Load")
        after = _painted_star(person, tmp_path, frames)
        assert page.get_by_text("Traceback").count() == 0
    until(lambda: _processes_in(tmp_path) == {}, 30)
    print(f"before {before}, after {number} things {after}")
    assert after.messages <= 1.2 * before.messages
    assert after.threads <= before.threads + 6  # pools that libraries keep
    assert after.megabytes <= before.megabytes + 700  # and models that were loaded on the way


class Cost(NamedTuple):
    """What a kernel holds after a painting, and how many messages the page got on its way."""

    threads: int
    megabytes: int
    messages: int


def _painted_star(person, folder: Path, frames: list) -> Cost:
    """The cost of one painting with the settings of the beginning."""
    person.reveal("Reset", "Settings")
    person.press("Reset")
    person.write("prompt", "a yellow star")
    frames.clear()
    person.press("Start")
    person.until(lambda: person.iteration() > 1 or "Kept in" in person.status(), 120)
    person.until(lambda: "Kept in" in person.status(), 120)
    person.page.wait_for_timeout(1000)
    (kernel,) = (pid for pid, what in _processes_in(folder).items() if "ipykernel" in what)
    told = Path(f"/proc/{kernel}/status").read_text()
    kilobytes, threads = (int(re.search(rf"{n}:\s+(\d+)", told)[1]) for n in ("VmRSS", "Threads"))
    return Cost(threads, kilobytes // 1000, len(frames))


def _processes_in(folder: Path) -> dict[int, str]:
    """The numbers and commands of processes that work in a folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve().is_relative_to(folder):
                found[int(process.name)] = (process / "cmdline").read_text()
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


def _paint_a_grid(person) -> None:
    """Of one picture, since a small machine needs seconds for each."""
    person.unfold("Grid")
    person.choose("down", "nothing")
    person.write("values", "oil painting")
    person.press("Paint grid")
    person.until(lambda: person.page.locator(".vq-grid img").count() == 1, 120)
    person.keep(f"grid in {type(person.front).__name__}")


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
    person.until(person.button("Next").is_disabled)  # as Start is called while it paints
    person.write("prompt", "a red heart")
    person.until(lambda: refused.count() == 0)


DROP = """(place, data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], 'mine.png', {type: 'image/png'}));
  place.dispatchEvent(new DragEvent('drop', {dataTransfer: files, bubbles: true}));
}"""


@pytest.mark.slow
def test_a_picture_is_dropped_painted_on_under_a_mask_and_its_settings_are_loaded(
    front, page, quick, tiny, tmp_path
):
    settings = quick | {"im_shape": (128, 96), "total_iter": 2, "out": tmp_path / "before"}
    data = (vq.generate("a red apple", models=tiny, **settings).folder / "picture.png").read_bytes()
    with opened(front, page, tmp_path, STUDIO) as person:
        person.until(lambda: "Ready" in person.status())
        person.unfold("Picture")
        page.locator(".vq-drop").evaluate(DROP, base64.b64encode(data).decode())
        canvas = page.locator(".vq-masked canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 40, steps=5)
        page.mouse.up()
        page.wait_for_timeout(1000)  # the mask is on its way to the kernel
        person.press("Start")
        person.until(lambda: person.iteration() > 1)
        person.keep(f"masked in {type(front).__name__}")
        person.halt()
        (run,) = (tmp_path / "runs").glob("*/settings.json")
        used = json.loads(run.read_text())["settings"]
        assert Path(used["init_image"]).read_bytes() == data
        mask = np.asarray(Image.open(used["mask"]).convert("L"))
        assert mask.shape == (96, 128)
        assert set(np.unique(mask)) >= {0, 255}
        assert 0.02 < (mask > 127).mean() < 0.5
        person.press("Its settings")
        person.until(lambda: "Loaded" in person.status())
        prompt = page.locator(".vq-prompt textarea")
        person.until(lambda: prompt.input_value() == "a red apple")
        assert front.errors(page).count() == 0
