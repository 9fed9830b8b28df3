"""Colours of the times, the weathers and the seasons."""

from __future__ import annotations

import random
from dataclasses import dataclass

from vqclip_nb.models.draft.place import Place

Colour = tuple[float, float, float]  # 0 to 255
Point = tuple[float, float]  # x and y in shares of the picture's height

WHITE = (255, 255, 255)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """From a (0) to b (1)."""
    return tuple(x + (y - x) * share for x, y in zip(a, b, strict=True))


def toned(colour: Colour, factor: float) -> Colour:
    """Darker below 1; above 1 it goes to white."""
    if factor > 1:
        return mix(colour, WHITE, factor - 1)
    return tuple(part * factor for part in colour)


def tinted(colour: Colour, light: Colour) -> Colour:
    return tuple(x * y for x, y in zip(colour, light, strict=True))


def jittered(rng: random.Random, colour: Colour, amount: float = 10) -> Colour:
    """A colour like the one given."""
    bright = rng.gauss(0, amount)
    return tuple(min(max(part + bright + rng.gauss(0, amount / 2), 0), 255) for part in colour)


def to_ints(colour: Colour) -> tuple[int, ...]:
    return tuple(min(max(round(part), 0), 255) for part in colour)


@dataclass(frozen=True)
class Mood:
    """What a time, a weather and a season do to all places.

    sky: from the zenith to the horizon
    light: factors of red, green and blue
    haze: how much of what is far away is lost in the sky's colour, 0 to 1
    """

    place: Place
    sky: tuple[Colour, ...]
    light: Colour
    haze: float
    cloud: Colour
    shadow: float
    grass: Colour
    leaves: tuple[Colour, ...]  # none in winter
    sun: Colour | None
    moon: bool
    stars: bool

    @property
    def night(self) -> bool:
        return self.place.time == "night"

    @property
    def lamps(self) -> bool:
        """Windows and lanterns shine."""
        return self.night or self.place.weather == "storm" or self.place.time == "sunset"

    @property
    def snow(self) -> bool:
        """Snow lies on the ground."""
        return (
            self.place.season == "winter"
            or self.place.weather == "snow"
            or self.place.name == "snow"
        )


_SKIES = {  # some of each time; from the zenith to the horizon
    "day": (
        ((66, 140, 224), (120, 186, 242), (196, 228, 250)),
        ((40, 120, 214), (98, 176, 240), (186, 226, 246)),
        ((92, 170, 232), (146, 206, 244), (214, 238, 250)),
        ((70, 160, 210), (130, 206, 232), (210, 240, 240)),
    ),
    "sunset": (
        ((70, 52, 118), (190, 74, 104), (244, 128, 72), (255, 206, 110)),
        ((52, 60, 128), (150, 80, 130), (238, 110, 90), (255, 186, 90)),
        ((112, 48, 92), (214, 82, 70), (250, 140, 60), (255, 214, 120)),
    ),
    "dawn": (
        ((122, 160, 220), (190, 186, 226), (250, 196, 196), (255, 232, 190)),
        ((136, 178, 226), (208, 208, 232), (255, 214, 190), (255, 240, 204)),
        ((150, 150, 214), (222, 178, 214), (255, 200, 190), (255, 230, 196)),
    ),
    "night": (
        ((6, 10, 36), (16, 26, 72), (40, 58, 118)),
        ((10, 8, 40), (26, 24, 80), (62, 54, 124)),
        ((4, 14, 34), (8, 34, 70), (24, 66, 104)),
    ),
}
_LIGHT = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (0.92, 0.6, 0.5),
    "dawn": (1.0, 0.88, 0.88),
    "night": (0.34, 0.43, 0.7),
}
_CLOUD = {
    "day": (255, 255, 255),
    "sunset": (250, 150, 130),
    "dawn": (255, 226, 222),
    "night": (70, 84, 136),
}
_SHADOW = {"day": 0.35, "sunset": 0.4, "dawn": 0.3, "night": 0.3}
_SUN = {"day": (255, 232, 120), "sunset": (255, 150, 50), "dawn": (255, 244, 190), "night": None}


@dataclass(frozen=True)
class Cover:
    """What a weather does to the sky and to the light.

    grey: of the sky by day
    share: of that grey in the sky, 0 to 1
    light: a factor of all light
    haze: how much of what is far away is lost, 0 to 1
    """

    grey: Colour
    share: float
    light: float
    haze: float


COVERS = {
    "clear": Cover((200, 220, 240), 0.0, 1.0, 0.45),
    "rainbow": Cover((160, 190, 220), 0.2, 1.0, 0.4),
    "wind": Cover((190, 210, 225), 0.2, 0.98, 0.4),
    "cloudy": Cover((170, 182, 196), 0.6, 0.9, 0.5),
    "rain": Cover((124, 138, 156), 0.85, 0.76, 0.65),
    "snow": Cover((158, 174, 200), 0.8, 0.94, 0.6),
    "fog": Cover((206, 211, 216), 0.92, 0.92, 0.8),
    "storm": Cover((66, 68, 88), 0.95, 0.52, 0.5),
}
_GRASS = {
    None: ((112, 176, 70), (92, 160, 70), (130, 182, 76)),
    "spring": ((140, 204, 88), (156, 212, 100), (124, 196, 96)),
    "autumn": ((190, 160, 76), (172, 150, 72), (200, 148, 70)),
    "winter": ((240, 245, 252),),
}
_LEAVES = {
    None: ((58, 128, 60), (84, 150, 62), (48, 112, 68), (104, 160, 66)),
    "spring": ((246, 178, 204), (250, 208, 224), (240, 160, 190), (160, 208, 100)),
    "autumn": ((216, 96, 34), (236, 152, 40), (190, 58, 42), (242, 190, 62)),
    "winter": (),
}


def mood_of(place: Place, rng: random.Random) -> Mood:
    """The colours of a picture of the place, a little different each time."""
    season = "winter" if place.weather == "snow" or place.name == "snow" else place.season
    cover, night = COVERS[place.weather], place.time == "night"
    light = _LIGHT[place.time]
    if season == "winter" and place.time == "sunset":
        light = mix(light, (0.95, 0.84, 0.95), 0.6)  # or the snow would look like sand
    grey = tinted(jittered(rng, cover.grey, 4), light if night else mix(light, (1, 1, 1), 0.4))
    stops = [jittered(rng, colour, 4) for colour in rng.choice(_SKIES[place.time])]
    lost = 0.0 if place.time == "day" else 0.45 / len(stops)  # a sunset glows under clouds
    sky = tuple(mix(stop, grey, cover.share * (1 - lost * i)) for i, stop in enumerate(stops))
    bright = max(cover.light, 0.82) if night else cover.light
    return Mood(
        place=place,
        sky=sky,
        light=tuple(part * bright for part in light),
        haze=cover.haze,
        cloud=mix(_CLOUD[place.time], toned(grey, 0.82), cover.share),
        shadow=_SHADOW[place.time] * (1 - cover.share / 2),
        grass=jittered(rng, rng.choice(_GRASS[season]), 0 if season == "winter" else 5),
        leaves=_LEAVES[season],
        sun=None if cover.share > 0.7 else _SUN[place.time],
        moon=night and place.weather != "storm",
        stars=night and cover.share < 0.7,
    )
