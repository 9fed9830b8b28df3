"""A form for `Settings`: each field with its range, its unit and its help."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.registry import find_model
from vqclip_nb.settings import Settings, specs
from vqclip_nb.widgets.fields import described, notes, parts_of, show_value, value_of, widget_for

SECTIONS: dict[str, list[str]] = {}  # the fields of each folded section
for _name, _spec in specs().items():
    SECTIONS.setdefault(_spec.section, []).append(_name)
FRONT = tuple(SECTIONS.pop(""))  # the fields that are not folded
_TEXTS = ("prompt", "extras", "exclude")


class Form:
    """A form for some fields of `Settings`; make it the last value of a cell to show it.

    settings: the initial values
    names: the fields, in this order
    perceptor: a CLIP with a known vocabulary; the form lists words that are not in it
    changed: called without arguments after the user has changed a value

    `form.settings()` returns the values as `Settings`. A value that is not allowed turns its field
    red, and the text beside it says what is allowed.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        names: Sequence[str] = FRONT,
        perceptor: Perceptor | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.perceptor, self._changed = perceptor, changed
        self._base = settings or Settings()
        self.fields = {name: widget_for(specs()[name], getattr(self._base, name)) for name in names}
        beside, row = notes(), widgets.Layout()
        self._notes = {name: beside() for name in names}
        self.rows = {
            name: widgets.HBox([self.fields[name], self._notes[name]], layout=row) for name in names
        }
        self.hint = widgets.HTML()
        self.widget = widgets.VBox([*self.rows.values(), self.hint])
        self._filling = False
        for field in self.fields.values():
            for part in parts_of(field):
                part.observe(self._edited, "value")
        self.check()

    def settings(self) -> Settings:
        """The values of the form; raises ValueError as `Settings` does."""
        values = {name: value_of(specs()[name], field) for name, field in self.fields.items()}
        return self._base.replace(**values)

    def fill(self, settings: Settings) -> None:
        """Show these settings without calling `changed`."""
        self._base = settings
        self.show({name: getattr(settings, name) for name in self.fields})

    def show(self, values: dict[str, object]) -> None:
        """Show these values of some fields without calling `changed`."""
        self._filling = True
        try:
            for name, value in values.items():
                show_value(specs()[name], self.fields[name], value)
        finally:
            self._filling = False
        self.check()

    def check(self) -> str:
        """The error of the form's values, which is also shown; empty if they are allowed."""
        error = ""
        try:
            self.settings()
        except ValueError as refused:
            error = str(refused)
        wrong = error.split(" ")[0]
        for name, note in self._notes.items():
            red = name == wrong
            for part in parts_of(self.fields[name]):
                part.layout.border = "2px solid #c00" if red else None
            note.value = _in_red(error) if red else self._help(name)
        self._hint("" if wrong in self._notes else error)
        return error

    def _help(self, name: str) -> str:
        """A field's help; for models also the size of their downloads."""
        if name not in ("models", "clip"):
            return described(specs()[name])
        kind = "vqgan" if name == "models" else "clip"
        words = self.fields[name].value.split()
        named = [found for word in words if (found := find_model(kind, word))]
        return described(specs()[name], "; ".join(f"{each.name}: {each.cost}" for each in named))

    def _edited(self, _change: object = None) -> None:
        if not self._filling:
            self.check()
            if self._changed:
                self._changed()

    def _hint(self, error: str) -> None:
        """Show an error that belongs to no single field, and how CLIP reads words it never saw."""
        texts = [self.fields[name].value for name in _TEXTS if name in self.fields]
        hint = _in_red(error) if error else ""
        if self.perceptor:
            if replaced := self.perceptor.replaced_in_words(" ".join(texts)):
                hint += f" CLIP reads {html.escape(replaced)}."
            if unknown := self.perceptor.unknown_in_words(" ".join(texts)):
                hint += f" <b>Not in CLIP's vocabulary:</b> {html.escape(unknown)}"
        self.hint.value = hint

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


def _in_red(error: str) -> str:
    return f"<b style='color:#c00'>✗ {html.escape(error)}</b>"
