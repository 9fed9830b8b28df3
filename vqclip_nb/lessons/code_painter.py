"""A page of codes on which each place can be clicked."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.images import as_images
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.pictures import data_url

_SIDE = 288  # pixels of the picture, and of the page beside it


class CodePainter:
    """A page of codes beside what the decoder makes of it; a click puts the brush's code there.

    The brush has a colour, or any number, and a strength: with less than 1 the place gets a blend
    of the code vector that was there and the brush's.

    vqgan: gives the codebook and the decoder
    page: the codes [h, w] at the beginning, 8 x 8 or so
    colours: codes with a name
    widget: what a notebook displays
    """

    def __init__(self, vqgan: VQGAN, page: Tensor, colours: Mapping[str, int]) -> None:
        self._vqgan, self._begin = vqgan, F.embedding(page, vqgan.codebook)
        self.vectors = self._begin.clone()  # [h, w, C]
        self._picture = widgets.HTML()
        self.colour = widgets.Dropdown(options=dict(colours), description="colour")
        self.code = widgets.BoundedIntText(
            self.colour.value, 0, len(vqgan.codebook) - 1, description="code"
        )
        self.strength = widgets.FloatSlider(1, min=0, max=1, step=0.05, description="strength")
        clear = widgets.Button(description="Start again")
        self.colour.observe(lambda change: setattr(self.code, "value", change.new), "value")
        clear.on_click(lambda _: self._start_again())
        self.places = [self._place(row, column) for row, column in _places(page)]
        sheet = widgets.GridBox(self.places, layout=_grid_of(page))
        brush = widgets.VBox([self.colour, self.code, self.strength, clear])
        wraps = widgets.Layout(flex_flow="row wrap")
        self.widget = widgets.HBox([sheet, self._picture, brush], layout=wraps)
        self._show()

    def paint(self, row: int, column: int) -> None:
        """Put the brush's code, or a part of it, at a place."""
        new = self._vqgan.codebook[self.code.value]
        self.vectors[row, column].lerp_(new, self.strength.value)
        self._show()

    @property
    def picture(self) -> Tensor:
        """What the decoder makes of the page, [1, 3, H, W]."""
        with torch.no_grad():
            return self._vqgan.decode(self.vectors.permute(2, 0, 1)[None]).clamp(0, 1)

    def _place(self, row: int, column: int) -> widgets.Button:
        place = widgets.Button(layout=widgets.Layout(width="auto", height="auto", margin="0"))
        place.tooltip = f"row {row}, column {column}"
        place.on_click(lambda _: self.paint(row, column))
        return place

    def _start_again(self) -> None:
        self.vectors = self._begin.clone()
        self._show()

    def _show(self) -> None:
        x = self.picture
        patches = F.adaptive_avg_pool2d(x, self.vectors.shape[:2])[0]  # [3, h, w]
        colours = (255 * patches).round().int().flatten(1).T.tolist()
        for place, colour in zip(self.places, colours, strict=True):
            place.style.button_color = "#{:02x}{:02x}{:02x}".format(*colour)
        image = as_images(x)[0].resize((_SIDE, _SIDE))
        self._picture.value = f'<img src="{data_url(image, 20_000)}" alt="the decoder\'s picture">'


def _places(page: Tensor) -> list[tuple[int, int]]:
    height, width = page.shape
    return [(row, column) for row in range(height) for column in range(width)]


def _grid_of(page: Tensor) -> widgets.Layout:
    height, width = page.shape
    return widgets.Layout(
        grid_template_columns=f"repeat({width}, 1fr)",
        grid_template_rows=f"repeat({height}, 1fr)",
        width=f"{_SIDE}px",
        height=f"{_SIDE}px",
    )
