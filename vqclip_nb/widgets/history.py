"""The runs of a folder as thumbnails: found by their words, chosen, starred and noted."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ipywidgets as widgets
from PIL import Image

from vqclip_nb.pictures import open_picture
from vqclip_nb.run import Result
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.widgets.fields import help_text, set_tooltip
from vqclip_nb.widgets.html_media import still
from vqclip_nb.widgets.in_page import page_writes, written_by_page

_SIDE = 72  # pixels of a thumbnail
_AT_FIRST = 24  # thumbnails, and so many more each time


@dataclass(frozen=True)
class OpenedRun:
    """A run as its folder shows it, without models; like a `Run` that does not paint."""

    folder: RunFolder
    plan: Settings
    i: int
    seconds: float
    history: list[dict]

    @classmethod
    def of(cls, path: Path) -> OpenedRun:
        """Raises ValueError if the folder has no settings that can be read."""
        folder = RunFolder(path)
        plan, header, steps = folder.load_plan(), folder.load_header(), folder.shown_steps()
        i = header.get("i", steps[-1] if steps else 0)
        return cls(folder, plan, i, header.get("seconds", 0.0), folder.load_history(i))

    @cached_property
    def settings(self) -> Settings:
        """The settings of its latest iteration."""
        return self.plan.at(max(1, self.i))

    def images(self) -> list[Image.Image]:
        """Its latest pictures, one for each of a batch."""
        return [open_picture(file) for file in self.folder.pictures()]

    def result(self) -> Result:
        """What the run left, with the latents of its latest step."""
        latents = self.folder.load_step(self.folder.shown_steps()[-1])
        return Result(self.images(), latents, self.history, self.folder.path)


class History:
    """Shows the runs of a folder, the latest first; one of them is chosen.

    chosen: the folder of that run; None if there is none
    changed: called without arguments when another one is chosen
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.runs: list[Path] = []
        self.chosen: Path | None = None
        self._changed, self._most, self._filling = changed, _AT_FIRST, False
        # what was read of each run, with the time at which that file was changed: a search asks
        # for all of them at every key
        self._thumbnails: dict[Path, tuple[int, str]] = {}
        self._prompts: dict[Path, tuple[int, str]] = {}
        self.search = widgets.Text(
            description="search", placeholder="words of a prompt, a note or a name"
        )
        self.search.observe(lambda _: self._show(), "value")
        self.only_starred = widgets.ToggleButton(description="★ only", tooltip="Only starred runs")
        self.only_starred.observe(lambda _: self._show(), "value")
        self.star = widgets.ToggleButton(description="★ Star", tooltip="Mark this run")
        self.note = widgets.Text(description="note", continuous_update=False)
        set_tooltip(self.note, "What you want to remember of this run")
        for field in (self.star, self.note):
            field.observe(self._noted, "value")
        self._box = page_writes("vq-pick", self.choose_named)
        self._grid, self._words = widgets.HTML(), widgets.HTML()
        self._older = widgets.Button(description="Older runs", icon="chevron-down")
        self._older.on_click(lambda _: self._show(more=_AT_FIRST))
        self._older.layout.display = "none"
        above, below = widgets.HBox([self.search, self.only_starred]), [self.star, self.note]
        above.add_class("vq-buttons")
        row = widgets.HBox(below)
        row.add_class("vq-buttons")
        self.widget = widgets.VBox([above, self._grid, self._older, self._words, row, self._box])
        self._show()

    def list_runs(self, out: Path) -> None:
        """List the runs in a folder; the chosen one stays, or the latest is chosen."""
        found = sorted(out.glob("[!.]*/state.safetensors"), reverse=True)
        self.runs = [path.parent for path in found]
        if self.chosen not in self.runs:
            self.chosen = next(iter(self.runs), None)
        self._show()

    def latest(self, number: int) -> list[Settings]:
        """The settings of so many of the latest runs; those that can be read."""
        found = []
        for path in self.runs[:number]:
            with contextlib.suppress(ValueError):
                found.append(RunFolder(path).load_settings())
        return found

    def choose(self, path: Path) -> None:
        """Choose a run of the list."""
        self.chosen = path
        self._show()
        self._changed()

    def choose_named(self, name: str) -> bool:
        """Choose the run of this name, as a click does; returns whether there is one."""
        for path in self.runs:
            if path.name == name:
                self.choose(path)
                return True
        return False

    def _noted(self, _change: dict) -> None:
        if self.chosen is not None and not self._filling:
            RunFolder(self.chosen).save_note(self.star.value, self.note.value)
            self._show()

    def _show(self, more: int = 0) -> None:
        """Show the runs that the search finds, and what is known of the chosen one."""
        self._most += more
        wanted = self.search.value.lower().split()
        found, rest = [], False
        for path in self.runs:
            if wanted or self.only_starred.value:
                star, note = RunFolder(path).load_note()
                words = f"{path.name} {note} {self._prompt(path)}".lower()
                fits = all(word in words for word in wanted)
                if not fits or (self.only_starred.value and not star):
                    continue
            if len(found) == self._most:
                rest = True
                break
            found.append(path)
        cells = "".join(map(self._cell, found))
        nothing = "No run has these words." if self.runs else "Runs appear here when they exist."
        self._grid.value = f'<div class="vq-runs">{cells or help_text(nothing)}</div>'
        self._older.layout.display = None if rest else "none"
        self._show_chosen()

    def _cell(self, path: Path) -> str:
        """A thumbnail with its name, which can be clicked."""
        star, _ = RunFolder(path).load_note()
        shown = _kept(self._thumbnails, RunFolder(path).picture, _thumbnail)
        marked = " vq-chosen" if path == self.chosen else ""
        mark = '<b title="starred">★</b>' if star else ""
        return (
            f'<span class="vq-run{marked}" {written_by_page("vq-pick", path.name)}>'
            f"{shown}{mark}<i>{html.escape(self._prompt(path))}</i></span>"
        )

    def _prompt(self, path: Path) -> str:
        return _kept(self._prompts, path / "settings.json", _prompt_of)

    def _show_chosen(self) -> None:
        self._filling = True
        path = self.chosen
        star, note = RunFolder(path).load_note() if path else (False, "")
        self.star.value, self.note.value = star, note
        self.star.disabled = self.note.disabled = path is None
        words = (
            f"<b>{html.escape(self._prompt(path))}</b> · {html.escape(path.name)}" if path else ""
        )
        self._words.value = words
        self._filling = False


def _kept(kept: dict[Path, tuple[int, str]], file: Path, read: Callable[[Path], str]) -> str:
    """What `read` returns for a file, read again only if the file has changed."""
    changed = file.stat().st_mtime_ns if file.exists() else 0
    if kept.get(file, (None, ""))[0] != changed:
        kept[file] = changed, read(file)
    return kept[file][1]


def _thumbnail(picture: Path) -> str:
    try:
        return still(open_picture(picture), picture.parent.name, _SIDE)
    except ValueError:
        return "no picture"


def _prompt_of(file: Path) -> str:
    """The prompt that a run was last painted with; its folder's name if that cannot be read."""
    try:
        settings = RunFolder(file.parent).load_settings()
    except ValueError:
        return file.parent.name
    last = [update["prompt"] for update in settings.updates if "prompt" in update]
    return (last or [settings.prompt])[-1]
