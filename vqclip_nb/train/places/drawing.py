"""Draws a place."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from vqclip_nb.train.places.beyond import paint_cave, paint_space
from vqclip_nb.train.places.canvas import Canvas
from vqclip_nb.train.places.country import (
    paint_desert,
    paint_forest,
    paint_hills,
    paint_jungle,
    paint_meadow,
    paint_mountains,
    paint_savanna,
    paint_snow,
    paint_volcano,
)
from vqclip_nb.train.places.indoors import paint_bedroom, paint_kitchen, paint_room, paint_table
from vqclip_nb.train.places.mood import mood_of
from vqclip_nb.train.places.place import Colour, Place, Region, check
from vqclip_nb.train.places.settled import (
    paint_city,
    paint_farm,
    paint_garden,
    paint_park,
    paint_road,
    paint_village,
)
from vqclip_nb.train.places.waters import (
    paint_beach,
    paint_island,
    paint_lake,
    paint_pond,
    paint_river,
    paint_sea,
    paint_sky,
    paint_under_water,
    paint_waterfall,
)
from vqclip_nb.train.places.weather import foreground


@dataclass(frozen=True)
class Ground:
    """A drawn place.

    image: uint8 [H, W, 3]
    foreground: what is in front of the things, rain or grass; uint8 [H, W, 4], premultiplied
    horizon: share of the height; 0 or 1 where there is none
    stand, afloat, fly, swim: where things stand, float, fly or are under water; whether there is
        such a region depends on the name of the place alone, but for the water in front of a city
        and the ground of a moon in space
    light: factors of the colours of things, red, green, blue
    shadow: how dark their shadows are, 0 to 1
    """

    image: np.ndarray
    foreground: np.ndarray | None
    horizon: float
    stand: Region | None
    afloat: Region | None
    fly: Region | None
    swim: Region | None
    light: Colour
    shadow: float

    def without_things(self) -> np.ndarray:
        """The whole picture, uint8 [H, W, 3], if nothing is put into it."""
        if self.foreground is None:
            return self.image
        colour, alpha = self.foreground[..., :3], self.foreground[..., 3:]  # (H, W, 3), (H, W, 1)
        behind = self.image.astype(np.uint16) * (255 - alpha) // 255
        return np.minimum(behind + colour, 255).astype(np.uint8)


def draw_place(place: Place, size: tuple[int, int], rng: random.Random) -> Ground:
    """The place at (width, height) pixels; the same state of `rng` gives the same picture.

    Raises ValueError for what `possible` does not list.
    """
    check(place)
    mood = mood_of(place, rng)
    canvas = Canvas(size, mood, rng)
    sites = _PAINTERS[place.name](canvas)
    light = tuple(0.25 + 0.75 * part for part in canvas.mood.light)  # of lamps indoors
    return Ground(
        image=np.array(canvas.image.reduce(canvas.over)),
        foreground=foreground(canvas, size),
        **vars(sites),
        light=light,
        shadow=mood.shadow,
    )


_PAINTERS = {
    "sky": paint_sky,
    "sea": paint_sea,
    "lake": paint_lake,
    "river": paint_river,
    "beach": paint_beach,
    "desert": paint_desert,
    "hills": paint_hills,
    "mountains": paint_mountains,
    "forest": paint_forest,
    "meadow": paint_meadow,
    "snow": paint_snow,
    "city": paint_city,
    "village": paint_village,
    "road": paint_road,
    "garden": paint_garden,
    "room": paint_room,
    "table": paint_table,
    "cave": paint_cave,
    "under water": paint_under_water,
    "space": paint_space,
    "island": paint_island,
    "farm": paint_farm,
    "park": paint_park,
    "kitchen": paint_kitchen,
    "bedroom": paint_bedroom,
    "jungle": paint_jungle,
    "savanna": paint_savanna,
    "pond": paint_pond,
    "waterfall": paint_waterfall,
    "volcano": paint_volcano,
}
