"""A form for `Settings`: each field explained by its tooltip, and by a sentence if it is wrong."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from vqclip_nb.core.targets import sentences_of
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.registry import find_model
from vqclip_nb.settings import Settings, specs
from vqclip_nb.widgets.fields import help_text, parts_of, row_of, show_value, value_of, widget_for
from vqclip_nb.widgets.theme import style_sheet

SECTIONS: dict[str, list[str]] = {}  # the fields of each folded section
for _name, _spec in specs().items():
    SECTIONS.setdefault(_spec.section, []).append(_name)
FRONT = tuple(SECTIONS.pop(""))  # the fields that are not folded


class Form:
    """A form for some fields of `Settings`; make it the last value of a cell to show it.

    settings: the initial values
    names: the fields, in this order
    perceptor: a CLIP with a known vocabulary; the form lists words that are not in it
    changed: called without arguments after the user has changed a value

    `form.settings()` returns the values as `Settings`. A value that is not allowed turns its field
    red, and the text below it says what is allowed.
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
        plain = widgets.Layout()  # one for all, because a saved notebook holds each
        self._notes = {name: widgets.HTML(layout=plain) for name in names}
        self.rows = {
            name: row_of(field, specs()[name].live, self._notes[name])
            for name, field in self.fields.items()
        }
        self.hint = widgets.HTML()
        self.widget = widgets.VBox([style_sheet(), *self.rows.values(), self.hint])
        self.widget.add_class("vq-panel")
        self._filler: int | None = None  # the thread that shows values
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
        self._filler = threading.get_ident()
        try:
            for name, value in values.items():
                show_value(specs()[name], self.fields[name], value)
        finally:
            self._filler = None
        self.check()

    @property
    def filling(self) -> bool:
        """Whether a change comes from `show`, and not from the user on another thread."""
        return self._filler == threading.get_ident()

    def check(self) -> str:
        """The error of the form's values, which is also shown; empty if they are allowed."""
        error, sentences = "", ""
        try:
            sentences = sentences_of(self.settings())
        except ValueError as refused:
            error = str(refused)
        wrong = error.split(" ")[0]
        for name, note in self._notes.items():
            red = name == wrong
            for part in parts_of(self.fields[name]):
                (part.add_class if red else part.remove_class)("vq-wrong")
            note.value = _in_red(error) if red else self._cost(name)
        unnamed = "" if wrong in self._notes else error
        self.hint.value = _in_red(unnamed) if unnamed else self._unusual(sentences)
        return error

    def rows_about(self, words: str, names: Sequence[str]) -> list[widgets.Widget]:
        """The rows of the fields among `names` whose name or help has all these words."""
        about = {name: f"{name} {specs()[name].help}".lower() for name in names}
        wanted = words.lower().split()
        return [self.rows[name] for name in names if all(word in about[name] for word in wanted)]

    def _cost(self, name: str) -> str:
        """What the named models take to download."""
        if name not in ("models", "clip"):
            return ""
        kind = "vqgan" if name == "models" else "clip"
        words = self.fields[name].value.split()
        named = [found for word in words if (found := find_model(kind, word))]
        return help_text("; ".join(f"{each.name}: {each.cost}" for each in named)) if named else ""

    def _edited(self, _change: object = None) -> None:
        if not self.filling:
            self.check()
            if self._changed:
                self._changed()

    def _unusual(self, sentences: str) -> str:
        """How CLIP reads words that it never saw."""
        told = ""
        if self.perceptor:
            if replaced := self.perceptor.replaced_in_words(sentences):
                told += f"CLIP reads {html.escape(replaced)}. "
            if unknown := self.perceptor.unknown_in_words(sentences):
                told += f"<b>Not in CLIP's vocabulary:</b> {html.escape(unknown)}"
        return f"<div class='vq-quiet'>{told}</div>" if told else ""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


def _in_red(error: str) -> str:
    return f"<div class='vq-error' role='alert'>✗ {html.escape(error)}</div>"
