"""A widget for each field, made from its `Spec`; the forms of settings and of films use them."""

from __future__ import annotations

import html
import shlex
from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets as widgets

from vqclip_nb.models.loading import registered
from vqclip_nb.settings import Spec

_SIZES = (64, 96, 128, 160, 192, 256, 384, 512)


def looks() -> dict:
    """Style and layout of a field on a line of its own."""
    return {"style": {"description_width": "12em"}, "layout": widgets.Layout(width="26em")}


def widget_for(spec: Spec, value: object) -> widgets.Widget:
    """The widget of a field, showing `value`; its label names the unit."""
    unit = f" ({spec.unit})" if spec.unit not in ("", spec.name) else ""
    common = {"description": spec.name + unit, **looks()}
    if spec.kind == "shape":
        return _size_fields(common, value)
    if spec.kind == "choice":
        return widgets.Dropdown(options=spec.choices, value=value, **common)
    if spec.kind == "switch":
        return widgets.Checkbox(value=value, **common)
    common["continuous_update"] = False
    if spec.name == "models":
        common["placeholder"] = "a name, or the path of a checkpoint"
        return widgets.Combobox(value=value, options=registered("vqgan"), **common)
    if spec.kind in ("seed", "names", "text"):
        placeholder = "empty: a new seed" if spec.kind == "seed" else spec.help
        return widgets.Text(value=_typed(spec, value), placeholder=placeholder, **common)
    common |= {"value": value, "min": spec.minimum, "max": spec.maximum}
    if spec.kind == "whole number":
        return widgets.BoundedIntText(**common)
    return widgets.BoundedFloatText(step=0.5 if spec.unit else 0.01, **common)


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
    return widget.children if isinstance(widget, widgets.HBox) else [widget]


def described(spec: Spec, more: str = "") -> str:
    """HTML with the help of a field, its range, and whether it can change live."""
    sentences = [spec.help]
    sentences += [f"{spec.limits.capitalize()}."] if spec.limits and not spec.choices else []
    sentences += ["Live."] if spec.live else []
    sentences += [f"{more}."] if more else []
    return help_text(" ".join(sentences))


def help_text(text: str) -> str:
    """HTML of a sentence beside a field."""
    return f"<div style='color:#555;line-height:1.25'>{html.escape(text)}</div>"


def notes() -> Callable[..., widgets.HTML]:
    """A factory for texts beside fields; sharing layout and style keeps saved notebooks small."""
    first = widgets.HTML(layout=widgets.Layout(width="17em"))
    return partial(widgets.HTML, layout=first.layout, style=first.style)


def _typed(spec: Spec, value: object) -> object:
    """A value as its widget holds it."""
    if spec.kind == "names":
        return shlex.join(value)
    if spec.kind == "seed":
        return "" if value is None else str(value)
    return value


def _size_fields(common: dict, value: tuple[int, int]) -> widgets.HBox:
    """Menus for width and height."""
    options, layout = sorted({*_SIZES, *value}), common.pop("layout")
    beside = {"description": "×", "style": {"description_width": "1em"}}
    sides = [
        widgets.Dropdown(options=options, value=side, layout=widgets.Layout(width=width), **words)
        for side, width, words in zip(value, ("18em", "7.5em"), (common, beside), strict=True)
    ]
    return widgets.HBox(sides, layout=layout)
