"""The places that a draft can show, and the times, weathers and seasons of each."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

TIMES = ("day", "sunset", "dawn", "night")
WEATHERS = ("clear", "cloudy", "fog", "rain", "storm", "snow", "rainbow", "wind")
SEASONS = (None, "spring", "autumn", "winter")  # None is a summer that no caption mentions


@dataclass(frozen=True)
class Place:
    """Where, when and in what weather; `possible` says which of these go together."""

    name: str
    time: str = "day"
    weather: str = "clear"
    season: str | None = None


@dataclass(frozen=True)
class Region:
    """Where things go: a box in shares of the picture's width and height.

    y is where the feet of what stands or the waterline of what floats is, and the middle of what
    flies or swims. A thing there is size(y) times as large as one that stands in front.
    """

    left: float
    right: float
    top: float
    bottom: float
    far: float = 1.0
    near: float = 1.0

    def size(self, y: float) -> float:
        share = (y - self.top) / max(self.bottom - self.top, 1e-6)
        return self.far + (self.near - self.far) * min(max(share, 0.0), 1.0)


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
    light: tuple[float, float, float]
    shadow: float

    def without_things(self) -> np.ndarray:
        """The whole picture, uint8 [H, W, 3], if nothing is put into it."""
        if self.foreground is None:
            return self.image
        colour, alpha = self.foreground[..., :3], self.foreground[..., 3:]  # (H, W, 3), (H, W, 1)
        behind = self.image.astype(np.uint16) * (255 - alpha) // 255
        return np.minimum(behind + colour, 255).astype(np.uint8)


@dataclass(frozen=True)
class Kind:
    """What a place can be combined with."""

    times: tuple[str, ...] = TIMES
    weathers: tuple[str, ...] = WEATHERS
    seasons: tuple[str | None, ...] = SEASONS
    outdoors: bool = True


_DRY = ("clear", "cloudy", "storm", "rainbow", "wind", "fog")
_WARM = tuple(weather for weather in WEATHERS if weather != "snow")
_SEEN = tuple(weather for weather in WEATHERS if weather != "fog")
_INDOOR = ("clear", "rain", "storm", "snow")
_INSIDE = Kind(("day", "night"), _INDOOR, (None,), False)
KINDS = {
    "sky": Kind(weathers=_SEEN, seasons=(None,)),
    "sea": Kind(seasons=(None,)),
    "lake": Kind(),
    "river": Kind(),
    "beach": Kind(weathers=_WARM, seasons=(None,)),
    "island": Kind(weathers=_WARM, seasons=(None,)),
    "desert": Kind(weathers=_DRY, seasons=(None,)),
    "hills": Kind(),
    "mountains": Kind(),
    "forest": Kind(),
    "meadow": Kind(),
    "snow": Kind(weathers=("clear", "cloudy", "fog", "snow"), seasons=(None,)),
    "city": Kind(seasons=(None, "winter")),
    "village": Kind(),
    "road": Kind(),
    "garden": Kind(),
    "park": Kind(),
    "farm": Kind(),
    "pond": Kind(),
    "waterfall": Kind(),
    "jungle": Kind(weathers=("clear", "rain", "storm", "fog"), seasons=(None,)),
    "savanna": Kind(weathers=("clear", "cloudy", "rain", "storm"), seasons=(None,)),
    "volcano": Kind(weathers=("clear", "cloudy", "storm", "snow"), seasons=(None,)),
    "room": _INSIDE,
    "table": _INSIDE,
    "kitchen": _INSIDE,
    "bedroom": _INSIDE,
    "cave": Kind(("day", "night"), ("clear",), (None,), False),
    "under water": Kind(("day", "night"), ("clear",), (None,), False),
    "space": Kind(("day",), ("clear",), (None,), False),
}
NAMES = tuple(KINDS)


_TIME_SHARES = {"day": 4, "sunset": 1.6, "dawn": 1.2, "night": 2.4}
_WEATHER_SHARES = dict.fromkeys(WEATHERS, 1.0) | {"clear": 6.0, "rainbow": 0.6, "wind": 0.6}


def possible(name: str) -> list[Place]:
    """Each time, weather and season that a place can be drawn in."""
    if name not in KINDS:
        raise ValueError(f"no place is called {name!r}; there are: {', '.join(KINDS)}")
    kind = KINDS[name]
    every = (Place(name, t, w, s) for t in kind.times for w in kind.weathers for s in kind.seasons)
    return [place for place in every if _sensible(place)]


def random_place(rng: random.Random, name: str | None = None) -> Place:
    """A place, this one or any; plain days are more frequent than what is rare."""
    places = possible(rng.choice(NAMES) if name is None else name)
    weights = [
        _TIME_SHARES[p.time] * _WEATHER_SHARES[p.weather] * (5 if p.season is None else 1)
        for p in places
    ]
    return rng.choices(places, weights)[0]


def _sensible(place: Place) -> bool:
    if place.weather == "rainbow" and place.time == "night":
        return False
    gloomy = place.weather in ("rain", "storm", "snow")
    if gloomy and place.time not in ("day", "night"):
        return False  # neither the one nor the other is recognised
    if place.weather == "fog" and place.time == "sunset":
        return False
    if place.weather == "snow" and place.season not in (None, "winter"):
        return False
    return not (place.season == "winter" and place.weather in ("storm", "rainbow", "rain"))


def check(place: Place) -> None:
    """Raises ValueError if the place cannot be drawn so."""
    if place not in possible(place.name):
        raise ValueError(f"{place} is not drawn; possible({place.name!r}) lists what is")
