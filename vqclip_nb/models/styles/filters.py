"""The styles by name."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from vqclip_nb.models.styles import lines, paint, pieces, tones

_FILTERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "pixel art": pieces.pixel_art,
    "line drawing": lines.line_drawing,
    "black and white": tones.black_and_white,
    "sepia": tones.sepia,
    "watercolour": paint.watercolour,
    "neon": lines.neon,
    "mosaic": pieces.mosaic,
    "stained glass": pieces.stained_glass,
    "oil painting": paint.oil_painting,
    "pencil sketch": lines.pencil_sketch,
    "impressionist": paint.impressionist,
    "comic": tones.comic,
    "low poly": pieces.low_poly,
    "pop art": tones.pop_art,
    "woodcut": lines.woodcut,
    "chalk": lines.chalk,
}
STYLES = tuple(_FILTERS)
# A red apple is not red in these.
_GREY = ("line drawing", "black and white", "sepia", "pencil sketch", "woodcut", "chalk")
COLOURLESS = frozenset((*_GREY, "neon", "pop art"))


def in_style(image: np.ndarray, style: str, rng: random.Random) -> np.ndarray:
    """The picture in one of `STYLES`.

    image: uint8 [H, W, 3]; tiles, strokes and lines are in proportion to its shorter side
    rng: the same state gives the same picture

    Returns uint8 [H, W, 3]. Raises ValueError for an unknown style.
    """
    if style not in _FILTERS:
        raise ValueError(f"unknown style {style!r}: choose one of {', '.join(STYLES)}")
    return _FILTERS[style](image, np.random.default_rng(rng.getrandbits(62)))
