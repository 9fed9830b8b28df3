"""Draws compositions."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from vqclip_nb.models.draft.composition import Composition
from vqclip_nb.models.draft.paint import (
    Sprite,
    lit,
    paste,
    paste_shadow,
    recoloured,
    resized,
)
from vqclip_nb.models.styles import COLOURLESS, STYLES, in_style
from vqclip_nb.train.compositions.arrange import Arrangement, arrange
from vqclip_nb.train.compositions.casting import Cast

_SEEN = 0.3  # share of a thing's own colours that no night hides, or it would be lost in the dark

Layout = list[tuple[int, float, float, float, float, float]]


def compose(
    things: Cast,
    rng: random.Random,
    size: int | tuple[int, int],
    *,
    kind: str | None = None,
    styled: float = 0.2,
) -> tuple[np.ndarray, Composition, Layout]:
    """A random composition; the same state of `rng` gives the same one.

    size: side, or width and height, in pixels
    kind: one of `composition.KINDS`, random unless given
    styled: share of the pictures with a style

    Returns the picture, uint8 [H, W, 3], what its caption may say, and for each drawing in it the
    index of the thing in `all_things()`, x and y of its middle, width and height as shares of the
    picture's, and the depth from 0, far away, to 1.
    """
    size = (size, size) if isinstance(size, int) else size
    arrangement = arrange(things, size, rng, kind)
    image = draw(things, arrangement, size, rng)
    composition = arrangement.composition
    if rng.random() < styled:
        style = rng.choice(STYLES)
        image = in_style(image, style, rng)
        composition = _in_style(composition, style)
    return image, composition, layout_of(things, arrangement, size)


def draw(
    things: Cast, arrangement: Arrangement, size: tuple[int, int], rng: random.Random
) -> np.ndarray:
    """The picture of an arrangement: uint8 [H, W, 3]."""
    ground = arrangement.ground
    if ground is not None:
        image = ground.image.copy()
        light = tuple(_SEEN + (1 - _SEEN) * part for part in ground.light)
    else:
        image, light = _background(arrangement.behind, size, rng), (1.0, 1.0, 1.0)
    for sprite in arrangement.sprites:
        if sprite.shadow and ground is not None:
            paste_shadow(image, sprite, ground.shadow)
        paste(image, _drawn(things, sprite, light), round(sprite.left), round(sprite.top))
    if ground is not None and ground.foreground is not None:
        paste(image, ground.foreground, 0, 0)
    return image


def _drawn(things: Cast, sprite: Sprite, light: tuple[float, float, float]) -> np.ndarray:
    width, height = max(round(sprite.width), 1), max(round(sprite.height), 1)
    rgba = resized(things.drawings.picture(sprite.drawing), width, height, sprite.mirror)
    if sprite.colour is not None:
        all_over = bool(things.drawings.silhouette[sprite.drawing])
        rgba = recoloured(rgba, sprite.colour, all_over=all_over)
    return lit(rgba, light)


def _background(
    colour: tuple[float, float, float], size: tuple[int, int], rng: random.Random
) -> np.ndarray:
    """A plain colour, in some pictures a little brighter at one side or in the middle."""
    width, height = size
    flat = np.full((height, width, 3), np.float32(colour) * 255, np.float32)
    if rng.random() < 0.5:
        slope = np.float32([rng.uniform(-18, 18), rng.uniform(-18, 18)])
        down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
        across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
        flat += (slope[0] * down + slope[1] * across)[..., None]
    return np.clip(flat, 0, 255).astype(np.uint8)


def layout_of(things: Cast, arrangement: Arrangement, size: tuple[int, int]) -> Layout:
    """What is where, see `compose`."""
    width, height = size
    return [
        (
            int(things.drawings.thing[sprite.drawing]),
            (sprite.left + sprite.width / 2) / width,
            (sprite.top + sprite.height / 2) / height,
            sprite.width / width,
            sprite.height / height,
            min(max(sprite.depth, 0.0), 1.0),
        )
        for sprite in arrangement.sprites
    ]


def _in_style(composition: Composition, style: str) -> Composition:
    """With the style, and without what it hides."""
    if style not in COLOURLESS:
        return replace(composition, style=style)
    items = tuple(replace(item, colour=None) for item in composition.items)
    say = tuple(trait for trait in composition.say if trait == "name")
    say = say or (("name",) if composition.place else ())
    return replace(composition, items=items, say=say, background=None, style=style)
