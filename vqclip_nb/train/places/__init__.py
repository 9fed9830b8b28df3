"""Places with a horizon, in times, weathers and seasons, to put things into and to name in captions.

Flat illustrations with gentle shading, drawn by procedure in a few milliseconds. Lengths are shares
of the picture's height: x runs from 0 to the aspect ratio, y from 0 to 1 and points down. A colour
is lit by the time and the weather and fades with its distance, unless it shines by itself.
"""

from vqclip_nb.models.draft.place import (
    NAMES,
    SEASONS,
    TIMES,
    WEATHERS,
    Ground,
    Place,
    Region,
    check,
    possible,
    random_place,
)
from vqclip_nb.train.places.drawing import draw_place
from vqclip_nb.train.places.words import (
    TRAITS,
    describe,
    other,
    phrase,
    phrase_table,
    traits,
    vocabulary,
)

__all__ = [
    "NAMES",
    "SEASONS",
    "TIMES",
    "TRAITS",
    "WEATHERS",
    "Ground",
    "Place",
    "Region",
    "check",
    "describe",
    "draw_place",
    "other",
    "phrase",
    "phrase_table",
    "possible",
    "random_place",
    "traits",
    "vocabulary",
]
