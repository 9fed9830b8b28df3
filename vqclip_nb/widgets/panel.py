"""What the Studio's panel is made of, and what it shows."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Iterable
from pathlib import Path, PureWindowsPath

import ipywidgets as widgets
import numpy as np
from PIL import Image

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.run import Run
from vqclip_nb.settings import PRESETS, Settings, change_in_words
from vqclip_nb.storage.colab import download, on_colab
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.train.styles import STYLES
from vqclip_nb.widgets.fields import sections
from vqclip_nb.widgets.film_form import FilmForm
from vqclip_nb.widgets.html_media import figure, link, still
from vqclip_nb.widgets.plots import curve_svg
from vqclip_nb.widgets.settings_form import FRONT, Form

SECTIONS = {title: names for title, names in sections().items() if title}  # folded
QUALITY = {
    "draft": {"total_iter": 75, "show_step": 15, "cutn": 8},
    "normal": {"total_iter": 150, "show_step": 25, "cutn": 16},
    "best": {"total_iter": 400, "show_step": 50, "cutn": 32},
}
ASPECTS = {"square": (1, 1), "portrait 3:4": (3, 4), "landscape 4:3": (4, 3), "wide 16:9": (16, 9)}
BUTTONS = {  # event: label, icon, what it does
    "start": ("Start", "play", "Paint with the form's values"),
    "pause": ("Pause", "pause", "Stand still between two iterations"),
    "resume": ("Go on", "step-forward", "Go on painting"),
    "stop": ("Stop", "stop", "End the run and keep it"),
    "save": ("Save", "save", "Write everything that it takes to go on"),
    "more": ("200 more", "plus", "Paint two hundred iterations more"),
    "fork": ("Fork", "code-fork", "A new run from the step that the slider shows"),
    "film": ("Film", "film", "Make the film that the section Film describes, and play it"),
    "zip": ("Zip", "download", "The run as one file"),
    "close": ("Close", "times", "Leave studio.run(wait=True)"),
    "load": ("Load", "upload", "Take up the settings of that run"),
    "beside": ("Set beside", "columns", "Compare it with the one that is shown"),
}


class Panel:
    """Form, menus, buttons and views; tells of what a person does, and shows what it is given.

    put: called with the name of an event: a button, "changed" for the form, "step" for the slider
    """

    def __init__(self, settings: Settings | None, put: Callable[[str], None]) -> None:
        self._put = put
        folded = [name for names in SECTIONS.values() for name in names]
        self.form = Form(settings, [*FRONT, *folded], changed=lambda: put("changed"))
        self.buttons = {event: self._button(event, *words) for event, words in BUTTONS.items()}
        views = ("picture", "curve", "strip", "status", "notes", "film", "link", "pair")
        self.views = {name: widgets.HTML() for name in views}
        self.progress = widgets.IntProgress(value=0, min=0, max=1, layout=_wide())
        self.steps = widgets.SelectionSlider(
            options=[("now", 0)], description="step", layout=_wide(), continuous_update=False
        )
        self._filling = False
        self.steps.observe(lambda change: None if self._filling else put("step"), "value")
        self.word = widgets.Combobox(
            description="add a word",
            placeholder="one of those that the critic knows",
            ensure_option=True,
            style={"description_width": "12em"},
            layout=widgets.Layout(width="26em"),
        )
        self.word.observe(self._add_word, "value")
        self.upload = widgets.FileUpload(
            description="Upload",
            accept=".safetensors,.ckpt,.pt,.yaml",
            multiple=True,
        )
        self.upload.observe(lambda change: change["new"] and put("upload"), "value")
        self.film = FilmForm()
        self.film.kind.observe(lambda _: put("changed"), "value")
        self.runs = widgets.Dropdown(
            options=[], description="run", layout=widgets.Layout(width="20em")
        )
        self.widget = self._laid_out()

    def _button(self, event: str, label: str, icon: str, tooltip: str) -> widgets.Button:
        layout = widgets.Layout(width="auto", flex="0 0 auto")
        button = widgets.Button(description=label, icon=icon, tooltip=tooltip, layout=layout)
        button.on_click(lambda _: self._put(event))
        return button

    def _laid_out(self) -> widgets.HBox:
        rows, views, buttons = self.form.rows, self.views, self.buttons
        front = [rows[name] for name in FRONT]
        folded = [widgets.VBox([rows[name] for name in names]) for names in SECTIONS.values()]
        sections = widgets.Accordion(children=[*folded, self.film.widget], selected_index=None)
        for index, title in enumerate([*SECTIONS, "Film"]):
            sections.set_title(index, title)
        row = widgets.HBox([buttons[name] for name in buttons if name not in ("load", "beside")])
        row.layout.flex_flow = "row wrap"
        menus = widgets.HBox(self._menus(), layout=row.layout)
        own = widgets.HBox(
            [widgets.Label("Your own checkpoint with its yaml, up to some MB:"), self.upload]
        )
        left = [menus, *front, self.word, self.form.hint, sections, own]
        right = [
            row,
            views["status"],
            views["notes"],
            self.progress,
            views["picture"],
            self.steps,
            views["strip"],
        ]
        right += [views["curve"], views["film"], views["link"]]
        right += [widgets.HBox([self.runs, buttons["load"], buttons["beside"]]), views["pair"]]
        columns = widgets.HBox(
            [
                widgets.VBox(left, layout=widgets.Layout(width="45em")),
                widgets.VBox(right, layout=widgets.Layout(width="36em")),
            ]
        )
        columns.layout.flex_flow = "row wrap"
        return columns

    def _menus(self) -> list[widgets.Dropdown]:
        """Menus that fill in several fields, or add a word to one."""

        def menu(label: str, names: Iterable[str], choose: Callable[[str], None]):
            made = widgets.Dropdown(
                options=[("–", ""), *((name, name) for name in names)],
                description=label,
                layout=widgets.Layout(width="10.7em"),
                style={"description_width": "4em"},
            )

            def chosen(change: dict) -> None:
                if change["new"]:
                    choose(change["new"])
                    made.value = ""

            made.observe(chosen, "value")
            return made

        return [
            menu("preset", PRESETS, lambda name: self.fill(**PRESETS[name])),
            menu("quality", QUALITY, lambda name: self.fill(**QUALITY[name])),
            menu("aspect", ASPECTS, self._set_aspect),
            menu("style", STYLES, self._add_style),
        ]

    def fill(self, **changes: object) -> None:
        """Change fields of the form, as a person would."""
        with contextlib.suppress(ValueError):  # the form already says what is wrong with it
            self.form.fill(self.form.settings().replace(**changes))
            self._put("changed")

    def _set_aspect(self, name: str) -> None:
        """The same number of pixels in another shape, in multiples of 16."""
        across, down = ASPECTS[name]
        with contextlib.suppress(ValueError):
            width, height = self.form.settings().im_shape
            unit = (width * height / (across * down)) ** 0.5
            self.fill(im_shape=[max(32, 16 * round(unit * side / 16)) for side in (across, down)])

    def _add_style(self, name: str) -> None:
        extras = self.form.fields["extras"].value
        self.fill(extras=f"{extras} | {name}" if extras.strip() else name)

    def know_words(self, critic: Perceptor) -> None:
        """Suggest the words of a critic that has a list of them, and tell of those not in it."""
        self.form.perceptor = critic
        plain = {word for word in critic.known_words() if word.isalpha() and word.islower()}
        # without plurals: the whole list is saved with the notebook
        single = {word for word in plain if word[-1] != "s" or word[:-1] not in plain}
        self.word.options = sorted(word for word in single if len(word) > 2)
        self.form.check()

    def _add_word(self, change: dict) -> None:
        if change["new"]:
            self.fill(prompt=f"{self.form.fields['prompt'].value} {change['new']}".strip())
            self.word.value = ""

    def uploaded(self) -> dict[str, bytes]:
        """The uploaded files, by name without folders; the button forgets them."""
        value = self.upload.value
        if isinstance(value, dict):  # ipywidgets 7
            files = {name: bytes(file["content"]) for name, file in value.items()}
            self.upload.value.clear()
            self.upload._counter = 0
        else:
            files = {file["name"]: bytes(file["content"]) for file in value}
            self.upload.value = ()
        named = ((PureWindowsPath(name).name, data) for name, data in files.items())
        return {name: data for name, data in named if name and not name.startswith(".")}

    def enable(self, usable: dict[str, bool]) -> None:
        """Let only buttons that do something be pressed."""
        for name, can in usable.items():
            if self.buttons[name].disabled == can:
                self.buttons[name].disabled = not can

    def clear(self) -> None:
        """Forget notes, film, link and comparison of the run before."""
        for name in ("notes", "film", "link", "pair"):
            self.views[name].value = ""

    def show_run(self, run: Run) -> None:
        """Picture, curve, strip and slider of a run as it is now."""
        kept, chosen = run.folder.shown_steps(), self.steps.value
        self._filling = True
        self.steps.options = [("now", 0), *((str(i), i) for i in kept)]
        self.steps.value = chosen if chosen in kept else 0
        self._filling = False
        self.views["strip"].value = _strip(run.folder, kept)
        self.show_now(run)

    def show_now(self, run: Run) -> None:
        """Curve and current picture, unless someone looks at an earlier step."""
        self.views["curve"].value = curve_svg(run.history, run.plan.updates)
        if not self.steps.value:
            images = run.images()
            sheet = contact_sheet(images, columns=min(4, len(images)), gap=0)
            self.views["picture"].value = still(sheet, f"{run.settings.prompt}, iteration {run.i}")

    def show_step(self, run: Run) -> None:
        """The step that the slider is at."""
        step = self.steps.value
        if not step:
            self.show_now(run)
            return
        with Image.open(run.folder.step_picture(step)) as image:
            self.views["picture"].value = still(image, f"{run.settings.prompt}, step {step}")

    def show_film(self, file: Path) -> None:
        """Play an mp4 or a GIF."""
        self.views["film"].value = figure(file, file.stem) + html.escape(f"Saved as {file}")

    def show_frame(self, number: int, total: int, frame: np.ndarray) -> None:
        """A frame, uint8 [H, W, 3], of a film in the making."""
        self.progress.max, self.progress.value = total, number
        self.views["picture"].value = still(Image.fromarray(frame), f"frame {number} of the film")
        self.say(f"Frame {number} of {total}")

    def offer(self, file: Path) -> None:
        """Offer a file: by a link, on Colab by its page's own dialog."""
        self.views["link"].value = link(file)
        if on_colab():
            download(file)

    def list_runs(self, out: Path) -> None:
        """The runs of a folder, the latest first."""
        found, chosen = sorted(out.glob("[!.]*/state.safetensors"), reverse=True), self.runs.value
        options = [(path.parent.name, str(path.parent)) for path in found]
        self.runs.options = options
        paths = [path for _, path in options]
        self.runs.value = chosen if chosen in paths else (paths or [None])[0]

    def set_beside(self, first: Path, second: Path) -> None:
        """Two pictures side by side, and where their settings differ."""
        both = [Settings.from_png(picture).to_dict() for picture in (first, second)]
        for each in both:
            each["updates"] = "; ".join(map(change_in_words, each["updates"]))
        cells = []
        for picture, letter in ((first, "A"), (second, "B")):
            with Image.open(picture) as image:
                cells.append(f"<td>{letter}<br>{still(image, f'picture {letter}', 208)}</td>")
        rows = [
            f"<tr><th>{name}</th>"
            + "".join(f"<td>{html.escape(str(each[name]))}</td>" for each in both)
            for name in both[0]
            if both[0][name] != both[1][name]
        ]
        table = f"<table><tr><td></td>{''.join(cells)}</tr>{''.join(rows)}</table>"
        self.views["pair"].value = table

    def say_where(self, run: Run, paused: bool, more: str = "") -> None:
        """Iteration, pace and time left."""
        total = run.settings.total_iter
        self.progress.max, self.progress.value = total, run.i
        words = [f"{'Paused at' if paused else 'Iteration'} {run.i} of {total}"]
        if run.history:
            pace, row = run.i / run.seconds, run.history[-1]
            words += [f"{pace:.1f} it/s", f"{max(0, total - run.i) / pace:.0f} s left"]
            words += [f"loss {row['loss']:.3f}", f"similarity {row['similarity']:.3f}"]
        self.say(" · ".join(words) + (f". {more}" if more else ""))

    def say(self, text: str) -> None:
        """A line above the picture."""
        self.views["status"].value = f'<span role="status">{html.escape(text)}</span>'

    def note(self, text: str) -> None:
        """A line that stays until something else is painted."""
        self.views["notes"].value += f"<div>⚠ {html.escape(text)}</div>"

    def say_error(self, error: Exception) -> None:
        """A sentence that says what went wrong."""
        text = html.escape(str(error))
        self.views["status"].value = f'<b role="alert" style="color:#c00">✗ {text}</b>'


def _wide() -> widgets.Layout:
    return widgets.Layout(width="34em")


def _strip(folder: RunFolder, steps: list[int]) -> str:
    """Thumbnails of at most twelve of the shown steps."""
    cells = []
    for step in steps[:: max(1, -(-len(steps) // 12))]:
        with Image.open(folder.step_picture(step)) as image:
            cells.append(still(image.resize((48, 48 * image.height // image.width)), str(step), 48))
    return "".join(cells)
