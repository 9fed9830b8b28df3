"""A widget for each field, made from its `Spec`; the forms of settings and of films use them."""

from __future__ import annotations

import html
import math
import shlex
from collections.abc import Sequence
from pathlib import PureWindowsPath

import ipywidgets as widgets

from vqclip_nb.models.loading import registered
from vqclip_nb.models.styles import STYLES
from vqclip_nb.settings import Spec

_SIZES = (64, 96, 128, 160, 192, 256, 384, 512)
# The usual range of a field, on a slider; the box beside it takes every allowed number.
_SLIDERS = {
    "w1": {"min": 0.0, "max": 2.0, "step": 0.05},
    "w2": {"min": 0.0, "max": 2.0, "step": 0.05},
    "noise_factor": {"min": 0.0, "max": 0.5, "step": 0.01},
    "learning_rate": {"min": -2.0, "max": 0.0, "step": 0.05},  # powers of ten
}


class NumberField(widgets.HBox):
    """A box for a number, with a slider of the usual values for some fields.

    `value` is a number, or the text in the box if that is none; assigning shows a number. A comma
    is read as a decimal point. Nothing is clamped: the form says what is allowed.
    """

    def __init__(self, spec: Spec, value: float, label: str) -> None:
        self._following = False
        self.box = _hinted(widgets.Text(description=label, continuous_update=False), spec)
        children, limits = [self.box], _SLIDERS.get(spec.name)
        self.slider = None
        if limits:
            kind = widgets.FloatLogSlider if spec.name == "learning_rate" else widgets.FloatSlider
            self.slider = kind(**limits, description=label, readout=False, continuous_update=False)
            self.slider.add_class("vq-slider")
            self.slider.observe(self._from_slider, "value")
            self.box.observe(self._to_slider, "value")
            self.box.add_class("vq-beside")
            children = [_hinted(self.slider, spec), self.box]
        super().__init__(children)
        self.value = value

    @property
    def value(self) -> float | str:
        text = self.box.value.strip().replace(",", ".")
        try:
            return float(text)
        except ValueError:
            return self.box.value

    @value.setter
    def value(self, number: float | str) -> None:
        self.box.value = str(number).removesuffix(".0")

    def _from_slider(self, change: dict) -> None:
        if not self._following:
            log = isinstance(self.slider, widgets.FloatLogSlider)
            self.value = float(f"{change['new']:.{2 if log else 4}g}")

    def _to_slider(self, _change: dict) -> None:
        """Move the slider to the number, or to the end that is nearest to it."""
        number = self.value
        if isinstance(number, float) and math.isfinite(number):
            log = isinstance(self.slider, widgets.FloatLogSlider)
            low, high = (10**end if log else end for end in (self.slider.min, self.slider.max))
            self._following = True
            self.slider.value = min(max(number, low), high)
            self._following = False


def widget_for(spec: Spec, value: object) -> widgets.Widget:
    """The widget of a field, showing `value`; its label names the unit, its tooltip explains it."""
    label = spec.name if spec.unit in ("", spec.name) else f"{spec.name} ({spec.unit})"
    if spec.kind in ("number", "whole number"):
        return NumberField(spec, value, label)
    if spec.kind == "shape":
        return _size_fields(spec, value, label)
    common = {"description": label, "value": value}
    if spec.kind == "choice" and not spec.numbered:
        made = widgets.Dropdown(options=spec.choices, **common)
    elif spec.kind == "switch":
        made = widgets.Checkbox(indent=False, **common)
    elif spec.name == "prompt":
        made = widgets.Textarea(rows=3, placeholder=spec.help, **common)
    elif spec.numbered:
        made = widgets.Combobox(options=spec.choices, continuous_update=False, **common)
    elif spec.name in ("models", "extras"):
        options, words = STYLES, spec.help
        if spec.name == "models":
            options, words = registered("vqgan"), "a name, or the path of a checkpoint"
        common |= {"placeholder": words, "continuous_update": False}
        made = widgets.Combobox(options=options, **common)
    else:
        words = "empty: a new seed" if spec.kind == "seed" else spec.help
        common |= {"value": _typed(spec, value), "continuous_update": False}
        made = widgets.Text(placeholder=words, **common)
    return _hinted(made, spec)


def value_of(spec: Spec, widget: widgets.Widget) -> object:
    """What the user has entered, not yet checked."""
    if spec.kind == "shape":
        return tuple(side.value for side in widget.children)
    if spec.kind == "names":
        try:
            return shlex.split(widget.value)
        except ValueError as error:
            raise ValueError(
                f"{spec.name} must have closed quotes, got {widget.value!r}: {error}."
            ) from None
    if spec.kind == "seed":
        text = widget.value.strip()
        return (int(text) if text.isdigit() else text) if text else None
    return widget.value


def show_value(spec: Spec, widget: widgets.Widget, value: object) -> None:
    """Make a widget show a value."""
    if spec.kind == "shape":
        for side, pixels in zip(widget.children, value, strict=True):
            side.options = sorted({*side.options, pixels})
            side.value = pixels
    else:
        widget.value = _typed(spec, value)


def parts_of(widget: widgets.Widget) -> Sequence[widgets.Widget]:
    """The widgets of a field that hold its values."""
    if isinstance(widget, NumberField):
        return [widget.box]
    return widget.children if isinstance(widget, widgets.HBox) else [widget]


def row_of(widget: widgets.Widget, live: bool, note: widgets.HTML) -> widgets.VBox:
    """A field with its note below; a mark says that a field waits for the next run."""
    row = widgets.VBox([widget, note], layout=note.layout)
    row.add_class("vq-row")
    if not live:
        row.add_class("vq-next-run")
    return row


def explained(spec: Spec) -> str:
    """The help of a field, its range, and whether it can change live."""
    sentences = [spec.help]
    sentences += [f"{spec.limits.capitalize()}."] if spec.limits and not spec.choices else []
    sentences += ["Can change while it paints."] if spec.live else []
    return " ".join(sentences)


def help_text(text: str) -> str:
    """HTML of a quiet sentence."""
    return f"<div class='vq-quiet'>{html.escape(text)}</div>"


def set_tooltip(widget: widgets.Widget, text: str) -> None:
    """Explain a widget that has a description: ipywidgets 7 and 8 have different names for it."""
    name = "description_tooltip" if widget.has_trait("description_tooltip") else "tooltip"
    setattr(widget, name, text)


def as_many_pixels(size: tuple[int, int], across: int, down: int) -> tuple[int, int]:
    """Width and height in the proportions across:down, as many pixels as `size`, multiples of 16."""
    unit = (size[0] * size[1] / (across * down)) ** 0.5
    width, height = (max(32, 16 * round(unit * side / 16)) for side in (across, down))
    return width, height


def uploaded_to(button: widgets.FileUpload) -> dict[str, bytes]:
    """The files that were uploaded, by name without folders; empties the button."""
    value = button.value
    if isinstance(value, dict):  # ipywidgets 7
        files = {name: bytes(file["content"]) for name, file in value.items()}
        button.value.clear()
        button._counter = 0
    else:
        files = {file["name"]: bytes(file["content"]) for file in value}
        button.value = ()
    named = ((PureWindowsPath(name).name, data) for name, data in files.items())
    return {name: data for name, data in named if name and not name.startswith(".")}


def _hinted(widget: widgets.Widget, spec: Spec) -> widgets.Widget:
    set_tooltip(widget, explained(spec))
    return widget


def _typed(spec: Spec, value: object) -> object:
    """A value as its widget holds it."""
    if spec.kind == "names":
        return shlex.join(value)
    if spec.kind == "seed":
        return "" if value is None else str(value)
    return value


def _size_fields(spec: Spec, value: tuple[int, int], label: str) -> widgets.HBox:
    """Menus for width and height."""
    options = sorted({*_SIZES, *value})
    sides = [
        _hinted(widgets.Dropdown(options=options, value=side, description=words), spec)
        for side, words in zip(value, (label, "×"), strict=True)
    ]
    sides[1].add_class("vq-height")
    return widgets.HBox(sides)
