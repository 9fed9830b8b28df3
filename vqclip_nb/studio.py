"""A widget form made from `Settings`: each field with its range, its unit and its help."""

from __future__ import annotations

import html
import shlex
from collections.abc import Sequence

import ipywidgets as widgets

from vqclip_nb.perceptor import Perceptor
from vqclip_nb.prompts import unknown_in
from vqclip_nb.settings import Settings, Spec, specs

FRONT = (
    "prompt",
    "extras",
    "exclude",
    "w1",
    "w2",
    "noise_factor",
    "learning_rate",
    "wd",
    "total_iter",
    "show_step",
    "im_shape",
    "seed",
)
TEXTS = ("prompt", "extras", "exclude")
_SIZES = (64, 96, 128, 160, 192, 256, 384, 512)
_WIDE = widgets.Layout(width="36em")


class Form:
    """A form for some fields of `Settings`; show it by putting it last in a cell.

    settings: the values that it starts with
    names: which fields, in this order
    critic: tells below the form which words it never saw, and what may have been meant

    `form.settings()` gives the values as `Settings`; a value that is not allowed is told there.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        names: Sequence[str] = FRONT,
        critic: Perceptor | None = None,
    ) -> None:
        self._critic = critic
        self._base = settings or Settings()
        self.fields = {name: _field(name, specs()[name], self._base) for name in names}
        rows = [_row(field, specs()[name].help) for name, field in self.fields.items()]
        self.hint = widgets.HTML()
        self.widget = widgets.VBox([*rows, self.hint])
        self._texts = [self.fields[name] for name in TEXTS if name in self.fields]
        for field in self._texts if critic else ():
            field.observe(self._hint, "value")
        self._hint()

    def _hint(self, _change: object = None) -> None:
        """Tell of words that the critic never saw."""
        if self._critic is None:
            return
        text = " ".join(field.value for field in self._texts)
        told = html.escape(unknown_in(self._critic, text))
        self.hint.value = f"<b>Never seen by the critic:</b> {told}" if told else ""

    def settings(self) -> Settings:
        """What the form says; raises ValueError as `Settings` does."""
        return self._base.replace(**{n: _value(n, field) for n, field in self.fields.items()})

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


def _row(field: widgets.Widget, help: str) -> widgets.HBox:
    note = widgets.HTML(f"<span style='color:#555'>{help}</span>")
    return widgets.HBox([field, note])


def _field(name: str, spec: Spec, settings: Settings) -> widgets.Widget:
    """The widget for one field; its label names the unit."""
    value = getattr(settings, name)
    label = f"{name} ({spec.unit})" if spec.unit else name
    common = {
        "description": label,
        "style": {"description_width": "13em"},
        "layout": _WIDE,
        "continuous_update": False,
    }
    if name == "im_shape":
        return _size_field(value, label)
    if name == "seed":
        shown = "" if value is None else str(value)
        return widgets.Text(value=shown, placeholder="empty: drawn anew", **common)
    if spec.choices:
        return widgets.Dropdown(options=spec.choices, value=value, **_without_update(common))
    if isinstance(value, bool):
        return widgets.Checkbox(value=value, **_without_update(common))
    if isinstance(value, tuple):
        return widgets.Text(value=shlex.join(value), placeholder=spec.help, **common)
    if isinstance(value, str):
        return widgets.Text(value=value, placeholder=spec.help, **common)
    if isinstance(value, int):
        return widgets.BoundedIntText(value=value, min=spec.minimum, max=spec.maximum, **common)
    return widgets.BoundedFloatText(
        value=value, min=spec.minimum, max=spec.maximum, step=0.01, **common
    )


def _without_update(common: dict) -> dict:
    """For widgets whose value changes at once in any case."""
    return {name: value for name, value in common.items() if name != "continuous_update"}


def _size_field(value: tuple[int, int], label: str) -> widgets.Widget:
    sizes = sorted({*_SIZES, *value})
    layout = widgets.Layout(width="11.3em")
    width = widgets.Dropdown(
        description=label,
        options=sizes,
        value=value[0],
        style={"description_width": "13em"},
        layout=widgets.Layout(width="24.5em"),
    )
    height = widgets.Dropdown(
        description="×",
        options=sizes,
        value=value[1],
        style={"description_width": "1em"},
        layout=layout,
    )
    return widgets.HBox([width, height], layout=_WIDE)


def _value(name: str, field: widgets.Widget) -> object:
    if name == "im_shape":
        return tuple(side.value for side in field.children)
    if name == "clip":
        try:
            return shlex.split(field.value)
        except ValueError as error:
            raise ValueError(
                f"clip is {field.value!r}, which has an open quote: {error}."
            ) from None
    if name == "seed":
        text = field.value.strip()
        return (int(text) if text.isdigit() else text) if text else None
    return field.value
