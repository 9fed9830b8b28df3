"""A widget form for films: of the run, morphs and journeys, each made from its options."""

from __future__ import annotations

from dataclasses import Field, fields

import ipywidgets as widgets

from vqclip_nb.films.options import Cut, Journey, Morph, Options
from vqclip_nb.widgets.settings_form import help_text, notes

KINDS = {"of the run": Cut, "morph": Morph, "journey": Journey}
TOLD = {
    "of the run": "The film of what is shown above, cut anew; nothing is painted.",
    "morph": "Pictures that pass into each other: each phrase of the prompt, with ^ between, or "
    "what is written here instead; also folders of runs.",
    "journey": "A flight through the prompt; phrases with ^ between fade into each other.",
}


class FilmForm:
    """A menu of the kinds of film, and below it the chosen kind's fields, each with its help.

    kind: the menu; boxes: of each kind, its fields by name; sources: what a morph is made of,
    where it is not the prompt
    """

    def __init__(self) -> None:
        self.kind = widgets.Dropdown(description="film", options=list(KINDS), **_looks())
        self.sources = widgets.Text(
            description="sources", placeholder="a cat ^ a dog, or runs/… ^ runs/…", **_looks()
        )
        self.boxes = {kind: _fields_of(options) for kind, options in KINDS.items()}
        self._told = widgets.HTML()
        self._beside, self._row = notes(), widgets.Layout()
        self._rows = {kind: self._laid_out(kind) for kind in KINDS}
        self.widget = widgets.VBox()
        self.kind.observe(lambda _: self._show(), "value")
        self._show()

    @property
    def fields(self) -> dict[str, widgets.Widget]:
        """The fields of the chosen kind."""
        return self.boxes[self.kind.value]

    def options(self) -> Options:
        """What the form says, as `Cut`, `Morph` or `Journey`."""
        kind = KINDS[self.kind.value]
        return kind(**{each.name: self.fields[each.name].value for each in fields(kind)})

    def _laid_out(self, kind: str) -> list[widgets.Widget]:
        told = {each.name: each.metadata["help"] for each in fields(KINDS[kind])}
        told["format"] = next(e.metadata["help"] for e in fields(Cut) if e.name == "format")
        rows = [
            widgets.HBox([field, self._beside(help_text(told[name]))], layout=self._row)
            for name, field in self.boxes[kind].items()
        ]
        return [self.sources, *rows] if kind == "morph" else rows

    def _show(self) -> None:
        self._told.value = help_text(TOLD[self.kind.value])
        self.widget.children = [self.kind, self._told, *self._rows[self.kind.value]]


def _fields_of(kind: type) -> dict[str, widgets.Widget]:
    """A field for each option, and one for the kind of file."""
    known = {each.name: each for each in fields(Cut)} | {each.name: each for each in fields(kind)}
    names = dict.fromkeys([each.name for each in fields(kind)] + ["format"])
    return {name: _widget(known[name]) for name in names}


def _widget(field: Field) -> widgets.Widget:
    allowed = field.metadata["allowed"]
    common = {"description": field.name, "value": field.default, **_looks()}
    if isinstance(field.default, bool):
        return widgets.Checkbox(**common)
    if isinstance(field.default, str):
        return widgets.Dropdown(options=allowed, **common)
    low, high = allowed
    if isinstance(field.default, int) and field.type == "int":
        return widgets.BoundedIntText(min=low, max=high, **common)
    step = 0.01 if high - low < 1 else 0.5
    return widgets.BoundedFloatText(min=low, max=high, step=step, **common)


def _looks() -> dict:
    return {"style": {"description_width": "12em"}, "layout": widgets.Layout(width="26em")}
