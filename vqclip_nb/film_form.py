"""A widget form for how a film is cut, made from `Cut`."""

from __future__ import annotations

from dataclasses import fields

import ipywidgets as widgets

from vqclip_nb.form import help_text
from vqclip_nb.options import Cut


class FilmForm:
    """A form for the fields of `Cut`, each with its help; `cut()` gives its values."""

    def __init__(self) -> None:
        self.fields = {each.name: _widget(each) for each in fields(Cut)}
        rows = [
            widgets.HBox([self.fields[each.name], _help(each.metadata["help"])])
            for each in fields(Cut)
        ]
        self.widget = widgets.VBox(rows)

    def cut(self) -> Cut:
        """What the form says."""
        return Cut(**{name: field.value for name, field in self.fields.items()})


def _widget(field) -> widgets.Widget:
    allowed = field.metadata["allowed"]
    common = {"description": field.name, "value": field.default}
    common |= {"style": {"description_width": "12em"}, "layout": widgets.Layout(width="26em")}
    if isinstance(field.default, bool):
        return widgets.Checkbox(**common)
    if isinstance(field.default, str):
        return widgets.Dropdown(options=allowed, **common)
    return widgets.BoundedFloatText(min=allowed[0], max=allowed[1], step=0.5, **common)


def _help(told: str) -> widgets.HTML:
    return widgets.HTML(help_text(told), layout=widgets.Layout(width="17em"))
