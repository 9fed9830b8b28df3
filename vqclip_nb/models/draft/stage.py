"""Where the things of a picture go, in pixels: a place or a plain background."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from vqclip_nb.models.draft.paint import Sprite
from vqclip_nb.models.draft.place import Ground, Region
from vqclip_nb.models.draft.things import Thing, all_things

SMALLEST = 0.12  # height of anything, as a share of the picture's
_EDGE = 0.015  # margin of the picture
_FLAT = {  # on plain backgrounds
    "stand": Region(0.04, 0.96, 0.80, 0.93),
    "afloat": Region(0.04, 0.96, 0.80, 0.93),
    "fly": Region(0.1, 0.9, 0.1, 0.45),
    "swim": Region(0.1, 0.9, 0.2, 0.8),
}


class Gallery(Protocol):
    """Drawings of things.

    of: the drawings of each thing, by its index in `all_things()`
    sizes: [N, 2], width and height of each drawing
    """

    of: Mapping[int, tuple[int, ...]]
    sizes: np.ndarray

    def alpha(self, drawing: int) -> np.ndarray:
        """The opacity of a drawing without its margins: uint8 [h, w]."""


@dataclass(frozen=True)
class Figure:
    """A drawing of a thing before it has a place in the picture.

    aspect: width through height
    """

    thing: Thing
    drawing: int
    aspect: float
    colour: str | None = None
    mirror: bool = False
    scale: float = 1.0  # of a small or large one

    @staticmethod
    def drawn(gallery: Gallery, thing: int, rng: random.Random, **more) -> Figure:
        drawing = rng.choice(gallery.of[thing])
        width, height = gallery.sizes[drawing].tolist()
        return Figure(all_things()[thing], drawing, width / height, **more)


class Stage:
    """The picture's size and the regions for things.

    ground: None for a plain background
    how: what the things do, see `places.phrase`
    """

    def __init__(self, size: tuple[int, int], ground: Ground | None, how: str, rng) -> None:
        self.width, self.height = size
        self.ground, self.how, self.rng = ground, how, rng
        self.region = self._region(how)
        self.air = self._region("fly")

    def _region(self, how: str) -> Region:
        region = getattr(self.ground, how) if self.ground else None
        return region or _FLAT[how]

    @property
    def shadow(self) -> bool:
        return self.how == "stand" and self.ground is not None

    def share(self, figure: Figure) -> float:
        """How large a thing is if it is alone: the longer side as a share of the picture's height.

        Real sizes from 3 cm to 500 m are compressed to about 1 : 3.
        """
        share = 0.45 + 0.13 * math.log10(figure.thing.size)
        least = 0.25
        if self.ground is None:
            least = 0.5
        elif "table" in figure.thing.where:
            least = 0.34
        return min(max(share, least), 0.78) * figure.scale

    def shares(self, figures: list[Figure], largest: float | None = None) -> list[float]:
        """The same for things together: the ratio of the real sizes is compressed."""
        sizes = [figure.thing.size ** (0.4 if self.ground else 0.25) for figure in figures]
        top = max(sizes)
        largest = largest or max(self.share(figure) for figure in figures)
        return [
            max(largest * max(size / top, 0.3) * figure.scale, SMALLEST + 0.03)
            for size, figure in zip(sizes, figures, strict=True)
        ]

    def sprite(self, figure: Figure, share: float, x: float, foot: float) -> Sprite:
        """A drawing with its middle at x and its lower edge at `foot`, in pixels."""
        longer = max(share, SMALLEST) * self.height
        width, height = longer, longer / figure.aspect
        if figure.aspect < 1:
            width, height = longer * figure.aspect, longer
        fit = min(1.0, 0.96 * self.width / width, 0.94 * self.height / height)
        width, height = width * fit, height * fit
        return Sprite(
            figure.drawing,
            x - width / 2,
            foot - height,
            width,
            height,
            depth=foot / self.height,
            colour=figure.colour,
            mirror=figure.mirror,
            shadow=self.shadow,
        )

    def foot(self, figure: Figure) -> float:
        """A height in the region, in pixels: what is large is rather far away."""
        region = self.region
        chance = self.rng.random()
        if figure.thing.size > 3:
            chance *= 0.5
        elif figure.thing.size < 0.4:
            chance = 0.65 + 0.35 * chance
        return (region.top + (region.bottom - region.top) * chance) * self.height

    def perspective(self, foot: float, figure: Figure) -> float:
        """The factor of the size at this height; less than real perspective, to be visible."""
        power = 0.25 if figure.thing.size > 3 else 0.5
        return max(self.region.size(foot / self.height), 0.15) ** power

    def across(self, width: float) -> float:
        """A middle in the region for something of this width, in pixels."""
        left, right = self.region.left * self.width, self.region.right * self.width
        low, high = left + width / 2, right - width / 2
        if low > high:
            low = high = (left + right) / 2
        return min(max(self.rng.gauss((low + high) / 2, 0.12 * self.width), low), high)

    def alone(self, figure: Figure, share: float | None = None) -> Sprite:
        """A single thing where it belongs."""
        share = self.share(figure) * self.rng.uniform(0.85, 1.2) if share is None else share
        if self.how in ("fly", "swim"):
            return self.inside(self._hovering(figure, share))
        foot = self.foot(figure)
        sprite = self.sprite(figure, share * self.perspective(foot, figure), 0, foot)
        return self.inside(sprite.moved(self.across(sprite.width), 0))

    def _hovering(self, figure: Figure, share: float) -> Sprite:
        region = self.region
        y = self.rng.uniform(region.top, region.bottom) * self.height
        factor = region.size(y / self.height) ** 0.5
        sprite = self.sprite(figure, share * factor, 0, y)
        sprite = sprite.moved(self.across(sprite.width), sprite.height / 2)
        if self.how == "fly" and self.ground is not None and region.bottom < 0.6:
            floor = max(region.bottom + 0.12, 0.45) * self.height
            sprite = sprite.moved(0, min(0.0, floor - sprite.bottom))
        return sprite

    def inside(self, *sprites: Sprite) -> Sprite | list[Sprite]:
        """Moved, and if necessary shrunk, together, so that nothing is cut off."""
        fit = min(
            1.0,
            (1 - 2 * _EDGE) * self.width / _width(sprites),
            (1 - 2 * _EDGE) * self.height / _height(sprites),
        )
        x, y = min(s.left for s in sprites), max(s.bottom for s in sprites)
        if fit < 1:
            sprites = tuple(scaled(sprite, fit, x, y) for sprite in sprites)
        edge = _EDGE * self.height
        left, right = min(s.left for s in sprites), max(s.right for s in sprites)
        top, bottom = min(s.top for s in sprites), max(s.bottom for s in sprites)
        dx = max(edge - left, 0) + min(self.width - edge - right, 0)
        dy = max(edge - top, 0) + min(self.height - edge - bottom, 0)
        moved = [sprite.moved(dx, dy) for sprite in sprites]
        return moved[0] if len(moved) == 1 else moved


def scaled(sprite: Sprite, factor: float, x: float, y: float) -> Sprite:
    """Scaled about the point (x, y)."""
    return replace(
        sprite,
        left=x + (sprite.left - x) * factor,
        top=y + (sprite.top - y) * factor,
        width=sprite.width * factor,
        height=sprite.height * factor,
    )


def _width(sprites) -> float:
    return max(s.right for s in sprites) - min(s.left for s in sprites)


def _height(sprites) -> float:
    return max(s.bottom for s in sprites) - min(s.top for s in sprites)
