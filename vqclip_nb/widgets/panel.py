"""The widgets of the Studio's panel."""

from __future__ import annotations

import contextlib
import html
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from vqclip_nb.films.progress import progress_of
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.styles import STYLES
from vqclip_nb.run import Run
from vqclip_nb.settings import PRESETS, Settings, specs
from vqclip_nb.storage.colab import download, on_colab
from vqclip_nb.widgets.comparison import beside
from vqclip_nb.widgets.fields import as_many_pixels, help_text
from vqclip_nb.widgets.film_form import FilmForm
from vqclip_nb.widgets.help_page import EXAMPLES, HELP
from vqclip_nb.widgets.history import History, OpenedRun
from vqclip_nb.widgets.html_media import figure, framed, in_frame, link, still
from vqclip_nb.widgets.in_page import functions, in_title, page_writes, when_shown, written_by_page
from vqclip_nb.widgets.picture_grid import OPENS, GridForm, PictureGrid
from vqclip_nb.widgets.picture_in import PictureIn
from vqclip_nb.widgets.plots import curve_svg
from vqclip_nb.widgets.settings_form import FRONT, SECTIONS, Form
from vqclip_nb.widgets.theme import style_sheet
from vqclip_nb.widgets.word_chips import WordChips

QUALITY = {
    "draft": {"total_iter": 10, "show_step": 5, "cutn": 8},
    "normal": {"total_iter": 20, "show_step": 5, "cutn": 16},
    "best": {"total_iter": 100, "show_step": 20, "cutn": 32},
}
ASPECTS = {"square": (1, 1), "portrait 3:4": (3, 4), "landscape 4:3": (4, 3), "wide 16:9": (16, 9)}
_IN_VIEW = ("prompt", "extras", "w1", "w2", "noise_factor", "learning_rate")
_FOLDED = {"Picture and run": [name for name in FRONT if name not in _IN_VIEW], **SECTIONS}
# Every field that a preset sets has a value in all of them, so that choosing one leaves no rest.
_PRESET_FIELDS = {name for values in PRESETS.values() for name in values}
_DEFAULTS = {name: specs()[name].default for name in _PRESET_FIELDS}
BUTTONS = {  # event: label, icon, what it does
    "start": ("Start", "play", "Paint a new picture with these values"),
    "pause": ("Pause", "pause", "Pause between two iterations"),
    "resume": ("Go on", "play", "Continue painting"),
    "stop": ("Stop", "stop", "End the run and keep it"),
    "more": ("50 more", "plus", "Paint fifty more iterations"),
    "fork": ("Fork", "code-fork", "Start a new run from the step that is shown"),
    "upscale": ("2×", "expand", "Paint on from the step that is shown, at twice the size"),
    "save": ("Save", "save", "Save everything needed to resume"),
    "film": ("Film", "film", "Make and play the film described in the section Film"),
    "zip": ("Zip", "download", "Zip the run and offer it"),
    "close": ("End the cell", "times", "Let other cells run; painting then needs this cell again"),
    "lock": ("Keep it", "lock", "Paint again with this seed: the same beginning, other words"),
    "dice": ("New ones", "random", "Draw a new seed for each picture"),
    "four": ("4 at once", "th-large", "Paint four pictures of these words, each begun otherwise"),
    "open": ("Open", "folder-open", "Show picture, steps and curve of that run, and go on there"),
    "finish": ("Finish", "forward", "Paint what is left of that run"),
    "use": ("Use settings", "sliders", "Load the settings that its picture was painted with"),
    "load": ("Load", "upload", "Load its settings, to paint it again with its live changes"),
    "beside": ("Set beside", "columns", "Set its picture beside the current one and the others"),
    "apart": ("Clear", "times", "Set nothing beside each other"),
    "grid": ("Paint grid", "th", "Paint a picture for every pair of these values"),
    "shown": ("Take the one above", "arrow-down", "Use the picture that the panel shows"),
    "init": ("Start from it", "picture-o", "Paint on from this picture"),
    "sentence": ("As a prompt", "comment", "Add the picture to the prompt"),
    "settings": ("Its settings", "sliders", "Load the settings that it was painted with"),
    "reset": ("Reset", "undo", "Back to the values at the beginning; the prompt stays"),
}
_REMEMBERED = 12  # runs whose prompts are offered again
_SETTLED = 0.7  # seconds without a key, after which a typed prompt is complete
# Views arrive one after the other, so the panel has its height a little later than its first part.
_SCROLL = when_shown(
    "const panel = this.closest('.vq-panel'); "
    "for (const t of [100, 600, 1500]) setTimeout(() => panel.scrollIntoView(), t)"
)
_EMPTY = "Your picture appears here."
_MAIN = ("start", "pause", "resume", "stop")
_OF_CHOSEN = ("open", "finish", "use", "load", "beside", "apart")
_OF_PICTURE = ("shown", "init", "sentence", "settings")
_SEED = ("lock", "dice", "four")
_MORE = ("more", "fork", "upscale", "save", "film", "zip", "close")


class Panel:
    """Form, menus, buttons and views. Reports each user action, and decides nothing.

    put: called with the name of an event: a button, "changed" for the form, "step" for the slider,
        "upload", "picture" and "strokes" for a picture that is brought, "paint" for an example or Enter in the prompt, "runs" when a section is opened
    """

    def __init__(self, settings: Settings | None, put: Callable[[str], None]) -> None:
        self._put, self._initial = put, settings or Settings()
        folded = [name for names in _FOLDED.values() for name in names]
        self.form = Form(settings, [*_IN_VIEW, *folded], changed=self._changed)
        self.buttons = {event: self._button(event, *words) for event, words in BUTTONS.items()}
        views = ("picture", "strip", "seed", "curve", "status", "notes", "film", "link", "pair")
        self.views = {name: widgets.HTML() for name in (*views, "grid", "scroll", "title")}
        self.views["status"].add_class("vq-status")
        self.progress = widgets.IntProgress(value=0, min=0, max=1)
        self.progress.add_class("vq-progress")
        self.steps = widgets.SelectionSlider(
            options=[("now", 0)], description="step", continuous_update=False
        )
        self._goto = page_writes("vq-goto", self._step_clicked)
        self._filling = self._entered = False
        self._latest: list[str] = []  # prompts of the latest runs
        self.steps.observe(lambda change: None if self._filling else put("step"), "value")
        self.upload = widgets.FileUpload(
            description="Upload", accept=".safetensors,.ckpt,.pt,.yaml", multiple=True
        )
        self.upload.observe(lambda change: change["new"] and put("upload"), "value")
        self.film = FilmForm()
        self.film.kind.observe(lambda _: put("changed"), "value")
        self.history = History(lambda: put("changed"))
        self.picture_in = PictureIn(put, [self.buttons[name] for name in _OF_PICTURE])
        self.grid = GridForm()
        self._cell = page_writes(OPENS, self._cell_clicked)
        self.menus: dict[str, widgets.Dropdown] = {}
        self._meanings: dict[str, Mapping[str, dict | None]] = {}  # of each menu's options
        self._make_menus()
        self.chips = WordChips(lambda prompt: self.fill(prompt=prompt))
        self._typed_at = -math.inf  # when the prompt was last typed in
        self.form.fields["prompt"].observe(self._typed, "value")
        self.examples = [self._example(prompt) for prompt in EXAMPLES]
        self._search = widgets.Text(
            description="search", placeholder="a field, or a word of its help"
        )
        self.widget = self._laid_out()
        self._show_menus()
        self.show_nothing()

    def everything(self) -> Iterator[widgets.Widget]:
        """All widgets of the panel, those that are out of view included."""
        roots = [self.widget, *self.form.rows.values()]
        roots += [field for box in self.film.boxes.values() for field in box.values()]
        yield from (each for root in [*roots, self.film.sources] for each in _tree(root))

    def _button(self, event: str, label: str, icon: str, tooltip: str) -> widgets.Button:
        button = widgets.Button(description=label, icon=icon, tooltip=tooltip)
        button.add_class(f"vq-{event}")
        if event in _MAIN:
            button.add_class("vq-main")
        button.on_click(lambda _: self.reset() if event == "reset" else self._put(event))
        return button

    def _example(self, prompt: str) -> widgets.Button:
        button = widgets.Button(description=prompt, tooltip="Paint this")
        button.add_class("vq-chip")

        def clicked(_button: widgets.Button) -> None:
            self.fill(prompt=prompt)
            self._put("paint")

        button.on_click(clicked)
        return button

    # layout

    def _laid_out(self) -> widgets.VBox:
        views = self.views
        seed = _row([views["seed"], *(self.buttons[name] for name in _SEED)])
        seed.add_class("vq-seed")
        left = [views["picture"], self.steps, views["strip"], seed, self._goto]
        core = widgets.HBox([widgets.VBox(left), widgets.VBox(self._controls())])
        core.add_class("vq-core")
        sections = {
            "Settings": self._folded(),
            "Runs": self._runs(),
            "Grid": self._grid(),
            "Picture": self.picture_in.widget,
            "Film": self.film.widget,
            "Help": widgets.HTML(HELP),
        }
        self.sections = _accordion(sections)
        self.sections.observe(lambda _: self._put("runs"), "selected_index")
        try_these = widgets.HBox(self.examples)
        try_these.add_class("vq-chips")
        rest = [views["notes"], views["film"], views["link"], try_these, self.sections]
        panel = widgets.VBox(
            [style_sheet(), functions(), views["scroll"], views["title"], core, *rest]
        )
        panel.add_class("vq-panel")
        return panel

    def _controls(self) -> list[widgets.Widget]:
        """What stands beside the picture."""
        rows, buttons = self.form.rows, self.buttons
        rows["prompt"].add_class("vq-prompt")
        main, more = (_row([buttons[name] for name in names]) for names in (_MAIN, _MORE))
        self.form.hint.add_class("vq-hint")
        words = widgets.HBox([self.form.hint, self.chips.widget])
        words.add_class("vq-words")
        told = [main, self.progress, self.views["status"]]
        fields = [rows[name] for name in _IN_VIEW if name != "prompt"]
        return [rows["prompt"], words, *told, *fields, more, self.views["curve"]]

    def _folded(self) -> widgets.VBox:
        """The other fields in folded sections, or those that a search finds in one list."""
        form = self.form
        sections = {
            title: _fields([form.rows[name] for name in names]) for title, names in _FOLDED.items()
        }
        own = widgets.HBox([widgets.Label("Your checkpoint and its yaml (some MB):"), self.upload])
        sections["Picture and model"].children += (own,)
        folded = _accordion(sections)
        names = [name for each in _FOLDED.values() for name in each]
        below = widgets.VBox([folded])

        def search(change: dict) -> None:
            found = form.rows_about(change["new"], names)
            nothing = widgets.HTML(help_text("No field has these words."))
            below.children = [_fields(found or [nothing])] if change["new"].strip() else [folded]

        self._search.observe(search, "value")
        menus = [self._search, *self.menus.values(), _row([self.buttons["reset"]])]
        return widgets.VBox([_fields(menus), below])

    def _runs(self) -> widgets.VBox:
        chosen = _row([self.buttons[name] for name in _OF_CHOSEN])
        return widgets.VBox([self.history.widget, chosen, self.views["pair"]])

    def _grid(self) -> widgets.VBox:
        paint = _row([self.buttons["grid"]])
        return widgets.VBox([self.grid.widget, paint, self.views["grid"], self._cell])

    # menus

    def _make_menus(self) -> None:
        """Make menus that set several fields, and show what the form's values are."""
        self._make_menu("preset", {name: _DEFAULTS | values for name, values in PRESETS.items()})
        self._make_menu("quality", QUALITY)
        self._make_menu("aspect", dict.fromkeys(ASPECTS))
        styles = {name: {"extras": name} for name in STYLES}
        self._make_menu("style", {"none": {"extras": ""}} | styles)

    def _make_menu(self, label: str, values: Mapping[str, dict | None]) -> None:
        """Make a menu that fills in the values of what is chosen, or the size for an aspect."""
        menu = widgets.Dropdown(options=["modified", *values], description=label)

        def chosen(change: dict) -> None:
            if self._filling or change["new"] == "modified":
                return
            wanted = values[change["new"]]
            self.fill(**(self._size(change["new"]) if wanted is None else wanted))

        menu.observe(chosen, "value")
        self.menus[label], self._meanings[label] = menu, values

    def _show_menus(self) -> None:
        """Let the menus show what the form's values are."""
        try:
            now = self.form.settings()
        except ValueError:
            return
        self._filling = True
        for label, menu in self.menus.items():
            meanings = self._meanings[label].items()
            shown = (name for name, values in meanings if self._is(now, name, values))
            menu.value = next(shown, "modified")
        self._filling = False

    def _is(self, now: Settings, name: str, values: dict | None) -> bool:
        wanted = self._size(name) if values is None else values
        return all(getattr(now, field) == value for field, value in wanted.items())

    def _size(self, name: str) -> dict[str, tuple[int, int]]:
        """An aspect's width and height: the number of pixels stays, in multiples of 16."""
        across, down = ASPECTS[name]
        with contextlib.suppress(ValueError):
            width, height = self.form.settings().im_shape
            if width * down == height * across:
                return {"im_shape": (width, height)}
            return {"im_shape": as_many_pixels((width, height), across, down)}
        return {}

    # the form

    def fill(self, **changes: object) -> None:
        """Change fields of the form, as a user would."""
        self.form.show(changes)
        self._changed()

    def reset(self) -> None:
        """Show the initial settings; the prompt stays."""
        prompt = self.form.fields["prompt"].value
        self.form.fill(self._initial)
        self.fill(**({"prompt": prompt} if prompt.strip() else {}))

    def load(self, settings: Settings) -> None:
        """Show settings in the form, and the size of their picture."""
        self.form.fill(settings)
        self._show_menus()

    def _changed(self) -> None:
        self._show_menus()
        self._put("changed")

    def know_words(self, perceptor: Perceptor) -> None:
        """Check and complete words with those of a CLIP; not every one has a list."""
        self.form.perceptor = perceptor
        self.chips.know(perceptor)
        self.form.check()

    def is_typing(self) -> bool:
        """Whether the prompt may not be complete, because it changed a moment ago."""
        return time.monotonic() - self._typed_at < _SETTLED

    def _typed(self, change: dict) -> None:
        """Suggest words for what was typed in the prompt; Enter paints it."""
        before, now = change["old"], change["new"]
        if self._entered:
            return
        if self.form.filling:
            self._suggest(now, now)
            return
        self._typed_at = time.monotonic()
        if "\n" not in now:
            self._suggest(before, now)
            return
        self._entered, self._typed_at = True, -math.inf
        self.fill(prompt=" ".join(now.split()))
        self._entered = False
        if now.replace("\n", "", 1) == before:
            self._put("paint")

    def _suggest(self, before: str, now: str) -> None:
        """Suggest words, or the latest prompts for an empty one."""
        if now.strip():
            self.chips.suggest(before, now)
        else:
            self.chips.offer([(prompt, prompt) for prompt in self._latest])

    def enable(self, usable: dict[str, bool]) -> None:
        """Enable or disable each button; Pause and Go on share a place, the last one is rarer."""
        for name, can in usable.items():
            self.buttons[name].disabled = not can
        paused = usable["resume"]
        self.buttons["pause"].layout.display = "none" if paused else None
        self.buttons["resume"].layout.display = None if paused else "none"
        self.buttons["close"].layout.display = None if usable["close"] else "none"

    def show_painting(self, painting: bool, queues: bool) -> None:
        """Mark the fields that wait for the next run; queues: Start is for the next one, too."""
        (self.widget.add_class if painting else self.widget.remove_class)("vq-painting")
        start, (label, _, tooltip) = self.buttons["start"], BUTTONS["start"]
        start.description = "Next" if queues else label
        start.tooltip = "Paint these values when this picture has ended" if queues else tooltip

    def come_into_view(self) -> None:
        """Scroll the page to the panel, because it is at the end of a long notebook."""
        self.views["scroll"].value = _SCROLL

    def stay_in_place(self) -> None:
        """Forget `come_into_view`, so that a saved notebook does not scroll when it is opened."""
        self.views["scroll"].value = ""

    def clear(self) -> None:
        """Remove notes, film, link and comparison of the previous run."""
        for name in ("notes", "film", "link", "pair"):
            self.views[name].value = ""

    def show_nothing(self) -> None:
        """Show where the picture, its steps and its curve will be."""
        size = self.form.settings().im_shape
        self.views["picture"].value = in_frame(_EMPTY, size)
        self.views["strip"].value = '<div class="vq-strip"></div>'
        self.views["seed"].value = ""
        self.views["curve"].value = f'<div class="vq-curve">{curve_svg([])}</div>'

    def show_run(self, run: Run | OpenedRun) -> None:
        """Show picture, curve, thumbnails and slider of a run."""
        kept, chosen = run.folder.shown_steps(), self.steps.value
        self._filling = True
        self.steps.options = [("now", 0), *((str(i), i) for i in kept)]
        self.steps.value = chosen if chosen in kept else 0
        self._filling = False
        few = kept[:: max(1, -(-len(kept) // 8))]  # at most eight thumbnails
        thumbnails = (
            f'<span title="Show step {step}" {written_by_page("vq-goto", str(step))}>'
            f"{still(run.folder.step_picture(step), str(step), 44)}</span>"
            for step in few
        )
        steps = " ".join(map(str, [*kept, 0]))  # for the large view
        strip = f'<div class="vq-strip" data-steps="{steps}">{"".join(thumbnails)}</div>'
        self.views["strip"].value = strip
        self.views["seed"].value = f"seed {run.settings.seed}"
        self.show_now(run)

    def show_now(self, run: Run | OpenedRun) -> None:
        """Show the curve, and the current picture unless the slider is at an earlier step."""
        curve = curve_svg(run.history, run.plan.updates)
        self.views["curve"].value = f'<div class="vq-curve">{curve}</div>'
        if not self.steps.value:
            alt = f"{run.settings.prompt}, iteration {run.i}"
            self.views["picture"].value = framed(run.images(), alt)

    def show_step(self, run: Run | OpenedRun) -> None:
        """Show the step that the slider is at."""
        if not (step := self.steps.value):
            self.show_now(run)
            return
        with contextlib.ExitStack() as opened:
            files = run.folder.step_pictures(step)
            images = [opened.enter_context(Image.open(file)) for file in files]
            alt = f"{run.settings.prompt}, step {step}"
            self.views["picture"].value = framed(images, alt, step, files)

    def _step_clicked(self, step: str) -> None:
        """Move the slider to a step that was clicked in the page."""
        if step in [str(kept) for _, kept in self.steps.options]:
            self.steps.value = int(step)

    def show_film(self, file: Path) -> None:
        """Play an mp4 or a GIF."""
        self.views["film"].value = figure(file, file.stem) + html.escape(f"Saved as {file}")

    def show_frame(self, number: int, total: int, frame: np.ndarray) -> None:
        """Show a frame, uint8 [H, W, 3], of a film that is being made."""
        self.progress.max, self.progress.value = total, number
        alt = f"frame {number} of the film"
        self.views["picture"].value = framed([Image.fromarray(frame)], alt)
        self.say(f"Frame {number} of {total}")

    def offer(self, file: Path) -> None:
        """Offer a file: by a link, and on Colab by the page's own dialog."""
        self.views["link"].value = link(file)
        if on_colab():
            download(file)

    def list_runs(self, out: Path) -> None:
        """List the runs of a folder, the latest first; offer their prompts and extras again."""
        self.history.list_runs(out)
        latest = self.history.latest(_REMEMBERED)
        self._latest = list(dict.fromkeys(settings.prompt for settings in latest))
        extras = dict.fromkeys([*(settings.extras for settings in latest), *STYLES])
        self.form.fields["extras"].options = [each for each in extras if each]

    def set_beside(self, pictures: Sequence[Path]) -> None:
        """Show pictures side by side, a wipe between the last two, and the settings that differ."""
        self.views["pair"].value = beside(pictures) if pictures else ""

    def show_grid(self, grid: PictureGrid) -> None:
        """Show the pictures of a grid that there are."""
        self.views["grid"].value = grid.as_html()

    def _cell_clicked(self, name: str) -> None:
        """Open the run whose picture was clicked in the grid."""
        if self.history.choose_named(name):
            self._put("open")

    def say_where(self, run: Run | OpenedRun, paused: bool, more: str = "") -> None:
        """Show iteration, speed and time left."""
        self.progress.max, self.progress.value = run.settings.total_iter, run.i
        words = f"{'Paused at' if paused else 'Iteration'} {progress_of(run)}"
        percent = 100 * run.i // max(run.settings.total_iter, 1)
        self.views["title"].value = in_title(percent)
        self.say(words + (f". {more}" if more else ""))

    def say(self, text: str) -> None:
        """Show a line beside the picture."""
        self.views["status"].value = f'<span role="status">{html.escape(text)}</span>'

    def note(self, text: str) -> None:
        """Add a line that stays until something else is painted."""
        self.views["notes"].value += f"<div>⚠ {html.escape(text)}</div>"

    def say_error(self, error: Exception) -> None:
        """Show an error above the picture."""
        text = html.escape(str(error))
        self.views["status"].value = f'<div class="vq-error" role="alert">✗ {text}</div>'


def _row(buttons: list[widgets.Widget]) -> widgets.HBox:
    row = widgets.HBox(buttons)
    row.add_class("vq-buttons")
    return row


def _fields(rows: list[widgets.Widget]) -> widgets.VBox:
    box = widgets.VBox(rows)
    box.add_class("vq-fields")
    return box


def _accordion(sections: Mapping[str, widgets.Widget]) -> widgets.Accordion:
    """Sections that are all folded at first."""
    made = widgets.Accordion(children=list(sections.values()), selected_index=None)
    for index, title in enumerate(sections):
        made.set_title(index, title)
    return made


def _tree(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and all inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _tree(child)
