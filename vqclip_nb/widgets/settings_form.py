"""A widget form made from `Settings`: each field with its range, its unit and its help."""

from __future__ import annotations

import html
import shlex
from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets as widgets

from vqclip_nb.core.targets import unknown_in
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import registered
from vqclip_nb.models.registry import find_model
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


class Form:
    """A form for some fields of `Settings`; show it by putting it last in a cell.

    settings: the values that it starts with
    names: which fields, in this order
    critic: tells below the form which words it never saw, and what may have been meant
    changed: called, with nothing, after a person has changed a value

    `form.settings()` gives the values as `Settings`. A value that is not allowed turns its field
    red, and what is allowed is told beside it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        names: Sequence[str] = FRONT,
        critic: Perceptor | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.critic, self._changed = critic, changed
        self._base = settings or Settings()
        self.fields = {name: _field(name, specs()[name], self._base) for name in names}
        beside, row = notes(), widgets.Layout()
        self._notes = {name: beside() for name in names}
        self.rows = {
            name: widgets.HBox([self.fields[name], self._notes[name]], layout=row) for name in names
        }
        self.hint = widgets.HTML()
        self.widget = widgets.VBox([*self.rows.values(), self.hint])
        self._filling = False
        for field in self.fields.values():
            for part in _parts(field):
                part.observe(self._edited, "value")
        self.check()

    def settings(self) -> Settings:
        """What the form says; raises ValueError as `Settings` does."""
        return self._base.replace(**{n: _value(n, field) for n, field in self.fields.items()})

    def fill(self, settings: Settings) -> None:
        """Show these values; nobody is told of a change."""
        self._base = settings
        self.show({name: getattr(settings, name) for name in self.fields})

    def show(self, values: dict[str, object]) -> None:
        """Show these values of some fields; nobody is told of a change."""
        self._filling = True
        try:
            for name, value in values.items():
                _fill(name, self.fields[name], value)
        finally:
            self._filling = False
        self.check()

    def check(self) -> str:
        """The sentence that refuses the form's values, which is also shown; empty if none does."""
        refusal = ""
        try:
            self.settings()
        except ValueError as error:
            refusal = str(error)
        wrong = refusal.split(" ")[0]
        for name, note in self._notes.items():
            red = name == wrong
            for part in _parts(self.fields[name]):
                part.layout.border = "2px solid #c00" if red else None
            told = (
                f"<b style='color:#c00'>✗ {html.escape(refusal)}</b>" if red else self._help(name)
            )
            if note.value != told:
                note.value = told
        self._hint("" if wrong in self._notes else refusal)
        return refusal

    def _help(self, name: str) -> str:
        """A field's help; of models also what choosing them costs."""
        if name not in ("models", "clip"):
            return _help(name)
        kind = "vqgan" if name == "models" else "clip"
        words = self.fields[name].value.split()
        named = [found for word in words if (found := find_model(kind, word))]
        return _help(name, "; ".join(f"{each.name}: {each.cost}" for each in named))

    def _edited(self, _change: object = None) -> None:
        if not self._filling:
            self.check()
            if self._changed:
                self._changed()

    def _hint(self, refusal: str) -> None:
        """Tell what no field alone has wrong, and of words that the critic never saw."""
        texts = [self.fields[name].value for name in TEXTS if name in self.fields]
        unknown = unknown_in(self.critic, " ".join(texts)) if self.critic else ""
        told = f"<b style='color:#c00'>✗ {html.escape(refusal)}</b>" if refusal else ""
        if unknown:
            told += f" <b>Never seen by the critic:</b> {html.escape(unknown)}"
        if self.hint.value != told:
            self.hint.value = told

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


def _help(name: str, more: str = "") -> str:
    """A field's help with its range."""
    spec = specs()[name]
    limits = spec.allowed if spec.minimum is not None and spec.maximum is not None else ""
    live = " Live." if spec.live else ""
    note = f"{spec.help}{f' {limits[0].upper()}{limits[1:]}.' if limits else ''}{live}"
    note += f" {more}." if more else ""
    return help_text(note)


def notes() -> Callable[..., widgets.HTML]:
    """A factory for the texts beside fields; they share layout and style to keep notebooks small."""
    first = widgets.HTML(layout=widgets.Layout(width="17em"))
    return partial(widgets.HTML, layout=first.layout, style=first.style)


def help_text(told: str) -> str:
    """HTML of a sentence beside a field."""
    return f"<div style='color:#555;line-height:1.25'>{html.escape(told)}</div>"


def _parts(field: widgets.Widget) -> Sequence[widgets.Widget]:
    """The widgets of a field that hold its values."""
    return field.children if isinstance(field, widgets.HBox) else [field]


def _field(name: str, spec: Spec, settings: Settings) -> widgets.Widget:
    """The widget for one field; its label names the unit."""
    value = getattr(settings, name)
    label = f"{name} ({spec.unit})" if spec.unit else name
    common = {
        "description": label,
        "style": {"description_width": "12em"},
        "layout": widgets.Layout(width="26em"),
        "continuous_update": False,
    }
    if name == "im_shape":
        return _size_field(value, label)
    if name == "seed":
        shown = "" if value is None else str(value)
        return widgets.Text(value=shown, placeholder="empty: drawn anew", **common)
    if name == "models":
        common |= {"placeholder": "a name, or a checkpoint's path"}
        return widgets.Combobox(value=value, options=registered("vqgan"), **common)
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
    width = widgets.Dropdown(
        description=label,
        options=sizes,
        value=value[0],
        style={"description_width": "12em"},
        layout=widgets.Layout(width="18em"),
    )
    height = widgets.Dropdown(
        description="×",
        options=sizes,
        value=value[1],
        style={"description_width": "1em"},
        layout=widgets.Layout(width="7.5em"),
    )
    return widgets.HBox([width, height], layout=widgets.Layout(width="26em"))


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


def _fill(name: str, field: widgets.Widget, value: object) -> None:
    """Make a field show a value."""
    if name == "im_shape":
        for side, pixels in zip(field.children, value, strict=True):
            side.options = sorted({*side.options, pixels})
            side.value = pixels
    elif name == "clip":
        field.value = shlex.join(value)
    elif name == "seed":
        field.value = "" if value is None else str(value)
    else:
        field.value = value
