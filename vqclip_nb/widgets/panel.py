"""The widgets of the Studio's panel."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Iterable
from pathlib import Path, PureWindowsPath

import ipywidgets as widgets
import numpy as np
from PIL import Image

from vqclip_nb.films.progress import progress_of
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.styles import STYLES
from vqclip_nb.run import Run
from vqclip_nb.settings import PRESETS, Settings, change_in_words
from vqclip_nb.storage.colab import download, on_colab
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.widgets.fields import looks
from vqclip_nb.widgets.film_form import FilmForm
from vqclip_nb.widgets.html_media import figure, link, still
from vqclip_nb.widgets.plots import curve_svg
from vqclip_nb.widgets.settings_form import FRONT, SECTIONS, Form

QUALITY = {
    "draft": {"total_iter": 75, "show_step": 15, "cutn": 8},
    "normal": {"total_iter": 150, "show_step": 25, "cutn": 16},
    "best": {"total_iter": 400, "show_step": 50, "cutn": 32},
}
ASPECTS = {"square": (1, 1), "portrait 3:4": (3, 4), "landscape 4:3": (4, 3), "wide 16:9": (16, 9)}
BUTTONS = {  # event: label, icon, what it does
    "start": ("Start", "play", "Paint with the form's values"),
    "pause": ("Pause", "pause", "Pause between two iterations"),
    "resume": ("Go on", "step-forward", "Continue painting"),
    "stop": ("Stop", "stop", "End the run and keep it"),
    "save": ("Save", "save", "Save everything needed to resume"),
    "more": ("200 more", "plus", "Paint two hundred more iterations"),
    "fork": ("Fork", "code-fork", "Start a new run from the slider's step"),
    "film": ("Film", "film", "Make and play the film described in the section Film"),
    "zip": ("Zip", "download", "Zip the run and offer it"),
    "close": ("Close", "times", "Leave studio.run(wait=True)"),
    "load": ("Load", "upload", "Load the settings of that run into the form"),
    "beside": ("Set beside", "columns", "Compare that run with the current one"),
}


class Panel:
    """Form, menus, buttons and views. Reports each user action, and decides nothing.

    put: called with the name of an event: a button, "changed" for the form, "step" for the slider,
        "upload"
    """

    def __init__(self, settings: Settings | None, put: Callable[[str], None]) -> None:
        self._put = put
        folded = [name for names in SECTIONS.values() for name in names]
        self.form = Form(settings, [*FRONT, *folded], changed=lambda: put("changed"))
        self.buttons = {event: self._button(event, *words) for event, words in BUTTONS.items()}
        views = ("picture", "curve", "strip", "status", "notes", "film", "link", "pair")
        self.views = {name: widgets.HTML() for name in views}
        wide = widgets.Layout(width="34em")
        self.progress = widgets.IntProgress(value=0, min=0, max=1, layout=wide)
        self.steps = widgets.SelectionSlider(
            options=[("now", 0)], description="step", layout=wide, continuous_update=False
        )
        self._filling = False
        self.steps.observe(lambda change: None if self._filling else put("step"), "value")
        self.word = widgets.Combobox(
            description="add a word", placeholder="one CLIP knows", ensure_option=True, **looks()
        )
        self.word.observe(self._add_word, "value")
        self.upload = widgets.FileUpload(
            description="Upload", accept=".safetensors,.ckpt,.pt,.yaml", multiple=True
        )
        self.upload.observe(lambda change: change["new"] and put("upload"), "value")
        self.film = FilmForm()
        self.film.kind.observe(lambda _: put("changed"), "value")
        self.runs = widgets.Dropdown(description="run", layout=widgets.Layout(width="20em"))
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
        accordion = widgets.Accordion(children=[*folded, self.film.widget], selected_index=None)
        for index, title in enumerate([*SECTIONS, "Film"]):
            accordion.set_title(index, title)
        row = widgets.HBox([buttons[name] for name in buttons if name not in ("load", "beside")])
        row.layout.flex_flow = "row wrap"
        menus = widgets.HBox(self._menus(), layout=row.layout)
        own = widgets.HBox([widgets.Label("Your checkpoint and its yaml (some MB):"), self.upload])
        left = [menus, *front, self.word, self.form.hint, accordion, own]
        runs = widgets.HBox([self.runs, buttons["load"], buttons["beside"]])
        right = [row, views["status"], views["notes"], self.progress, views["picture"], self.steps]
        right += [views["strip"], views["curve"], views["film"], views["link"], runs, views["pair"]]
        columns = [
            widgets.VBox(column, layout=widgets.Layout(width=width))
            for column, width in ((left, "45em"), (right, "36em"))
        ]
        return widgets.HBox(columns, layout=row.layout)

    def _menus(self) -> list[widgets.Dropdown]:
        """Menus that set several fields, or add a word to one."""

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
        """Change fields of the form, as a user would."""
        with contextlib.suppress(ValueError):  # the form already shows what is wrong
            self.form.fill(self.form.settings().replace(**changes))
            self._put("changed")

    def _set_aspect(self, name: str) -> None:
        """Keep the number of pixels, and change the shape in multiples of 16."""
        across, down = ASPECTS[name]
        with contextlib.suppress(ValueError):
            width, height = self.form.settings().im_shape
            unit = (width * height / (across * down)) ** 0.5
            self.fill(im_shape=[max(32, 16 * round(unit * side / 16)) for side in (across, down)])

    def _add_style(self, name: str) -> None:
        extras = self.form.fields["extras"].value
        self.fill(extras=f"{extras} | {name}" if extras.strip() else name)

    def know_words(self, perceptor: Perceptor) -> None:
        """Suggest the words that a CLIP knows, and warn of others; not every CLIP has a list."""
        self.form.perceptor = perceptor
        plain = {word for word in perceptor.known_words() if word.isalpha() and word.islower()}
        # without plurals: the whole list is saved with the notebook
        single = {word for word in plain if word[-1] != "s" or word[:-1] not in plain}
        self.word.options = sorted(word for word in single if len(word) > 2)
        self.form.check()

    def _add_word(self, change: dict) -> None:
        if change["new"]:
            self.fill(prompt=f"{self.form.fields['prompt'].value} {change['new']}".strip())
            self.word.value = ""

    def uploaded(self) -> dict[str, bytes]:
        """The uploaded files, by name without folders; clears the button."""
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
        """Enable or disable each button."""
        for name, can in usable.items():
            self.buttons[name].disabled = not can

    def clear(self) -> None:
        """Remove notes, film, link and comparison of the previous run."""
        for name in ("notes", "film", "link", "pair"):
            self.views[name].value = ""

    def show_run(self, run: Run) -> None:
        """Show picture, curve, thumbnails and slider of a run."""
        kept, chosen = run.folder.shown_steps(), self.steps.value
        self._filling = True
        self.steps.options = [("now", 0), *((str(i), i) for i in kept)]
        self.steps.value = chosen if chosen in kept else 0
        self._filling = False
        few = kept[:: max(1, -(-len(kept) // 12))]  # at most twelve thumbnails
        thumbnails = (still(run.folder.step_picture(step), str(step), 48) for step in few)
        self.views["strip"].value = "".join(thumbnails)
        self.show_now(run)

    def show_now(self, run: Run) -> None:
        """Show the curve, and the current picture unless the slider is at an earlier step."""
        self.views["curve"].value = curve_svg(run.history, run.plan.updates)
        if not self.steps.value:
            images = run.images()
            sheet = contact_sheet(images, columns=min(4, len(images)), gap=0)
            self.views["picture"].value = still(sheet, f"{run.settings.prompt}, iteration {run.i}")

    def show_step(self, run: Run) -> None:
        """Show the step that the slider is at."""
        if step := self.steps.value:
            alt = f"{run.settings.prompt}, step {step}"
            self.views["picture"].value = still(run.folder.step_picture(step), alt)
        else:
            self.show_now(run)

    def show_film(self, file: Path) -> None:
        """Play an mp4 or a GIF."""
        self.views["film"].value = figure(file, file.stem) + html.escape(f"Saved as {file}")

    def show_frame(self, number: int, total: int, frame: np.ndarray) -> None:
        """Show a frame, uint8 [H, W, 3], of a film that is being made."""
        self.progress.max, self.progress.value = total, number
        self.views["picture"].value = still(Image.fromarray(frame), f"frame {number} of the film")
        self.say(f"Frame {number} of {total}")

    def offer(self, file: Path) -> None:
        """Offer a file: by a link, and on Colab by the page's own dialog."""
        self.views["link"].value = link(file)
        if on_colab():
            download(file)

    def list_runs(self, out: Path) -> None:
        """List the runs of a folder, the latest first."""
        found, chosen = sorted(out.glob("[!.]*/state.safetensors"), reverse=True), self.runs.value
        self.runs.options = [(path.parent.name, str(path.parent)) for path in found]
        paths = [path for _, path in self.runs.options]
        self.runs.value = chosen if chosen in paths else next(iter(paths), None)

    def set_beside(self, first: Path, second: Path) -> None:
        """Show two pictures side by side, and the settings that differ."""
        both = [Settings.from_png(picture).to_dict() for picture in (first, second)]
        for each in both:
            each["updates"] = "; ".join(map(change_in_words, each["updates"]))
        cells = [
            f"<td>{letter}<br>{still(picture, f'picture {letter}', 208)}</td>"
            for picture, letter in ((first, "A"), (second, "B"))
        ]
        rows = [
            f"<tr><th>{name}</th>"
            + "".join(f"<td>{html.escape(str(each[name]))}</td>" for each in both)
            for name in both[0]
            if both[0][name] != both[1][name]
        ]
        table = f"<table><tr><td></td>{''.join(cells)}</tr>{''.join(rows)}</table>"
        self.views["pair"].value = table

    def say_where(self, run: Run, paused: bool, more: str = "") -> None:
        """Show iteration, speed and time left."""
        self.progress.max, self.progress.value = run.settings.total_iter, run.i
        words = f"{'Paused at' if paused else 'Iteration'} {progress_of(run)}"
        self.say(words + (f". {more}" if more else ""))

    def say(self, text: str) -> None:
        """Show a line above the picture."""
        self.views["status"].value = f'<span role="status">{html.escape(text)}</span>'

    def note(self, text: str) -> None:
        """Add a line that stays until something else is painted."""
        self.views["notes"].value += f"<div>⚠ {html.escape(text)}</div>"

    def say_error(self, error: Exception) -> None:
        """Show an error above the picture."""
        text = html.escape(str(error))
        self.views["status"].value = f'<b role="alert" style="color:#c00">✗ {text}</b>'
