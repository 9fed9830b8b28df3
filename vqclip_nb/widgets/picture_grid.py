"""A grid of pictures that differ in two settings: its form, and the table that is filled."""

from __future__ import annotations

import html
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets as widgets

from vqclip_nb.models.loading import check_names
from vqclip_nb.pictures import open_picture
from vqclip_nb.settings import PRESETS, Settings, Spec, specs
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.sweeps.grid import PlannedRun, combinations
from vqclip_nb.widgets.fields import explained, help_text, set_tooltip
from vqclip_nb.widgets.html_media import still
from vqclip_nb.widgets.in_page import written_by_page

OPENS = "vq-cell"  # the class of the hidden box that a click on a picture writes its run to
_MOST = 64  # pictures
_WIDTH = 560  # pixels of the pictures of a row
_NONE, _PRESET = "nothing", "preset"
_HELP = (
    "A picture for every value across with every value down; all else, the seed too, is the same. "
    "Write ; between values."
)
_SUGGESTED = {  # values to begin with; of other fields the default, smaller and larger
    "prompt": "a lighthouse in a storm; a castle on a hill at sunset",
    "extras": "oil painting; neon; woodcut",
    "seed": "1; 2; 3",
    "w1": "0.3; 1; 2",
    "w2": "0; 0.3; 1",
    "noise_factor": "0; 0.1; 0.4",
    "learning_rate": "0.03; 0.1; 0.3",
    "im_shape": "128×128; 256×256",
}
_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


class GridForm:
    """Two fields, each with its values."""

    def __init__(self) -> None:
        self.across, self.down = _Axis("across", "extras"), _Axis("down", "seed", optional=True)
        rows = [widgets.HTML(help_text(_HELP)), self.across.widget, self.down.widget]
        self.widget = widgets.VBox(rows)
        self.widget.add_class("vq-fields")

    def plans(self, settings: Settings) -> PictureGrid:
        """The grid with these settings as the others; raises ValueError for what is not allowed."""
        axes = [axis for axis in (self.down, self.across) if axis.name]
        if len({axis.name for axis in axes}) < len(axes):
            raise ValueError(f"across and down are both {axes[0].name}: choose two fields.")
        values = {axis.name: axis.values() for axis in axes}
        number = len(values[self.across.name]) * len(values.get(self.down.name, "1"))
        if number > _MOST:
            raise ValueError(
                f"The grid has {number} pictures: {_MOST} at most; vqclip sweep paints more."
            )
        plans = combinations(values, settings)
        for named in {(p.settings.models, p.settings.clip, p.settings.config) for p in plans}:
            check_names(*named)
        return PictureGrid(settings, values, plans)


@dataclass
class PictureGrid:
    """What is painted: across varies fastest.

    settings: those of the form
    values: of down, if there is one, then of across
    folders: of the runs that were begun, by the place of their plan
    """

    settings: Settings
    values: dict[str, list]
    plans: list[PlannedRun]
    folders: dict[int, Path] = field(default_factory=dict)

    def as_html(self) -> str:
        """The table of the pictures that there are; a click opens a run."""
        *downs, across = self.values.items()
        name, values = downs[0] if downs else ("", [None])
        head = "".join(f"<th>{_shown(across[0], value)}</th>" for value in across[1])
        rows = []
        for value in values:
            first = _shown(name, value) if downs else ""
            cells = (
                self._cell({name: value, across[0]: each}, _WIDTH // len(across[1]))
                for each in across[1]
            )
            rows.append(f"<tr><th>{first}</th>{''.join(cells)}</tr>")
        return f'<table class="vq-grid"><tr><th></th>{head}</tr>{"".join(rows)}</table>'

    def _cell(self, values: Mapping[str, object], width: int) -> str:
        wanted = {name: value for name, value in values.items() if name}
        place = next((i for i, plan in enumerate(self.plans) if plan.values == wanted), None)
        folder = self.folders.get(place)
        if folder is None:
            return "<td></td>"
        words = ", ".join(f"{name} {value}" for name, value in wanted.items())
        try:
            shown = still(open_picture(RunFolder(folder).picture), words, width)
        except ValueError:
            shown = "no picture"
        return f"<td {written_by_page(OPENS, folder.name)}>{shown}</td>"


class _Axis:
    """A field and its values as text."""

    def __init__(self, label: str, name: str, optional: bool = False) -> None:
        options = [_NONE] * optional + [_PRESET, *specs()]
        self.menu = widgets.Dropdown(options=options, value=name, description=label)
        self.text = widgets.Text(description="values", continuous_update=False)
        self.widget = widgets.VBox([self.menu, self.text])
        self.menu.observe(lambda _: self._suggest(), "value")
        self._suggest()

    @property
    def name(self) -> str:
        """The chosen field; empty for none."""
        return "" if self.menu.value == _NONE else self.menu.value

    def values(self) -> list:
        """The different values, as `Settings` takes them."""
        texts = [text.strip() for text in self.text.value.split(";")]
        if self.name == _PRESET:
            found = texts
        else:
            found = [_value(specs()[self.name], text) for text in texts]
        return [value for i, value in enumerate(found) if value not in found[:i]]

    def _suggest(self) -> None:
        """Show values to begin with, and what the field is."""
        self.text.layout.display = None if self.name else "none"
        if self.name == _PRESET:
            self.text.value = "; ".join(name for name in PRESETS if name != "robust")
            set_tooltip(self.menu, "The settings of a public loop, or this project's own.")
        elif self.name:
            spec = specs()[self.name]
            self.text.value = _SUGGESTED.get(spec.name) or _suggested(spec)
            set_tooltip(self.menu, explained(spec))


def _suggested(spec: Spec) -> str:
    if spec.kind == "switch":
        return "off; on"
    if spec.choices:
        return "; ".join(spec.choices)
    if spec.kind in ("number", "whole number"):
        low, high = max(spec.minimum, spec.default / 2), min(spec.maximum, spec.default * 2)
        if low == high:  # half and twice 0
            high = min(spec.maximum, 1)
        convert = int if spec.kind == "whole number" else float
        return "; ".join(
            f"{each:g}" for each in sorted({convert(low), spec.default, convert(high)})
        )
    return ""


def _value(spec: Spec, text: str) -> object:
    """A value that was typed; `Settings` refuses what is none."""
    if spec.kind == "switch":
        return _SWITCH.get(text.lower(), text)
    try:
        if spec.kind == "names":
            return shlex.split(text)
        if spec.kind in ("number", "whole number"):
            return float(text.replace(",", "."))
        if spec.kind == "seed":
            return int(text)
        if spec.kind == "shape":
            width, _, height = text.lower().replace("x", "×").partition("×")
            return int(width), int(height or width)
    except ValueError:
        return spec.check(text)  # raises the sentence that names the field
    return text


def _shown(name: str, value: object) -> str:
    """A heading: the field's name and the value."""
    if value == "":
        return f"no {name}"
    if isinstance(value, float):
        words = f"{value:g}"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        words = "×".join(map(str, value)) if name == "im_shape" else " ".join(map(str, value))
    else:
        words = str(value)
    return html.escape(words if name in ("prompt", "extras") else f"{name} {words}")
