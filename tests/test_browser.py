"""What a browser makes of it: the film plays, the Studio is played with."""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

import vqclip_nb as vq

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ARGUMENTS += ["--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1500, "height": 1300})
    yield page
    page.close()


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: .ci/run installs it.")
        pytest.skip("chromium is not installed: on Debian, apt-get install chromium.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


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


@contextlib.contextmanager
def _lab(folder: Path):
    """JupyterLab on a folder, with no settings but its own; gives its address and token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipython"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    own |= {"JUPYTER_DATA_DIR": "data"}
    env = os.environ | {name: str(folder / ".jupyter" / part) for name, part in own.items()}
    command = [sys.executable, "-m", "jupyter", "lab", "--allow-root", "--no-browser"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()
        server.wait(30)


def _sessions(address: str, token: str) -> list[dict]:
    try:
        with urllib.request.urlopen(f"{address}/api/sessions?token={token}", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return []


def _open(page, address: str, token: str, name: str) -> None:
    """Open a notebook and wait until its kernel is there."""
    for _ in range(120):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
            break
        time.sleep(0.5)
    page.goto(f"{address}/lab/tree/{name}?token={token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    for _ in range(180):
        kernels = [session["kernel"] for session in _sessions(address, token)]
        ready = any(k["execution_state"] == "idle" and k["connections"] for k in kernels)
        if ready and "| Idle" in page.locator("#jp-main-statusbar").inner_text():
            return
        time.sleep(0.5)
    raise AssertionError("The kernel did not start.")


STUDIO = [
    "import vqclip_nb as vq\n\nstudio = vq.Studio(vq.Settings(seed=3, cutn=8, show_step=10))",
    "result = studio.run(wait=True)",
]


class Person:
    """Someone at the panel."""

    def __init__(self, page, screenshots: Path) -> None:
        self.page, self.screenshots = page, screenshots

    def press(self, name: str) -> None:
        words = re.compile(rf"^\s*{name}\s*$")
        button = self.page.locator("button.jupyter-button").filter(has_text=words)
        button.wait_for(timeout=60_000)
        self.until(button.is_enabled)
        button.click()

    def write(self, name: str, value: str) -> None:
        field = self.page.locator(f".widget-inline-hbox:has(label:text-is('{name}')) input").first
        field.fill(value)
        field.press("Enter")

    def status(self) -> str:
        return self.page.locator("[role=status], [role=alert]").first.inner_text()

    def iteration(self) -> int:
        words = self.status().replace("Paused at", "Iteration").split()
        return int(words[1]) if words[0] == "Iteration" else 0

    def picture(self) -> str:
        shown = self.page.locator("img[alt*='iteration'], img[alt*='step']")
        return shown.first.get_attribute("src") if shown.count() else ""

    def until(self, true, seconds: float = 60) -> None:
        ends = time.monotonic() + seconds
        while not true():
            if time.monotonic() > ends:
                self.page.screenshot(path=str(self.screenshots / "stuck.png"))
                raise AssertionError(self.status())
            self.page.wait_for_timeout(50)


@pytest.mark.slow
def test_someone_plays_with_the_studio_in_jupyterlab(page, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in STUDIO])
    # without a name a dialog asks for the kernel
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "studio.ipynb")
    with _lab(tmp_path) as (address, token):
        _open(page, address, token, "studio.ipynb")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        person = Person(page, _kept(tmp_path))
        person.until(lambda: page.locator("[role=status]").count() > 0, 120)

        person.write("prompt", "a yellow star")
        person.press("Start")
        pictures = set()
        person.until(lambda: pictures.add(person.picture()) or len(pictures) > 3)
        person.write("w2", "0.8")
        person.until(lambda: page.locator("svg line title").count() == 1)
        person.write("prompt", "a red heart")
        person.until(lambda: page.locator("svg line title").count() == 2)

        person.press("Pause")
        person.until(lambda: "Paused" in person.status())
        stands = person.iteration()
        time.sleep(2)
        assert person.iteration() == stands
        person.press("Go on")
        person.until(lambda: person.iteration() > stands)

        person.write("prompt", "")
        person.until(lambda: page.get_by_text("✗ prompt is ''").count() == 1)
        assert page.locator("button.jupyter-button").filter(has_text="Start").is_disabled()
        person.write("prompt", "a red heart")
        person.until(lambda: page.get_by_text("✗ prompt is ''").count() == 0)
        person.press("Stop")
        person.until(lambda: "Kept in" in person.status())
        person.press("Save")
        person.until(lambda: "Saved in" in person.status())
        page.screenshot(path=str(_kept(tmp_path) / "studio.png"))

        person.press("Film")
        page.wait_for_function("document.querySelector('video')?.currentTime > 0.2", timeout=60_000)
        person.press("Load")
        person.until(lambda: "Loaded" in person.status())
        person.press("Start")
        person.until(lambda: person.iteration() > 2)
        person.press("Stop")
        person.until(lambda: "Kept in" in person.status())
        person.press("Close")
        assert page.locator(".jp-OutputArea-output:has-text('Traceback')").count() == 0
        runs = sorted((tmp_path / "runs").glob("*/settings.json"))
    assert len(runs) == 2
    changes = json.loads(runs[0].read_text())["updates"]
    assert {name for change in changes for name in change} >= {"w2", "prompt"}


def _kept(folder: Path) -> Path:
    """Where screenshots go."""
    kept = Path(os.environ.get("SCREENSHOTS", folder))
    kept.mkdir(parents=True, exist_ok=True)
    return kept
