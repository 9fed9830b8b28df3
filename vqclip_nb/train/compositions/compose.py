"""Draws compositions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vqclip_nb.models.draft.composition import Composition
from vqclip_nb.models.draft.paint import (
    Sprite,
    paste,
    paste_all,
    plain_background,
    recoloured,
    resized,
)
from vqclip_nb.models.styles import COLOURLESS, STYLES, in_style
from vqclip_nb.train.compositions.arrange import Arrangement, arrange
from vqclip_nb.train.compositions.casting import Cast

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


def as_tensor(images: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Pictures, uint8 [H, W, 3], as a batch [B, 3, H, W] in [0,1]."""
    x = torch.from_numpy(np.asarray(images)).to(device)  # (B, H, W, 3)
    return x.permute(0, 3, 1, 2).float() / 255


def draw(
    things: Cast, arrangement: Arrangement, size: tuple[int, int], rng: random.Random
) -> np.ndarray:
    """The picture of an arrangement: uint8 [H, W, 3]."""
    ground, drawn = arrangement.ground, partial(_drawn, things)
    if ground is None:
        image = plain_background(arrangement.behind, size, rng)
        paste_all(image, arrangement.sprites, drawn)
        return image
    image = ground.image.copy()
    paste_all(image, arrangement.sprites, drawn, ground.light, ground.shadow)
    if ground.foreground is not None:
        paste(image, ground.foreground, 0, 0)
    return image


def _drawn(things: Cast, sprite: Sprite) -> np.ndarray:
    width, height = max(round(sprite.width), 1), max(round(sprite.height), 1)
    rgba = resized(things.drawings.picture(sprite.drawing), width, height, sprite.mirror)
    if sprite.colour is None:
        return rgba
    all_over = bool(things.drawings.silhouette[sprite.drawing])
    return recoloured(rgba, sprite.colour, all_over=all_over)


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
