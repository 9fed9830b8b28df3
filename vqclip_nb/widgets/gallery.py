"""A gallery of a sweep's pictures, which loads the settings of one into the Studio."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Protocol

import ipywidgets as widgets

from vqclip_nb.settings import Settings
from vqclip_nb.sweeps.grid import in_words
from vqclip_nb.sweeps.sweep import Painted
from vqclip_nb.widgets.html_media import still

_PAGE = 24  # pictures shown at once
_SIDE = 160  # pixels of each


class Loader(Protocol):
    """Loads settings, as a Studio does into its form."""

    def load(self, settings: Settings) -> None: ...


class Gallery:
    """Shows pictures with the values that distinguish them; put it last in a cell to display it.

    painted: what `sweep` returned
    studio: if given, a button below each picture loads its settings into this panel's form
    """

    def __init__(self, painted: Sequence[Painted], studio: Loader | None = None) -> None:
        if not painted:
            raise ValueError("A gallery needs at least one picture.")
        self.painted, self.studio, self._first = list(painted), studio, 0
        self._cells = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap"))
        self._where = widgets.Label()
        self._turns = [self._turn("previous", -_PAGE), self._turn("next", _PAGE)]
        pages = [widgets.HBox([*self._turns, self._where])] if len(painted) > _PAGE else []
        self.widget = widgets.VBox([*pages, self._cells])
        self._show()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    def _turn(self, label: str, by: int) -> widgets.Button:
        button = widgets.Button(description=label)
        button.on_click(lambda _: self._show(by))
        return button

    def _show(self, by: int = 0) -> None:
        """Show the page that is `by` pictures further."""
        self._first += by
        shown = self.painted[self._first : self._first + _PAGE]
        last = self._first + len(shown)
        self._where.value = f"{self._first + 1} to {last} of {len(self.painted)}"
        previous, following = self._turns
        previous.disabled, following.disabled = not self._first, last == len(self.painted)
        self._cells.children = [self._cell(each) for each in shown]

    def _cell(self, painted: Painted) -> widgets.VBox:
        values = html.escape(in_words(painted.values))
        words = f"<b>{html.escape(painted.settings.prompt)}</b><br>{values}"
        picture = still(painted.images[0], painted.settings.prompt, _SIDE)
        parts: list[widgets.Widget] = [widgets.HTML(f"{picture}<div>{words}</div>")]
        if self.studio is not None:
            parts.append(self._button(painted.settings))
        return widgets.VBox(parts, layout=widgets.Layout(width=f"{_SIDE + 16}px", margin="4px"))

    def _button(self, settings: Settings) -> widgets.Button:
        button = widgets.Button(
            description="Load into Studio",
            icon="upload",
            tooltip="Load its settings into the form, to change them and paint again",
            layout=widgets.Layout(width=f"{_SIDE}px"),
        )
        button.on_click(lambda _: self.studio.load(settings))
        return button
