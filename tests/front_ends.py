"""Two places where people open notebooks, and someone who sits before them.

`JupyterLab` is today's, with ipywidgets 8 and ipykernel 7. `Classic` has the packages that Colab
has: the notebook server of that time, ipywidgets 7.7.1 and ipykernel 6.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import secrets
import site
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from playwright.sync_api import Error, Locator, Page, TimeoutError

import vqclip_nb as vq

AS_COLAB = ["notebook==6.5.7", "ipykernel==6.29.5", "ipywidgets==7.7.1"]
AS_COLAB += ["tornado==6.5.7", "jupyter-ui-poll"]
AS_COLAB += ["widgetsnbextension==3.6.6"]  # Colab's 3.6.10 fails in that server

# The classic page asks a new kernel which widgets there are; what comes before the answer is lost.
ASK_THE_KERNEL = """async () => {
    for (let i = 0; i < 5; i++) {
        await new Promise(done => Jupyter.notebook.kernel.kernel_info(done));
        await new Promise(done => setTimeout(done, 100));
    }
}"""
CONTROLS = (
    ".vq-panel :is(button, input:not([type=file]), textarea, select, [class*=Collapse-header])"
)
CONTROLS += ":not(:disabled):visible"
NUMBERS = ["0", "1", "-1", "0.5", "3", "1e9", ""]
TEXTS = [
    "",
    "a cat",
    "a dog:2 | the sea",
    "neon",
    "7",
    "nowhere.png",
    "<b>x</b>",
    "a:b:c",
    "\\",
    "'",
    "0,5",
]
SAID = ".vq-status :is([role=status], [role=alert])"  # the line below the buttons


class JupyterLab:
    """JupyterLab of the environment that the tests run in; theme: "Light" or "Dark"."""

    seen = ".vq-panel"

    def __init__(self, folder: Path, theme: str = "Light") -> None:
        self.python, self.theme = sys.executable, theme

    def arguments(self, folder: Path, port: int, token: str) -> list[str]:
        """What starts the server, with no settings but these, and no question about news."""
        asks = folder / ".jupyter/settings/@jupyterlab/apputils-extension"
        asks.mkdir(parents=True)
        (asks / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        look = json.dumps({"theme": f"JupyterLab {self.theme}"})
        (asks / "themes.jupyterlab-settings").write_text(look)
        return [
            *("jupyter", "lab", "--allow-root", "--no-browser", "--ServerApp.ip=127.0.0.1"),
            *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
            *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]

    def open(self, page: Page, address: str, token: str, name: str) -> None:
        """Open a notebook and wait until its kernel is there.

        The page's own indicator says idle before there is a kernel; running a cell then asks for
        one in a dialog.
        """
        page.goto(f"{address}/lab/tree/{name}?token={token}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
        status = page.locator("#jp-main-statusbar")
        until(lambda: _connected(address, token) and "| Idle" in status.inner_text(), 90)

    def run_all(self, page: Page) -> None:
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()

    def slider(self, page: Page) -> Locator:
        """The handle of the panel's slider."""
        return page.locator(".widget-hslider .noUi-handle").first

    def errors(self, page: Page) -> Locator:
        return page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
        )


class Classic:
    """The classic notebook in an environment of its own, which sees the packages of this one."""

    seen = "body"

    def __init__(self, folder: Path) -> None:
        home = folder / "colab"
        self.python = str(home / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
        install = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet"]
        subprocess.run([*install, *AS_COLAB], check=True)
        (packages,) = home.glob("lib/python*/site-packages")
        repository = Path(vq.__file__).parents[1]
        (packages / "below.pth").write_text("\n".join([*site.getsitepackages(), str(repository)]))

    def arguments(self, folder: Path, port: int, token: str) -> list[str]:
        return [
            *("notebook", "--allow-root", "--no-browser", "--NotebookApp.ip=127.0.0.1"),
            *(f"--NotebookApp.port={port}", "--NotebookApp.port_retries=0"),
            *(f"--NotebookApp.token={token}", f"--NotebookApp.notebook_dir={folder}"),
        ]

    def open(self, page: Page, address: str, token: str, name: str) -> None:
        page.goto(f"{address}/notebooks/{name}?token={token}")
        for attempt in range(4):
            page.wait_for_selector(".code_cell", timeout=90_000)
            ready = "window.Jupyter?.WidgetManager?._managers?.length"
            page.wait_for_function(ready, timeout=90_000)
            try:
                until(lambda: _connected(address, token), 20)
            except AssertionError:  # that server may miss its kernel's first words
                assert attempt < 3
                page.reload()
            else:
                break
        page.evaluate(ASK_THE_KERNEL)

    def run_all(self, page: Page) -> None:
        page.evaluate("Jupyter.notebook.execute_all_cells()")

    def slider(self, page: Page) -> Locator:
        return page.locator(".widget-hslider .ui-slider-handle").first

    def errors(self, page: Page) -> Locator:
        return page.locator(".output_error, .output_stderr")


def _connected(address: str, token: str) -> bool:
    """Whether a page is connected to a kernel that waits for it."""
    try:
        with urllib.request.urlopen(f"{address}/api/sessions?token={token}", timeout=5) as answer:
            kernels = [session["kernel"] for session in json.load(answer)]
    except OSError:
        return False
    return any(k["execution_state"] == "idle" and k["connections"] for k in kernels)


@contextlib.contextmanager
def opened(
    front: JupyterLab | Classic, page: Page, folder: Path, cells: list[str] | Path, ends: str = SAID
) -> Iterator[Person]:
    """A notebook, or one of these cells, opened in a folder and run until it shows `ends`."""
    if isinstance(cells, Path):
        notebook = nbformat.read(cells, as_version=4)
    else:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    # without a name a dialog asks for the kernel
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "studio.ipynb")
    with _served(front, folder) as (address, token):
        front.open(page, address, token, "studio.ipynb")
        front.run_all(page)
        person = Person(page, front, folder)
        person.until(lambda: page.locator(ends).count() > 0, 120)
        yield person


@contextlib.contextmanager
def _served(front: JupyterLab | Classic, folder: Path) -> Iterator[tuple[str, str]]:
    """A server on a folder; gives its address and token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipython"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    own |= {"JUPYTER_DATA_DIR": "data"}
    env = os.environ | {name: str(folder / ".jupyter" / part) for name, part in own.items()}
    command = [front.python, "-m", *front.arguments(folder, port, token)]
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
            return True
        return False

    try:
        until(answers, 60)
        yield address, token
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:  # it may hang if a kernel was just starting again
            server.kill()


def until(true: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.2)


class Person:
    """Someone at the panel."""

    def __init__(self, page: Page, front: JupyterLab | Classic, folder: Path) -> None:
        self.page, self.front = page, front
        self.screenshots = Path(os.environ.get("SCREENSHOTS", folder))
        self.screenshots.mkdir(parents=True, exist_ok=True)

    def button(self, name: str) -> Locator:
        words = re.compile(rf"^\s*{name}\s*$")
        return self.page.locator("button.jupyter-button").filter(has_text=words)

    def press(self, name: str) -> None:
        button = self.button(name)
        button.wait_for(timeout=60_000)
        self.until(button.is_enabled)
        button.click()

    def halt(self) -> None:
        """Stop whatever is painting or paused; it may end by itself in the meantime."""

        def stopped() -> bool:
            for button in (self.button("Go on"), self.button("Stop")):
                with contextlib.suppress(TimeoutError):
                    if button.is_enabled():
                        button.click(timeout=1000)
            return self.button("Stop").is_disabled()

        self.until(stopped, 120)

    def write(self, name: str, value: str) -> None:
        """Fill in a field; Enter in the prompt would paint."""
        hbox = f".widget-inline-hbox:has(label:text-is('{name}'))"
        field = self.page.locator(f"{hbox} :is(input, textarea)").first
        field.fill(value)
        if name != "prompt":
            field.press("Enter")

    def choose(self, name: str, option: str) -> None:
        menu = self.page.locator(f".widget-inline-hbox:has(label:text-is('{name}')) select").first
        menu.select_option(option)

    def unfold(self, title: str) -> None:
        """Open a section of the form."""
        words = re.compile(rf"^\s*{title}\s*$")
        self.page.locator("[class*=Collapse-header]").filter(has_text=words).click()

    def reveal(self, name: str, *titles: str) -> None:
        """Open sections until this button is seen."""
        for title in titles:
            if not self.button(name).is_visible():
                self.unfold(title)
                self.page.wait_for_timeout(500)

    def scrub(self) -> None:
        """One step to the right on the slider."""
        self.front.slider(self.page).press("ArrowRight")

    def status(self) -> str:
        """The line below the buttons."""
        return self.page.locator(SAID).first.inner_text()

    def iteration(self) -> int:
        words = self.status().replace("Paused at", "Iteration").split()
        return int(words[1]) if words[0] == "Iteration" else 0

    def picture(self) -> tuple[str, str]:
        """What the picture is said to be, and its data."""
        shown = self.page.locator("img[alt*=', iteration'], img[alt*=', step']")
        if not shown.count():
            return "", ""
        return tuple(shown.first.evaluate("img => [img.alt, img.src]"))

    def until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        ends = time.monotonic() + seconds
        while not true():
            if time.monotonic() > ends:
                self.page.screenshot(path=str(self.screenshots / "stuck.png"))
                told = self.page.locator("pre").all_inner_texts()
                raise AssertionError("\n".join([self.status(), *told])[-4000:])
            self.page.wait_for_timeout(50)

    def play(self, chance: random.Random) -> None:
        """Do anything that the panel lets one do, but Close and what takes a small machine long."""
        control = chance.choice(self.page.locator(CONTROLS).element_handles())
        label = control.evaluate("e => e.closest('.widget-inline-hbox')?.innerText ?? e.innerText")
        if any(
            name in label
            for name in (
                "End the cell",
                "Upload",
                "Choose a",
                "batch_size",
                "im_shape",
                "cutn",
                "×",
            )
        ):
            return
        kind = control.evaluate("e => e.type ?? e.tagName")
        with contextlib.suppress(Error):  # what went away in the meantime
            if kind.startswith("select"):
                options = control.evaluate("e => e.length")
                control.select_option(index=chance.randrange(max(1, options)), timeout=2000)
            elif kind in ("text", "number", "textarea"):
                control.fill(
                    chance.choice(TEXTS if kind == "textarea" else NUMBERS + TEXTS), timeout=2000
                )
                control.press("Enter", timeout=2000)
            else:
                control.click(timeout=2000)

    def keep(self, name: str) -> None:
        """A screenshot of the panel, or of all where the page's head would lie over it."""
        seen = self.page.locator(self.front.seen).first
        seen.screenshot(path=str(self.screenshots / f"{name}.png"))
