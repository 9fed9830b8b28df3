"""Draws a place."""

from __future__ import annotations

import random

import numpy as np

from vqclip_nb.models.draft.place import Ground, Place, check
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
