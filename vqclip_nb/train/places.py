"""Places with a horizon, in times, weathers and seasons, to put things into and to name in captions.

Flat illustrations with gentle shading, drawn by procedure. Lengths are shares of the picture's
height: x runs from 0 to the aspect ratio, y from 0 to 1 and points down. A colour is lit by the
time and the weather and fades with its distance, unless it shines by itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[float, float, float]  # 0 to 255
Point = tuple[float, float]

TIMES = ("day", "sunset", "dawn", "night")
WEATHERS = ("clear", "cloudy", "fog", "rain", "storm", "snow", "rainbow", "wind")
SEASONS = (None, "spring", "autumn", "winter")  # None is a summer that no caption mentions

SHINING = None  # in place of a distance: this colour needs no light
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


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

    A thing at y, its feet's for what stands, is size(y) times as large as one in front.
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
    stand, afloat, fly, swim: where things stand, float, fly or are under water
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


@dataclass(frozen=True)
class Sites:
    """What a painter of a place says of its regions."""

    horizon: float
    stand: Region | None = None
    afloat: Region | None = None
    fly: Region | None = None
    swim: Region | None = None


def draw_place(place: Place, size: tuple[int, int], rng: random.Random) -> Ground:
    """The place at (width, height) pixels; the same state of `rng` gives the same picture.

    Raises ValueError for what `possible` does not list.
    """
    check(place)
    mood = _mood(place, rng)
    canvas = Canvas(size, mood, rng)
    sites = _PLACES[place.name].paint(canvas)
    return Ground(
        image=np.asarray(canvas.image.reduce(canvas.over)),
        foreground=_foreground(canvas, size),
        horizon=sites.horizon,
        stand=sites.stand,
        afloat=sites.afloat,
        fly=sites.fly,
        swim=sites.swim,
        light=tuple(0.25 + 0.75 * part for part in mood.light),
        shadow=mood.shadow,
    )


# ---------------------------------------------------------------------------------------- colours


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    """From a (0) to b (1)."""
    return tuple(x + (y - x) * share for x, y in zip(a, b, strict=True))


def _shade(colour: Colour, factor: float) -> Colour:
    """Darker below 1; above 1 it goes to white."""
    if factor > 1:
        return _mix(colour, _WHITE, factor - 1)
    return tuple(part * factor for part in colour)


def _tint(colour: Colour, light: Colour) -> Colour:
    return tuple(x * y for x, y in zip(colour, light, strict=True))


def _near(rng: random.Random, colour: Colour, amount: float = 10) -> Colour:
    """A colour like the one given."""
    bright = rng.gauss(0, amount)
    return tuple(min(max(part + bright + rng.gauss(0, amount / 2), 0), 255) for part in colour)


def _ints(colour: Colour) -> tuple[int, ...]:
    return tuple(min(max(round(part), 0), 255) for part in colour)


# ------------------------------------------------------------------------------- time and weather


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
_SUN = {"day": (255, 232, 120), "sunset": (255, 150, 50), "dawn": (255, 244, 190), "night": None}
# Grey of the sky by day, how much of it, light, haze.
_GREYS = {
    "clear": ((200, 220, 240), 0.0, 1.0, 0.45),
    "rainbow": ((160, 190, 220), 0.2, 1.0, 0.4),
    "wind": ((190, 210, 225), 0.2, 0.98, 0.4),
    "cloudy": ((170, 182, 196), 0.6, 0.9, 0.5),
    "rain": ((124, 138, 156), 0.85, 0.76, 0.65),
    "snow": ((158, 174, 200), 0.8, 0.94, 0.6),
    "fog": ((206, 211, 216), 0.92, 0.92, 0.8),
    "storm": ((66, 68, 88), 0.95, 0.52, 0.5),
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


def _mood(place: Place, rng: random.Random) -> Mood:
    grey, share, bright, haze = _GREYS[place.weather]
    light = _LIGHT[place.time]
    bright = max(bright, 0.82) if place.time == "night" else bright
    dim = light if place.time == "night" else _mix(light, _WHITE_LIGHT, 0.4)
    grey = _tint(_near(rng, grey, 4), dim)
    sky = rng.choice(_SKIES[place.time])
    # what is left of a sunset under clouds glows at the horizon
    shares = [share * (1 - (0.45 * i / len(sky) if place.time != "day" else 0)) for i in range(9)]
    sky = tuple(_mix(_near(rng, c, 4), grey, s) for c, s in zip(sky, shares, strict=False))
    cloud = _mix(_CLOUD[place.time], _shade(grey, 0.82), share)
    season = "winter" if place.weather == "snow" or place.name == "snow" else place.season
    grass = _near(rng, rng.choice(_GRASS[season]), 5)
    if season == "winter":
        grass = _GRASS["winter"][0]
    gloomy = share > 0.7
    sun = None if gloomy else _SUN[place.time]
    return Mood(
        place=place,
        sky=sky,
        light=tuple(part * bright for part in light),
        haze=haze,
        cloud=cloud,
        shadow={"day": 0.35, "sunset": 0.4, "dawn": 0.3, "night": 0.3}[place.time] * (1 - share / 2),
        grass=grass,
        leaves=_LEAVES[season],
        sun=sun,
        moon=place.time == "night" and place.weather != "storm",
        stars=place.time == "night" and share < 0.7,
    )


_WHITE_LIGHT = (1.0, 1.0, 1.0)


# ----------------------------------------------------------------------------------------- canvas


class Canvas:
    """A picture that is drawn larger than it is, in shares of its height."""

    def __init__(self, size: tuple[int, int], mood: Mood, rng: random.Random) -> None:
        width, height = size
        self.mood, self.rng = mood, rng
        self.over = 2 if width * height > 150 * 150 else 3
        self.unit, self.w = height * self.over, width / height
        self.image = Image.new("RGB", (width * self.over, height * self.over))
        self.pen = ImageDraw.Draw(self.image)
        self.front: list[Callable[[Canvas], None]] = []  # what is drawn in front of the things

    def u(self, low: float, high: float) -> float:
        return self.rng.uniform(low, high)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def some(self, low: float, high: float) -> int:
        """A number of things along a width of 1, for this picture's width; at least 1."""
        return max(1, round(self.u(low, high) * self.w))

    def along(self, number: int, loose: float = 0.3) -> list[float]:
        """x of so many things, spread over the width."""
        step = self.w / max(number, 1)
        return [(i + 0.5 + self.u(-loose, loose)) * step for i in range(number)]

    def lit(self, colour: Colour, far: float | None = 0.0) -> tuple[int, ...]:
        if far is SHINING:
            return _ints(colour)
        lit = _tint(colour, self.mood.light)
        if far:
            lit = _mix(lit, self.mood.sky[-1], min(far * self.mood.haze * 1.5, 0.93))
        return _ints(lit)

    def poly(self, points: list[Point], colour: Colour, far: float | None = 0.0) -> None:
        unit = self.unit
        self.pen.polygon([(x * unit, y * unit) for x, y in points], fill=self.lit(colour, far))

    def box(self, x0, y0, x1, y1, colour: Colour, far: float | None = 0.0, round_: float = 0.0):
        unit = self.unit
        corners = (x0 * unit, y0 * unit, max(x1, x0) * unit, max(y1, y0) * unit)
        if round_:
            self.pen.rounded_rectangle(corners, round_ * unit, fill=self.lit(colour, far))
        else:
            self.pen.rectangle(corners, fill=self.lit(colour, far))

    def oval(self, x, y, rx, ry, colour: Colour, far: float | None = 0.0) -> None:
        unit = self.unit
        corners = ((x - rx) * unit, (y - ry) * unit, (x + rx) * unit, (y + ry) * unit)
        self.pen.ellipse(corners, fill=self.lit(colour, far))

    def disc(self, x, y, r, colour: Colour, far: float | None = 0.0) -> None:
        self.oval(x, y, r, r, colour, far)

    def line(self, points: list[Point], width: float, colour: Colour, far: float | None = 0.0):
        unit = self.unit
        places = [(x * unit, y * unit) for x, y in points]
        self.pen.line(places, self.lit(colour, far), max(1, round(width * unit)), joint="curve")

    def ramp(self, top: float, bottom: float, colours, far: float | None = 0.0) -> None:
        """The whole width from top to bottom in colours that run into each other."""
        y0, y1 = round(top * self.unit), round(bottom * self.unit)
        if y1 > y0:
            strip = _ramp([self.lit(c, far) for c in colours], y1 - y0, self.image.width)
            self.image.paste(strip, (0, y0))

    def land(self, line: list[Point], colours, far: float | None = 0.0, bottom: float = 1.0):
        """From a line down to the bottom in colours that run into each other."""
        self.shaded([*line, (line[-1][0], bottom), (line[0][0], bottom)], colours, far)

    def shaded(self, points: list[Point], colours, far: float | None = 0.0) -> None:
        """A polygon in colours that run into each other from its top to its bottom."""
        xs, ys = ([p[i] * self.unit for p in points] for i in (0, 1))
        x0, y0 = max(math.floor(min(xs)), 0), max(math.floor(min(ys)), 0)
        x1 = min(math.ceil(max(xs)), self.image.width)
        y1 = min(math.ceil(max(ys)), self.image.height)
        if x1 <= x0 or y1 <= y0:
            return
        mask = Image.new("L", (x1 - x0, y1 - y0))
        outline = [(x - x0, y - y0) for x, y in zip(xs, ys, strict=True)]
        ImageDraw.Draw(mask).polygon(outline, fill=255)
        strip = _ramp([self.lit(c, far) for c in colours], y1 - y0, x1 - x0)
        self.image.paste(strip, (x0, y0), mask)

    def glow(self, x, y, rx, colour: Colour, strength: float, ry: float | None = None) -> None:
        """Light around a place that fades outwards."""
        ry = rx if ry is None else ry
        size = [max(2, round(2 * r * self.unit)) for r in (rx, ry)]
        mask = _halo(round(strength * 20)).resize(size, Image.Resampling.BILINEAR)
        corner = (round((x - rx) * self.unit), round((y - ry) * self.unit))
        self.image.paste(_ints(colour), (*corner, corner[0] + size[0], corner[1] + size[1]), mask)

    def veil(self, mask: np.ndarray, colour: Colour) -> None:
        """A colour over all; mask: [h, w] in [0,1], small, stretched over the picture."""
        small = Image.fromarray((mask * 255).clip(0, 255).astype(np.uint8))
        self.image.paste(_ints(colour), mask=small.resize(self.image.size, Image.Resampling.BICUBIC))


def _ramp(colours: list[tuple[int, ...]], rows: int, columns: int) -> Image.Image:
    stops = np.linspace(0, len(colours) - 1, rows)
    table = np.array(colours, dtype=np.float32)  # (stops, 3)
    channels = [np.interp(stops, np.arange(len(colours)), table[:, c]) for c in range(3)]
    column = np.stack(channels, -1).round().astype(np.uint8)[:, None]  # (rows, 1, 3)
    return Image.fromarray(column).resize((columns, rows), Image.Resampling.NEAREST)


@cache
def _halo(twentieths: int) -> Image.Image:
    axis = np.linspace(-1, 1, 96)
    distance = np.hypot(axis[:, None], axis[None])  # (96, 96)
    falloff = (1 - distance).clip(0, 1) ** 1.6 * twentieths / 20
    return Image.fromarray((falloff * 255).clip(0, 255).astype(np.uint8))


def _rolling(c: Canvas, y: float, height: float, waves: float = 1.0) -> list[Point]:
    """A soft skyline around y, up to `height` above and below it."""
    xs = np.linspace(0, c.w, 2 + round(24 * max(c.w, 1)))
    fast, phases = c.u(1.6, 2.4), [c.u(0, 6.3) for _ in range(2)]
    turns = xs * waves * 5
    line = 0.68 * np.sin(turns + phases[0]) + 0.32 * np.sin(turns * fast + phases[1])
    return list(zip(xs.tolist(), (y - height * line).tolist(), strict=True))


def _height_at(line: list[Point], x: float) -> float:
    return float(np.interp(x, [p[0] for p in line], [p[1] for p in line]))


# -------------------------------------------------------------------------------------------- sky


def _sky(c: Canvas, horizon: float, skyline: float | None = None) -> float:
    """Sky down to the horizon with what is in it above the skyline; x of the sun or moon."""
    skyline = horizon if skyline is None else skyline
    mood, weather = c.mood, c.mood.place.weather
    c.ramp(0, min(horizon + 0.02, 1), mood.sky, SHINING)
    c.box(0, horizon, c.w, 1, mood.sky[-1], SHINING)
    x = c.u(0.15, 0.85) * c.w
    if mood.stars:
        _stars(c, skyline)
    if mood.moon:
        _moon(c, x, skyline)
    elif mood.sun is not None:
        _sun(c, x, skyline)
    if weather == "rainbow":
        _rainbow(c, skyline)
    _clouds(c, skyline, x if mood.moon or mood.sun else None)
    if weather == "storm":
        _lightning(c, skyline)
    return x


def _stars(c: Canvas, skyline: float) -> None:
    for _ in range(c.some(34, 60)):
        x, y, size = c.u(0, c.w), c.u(0, max(skyline - 0.04, 0.15)), c.rng.choice((3, 4, 4, 6)) / 1000
        c.disc(x, y, size, (255, 255, 236), SHINING)
    for x in c.along(c.some(2, 5)):  # a few large ones with four points
        y, r = c.u(0.02, max(skyline * 0.8, 0.1)), c.u(0.012, 0.02)
        points = [(0, -r), (r / 5, -r / 5), (r, 0), (r / 5, r / 5)]
        points += [(-a, -b) for a, b in points]
        c.poly([(x + a, y + b) for a, b in points], (255, 250, 220), SHINING)


def _moon(c: Canvas, x: float, skyline: float) -> None:
    r = c.u(0.05, 0.085)
    y = c.u(r + 0.03, max(skyline * 0.6, r + 0.04))
    pale = _mix((252, 246, 214), c.mood.sky[1], 0.0 if c.mood.stars else 0.25)
    y = y if c.mood.stars else max(skyline * 0.6, r + 0.04)  # below the cover of clouds
    c.glow(x, y, r * 3.2, _mix(pale, c.mood.sky[1], 0.3), 0.45)
    kind = c.rng.choice(("full", "crescent", "crescent"))
    if kind == "full" or not c.mood.stars:
        c.disc(x, y, r, pale, SHINING)
        for dx, dy, size in ((-0.3, -0.25, 0.22), (0.35, 0.1, 0.16), (-0.1, 0.42, 0.13)):
            c.disc(x + dx * r, y + dy * r, size * r, _shade(pale, 0.88), SHINING)
        return
    side = c.rng.choice((-1, 1))
    turns = np.linspace(-math.pi / 2, math.pi / 2, 16)
    outer = [(x + side * r * math.cos(t), y + r * math.sin(t)) for t in turns]
    inner = [(x + side * r * (0.35 * math.cos(t)), y + r * math.sin(t)) for t in turns[::-1]]
    c.poly(outer + inner, pale, SHINING)


def _sun(c: Canvas, x: float, skyline: float) -> None:
    time, colour = c.mood.place.time, c.mood.sun
    if c.mood.place.weather in ("cloudy", "snow"):
        colour = _mix(colour, c.mood.sky[1], 0.45)
    if time == "day":
        if c.chance(0.2):
            return
        r = c.u(0.05, 0.08)
        y = c.u(r + 0.02, max(skyline * 0.5, r + 0.03))
        c.glow(x, y, r * 3, _shade(colour, 1.5), 0.5)
        c.disc(x, y, r, colour, SHINING)
        return
    r = c.u(0.09, 0.14)
    y = skyline - r * c.u(-0.2, 0.75)
    if time == "dawn":
        _sunbeams(c, x, y, _shade(colour, 1.3))
    c.glow(x, y, r * 4.5, _shade(colour, 1.1), 0.8, r * 3)
    c.disc(x, y, r, colour, SHINING)
    c.disc(x, y, r * 0.82, _shade(colour, 1.15), SHINING)


def _sunbeams(c: Canvas, x: float, y: float, colour: Colour) -> None:
    small = Image.new("L", (96, 96))
    pen, number, turn = ImageDraw.Draw(small), c.rng.choice((7, 8, 9)), c.u(0, 1)
    cx, cy = x / c.w * 96, y * 96
    for i in range(-1, 2 * number + 1):
        if i % 2:
            turns = [math.pi * (1 + (i + turn + edge) / number / 2) for edge in (0, 1)]
            ends = [(cx + 150 * math.cos(t) / c.w, cy + 150 * math.sin(t)) for t in turns]
            pen.polygon([(cx, cy), *ends], fill=105)
    c.veil(np.asarray(small.filter(ImageFilter.GaussianBlur(0.9))) / 255, colour)


def _rainbow(c: Canvas, skyline: float) -> None:
    x, y = c.w * c.u(0.35, 0.65), skyline + c.u(0.06, 0.12)
    radius = min(y - c.u(0.05, 0.12), c.w * 0.6)
    colours = ((232, 60, 66), (246, 146, 52), (250, 222, 80), (90, 190, 96), (70, 140, 224), (140, 96, 200))
    band = radius * c.u(0.05, 0.065)
    for i, colour in enumerate(colours):
        r, width = radius - i * band, max(1, round(band * c.unit) + 1)
        corners = [(x - r) * c.unit, (y - r) * c.unit, (x + r) * c.unit, (y + r) * c.unit]
        c.pen.arc(corners, 180, 360, _ints(_mix(colour, c.mood.sky[1], 0.22)), width)


def _clouds(c: Canvas, skyline: float, light_x: float | None) -> None:
    """The weather's clouds; those of a fair one leave the sun or the moon free."""
    weather, room = c.mood.place.weather, max(skyline, 0.2)
    number = {"clear": (0, 2.5), "rainbow": (1, 2), "wind": (2, 3.5), "snow": (2, 4)}
    if weather == "storm":
        _cloud_deck(c, room * 0.5, _shade(c.mood.cloud, 0.72))
        _cloud_deck(c, room * 0.3, _shade(c.mood.cloud, 0.95))
    elif weather == "rain":
        _cloud_deck(c, room * 0.34, _shade(c.mood.cloud, 0.85))
        _cloud_deck(c, room * 0.18, _shade(c.mood.cloud, 0.98))
    elif weather == "cloudy":
        for x in c.along(c.some(2.5, 4)):
            _cloud(c, x, c.u(0.3, 0.8) * room, c.u(0.2, 0.32), _shade(c.mood.cloud, 0.9))
        for x in c.along(c.some(2.5, 4)):
            _cloud(c, x, c.u(0.08, 0.5) * room, c.u(0.28, 0.46), _shade(c.mood.cloud, 1.25))
    elif weather != "fog":
        for x in c.along(round(c.u(*number[weather]) * c.w)):
            width = c.u(0.14, 0.28)
            if light_x is None or abs(x - light_x) > 0.1 + width * 0.6:
                _cloud(c, x, c.u(0.12, 0.62) * room, width, c.mood.cloud)


def _cloud(c: Canvas, x: float, y: float, width: float, colour: Colour) -> None:
    """Balls on a flat base, each ball's lower side in the shade."""
    number = c.rng.choice((3, 4, 5))
    shade = _mix(colour, c.mood.sky[1], 0.3)
    balls = []
    for i in range(number):
        t = (i + 0.5) / number * 2 - 1
        r = width * (0.24 - 0.12 * t * t) * c.u(0.8, 1.2)
        balls.append((x + t * width * 0.36, y - r * 0.5, r))
    base = y + width * 0.07
    c.box(x - width / 2, y - width * 0.06, x + width / 2, base, shade, SHINING, width * 0.065)
    for bx, by, r in balls:
        c.disc(bx, by, r, shade, SHINING)
    for bx, by, r in balls:
        c.disc(bx - r * 0.06, by - r * 0.12, r * 0.88, colour, SHINING)
    c.box(
        x - width * 0.44, y - width * 0.07, x + width * 0.42, y + width * 0.02, colour, SHINING, width * 0.045
    )


def _cloud_deck(c: Canvas, bottom: float, colour: Colour) -> None:
    """A closed cover of heavy clouds from the top down to `bottom`."""
    c.box(0, 0, c.w, bottom * 0.7, colour, SHINING)
    for x in c.along(c.some(6, 8)):
        c.disc(x, bottom * 0.62, bottom * c.u(0.24, 0.4), _shade(colour, 0.9), SHINING)
        c.disc(x - 0.01, bottom * 0.54, bottom * c.u(0.26, 0.38), colour, SHINING)


def _lightning(c: Canvas, skyline: float) -> None:
    for x in c.along(c.some(1, 2)):
        y, points, reach = skyline * 0.3, [], max(skyline, 0.3)
        c.glow(x, reach * 0.6, 0.22, (190, 190, 255), 0.6, reach * 0.6)
        while y < reach * c.u(0.95, 1.0):
            points.append((x, y))
            x, y = x + c.rng.choice((-1, 1)) * c.u(0.02, 0.06), y + c.u(0.07, 0.12) * reach
        if len(points) < 3:
            continue
        width = 0.02
        left = [(px - width * (1 - i / len(points)), py) for i, (px, py) in enumerate(points)]
        right = [(px + width * (1 - i / len(points)), py) for i, (px, py) in enumerate(points)]
        c.poly(left + right[::-1], (255, 246, 170), SHINING)
        fork = points[len(points) // 2]
        side = c.rng.choice((-1, 1))
        ends = (fork[0] + side * 0.07, fork[1] + 0.1 * reach)
        c.poly([fork, (fork[0] + 0.014, fork[1]), ends], (255, 246, 170), SHINING)


# ------------------------------------------------------------------------- in front of the things


def _foreground(c: Canvas, size: tuple[int, int]) -> np.ndarray | None:
    """Rain, snow, fog, grass; uint8 [H, W, 4], premultiplied."""
    weather = c.mood.place.weather if _PLACES[c.mood.place.name].outdoors else "clear"
    painters = {"rain": _rain, "storm": _rain, "snow": _snowfall, "wind": _gusts}
    layers = c.front + ([painters[weather]] if weather in painters else [])
    if c.mood.place.season == "autumn" and weather == "clear" and c.chance(0.8):
        layers.append(_falling_leaves)
    front = None
    if layers:
        clean, pen = c.image, c.pen
        c.image = Image.new("RGBA", clean.size)
        c.pen = ImageDraw.Draw(c.image)
        for layer in layers:
            layer(c)
        front, c.image, c.pen = c.image.reduce(c.over), clean, pen
    if weather == "fog":
        fog = _fog(c, size)
        front = fog if front is None else Image.alpha_composite(front, fog)
    return None if front is None else np.asarray(front.convert("RGBa"))


def _rain(c: Canvas) -> None:
    lean, pale = c.u(-0.35, 0.35), _mix(c.mood.sky[-1], _WHITE, 0.55 if not c.mood.night else 0.25)
    if c.mood.place.weather == "storm":
        lean = c.rng.choice((-1, 1)) * c.u(0.35, 0.6)
    fill = (*_ints(pale), 165)
    for _ in range(c.some(70, 100)):
        x, y, length = c.u(-0.2, c.w + 0.2), c.u(-0.05, 1), c.u(0.05, 0.11)
        ends = [x * c.unit, y * c.unit, (x + lean * length) * c.unit, (y + length) * c.unit]
        c.pen.line(ends, fill, max(1, round(0.0075 * c.unit)))


def _snowfall(c: Canvas) -> None:
    shade = 1.0 if not c.mood.night else 0.86
    for _ in range(c.some(70, 100)):
        x, y, r = c.u(0, c.w), c.u(0, 1), c.rng.choice((0.006, 0.008, 0.008, 0.011, 0.014))
        corners = [(x - r) * c.unit, (y - r) * c.unit, (x + r) * c.unit, (y + r) * c.unit]
        c.pen.ellipse(corners, (*_ints(_shade(_WHITE, shade)), 235))


def _gusts(c: Canvas) -> None:
    """Curls of wind and leaves that fly."""
    fill, side = (*_ints(_shade(_WHITE, 0.55 if c.mood.night else 1)), 190), c.rng.choice((-1, 1))
    for x in c.along(c.some(3, 5)):
        y, length, r = c.u(0.12, 0.85), c.u(0.25, 0.45), c.u(0.035, 0.06)
        turns = np.linspace(0, 5.2, 18)
        curl = [(x + side * r * math.sin(t), y - r + r * math.cos(t)) for t in turns]
        tail = [(x - side * length, y + 0.03), (x - side * length * 0.5, y + 0.01)]
        points = [(px * c.unit, py * c.unit) for px, py in tail + curl]
        c.pen.line(points, fill, max(1, round(0.012 * c.unit)), joint="curve")
    if len(_PLACES[c.mood.place.name].seasons) == len(SEASONS):  # where there are trees
        _falling_leaves(c)


def _falling_leaves(c: Canvas) -> None:
    colours = c.mood.leaves or ((150, 110, 70),)
    for _ in range(c.some(9, 16)):
        x, y, turn, r = c.u(0, c.w), c.u(0.05, 1), c.u(0, 3.14), c.u(0.012, 0.02)
        dx, dy = r * math.cos(turn), r * math.sin(turn)
        c.poly(
            [(x - dx, y - dy), (x - dy / 2, y + dx / 2), (x + dx, y + dy), (x + dy / 2, y - dx / 2)],
            c.rng.choice(colours),
        )


def _fog(c: Canvas, size: tuple[int, int]) -> Image.Image:
    """A veil and long banks of white, thickest in the middle of the height."""
    small = Image.new("L", (max(8, round(48 * c.w)), 48), round(255 * 0.14))
    pen = ImageDraw.Draw(small)
    for _ in range(c.some(9, 13)):
        x, y, reach = c.u(0, small.width), c.rng.gauss(0.6, 0.16) * 48, c.u(9, 22)
        pen.ellipse((x - reach, y - 2.4, x + reach, y + 2.4), fill=round(255 * c.u(0.45, 0.8)))
    small = small.filter(ImageFilter.GaussianBlur(1.6))
    fog = Image.new("RGBA", size, (*_ints(_shade(c.mood.sky[-1], 1.3)), 255))
    fog.putalpha(small.resize(size, Image.Resampling.BICUBIC))
    return fog


def _tufts(c: Canvas) -> None:
    """Blades of grass along the lower edge."""
    grass = c.mood.grass if c.mood.snow else _shade(c.mood.grass, 0.72)
    for x in c.along(c.some(7, 11), 0.5):
        for blade in range(-2, 3):
            height, lean = c.u(0.03, 0.08), blade * 0.012 + c.u(-0.01, 0.01)
            root = x + blade * 0.012
            colour = _shade(grass, 1 + 0.1 * (blade % 2))
            c.poly([(root - 0.008, 1.01), (root + lean, 1 - height), (root + 0.008, 1.01)], colour)


# ------------------------------------------------------------------------- plants, rocks, buildings


_BARK = (112, 78, 54)
_FIR = ((38, 100, 76), (48, 112, 66), (30, 86, 70))


def _tree(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    """A tree of the season that stands at (x, y)."""
    if not c.mood.leaves:
        _bare_tree(c, x, y, height, far)
        return
    lean = 0.12 * height if c.mood.place.weather == "wind" else 0.0
    bark, leaf = _near(c.rng, _BARK, 6), _near(c.rng, c.rng.choice(c.mood.leaves), 6)
    w = height * 0.055
    c.poly([(x - w, y), (x - w * 0.6 + lean, y - height * 0.6), (x + w * 0.6 + lean, y - height * 0.6), (x + w, y)], bark, far)
    x += lean
    if c.chance(0.5):
        balls = [(0, -0.72, 0.27), (-0.2, -0.52, 0.2), (0.2, -0.52, 0.2)]
    else:
        balls = [(0, -0.62, 0.26), (0, -0.8, 0.2), (0, -0.45, 0.2)]
    for dx, dy, r in balls:
        c.disc(x + dx * height, y + dy * height, r * height, _shade(leaf, 0.82), far)
    for dx, dy, r in balls:
        c.disc(x + (dx - 0.035) * height, y + (dy - 0.035) * height, r * height * 0.82, leaf, far)
    if height > 0.2:
        light = _shade(leaf, 1.2)
        for _ in range(4):
            dx, dy = c.u(-0.22, 0.1) * height, c.u(-0.85, -0.5) * height
            c.disc(x + dx, y + dy, height * c.u(0.03, 0.055), light, far)


def _any_tree(c: Canvas, firs: float = 0.4) -> Callable:
    """A painter of trees; spring and autumn show in leaves rather than in needles."""
    coloured = c.mood.place.season in ("spring", "autumn")
    return _fir if c.chance(firs * (0.05 if coloured else 1)) else _tree


def _bare_tree(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    bark = _near(c.rng, (92, 74, 70), 6)
    w = height * 0.05
    c.poly([(x - w, y), (x - w * 0.3, y - height * 0.75), (x + w * 0.3, y - height * 0.75), (x + w, y)], bark, far)
    for i, t in enumerate((0.38, 0.5, 0.6, 0.7, 0.74)):
        side = -1 if i % 2 else 1
        reach, fork = (0.95 - t) * height * 0.75, (x, y - t * height)
        end = (fork[0] + side * reach, fork[1] - reach * c.u(0.7, 1.0))
        c.line([fork, end], height * 0.03, bark, far)
        half = ((fork[0] + end[0]) / 2, (fork[1] + end[1]) / 2)
        c.line([half, (half[0] + side * reach * 0.1, half[1] - reach * 0.5)], height * 0.02, bark, far)
        if c.mood.snow:
            c.line([(p[0], p[1] - height * 0.018) for p in (half, end)], height * 0.022, _WHITE, far)


def _fir(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    green = _near(c.rng, c.rng.choice(_FIR), 6)
    c.box(x - height * 0.035, y - height * 0.14, x + height * 0.035, y, _BARK, far)
    tiers = 3 if height < 0.25 else 4
    for i in range(tiers):
        low = y - height * (0.1 + 0.72 * i / tiers)
        top = low - height * 0.9 / (tiers - 0.6) * (1 if i < tiers - 1 else 0.95)
        half = height * 0.27 * (1 - 0.68 * i / tiers)
        c.poly([(x - half, low), (x, top), (x + half, low)], green, far)
        c.poly([(x, top), (x + half, low), (x + half * 0.1, low)], _shade(green, 0.82), far)
        if c.mood.snow:
            d = half * 0.62
            mid = top + (low - top) * 0.62
            c.poly([(x - d, mid), (x, top), (x + d, mid), (x + d * 0.3, mid - half * 0.2), (x - d * 0.2, mid)], (246, 250, 255), far)


def _palm(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    lean = c.rng.choice((-1, 1)) * c.u(0.1, 0.3) * height
    bark, green = _near(c.rng, (150, 110, 74), 6), _near(c.rng, (62, 144, 74), 8)
    stem = [(x + lean * t * t, y - height * 0.8 * t) for t in (0, 0.25, 0.5, 0.75, 1)]
    w = height * 0.035
    sides = [[(px + s * w * (1.2 - 0.12 * i), py) for i, (px, py) in enumerate(stem)] for s in (-1, 1)]
    c.poly(sides[0] + sides[1][::-1], bark, far)
    tx, ty = stem[-1]
    for i, turn in enumerate((-2.9, -0.25, -2.35, -0.8, -1.75, 0.25, 2.9)):
        reach = height * c.u(0.36, 0.44)
        dx, dy = math.cos(turn), math.sin(turn)
        end = (tx + dx * reach, ty + dy * reach * 0.6 + reach * 0.3)
        mid = (tx + dx * reach * 0.55, ty + dy * reach * 0.75 - reach * 0.06)
        under = (tx + dx * reach * 0.45, ty + dy * reach * 0.45 + reach * 0.14)
        c.poly([(tx, ty), mid, end, under], _shade(green, 0.85 + 0.1 * (i % 3)), far)
    for dx in (-0.03, 0.02):
        c.disc(tx + dx * height, ty + 0.03 * height, height * 0.03, (110, 70, 44), far)


def _bush(c: Canvas, x: float, y: float, width: float, far: float = 0.0) -> None:
    leaf = (226, 234, 246) if c.mood.snow else _near(c.rng, _shade(c.mood.grass, 0.72), 6)
    for dx, r in ((-0.3, 0.22), (0.3, 0.22), (0, 0.3)):
        c.disc(x + dx * width, y - r * width * 0.7, r * width, _shade(leaf, 0.86), far)
    for dx, r in ((-0.3, 0.16), (0.3, 0.16), (0, 0.23)):
        c.disc(x + (dx - 0.03) * width, y - r * width * 1.2, r * width, leaf, far)
    c.box(x - width * 0.5, y - 0.006, x + width * 0.5, y + 0.001, _shade(leaf, 0.8), far)


def _wood(c: Canvas, line: list[Point], height: float, far: float, pointed: bool | None = None):
    """The far edge of a wood along a line: tree tops as one shape."""
    pointed = _any_tree(c, 0.5) is _fir if pointed is None else pointed
    colour = c.rng.choice(_FIR if pointed else c.mood.leaves or ((150, 140, 150),))
    if c.mood.snow:
        colour = _mix(colour, _WHITE, 0.4)
    x, points = -0.02, []
    while x < c.w + 0.02:
        y, width, tall = _height_at(line, x), height * c.u(0.45, 0.8), height * c.u(0.65, 1.15)
        if pointed:
            points += [(x, y - tall * 0.25), (x + width / 2, y - tall)]
        else:
            turns = (0.0, 0.5, 1.0, 1.57, 2.14, 2.64)
            points += [
                (x + width * (1 - math.cos(t)) / 2, y - tall * (0.45 + 0.5 * math.sin(t))) for t in turns
            ]
        x += width
    ground = max(p[1] for p in line) + 0.02
    points += [(x, _height_at(line, x)), (x, ground), (-0.02, ground)]
    c.shaded(points, (_shade(colour, 1.06), _shade(colour, 0.75)), far)


def _flowers(c: Canvas, top: float, bottom: float, number: int) -> None:
    """Flowers on a meadow, smaller far away; none in winter or autumn."""
    if not c.mood.leaves or c.mood.place.season == "autumn":
        return
    colours = ((250, 90, 90), (255, 214, 70), (250, 250, 250), (240, 130, 200), (160, 120, 230))
    colours = c.rng.sample(colours, c.rng.choice((1, 2, 3)))
    for i in range(number):
        t = (i + 0.5) / number
        y = top + (bottom - top) * (0.04 + 0.96 * t)
        x, r = c.u(0, c.w), 0.006 + 0.016 * t
        colour = c.rng.choice(colours)
        if r > 0.012:
            c.line([(x, y), (x, y + 2.6 * r)], r * 0.4, _shade(c.mood.grass, 0.7))
        c.oval(x, y, r, r * 0.75, colour)
        c.oval(x, y, r * 0.4, r * 0.34, (255, 220, 90) if colour[2] > 90 else (130, 70, 40))


def _mountain(c: Canvas, x: float, y: float, width: float, height: float, rock: Colour, far: float):
    """A peak with a side in the light, one in the shade, and a cap of snow."""
    px, py = x + width * c.u(-0.1, 0.1), y - height

    def flank(foot: Point) -> list[Point]:
        ways = [((px + (foot[0] - px) * t), (py + (foot[1] - py) * t)) for t in (0, 0.22, 0.45, 0.7, 1)]
        return [ways[0]] + [(a + c.u(-1, 1) * 0.035 * width, b) for a, b in ways[1:-1]] + [ways[-1]]

    left, right, middle = (flank((x + dx * width, y)) for dx in (-0.5, 0.5, c.u(0.02, 0.14)))
    c.poly(left + right[::-1], _shade(rock, 1.12), far)
    c.poly([*middle, *right[::-1]], _shade(rock, 0.78), far)
    deep = 0.75 if c.mood.snow else c.u(0.3, 0.45)
    cut = [_along(side, deep * c.u(0.8, 1.1)) for side in (left, right)]
    zigzag, number = [], 6
    for i in range(1, number):
        t = i / number
        dip = (0.07 if i % 2 else -0.06) * height * c.u(0.6, 1.2)
        zigzag.append((cut[0][0] + (cut[1][0] - cut[0][0]) * t, cut[0][1] + (cut[1][1] - cut[0][1]) * t + dip))
    above = [[p for p in side if p[1] < edge[1]] for side, edge in zip((left, right), cut, strict=True)]
    cap = [*above[0], cut[0], *zigzag, cut[1], *above[1][::-1]]
    c.poly(cap, (250, 252, 255), far * 0.6)
    ridge = _along(middle, deep * 0.8)
    spine = [p for p in middle if p[1] < ridge[1]]
    shady = [p for p in zigzag if p[0] > ridge[0]]
    c.poly([*spine, ridge, *shady, cut[1], *above[1][::-1]], (200, 214, 236), far * 0.6)


def _along(side: list[Point], share: float) -> Point:
    """The point of a flank at a share of its height."""
    y = side[0][1] + (side[-1][1] - side[0][1]) * share
    return float(np.interp(y, [p[1] for p in side], [p[0] for p in side])), y


def _range(c: Canvas, y: float, height: float, far: float, rock: Colour | None = None) -> None:
    """A chain of mountains that stands at y."""
    rock = _near(c.rng, c.rng.choice(((112, 118, 140), (126, 112, 120), (96, 110, 130))), 6) if rock is None else rock
    for x in c.along(c.some(2.4, 3.6), 0.25):
        tall = height * c.u(0.65, 1.0)
        _mountain(c, x, y, tall * c.u(1.5, 2.1), tall, rock, far)


def _rock(c: Canvas, x: float, y: float, width: float, colour: Colour = (140, 136, 138), far=0.0):
    height = width * c.u(0.5, 0.75)
    top = [(-0.5, 0), (-0.38, -0.6), (-0.1, -1), (0.24, -0.85), (0.44, -0.4), (0.5, 0)]
    c.poly([(x + a * width, y + b * height) for a, b in top], colour, far)
    c.poly([(x + a * width, y + b * height) for a, b in ((-0.1, -1), (0.24, -0.85), (0.44, -0.4), (0.5, 0), (0.1, 0), (0.02, -0.5))], _shade(colour, 0.8), far)
    if c.mood.snow:
        c.poly([(x + a * width, y + b * height) for a, b in ((-0.38, -0.6), (-0.1, -1.05), (0.24, -0.9), (0.36, -0.6), (0.1, -0.7), (-0.1, -0.55))], _WHITE, far)


def _house(c: Canvas, x: float, y: float, width: float, height: float, far: float = 0.0) -> None:
    """A gabled house with a door, windows and a chimney; (x, y) is the middle of its foot."""
    walls = ((244, 226, 190), (230, 180, 140), (200, 216, 226), (236, 206, 206), (222, 222, 206), (190, 90, 74))
    wall = _near(c.rng, c.rng.choice(walls), 6)
    roof = _near(c.rng, c.rng.choice(((176, 72, 56), (150, 84, 62), (92, 84, 104), (120, 62, 62))), 6)
    half, eaves, over = width / 2, y - height * 0.6, width * 0.08
    c.box(x + half * 0.35, y - height * 1.02, x + half * 0.6, y - height * 0.7, _shade(roof, 0.8), far)
    c.poly([(x - half, y), (x - half, eaves), (x, y - height), (x + half, eaves), (x + half, y)], wall, far)
    c.box(x + half * 0.55, eaves, x + half, y, _shade(wall, 0.9), far)
    peak, thick = y - height * 1.06, height * 0.12
    c.poly([(x - half - over, eaves + thick * 0.5), (x, peak), (x + half + over, eaves + thick * 0.5), (x + half + over * 0.6, eaves + thick * 1.2), (x, peak + thick * 1.2), (x - half - over * 0.6, eaves + thick * 1.2)], roof, far)
    if c.mood.snow:
        c.poly([(x - half - over, eaves + thick * 0.5), (x, peak - thick * 0.3), (x + half + over, eaves + thick * 0.5), (x, peak + thick * 0.6)], _WHITE, far)
    glass, shine = ((255, 216, 110), SHINING) if c.mood.lamps else ((120, 170, 200), far)
    door = width * 0.11
    c.box(x - door, y - height * 0.32, x + door, y, _shade(roof, 0.7), far)
    pane = width * 0.085
    for dx, dy in ((-0.3, 0.4), (0.3, 0.4), (0, 0.68)):
        wx, wy = x + dx * width, y - dy * height
        c.box(wx - pane * 1.25, wy - pane * 1.25, wx + pane * 1.25, wy + pane * 1.25, (250, 246, 236), far)
        c.box(wx - pane, wy - pane, wx + pane, wy + pane, glass, shine)


def _lamp_post(c: Canvas, x: float, y: float, height: float) -> None:
    c.box(x - height * 0.02, y - height, x + height * 0.02, y, (60, 62, 76))
    c.box(x - height * 0.06, y - height * 0.04, x + height * 0.06, y, (60, 62, 76))
    top = y - height
    if c.mood.lamps:
        c.glow(x, top - height * 0.05, height * 0.5, (255, 214, 120), 0.6)
    lamp = (255, 232, 150) if c.mood.lamps else (236, 236, 226)
    c.poly([(x - height * 0.04, top), (x - height * 0.065, top - height * 0.13), (x + height * 0.065, top - height * 0.13), (x + height * 0.04, top)], lamp, SHINING if c.mood.lamps else 0.0)
    c.poly([(x - height * 0.08, top - height * 0.12), (x, top - height * 0.19), (x + height * 0.08, top - height * 0.12)], (60, 62, 76))


def _tower_block(c: Canvas, x: float, y: float, width: float, height: float, colour: Colour, far: float, rows: bool = True):
    """A high building; windows shine at night."""
    top = y - height
    c.box(x, top, x + width, y, colour, far)
    c.box(x + width * 0.72, top, x + width, y, _shade(colour, 0.86), far)
    kind = c.rng.choice(("flat", "flat", "spire", "step", "slope"))
    if kind == "spire":
        c.poly([(x + width * 0.46, top), (x + width * 0.5, top - height * 0.22), (x + width * 0.54, top)], colour, far)
        c.box(x + width * 0.25, top - height * 0.05, x + width * 0.75, top, colour, far)
    elif kind == "step":
        c.box(x + width * 0.2, top - height * 0.08, x + width * 0.8, top, _shade(colour, 0.94), far)
    elif kind == "slope":
        c.poly([(x, top), (x + width, top - width * 0.4), (x + width, top)], colour, far)
    if c.mood.snow and kind != "slope":
        c.box(x - 0.004, top - 0.014, x + width + 0.004, top + 0.004, _WHITE, far)
    if not rows:
        return
    columns = max(2, round(width / 0.042))
    step, pane = width / (columns + 0.35), 0.044
    dark = _shade(colour, 0.72)
    for row in range(int((height - 0.02) / pane)):
        for column in range(columns):
            wx, wy = x + step * (0.35 + column), top + 0.02 + row * pane
            on = c.mood.lamps and c.chance(0.62)
            c.box(wx, wy, wx + step * 0.62, wy + pane * 0.55, (255, 214, 110) if on else dark, SHINING if on else far)


# ------------------------------------------------------------------------------------------ water


_WATER = ((42, 126, 190), (34, 140, 180), (50, 150, 200), (30, 108, 170))


def _blue(c: Canvas) -> Colour:
    """The water's own colour, unlit, with that of the time and the weather in it."""
    blue = _near(c.rng, c.rng.choice(_WATER), 8)
    blue = _mix(blue, (82, 108, 128), _GREYS[c.mood.place.weather][1] * 0.75)
    mirrored = {"sunset": ((196, 120, 140), 0.5), "dawn": ((186, 176, 220), 0.45)}
    return _mix(blue, *mirrored.get(c.mood.place.time, (blue, 0.0)))


def _water(c: Canvas, top: float, bottom: float, light_x: float | None, rough: float = 0.3) -> Colour:
    """Water between two heights, with the sky's light on it; its colour near the viewer, unlit."""
    blue = _blue(c)
    far = _mix(c.lit(_shade(blue, 1.2)), c.mood.sky[-1], 0.5)
    c.ramp(top, bottom, (far, c.lit(blue), c.lit(_shade(blue, 0.78))), SHINING)
    if light_x is not None and (c.mood.sun or c.mood.moon):
        _glitter(c, top, bottom, light_x)
    number = c.some(16, 24)
    for i in range(number):  # short strokes that grow towards the viewer
        t = ((i + c.u(0, 1)) / number) ** 1.3
        y, reach = top + 0.012 + (bottom - top) * t, 0.02 + 0.07 * t
        colour = _mix(c.lit(blue), c.mood.sky[-1], 0.5 - 0.25 * t) if i % 3 else c.lit(_shade(blue, 0.7))
        c.oval(c.u(0, c.w), y, reach, 0.002 + (0.004 + 0.004 * rough) * t, colour, SHINING)
    return blue


def _glitter(c: Canvas, top: float, bottom: float, x: float) -> None:
    colour = c.mood.sun if c.mood.sun else (236, 238, 220)
    strong = {"day": 0.3, "dawn": 0.7, "sunset": 0.85, "night": 0.7}[c.mood.place.time]
    colour = _mix(c.mood.sky[-1], colour, strong)
    for i in range(13):
        t = (i + 0.3) / 13
        reach = (0.03 + 0.075 * t) * c.u(0.6, 1.1)
        y = top + (bottom - top) * t
        c.oval(x + c.u(-0.02, 0.02), y, reach, 0.003 + 0.006 * t, colour, SHINING)


def _waves(c: Canvas, top: float, bottom: float, blue: Colour, height: float) -> None:
    """Rows of crests with foam, larger towards the viewer."""
    rows = 5
    for i in range(rows):
        t = (i + 0.6) / rows
        y, size = top + (bottom - top) * t**1.35, (0.25 + 0.75 * t) * height
        length, phase = c.u(1.5, 2.0) * (0.12 + 0.16 * t), c.u(0, 1)
        xs = np.linspace(-0.05, c.w + 0.05, 8 + round(44 * c.w))
        turn = xs / length + phase
        crest = np.abs(np.sin(turn * math.pi)) ** 0.8 + 0.25 * np.sin(turn * 2.1)
        line = list(zip(xs.tolist(), (y - size * (1 - crest)).tolist(), strict=True))
        colour = _shade(blue, 1.05 - 0.2 * t + 0.06 * (i % 2))
        low = min(y + (bottom - top) * 0.35, 1.0)
        c.shaded([*line, (line[-1][0], low), (line[0][0], low)], (colour, _shade(colour, 0.86)))
        foam = _mix(_shade(blue, 1.3), _WHITE, 0.35 + 0.5 * t)
        c.line(line, 0.003 + 0.12 * size, foam)


# ------------------------------------------------------------------------------------- the places


def _wide(top: float, bottom: float, horizon: float, left: float = 0.0, right: float = 1.0) -> Region:
    """A region on the ground in perspective: sizes are as the distances below the horizon."""
    near = max(bottom - horizon, 0.05)
    return Region(left, right, top, bottom, max((top - horizon) / near, 0.12), 1.0)


def _air(skyline: float) -> Region:
    return Region(0.0, 1.0, 0.04, max(skyline - 0.05, 0.12), 0.7, 0.5)


def _paint_sky(c: Canvas) -> Sites:
    _sky(c, 1.0, c.u(0.85, 0.98))
    if c.mood.place.weather in ("clear", "wind", "rainbow") and not c.mood.night:
        for _ in range(c.some(1, 3)):
            _cloud(c, c.u(0, c.w), c.u(0.1, 0.95), c.u(0.3, 0.55), c.mood.cloud)
    if c.chance(0.6):  # a sea of clouds below
        colour = _shade(c.mood.cloud, 0.94)
        for x in c.along(c.some(4, 6)):
            c.disc(x, c.u(0.99, 1.06), c.u(0.1, 0.17), colour, SHINING)
        for x in c.along(c.some(4, 6)):
            c.disc(x, c.u(1.03, 1.1), c.u(0.1, 0.16), c.mood.cloud, SHINING)
    return Sites(1.0, fly=Region(0.0, 1.0, 0.08, 0.92))


def _paint_sea(c: Canvas) -> Sites:
    horizon = c.u(0.36, 0.58)
    x = _sky(c, horizon)
    weather = c.mood.place.weather
    rough = {"storm": 1.0, "wind": 0.6, "rain": 0.45}.get(weather, c.u(0.15, 0.35))
    blue = _water(c, horizon, 1, x, rough)
    _waves(c, horizon + 0.06, 1.05, blue, 0.035 + 0.085 * rough)
    if weather not in ("storm",) and (c.mood.moon or c.mood.place.time in ("sunset", "dawn")):
        _glitter(c, horizon, 0.95, x)
    floor = horizon + 0.25 * (1 - horizon)
    return Sites(horizon, afloat=_wide(floor, 0.92, horizon), fly=_air(horizon), swim=Region(0, 1, 0.75, 0.97, 0.8, 1))


def _paint_lake(c: Canvas) -> Sites:
    horizon, shore = c.u(0.4, 0.52), c.u(0.84, 0.9)
    skyline = horizon - c.u(0.12, 0.22)
    x = _sky(c, horizon, skyline)
    hills = c.chance(0.5)
    if hills:
        line = _rolling(c, skyline + 0.05, 0.05)
        c.land(line, (_shade(c.mood.grass, 0.8),) * 2, 0.9, horizon)
    else:
        _range(c, horizon, horizon - skyline + 0.08, 0.7)
    bank = [(0.0, horizon), (c.w, horizon)]
    _wood(c, bank, c.u(0.06, 0.11), 0.45)
    blue = _water(c, horizon, 1, x, 0.0)
    _mirror(c, horizon, horizon - skyline + 0.03)
    c.box(0, horizon - 0.006, c.w, horizon + 0.008, _shade(c.mood.grass, 0.85), 0.3)
    for _ in range(c.some(5, 8)):
        y = c.u(horizon + 0.05, shore)
        t = (y - horizon) / (shore - horizon)
        c.oval(c.u(0, c.w), y, c.u(0.08, 0.2) * (0.5 + t), 0.003 + 0.003 * t, _shade(blue, 1.35))
    near = _rolling(c, shore + 0.03, 0.03, 0.5)
    c.land([(a, b - 0.012) for a, b in near], (_shade(c.mood.grass, 0.62),) * 2)
    c.land(near, (c.mood.grass, _shade(c.mood.grass, 0.85)))
    _reeds(c, near)
    return Sites(horizon, Region(0.05, 0.95, shore + 0.07, 0.98, 0.9, 1), _wide(horizon + 0.14, shore - 0.02, horizon), _air(skyline))


def _mirror(c: Canvas, line: float, depth: float) -> None:
    """What is above a line upside down below it, dimmer."""
    edge, rows = round(line * c.unit), round(min(depth, 1 - line) * c.unit)
    above = c.image.crop((0, edge - rows, c.image.width, edge)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    fade = Image.fromarray(np.linspace(150, 40, rows).astype(np.uint8)[:, None]).resize(above.size)
    c.image.paste(above, (0, edge), fade)


def _reeds(c: Canvas, line: list[Point]) -> None:
    colour = (150, 140, 96) if not c.mood.leaves else _shade(c.mood.grass, 0.66)
    for clump in (c.u(0, 0.2) * c.w, c.u(0.8, 1) * c.w):
        for i in range(6):
            x = clump + (i - 2.5) * 0.022
            y, height, lean = _height_at(line, x) + 0.03, c.u(0.1, 0.2), c.u(-0.03, 0.03)
            c.poly([(x - 0.006, y), (x + lean, y - height), (x + 0.006, y)], colour)
            if i % 2:
                c.oval(x + lean * 0.8, y - height * 0.95, 0.009, 0.03, (120, 78, 46))


def _winding(
    c: Canvas, horizon: float, width: float, bend: float, start: float, end: float, flare: float = 1.4
):
    """The two sides of a band that winds from the horizon to the lower edge."""
    ts = np.linspace(0, 1, 30)
    y = horizon + (1.02 - horizon) * ts
    turns = np.sin((1 - ts) ** 0.6 * 7.5) * bend * (0.08 + 0.92 * ts**1.2) * (1 - ts * 0.4)
    middle = (start + (end - start) * ts**1.3 + turns) * c.w
    half = width * (0.03 + 0.97 * ts**flare)
    return [list(zip((middle + s * half).tolist(), y.tolist(), strict=True)) for s in (-1, 1)]


def _paint_river(c: Canvas) -> Sites:
    horizon = c.u(0.36, 0.5)
    skyline = horizon - c.u(0.05, 0.15)
    x = _sky(c, horizon, skyline)
    if c.chance(0.5):
        _range(c, horizon + 0.01, c.u(0.16, 0.26), 0.75)
    c.land(_rolling(c, horizon - 0.02, 0.03), (_shade(c.mood.grass, 0.85),) * 2, 0.6)
    if c.chance(0.6):
        _wood(c, [(0, horizon + 0.02), (c.w, horizon + 0.02)], 0.07, 0.4)
    c.ramp(horizon + 0.015, 1, (_shade(c.mood.grass, 1.05), _shade(c.mood.grass, 0.85)))
    for _ in range(c.some(3, 6)):
        _bush(c, c.u(0, c.w), c.u(horizon + 0.06, 0.75), c.u(0.06, 0.12))
    _flowers(c, horizon + 0.1, 0.98, c.some(4, 26))
    side = c.rng.choice((-1, 1))
    left, right = _winding(c, horizon + 0.015, 0.24, c.u(0.2, 0.3) * side, c.u(0.4, 0.6), 0.5 + 0.12 * side)
    bank = (196, 170, 120) if not c.mood.snow else (206, 218, 236)
    c.poly([(a - 0.02 * (b - horizon) * 2, b) for a, b in left] + [(a + 0.02 * (b - horizon) * 2, b) for a, b in right[::-1]], bank)
    blue = _blue(c)
    top = _mix(c.lit(_shade(blue, 1.3)), c.mood.sky[-1], 0.55)
    c.shaded(left + right[::-1], (top, c.lit(blue), c.lit(_shade(blue, 0.85))), SHINING)
    for i in range(9, 28, 2):
        (a, y), (b, _) = left[i], right[i]
        middle, reach = a + (b - a) * c.u(0.3, 0.7), (b - a) * c.u(0.12, 0.2)
        c.oval(middle, y, reach, 0.003 + 0.004 * i / 28, _mix(c.lit(blue), c.mood.sky[-1], 0.5), SHINING)
    for i in (6, 11, 17):
        edge, y = (left if c.chance(0.5) else right)[i]
        out = edge + (-1 if edge in [p[0] for p in left] else 1) * (0.06 + 0.1 * i / 17)
        _any_tree(c)(c, out, y, 0.1 + 0.012 * i)
    middle = (left[24][0] + right[24][0]) / 2 / c.w
    stand = Region(0.02, max(left[26][0] / c.w - 0.03, 0.2), 0.82, 0.98, 0.8, 1.0)
    if middle < 0.5:
        stand = Region(min(right[26][0] / c.w + 0.03, 0.8), 0.98, 0.82, 0.98, 0.8, 1.0)
    water = Region(max(left[22][0] / c.w, 0), min(right[22][0] / c.w, 1), 0.72, 0.92, 0.6, 0.8)
    return Sites(horizon, stand, water, _air(skyline), None)


_SAND = ((246, 220, 160), (240, 208, 150), (250, 228, 176), (236, 204, 160))


def _paint_beach(c: Canvas) -> Sites:
    horizon, shore = c.u(0.34, 0.46), c.u(0.58, 0.68)
    x = _sky(c, horizon)
    if c.chance(0.35):
        c.land(_rolling(c, horizon - 0.04, 0.05, 0.6), ((96, 150, 100),) * 2, 0.8, horizon)
    blue = _water(c, horizon, shore + 0.1, x, 0.2)
    sand = _near(c.rng, c.rng.choice(_SAND), 5)
    tilt = c.u(-0.08, 0.08)
    edge = [(a, b + tilt * (a / c.w - 0.5) * 2) for a, b in _rolling(c, shore, 0.022, 0.8)]
    c.land([(a, b - 0.045) for a, b in edge], (_shade(blue, 1.3),) * 2)
    c.land([(a, b - 0.018) for a, b in edge], ((250, 252, 252),) * 2)
    c.land([(a, b + 0.012) for a, b in edge], (_shade(sand, 0.82),) * 2)
    c.land([(a, b + 0.05) for a, b in edge], (sand, _shade(sand, 0.92)))
    for _ in range(c.some(3, 5)):
        y = c.u(shore + 0.14, 0.98)
        c.oval(c.u(0, c.w), y, c.u(0.06, 0.14), 0.008, _shade(sand, 0.92))
    for _ in range(c.some(2, 4)):
        _shell(c, c.u(0.05, 0.95) * c.w, c.u(shore + 0.18, 0.97))
    if c.chance(0.65):
        side = c.rng.choice((0.08, 0.92))
        for dx in (0.0, 0.1)[: c.rng.choice((1, 2))]:
            _palm(c, side * c.w + dx * (1 if side < 0.5 else -1), shore + 0.12 + dx, c.u(0.5, 0.68))
    return Sites(horizon, _wide(shore + 0.12, 0.97, horizon), _wide(horizon + 0.1, shore - 0.03, horizon), _air(horizon))


def _shell(c: Canvas, x: float, y: float) -> None:
    if c.chance(0.5):
        colour = c.rng.choice(((240, 120, 90), (236, 150, 80), (230, 100, 120)))
        turns = [(-1.57 + i * math.pi / 5, 0.026 if i % 2 == 0 else 0.011) for i in range(10)]
        c.poly([(x + r * math.cos(t), y + r * 0.8 * math.sin(t)) for t, r in turns], colour)
    else:
        c.oval(x, y, 0.018, 0.012, (255, 240, 226))
        c.oval(x, y + 0.004, 0.011, 0.006, (236, 190, 170))


def _paint_desert(c: Canvas) -> Sites:
    horizon = c.u(0.4, 0.56)
    skyline = horizon - 0.08
    _sky(c, horizon, skyline)
    sand = _near(c.rng, c.rng.choice(((236, 190, 110), (230, 170, 100), (240, 204, 130), (222, 150, 92))), 6)
    if c.chance(0.45):
        for x in c.along(c.some(1, 2.4)):
            _mesa(c, x, horizon + 0.01, c.u(0.2, 0.36), c.u(0.1, 0.2), _shade(_mix(sand, (200, 90, 60), 0.5), 0.95))
    c.ramp(horizon, 1, (sand, sand), 0.5)
    for i, (y, height) in enumerate(((0.05, 0.1), (0.16, 0.16))):
        _dunes(c, horizon + y, height, c.some(2.6 - i, 4 - i), sand, 0.4 - 0.3 * i)
    near = _rolling(c, horizon + 0.2, 0.035, 0.6)
    c.land(near, (_shade(sand, 1.1), _shade(sand, 0.9)))
    for x in c.along(c.some(2, 4)):
        y = c.u(horizon + 0.28, 0.96)
        c.oval(x, y, c.u(0.08, 0.18), 0.008, _shade(sand, 0.9))
    for _ in range(c.some(2, 4)):
        y = c.u(horizon + 0.16, 0.9)
        size = (y - horizon) / (1 - horizon)
        _cactus(c, c.u(0.03, 0.97) * c.w, y, 0.1 + 0.28 * size)
    return Sites(horizon, _wide(horizon + 0.22, 0.97, horizon), None, _air(skyline))


def _mesa(c: Canvas, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    outline = [(-0.5, 0), (-0.36, -0.55), (-0.32, -1), (0.3, -1), (0.34, -0.55), (0.5, 0)]
    c.poly([(x + a * width, y + b * height) for a, b in outline], colour, 0.45)
    c.box(x - 0.33 * width, y - 0.8 * height, x + 0.32 * width, y - 0.66 * height, _shade(colour, 0.85), 0.45)


def _dunes(c: Canvas, y: float, height: float, number: int, sand: Colour, far: float) -> None:
    """A row of dunes with a long side in the light and a steep one in the shade."""
    side = c.rng.choice((-1, 1))
    crests = [(x, height * c.u(0.5, 1.1)) for x in c.along(number, 0.35)]
    xs = np.linspace(-0.05, c.w + 0.05, 60)
    rise = np.zeros_like(xs) + 0.1 * height
    for x, tall in crests:
        reach = side * (xs - x) / tall
        slope = np.where(reach < 0, (1 + reach / 2.6).clip(0) ** 1.5, (1 - reach / 1.5).clip(0) ** 1.25)
        rise = np.maximum(rise, tall * slope)
    line = list(zip(xs.tolist(), (y - rise).tolist(), strict=True))
    c.land(line, (_shade(sand, 1.14), sand), far)
    ts = np.linspace(0, 1, 9)
    for x, tall in crests:
        if _height_at(line, x) < y - tall - 0.01:
            continue  # behind a higher one
        lee = [(x + side * 1.5 * tall * t, y - tall * max(1 - t, 0) ** 1.25) for t in ts]
        lee = [(a, max(b, _height_at(line, a))) for a, b in lee]
        spine = [(x + side * tall * (0.28 * math.sin(4.2 * t) - 0.1 * t), y - tall * (1 - 1.25 * t)) for t in ts]
        c.poly([*lee, (x + side * 0.9 * tall, y + 0.2 * tall), *spine[::-1]], _shade(sand, 0.82), far)


def _cactus(c: Canvas, x: float, y: float, height: float) -> None:
    green = _near(c.rng, (70, 140, 84), 8)
    w = height * 0.09
    c.oval(x, y, w * 2.2, w * 0.4, (150, 110, 70))
    for dx, low, high in ((-0.28, 0.35, 0.7), (0.28, 0.25, 0.6)):
        if c.chance(0.85):
            ax = x + dx * height
            c.box(min(x, ax), y - low * height - w * 0.7, max(x, ax), y - low * height + w * 0.7, _shade(green, 0.9), 0.0, w * 0.6)
            c.box(ax - w * 0.7, y - high * height, ax + w * 0.7, y - low * height + w * 0.7, _shade(green, 0.9), 0.0, w * 0.7)
    c.box(x - w, y - height, x + w, y, green, 0.0, w)
    c.box(x - w * 0.5, y - height * 0.92, x - w * 0.15, y - height * 0.1, _shade(green, 1.2), 0.0, w * 0.15)


def _paint_hills(c: Canvas) -> Sites:
    horizon = c.u(0.42, 0.56)
    _sky(c, horizon + 0.1, horizon - 0.1)
    layers = c.rng.choice((3, 4))
    for i in range(layers):
        t = i / (layers - 1)
        line = _rolling(c, horizon + t * 0.3, 0.085 - 0.03 * t, c.u(0.7, 1.1))
        green = _shade(_near(c.rng, c.mood.grass, 5), 1.08 - 0.2 * (i % 2) - 0.05 * t)
        c.land(line, (_shade(green, 1.08), _shade(green, 0.84)), 0.75 * (1 - t))
        for x in c.along(c.some(1, 3)) if c.chance(0.75) else ():
            y = _height_at(line, x) + 0.015
            _any_tree(c)(c, x, y, (0.07 + 0.11 * t) * c.u(0.8, 1.2), 0.6 * (1 - t))
    _flowers(c, horizon + 0.3, 0.98, c.some(5, 14))
    if c.chance(0.4):
        c.front.append(_tufts)
    return Sites(horizon, _wide(horizon + 0.3, 0.97, horizon), None, _air(horizon - 0.08))


def _paint_mountains(c: Canvas) -> Sites:
    foot = c.u(0.62, 0.74)
    top = c.u(0.14, 0.26)
    _sky(c, foot, top + 0.16)
    _range(c, foot - 0.04, (foot - top) * 0.72, 0.75)
    rock = _near(c.rng, c.rng.choice(((106, 108, 132), (124, 106, 112), (92, 106, 124), (132, 118, 106))), 6)
    places = c.along(c.some(1.3, 2.2), 0.2)
    c.rng.shuffle(places)
    for x in places:
        tall = (foot - top) * c.u(0.8, 1.0)
        _mountain(c, x, foot + 0.03, tall * c.u(1.35, 1.8), tall, rock, 0.3)
    c.ramp(foot, foot + 0.12, (_shade(c.mood.grass, 0.7),) * 2)
    kind = _any_tree(c, 0.9)
    _wood(c, _rolling(c, foot + 0.01, 0.012), c.u(0.06, 0.1), 0.25, kind is _fir)
    line = _rolling(c, foot + 0.05, 0.03, 0.7)
    c.land(line, (c.mood.grass, _shade(c.mood.grass, 0.82)))
    if c.chance(0.3):
        c.oval(c.u(0.3, 0.7) * c.w, foot + 0.13, 0.3, 0.035, _mix(c.lit(_blue(c)), c.mood.sky[1], 0.4), SHINING)
    for x in c.along(c.some(1, 4)):
        kind(c, x, foot + c.u(0.08, 0.16), c.u(0.12, 0.24))
    if c.chance(0.4):
        _rock(c, c.u(0.1, 0.9) * c.w, c.u(0.9, 0.96), c.u(0.1, 0.18))
    if c.mood.place.season == "spring":
        _flowers(c, foot + 0.1, 0.98, c.some(14, 24))
    return Sites(foot, Region(0.0, 1.0, foot + 0.14, 0.97, 0.6, 1.0), None, _air(top + 0.1))


def _paint_forest(c: Canvas) -> Sites:
    floor = c.u(0.62, 0.72)
    _sky(c, floor, floor * 0.5)
    pointed = _any_tree(c, 0.5) is _fir
    for i, far in enumerate((0.95, 0.6, 0.32)):
        base = floor - 0.02 + 0.03 * i
        _wood(c, [(0, base), (c.w, base)], (0.46, 0.36, 0.26)[i] * c.u(0.9, 1.1), far, pointed)
    ground = _shade(c.mood.grass, 0.8) if not c.mood.snow else c.mood.grass
    c.land(_rolling(c, floor + 0.03, 0.015), (_shade(ground, 0.8), ground, _shade(ground, 0.75)))
    if c.chance(0.35):
        left, right = _winding(c, floor + 0.03, 0.16, c.u(-0.15, 0.15), c.u(0.35, 0.65), c.u(0.4, 0.6))
        c.poly(left + right[::-1], (196, 164, 120) if not c.mood.snow else (206, 216, 234))
    kind = _fir if pointed else _tree
    for x in c.along(c.some(3, 5)):
        kind(c, x, floor + c.u(0.03, 0.08), c.u(0.36, 0.55), 0.12)
    trunk = _near(c.rng, (84, 60, 48), 6) if c.chance(0.7) else (222, 220, 212)
    for side in (c.u(0.0, 0.1), c.u(0.9, 1.0)):
        if pointed:
            _fir(c, side * c.w, c.u(0.9, 1.0), c.u(0.8, 1.0))
        else:
            _big_trunk(c, side * c.w, c.u(0.88, 0.98), trunk)
    for x in c.along(c.some(2, 4)):
        _bush(c, x, floor + c.u(0.06, 0.1), c.u(0.1, 0.18))
    if c.chance(0.5):
        _mushrooms(c, c.u(0.15, 0.85) * c.w, c.u(0.88, 0.96))
    if c.chance(0.5):
        c.front.append(_tufts)
    return Sites(floor, Region(0.15, 0.85, floor + 0.12, 0.97, 0.65, 1.0), None, Region(0.1, 0.9, 0.06, 0.4, 0.5, 0.5))


def _big_trunk(c: Canvas, x: float, y: float, bark: Colour) -> None:
    """A trunk close by that reaches out of the picture, with leaves above."""
    w = c.u(0.045, 0.07)
    sides = [(-1.9, y), (-1.05, y - 0.1), (-0.9, -0.02), (0.9, -0.02), (1.05, y - 0.1), (1.9, y)]
    c.poly([(x + a * w, b) for a, b in sides], bark)
    c.poly([(x + a * w, b) for a, b in ((0.2, -0.02), (0.9, -0.02), (1.05, y - 0.1), (1.9, y), (0.3, y))], _shade(bark, 0.8))
    if bark[0] > 180:
        for i in range(7):
            c.box(x - w * c.u(0.2, 0.9), y * (i + 0.6) / 8, x + w * c.u(0, 0.6), y * (i + 0.6) / 8 + 0.012, (70, 66, 66))
    for leaf_x in (-0.14, 0.02, 0.15):
        if c.mood.leaves:
            leaf = _near(c.rng, c.rng.choice(c.mood.leaves), 6)
            c.disc(x + leaf_x, c.u(-0.04, 0.05), c.u(0.1, 0.16), _shade(leaf, 0.8))
            c.disc(x + leaf_x - 0.02, c.u(-0.05, 0.02), c.u(0.09, 0.12), leaf)


def _mushrooms(c: Canvas, x: float, y: float) -> None:
    if c.mood.snow:
        return
    for dx, size in ((0, 0.05), (0.05, 0.035)):
        c.box(x + dx - size * 0.2, y - size * 0.7, x + dx + size * 0.2, y, (246, 236, 220), 0.0, size * 0.1)
        c.pen.pieslice([(x + dx - size * 0.7) * c.unit, (y - size * 1.3) * c.unit, (x + dx + size * 0.7) * c.unit, (y - size * 0.1) * c.unit], 180, 360, c.lit((206, 54, 46)))
        c.disc(x + dx - size * 0.2, y - size * 0.9, size * 0.12, _WHITE)
        c.disc(x + dx + size * 0.25, y - size * 0.85, size * 0.1, _WHITE)


def _paint_meadow(c: Canvas) -> Sites:
    horizon = c.u(0.38, 0.56)
    _sky(c, horizon, horizon - 0.06)
    if c.chance(0.4):
        c.land(_rolling(c, horizon - 0.02, 0.04), (_shade(c.mood.grass, 0.85),) * 2, 0.85)
    if c.chance(0.6):
        _wood(c, [(0, horizon + 0.01), (c.w, horizon + 0.01)], c.u(0.04, 0.07), 0.6)
    line = _rolling(c, horizon + 0.01, 0.008)
    c.land(line, (_shade(c.mood.grass, 1.12), c.mood.grass, _shade(c.mood.grass, 0.78)))
    for i in range(4):
        y = horizon + 0.06 + (0.9 - horizon) * (i / 4) ** 1.4
        c.land(_rolling(c, y + 0.02, 0.015), (_shade(c.mood.grass, 1.08 - 0.06 * i - 0.08 * (i % 2)),) * 2)
    _flowers(c, horizon + 0.08, 0.98, c.some(34, 60))
    for x in c.along(c.some(0.6, 3) if c.chance(0.4) or c.mood.place.season else 0):
        _tree(c, x, horizon + c.u(0.06, 0.14), c.u(0.2, 0.34))
    c.front.append(_tufts)
    return Sites(horizon, _wide(horizon + 0.15, 0.97, horizon), None, _air(horizon))


def _paint_snow(c: Canvas) -> Sites:
    horizon = c.u(0.42, 0.58)
    _sky(c, horizon, horizon - 0.08)
    if c.chance(0.4):
        _range(c, horizon + 0.03, c.u(0.16, 0.26), 0.7)
    else:
        _wood(c, _rolling(c, horizon + 0.01, 0.01), c.u(0.08, 0.13), 0.6, True)
    c.ramp(horizon, 1, ((246, 250, 255),) * 2, 0.3)
    for i in range(3):
        line = _rolling(c, horizon + 0.03 + 0.14 * i, 0.035, 0.7)
        c.land(line, ((252, 254, 255), _mix((238, 244, 252), (170, 196, 232), 0.35 + 0.2 * i)), 0.3 - 0.15 * i)
        for x in c.along(c.some(1.5, 3), 0.4):
            _fir(c, x, _height_at(line, x) + 0.03, (0.14 + 0.08 * i) * c.u(0.8, 1.2), 0.3 - 0.15 * i)
    if c.chance(0.4):
        x = c.u(0.3, 0.6) * c.w
        for i in range(6):  # footprints
            y = 0.98 - 0.055 * i
            c.oval(x + (-1) ** i * 0.02 + 0.02 * i, y, 0.016 - 0.001 * i, 0.009, (176, 198, 230))
    return Sites(horizon, _wide(horizon + 0.32, 0.97, horizon), None, _air(horizon - 0.06))


def _paint_city(c: Canvas) -> Sites:
    street = c.u(0.74, 0.84)
    _sky(c, street, street * 0.45)
    greys = ((136, 150, 172), (160, 150, 156), (120, 134, 150), (172, 160, 144), (110, 128, 158))
    tint = c.rng.choice(greys)
    x = -0.05
    while x < c.w:
        width = c.u(0.09, 0.15)
        _tower_block(c, x, street, width, street * c.u(0.45, 0.78), _near(c.rng, tint, 5), 0.75, False)
        x += width * c.u(0.9, 1.1)
    x = -0.03
    while x < c.w:
        width = c.u(0.12, 0.2)
        colour = _shade(_near(c.rng, c.rng.choice(greys), 8), 0.86)
        _tower_block(c, x, street, width, street * c.u(0.26, 0.6), colour, 0.15)
        x += width * c.u(1.0, 1.25)
    if c.chance(0.4):
        _waterfront(c, street)
        return Sites(street, None, Region(0, 1, street + 0.06, 0.95, 0.7, 1), _air(street * 0.4))
    pavement = (176, 176, 180) if not c.mood.snow else (232, 238, 246)
    c.ramp(street, street + 0.05, (pavement, _shade(pavement, 0.9)))
    c.ramp(street + 0.05, 1, ((92, 94, 104), (76, 78, 90)))
    middle = (street + 0.05 + 1) / 2
    for dash in c.along(c.some(3, 4), 0):
        c.box(dash - 0.07, middle - 0.006, dash + 0.07, middle + 0.006, (240, 236, 220))
    for post in c.along(c.some(1, 3)):
        _lamp_post(c, post, street + 0.03, 0.2)
    return Sites(street, Region(0.02, 0.98, street + 0.03, 0.96, 0.75, 1.0), None, _air(street * 0.4))


def _waterfront(c: Canvas, edge: float) -> None:
    _water(c, edge, 1, None, 0.0)
    _mirror(c, edge, 1 - edge)
    c.box(0, edge - 0.012, c.w, edge + 0.006, (110, 108, 116))


def _paint_village(c: Canvas) -> Sites:
    street = c.u(0.66, 0.74)
    _sky(c, street, street * 0.5)
    c.land(_rolling(c, street - 0.2, 0.05), (_shade(c.mood.grass, 0.9),) * 2, 0.7)
    for x in c.along(c.some(2, 4)):
        _tree(c, x, street - 0.04, c.u(0.34, 0.48), 0.3)
    if c.chance(0.6):
        _church(c, c.u(0.2, 0.8) * c.w, street - 0.02, c.u(0.46, 0.55))
    x = c.u(-0.08, 0.08)
    while x < c.w + 0.05:
        width = c.u(0.22, 0.3)
        _house(c, x + width / 2, street + 0.01, width, c.u(0.26, 0.38))
        x += width * c.u(1.05, 1.3)
    stone = (196, 184, 166) if not c.mood.snow else (236, 241, 250)
    c.ramp(street, 1, (stone, _shade(stone, 0.85)))
    for row in range(4):  # cobbles
        y = street + 0.05 + (0.95 - street) * (row / 4) ** 1.3
        for x in c.along(c.some(4, 6), 0.4):
            c.oval(x, y, 0.02 + 0.012 * row, 0.007 + 0.004 * row, _shade(stone, 0.84 if not c.mood.snow else 0.95))
    for post in c.along(c.some(1, 2)):
        _lamp_post(c, post, street + 0.07, 0.3)
    return Sites(street, Region(0.02, 0.98, street + 0.1, 0.97, 0.8, 1.0), None, _air(street * 0.45))


def _church(c: Canvas, x: float, y: float, height: float) -> None:
    wall, roof = (232, 224, 208), (96, 88, 112)
    w = height * 0.13
    c.box(x - w, y - height * 0.7, x + w, y, wall, 0.15)
    c.box(x + w * 0.3, y - height * 0.7, x + w, y, _shade(wall, 0.88), 0.15)
    c.poly([(x - w * 1.2, y - height * 0.7), (x, y - height * 1.1), (x + w * 1.2, y - height * 0.7)], roof, 0.15)
    glass = ((255, 216, 110), SHINING) if c.mood.lamps else ((90, 110, 140), 0.1)
    c.box(x - w * 0.3, y - height * 0.6, x + w * 0.3, y - height * 0.46, *glass, w * 0.3)


def _paint_road(c: Canvas) -> Sites:
    horizon = c.u(0.4, 0.54)
    skyline = horizon - 0.08
    _sky(c, horizon, skyline)
    if c.chance(0.4):
        _range(c, horizon + 0.01, c.u(0.14, 0.26), 0.75)
    else:
        c.land(_rolling(c, horizon - 0.03, 0.04), (_shade(c.mood.grass, 0.85),) * 2, 0.75)
    c.ramp(horizon, 1, (_shade(c.mood.grass, 1.05), _shade(c.mood.grass, 0.82)))
    for x in c.along(c.some(3, 6)):
        _tree(c, x, horizon + 0.015, c.u(0.06, 0.1), 0.5)
    bend = c.u(0.05, 0.12) * c.rng.choice((-1, 0, 1))
    left, right = _winding(c, horizon, c.u(0.4, 0.5), bend, c.u(0.4, 0.6), c.u(0.45, 0.55), 1.0)
    asphalt = _near(c.rng, (98, 100, 110), 6)
    wide = [[(a + s * 0.08 * (b - horizon), b) for a, b in edge] for s, edge in ((-1, left), (1, right))]
    c.poly(wide[0] + wide[1][::-1], (214, 200, 166) if not c.mood.snow else (220, 228, 240))
    c.shaded(left + right[::-1], (_shade(asphalt, 1.15), asphalt))

    def lane(share: float, i: int) -> Point:
        return left[i][0] + (right[i][0] - left[i][0]) * share, left[i][1]

    for low, high in ((0.04, 0.075), (0.925, 0.96)):
        c.poly([lane(low, i) for i in range(30)] + [lane(high, i) for i in range(29, -1, -1)], (244, 242, 232))
    for i in range(4, 28, 4):
        c.poly([lane(0.485, i), lane(0.515, i), lane(0.52, i + 2), lane(0.48, i + 2)], (250, 226, 110))
    side = c.rng.choice((left, right))
    for i in (3, 7, 13, 20) if c.chance(0.7) else ():
        px, py = side[i]
        out = (-1 if side is left else 1) * (0.03 + 0.1 * i / 20)
        _tree(c, px + out * 1.2, py, 0.06 + 0.016 * i)
    return Sites(horizon, Region(0.2, 0.8, horizon + 0.2, 0.96, 0.4, 1.0), None, _air(skyline))


def _paint_garden(c: Canvas) -> Sites:
    fence = c.u(0.56, 0.66)
    _sky(c, fence, fence * 0.55)
    for x in c.along(c.some(2, 4)):
        _tree(c, x, fence + 0.02, c.u(0.3, 0.46), 0.3)
    hedge = c.mood.grass if c.mood.snow else _shade(c.mood.grass, 0.66)
    if c.chance(0.4):
        for x in c.along(c.some(7, 9), 0.1):
            c.disc(x, fence - 0.06, 0.1, _shade(hedge, 1.0), 0.1)
        c.box(0, fence - 0.08, c.w, fence + 0.02, hedge, 0.05)
    c.ramp(fence, 1, (c.mood.grass, _shade(c.mood.grass, 0.86)))
    _picket_fence(c, fence + 0.02)
    left, right = _winding(c, fence + 0.02, 0.12, c.u(-0.15, 0.15), c.u(0.3, 0.7), c.u(0.35, 0.65))
    if c.chance(0.6):
        c.poly(left + right[::-1], (222, 204, 170) if not c.mood.snow else (214, 224, 240))
    for y, number in ((fence + 0.06, c.some(6, 9)), (0.99, c.some(4, 6))):
        scale = 0.6 if y < 0.8 else 1.0
        for x in c.along(number, 0.2):
            if y > 0.8 and 0.25 * c.w < x < 0.75 * c.w:
                continue
            _flower_bush(c, x, y, 0.13 * scale * c.u(0.85, 1.2))
    return Sites(fence, Region(0.15, 0.85, fence + 0.14, 0.97, 0.75, 1.0), None, _air(fence * 0.5))


def _picket_fence(c: Canvas, y: float) -> None:
    white = (248, 246, 238)
    for rail in (0.05, 0.1):
        c.box(0, y - rail - 0.012, c.w, y - rail, _shade(white, 0.86))
    step = 0.055
    for i in range(int(c.w / step) + 2):
        x = i * step
        c.poly([(x, y), (x, y - 0.125), (x + 0.015, y - 0.145), (x + 0.03, y - 0.125), (x + 0.03, y)], white)


def _flower_bush(c: Canvas, x: float, y: float, size: float) -> None:
    """Leaves with large blossoms; a snowed bush in winter, asters in autumn."""
    _bush(c, x, y, size * 1.6)
    if not c.mood.leaves:
        return
    colour = c.rng.choice(((240, 80, 100), (255, 200, 60), (250, 140, 190), (170, 110, 220), (255, 250, 246), (250, 120, 60)))
    for dx, dy in ((-0.45, -0.5), (0.05, -0.85), (0.5, -0.45), (0.02, -0.3)):
        cx, cy, r = x + dx * size, y + dy * size, size * 0.17
        for turn in range(5):
            a = turn * 2 * math.pi / 5 + dx
            c.disc(cx + r * 0.8 * math.cos(a), cy + r * 0.8 * math.sin(a), r * 0.62, colour)
        c.disc(cx, cy, r * 0.5, (255, 222, 110) if colour[2] > 80 else (140, 80, 40))


def _indoors(c: Canvas) -> Mood:
    """Lights the room, by lamps at night; what the mood is outdoors."""
    outdoors = c.mood
    light = (0.9, 0.78, 0.6) if outdoors.night else tuple(0.4 + 0.6 * p for p in outdoors.light)
    c.mood = replace(outdoors, light=light)
    return outdoors


def _window(c: Canvas, outdoors: Mood, x: float, y: float, width: float, height: float) -> None:
    """A window in a wall through which one sees the weather."""
    frame = (250, 246, 238)
    c.box(x - 0.018, y - 0.018, x + width + 0.018, y + height + 0.018, _shade(frame, 0.84))
    size = [max(2, round(part * c.unit)) for part in (width, height)]
    view = Canvas((size[0] // c.over, size[1] // c.over), outdoors, c.rng)
    _sky(view, 0.85, 0.6)
    view.land(_rolling(view, 0.82, 0.06), (_shade(c.mood.grass, 0.9),) * 2, 0.3)
    if c.mood.place.weather in ("rain", "storm", "snow"):
        painter = _snowfall if c.mood.place.weather == "snow" else _rain
        view.image, view.pen = view.image.convert("RGBA"), None
        view.pen = ImageDraw.Draw(view.image)
        painter(view)
    corner = (round(x * c.unit), round(y * c.unit))
    c.image.paste(view.image.convert("RGB").resize(size), corner)
    c.box(x + width / 2 - 0.008, y, x + width / 2 + 0.008, y + height, frame)
    c.box(x, y + height / 2 - 0.008, x + width, y + height / 2 + 0.008, frame)
    c.box(x - 0.035, y + height + 0.012, x + width + 0.035, y + height + 0.035, frame)


def _curtains(c: Canvas, x: float, y: float, width: float, height: float) -> None:
    cloth = _near(c.rng, c.rng.choice(((206, 90, 84), (88, 132, 170), (226, 180, 90), (120, 160, 110), (170, 120, 170))), 8)
    for side in (-1, 1):
        inner, outer = (x - 0.06, x + 0.05) if side < 0 else (x + width + 0.06, x + width - 0.05)
        c.poly([(inner, y - 0.05), (outer, y - 0.05), (outer - side * -0.03, y + height * 0.6), (outer + side * 0.02, y + height + 0.06), (inner, y + height + 0.06)], cloth)
        c.poly([(inner, y - 0.05), (inner - side * 0.03, y - 0.05), (inner - side * 0.02, y + height + 0.06), (inner, y + height + 0.06)], _shade(cloth, 0.84))
    c.box(x - 0.09, y - 0.062, x + width + 0.09, y - 0.045, (120, 84, 60))


_WALLS = ((236, 214, 178), (196, 214, 206), (214, 200, 222), (240, 198, 176), (178, 202, 224), (226, 222, 204), (170, 190, 150))


def _wall(c: Canvas, bottom: float) -> Colour:
    """A papered wall; its colour."""
    wall = _near(c.rng, c.rng.choice(_WALLS), 6)
    c.ramp(0, bottom, (wall, _shade(wall, 0.93)))
    if c.chance(0.4):
        for x in c.along(c.some(7, 10), 0):
            c.box(x - 0.02, 0, x + 0.02, bottom, _shade(wall, 1.12))
    c.box(0, bottom - 0.045, c.w, bottom, _shade(wall, 1.4))
    return wall


def _boards(c: Canvas, top: float) -> None:
    """A wooden floor in perspective."""
    wood = _near(c.rng, c.rng.choice(((186, 132, 84), (160, 108, 70), (206, 160, 110))), 6)
    c.ramp(top, 1, (_shade(wood, 0.86), wood))
    for i in range(-8, 9):
        x = i * 0.14
        c.line([(c.w / 2 + x, top), (c.w / 2 + x * 2.4, 1)], 0.005, _shade(wood, 0.82))


def _paint_room(c: Canvas) -> Sites:
    floor, outdoors = c.u(0.62, 0.72), _indoors(c)
    _wall(c, floor)
    _boards(c, floor)
    width, height = min(c.u(0.3, 0.42), c.w * 0.4), c.u(0.3, 0.36)
    left = c.chance(0.5)
    x, y = c.w * (c.u(0.1, 0.16) if left else c.u(0.84, 0.9)) - (0 if left else width), c.u(0.08, 0.13)
    _window(c, outdoors, x, y, width, height)
    if c.chance(0.7):
        _curtains(c, x, y, width, height)
    side = c.w * (0.74 if left else 0.26)
    rug = _near(c.rng, c.rng.choice(((190, 80, 76), (80, 120, 160), (110, 150, 120), (220, 180, 110))), 8)
    c.oval(c.w / 2, 0.87, min(c.w * 0.4, 0.44), 0.1, rug)
    c.oval(c.w / 2, 0.87, min(c.w * 0.34, 0.37), 0.08, _shade(rug, 1.25))
    _furniture(c, side, floor)
    return Sites(floor, Region(0.1, 0.9, 0.82, 0.95, 0.9, 1.0), None, Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5))


def _furniture(c: Canvas, x: float, floor: float) -> None:
    """A sofa or shelves, a picture, a lamp or a plant."""
    cloth = _near(c.rng, c.rng.choice(((90, 130, 160), (190, 100, 84), (110, 150, 110), (200, 160, 90), (140, 110, 160))), 8)
    if c.chance(0.6):
        w = 0.22
        c.box(x - w, floor - 0.17, x + w, floor + 0.02, _shade(cloth, 0.9), 0.0, 0.04)
        c.box(x - w * 0.8, floor - 0.06, x + w * 0.8, floor + 0.05, cloth, 0.0, 0.02)
        for side in (-1, 1):
            c.box(x + side * w - 0.04, floor - 0.1, x + side * w + 0.04, floor + 0.06, _shade(cloth, 0.8), 0.0, 0.03)
        frame, y = c.rng.choice(((120, 84, 60), (60, 60, 66), (226, 190, 110))), floor - 0.42
        c.box(x - 0.1, y, x + 0.1, y + 0.16, frame)
        c.box(x - 0.085, y + 0.015, x + 0.085, y + 0.145, (246, 240, 226))
        c.poly([(x - 0.085, y + 0.145), (x - 0.02, y + 0.06), (x + 0.03, y + 0.11), (x + 0.06, y + 0.08), (x + 0.085, y + 0.145)], cloth)
    else:
        wood = _near(c.rng, (150, 104, 70), 8)
        c.box(x - 0.15, floor - 0.45, x + 0.15, floor + 0.03, wood)
        for shelf in range(3):
            low = floor - 0.02 - 0.14 * shelf
            c.box(x - 0.135, low - 0.125, x + 0.135, low, _shade(wood, 0.7))
            book = x - 0.13
            while book < x + 0.1:
                w = c.u(0.018, 0.032)
                colour = c.rng.choice(((200, 80, 70), (80, 120, 170), (230, 190, 90), (90, 150, 110), (220, 214, 200)))
                c.box(book, low - c.u(0.08, 0.115), book + w, low, colour)
                book += w * c.u(1.02, 1.5)
    out = x + (0.3 if x > c.w / 2 else -0.3)
    if c.mood.night or (c.w > 0.8 and c.chance(0.8)):
        (_floor_lamp if c.mood.night or c.chance(0.5) else _pot_plant)(c, min(max(out, 0.08), c.w - 0.08), floor + 0.06)


def _hanging_lamp(c: Canvas, x: float, y: float = 0.24) -> None:
    shade = c.rng.choice(((220, 90, 70), (70, 120, 140), (230, 190, 90), (90, 90, 100)))
    if c.mood.lamps:
        c.glow(x, y + 0.02, 0.32, (255, 234, 170), 0.75)
    c.box(x - 0.004, -0.01, x + 0.004, y - 0.07, (70, 66, 66))
    c.disc(x, y, 0.03, (255, 244, 200), SHINING if c.mood.lamps else 0.0)
    c.poly([(x - 0.1, y), (x - 0.04, y - 0.08), (x + 0.04, y - 0.08), (x + 0.1, y)], shade)


def _floor_lamp(c: Canvas, x: float, y: float) -> None:
    c.box(x - 0.006, y - 0.4, x + 0.006, y, (90, 80, 76))
    c.oval(x, y, 0.05, 0.012, (90, 80, 76))
    if c.mood.lamps:
        c.glow(x, y - 0.42, 0.26, (255, 226, 150), 0.7)
    shade = (255, 236, 170) if c.mood.lamps else (240, 222, 180)
    c.poly([(x - 0.07, y - 0.36), (x - 0.04, y - 0.48), (x + 0.04, y - 0.48), (x + 0.07, y - 0.36)], shade, SHINING if c.mood.lamps else 0.0)


def _pot_plant(c: Canvas, x: float, y: float) -> None:
    green = _near(c.rng, (70, 140, 80), 8)
    for i, turn in enumerate((-2.7, -0.4, -2.2, -0.9, -1.57)):
        dx, dy = 0.16 * math.cos(turn), 0.22 * math.sin(turn)
        tip, root = (x + dx, y - 0.1 + dy), (x, y - 0.1)
        c.poly([root, (x + dx * 0.5 - 0.025, y - 0.1 + dy * 0.6), tip, (x + dx * 0.5 + 0.025, y - 0.1 + dy * 0.55)], _shade(green, 0.85 + 0.12 * (i % 3)))
    c.poly([(x - 0.06, y - 0.12), (x + 0.06, y - 0.12), (x + 0.04, y), (x - 0.04, y)], (196, 110, 76))
    c.box(x - 0.066, y - 0.13, x + 0.066, y - 0.105, (210, 124, 88))


def _paint_table(c: Canvas) -> Sites:
    back, outdoors = c.u(0.58, 0.66), _indoors(c)
    _wall(c, back + 0.1)
    width, height = min(c.u(0.4, 0.55), c.w * 0.5), c.u(0.32, 0.4)
    x = (c.w - width) * c.u(0.25, 0.75)
    _window(c, outdoors, x, 0.08, width, height)
    if c.chance(0.6):
        _curtains(c, x, 0.08, width, height)
    c.ramp(back + 0.1, 1, ((150, 112, 82), (120, 88, 64)))
    if c.mood.night or c.chance(0.3):
        _hanging_lamp(c, x + width + 0.14 if x < c.w - width - x else x - 0.14)
    wood = _near(c.rng, c.rng.choice(((190, 126, 72), (160, 100, 60), (214, 168, 112), (232, 226, 214))), 6)
    front, inset = c.u(0.86, 0.92), min(0.1, c.w * 0.1)
    for leg in (inset, c.w - inset):
        c.box(leg - 0.03, front, leg + 0.03, 1, _shade(wood, 0.68))
    c.shaded([(inset, back), (c.w - inset, back), (c.w - 0.02, front), (0.02, front)], (_shade(wood, 0.94), _shade(wood, 1.12)))
    if c.chance(0.4):
        cloth = c.rng.choice(((220, 80, 80), (90, 140, 190), (240, 230, 210), (120, 170, 120)))
        t = 0.18
        c.poly([(inset + t, back), (c.w - inset - t, back), (c.w - 0.02 - t * 0.9, front), (0.02 + t * 0.9, front)], cloth)
    c.box(0.02, front, c.w - 0.02, front + 0.05, _shade(wood, 0.8))
    return Sites(back, Region(0.15, 0.85, back + 0.08, front - 0.03, 0.85, 1.0), None, Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5))


def _paint_cave(c: Canvas) -> Sites:
    floor = c.u(0.66, 0.76)
    rock = _near(c.rng, c.rng.choice(((112, 96, 92), (96, 92, 116), (122, 100, 78), (84, 100, 108))), 6)
    dark = _shade(rock, 0.42)
    light = c.mood.light
    c.ramp(0, 1, (dark, _shade(rock, 0.55)))
    c.mood = replace(c.mood, light=tuple(0.3 + 0.7 * part for part in light))
    bright = sum(light) / 3
    x, r = c.u(0.32, 0.68) * c.w, min(c.u(0.2, 0.28), c.w * 0.34)
    y = floor - r * 0.55
    mouth = [(x + r * math.cos(t) * c.u(0.88, 1.08), min(y - r * 1.15 * math.sin(t) * c.u(0.9, 1.05), floor + 0.02)) for t in np.linspace(-0.6, math.pi + 0.6, 16)]
    for grow, factor in ((1.75, 0.52), (1.42, 0.66), (1.18, 0.84)):
        c.poly([(x + (a - x) * grow, min(y + (b - y) * grow, floor + 0.02)) for a, b in mouth], _shade(rock, factor))
    c.shaded(mouth, (*c.mood.sky[1:], c.mood.sky[-1]), SHINING)
    _outside(c, mouth, floor)
    c.land(_rolling(c, floor, 0.012), (_shade(rock, 0.9), _shade(rock, 0.6), _shade(rock, 0.42)))
    c.glow(x, floor + 0.08, r * 1.6, c.mood.sky[-1], 0.35 * max(bright, 0.5), 0.1)
    lights = [_crystals] * 4 + ([_torch] * 6 if c.mood.night else [None] * 6)
    if (painter := c.rng.choice(lights)) is not None:
        for low, high in ((0.08, 0.25), (0.75, 0.92)):
            painter(c, c.u(low, high) * c.w, c.u(0.86, 0.95))
    for x in c.along(c.some(6, 9)):
        length, w = c.u(0.08, 0.3), c.u(0.03, 0.055)
        c.poly([(x - w, -0.01), (x, length), (x + w, -0.01)], _shade(rock, 0.62))
        c.poly([(x, length), (x + w, -0.01), (x + w * 0.1, -0.01)], _shade(rock, 0.42))
    c.poly([(0, 0), (c.w, 0), *[(a, 0.06 + 0.03 * math.sin(9 * a)) for a in np.linspace(c.w, 0, 14)]], _shade(rock, 0.5))
    for x in (*(c.u(0, 0.25) * c.w for _ in range(2)), *(c.u(0.75, 1) * c.w for _ in range(2))):
        height, w, y = c.u(0.1, 0.24), c.u(0.04, 0.065), floor + c.u(0.02, 0.1)
        c.poly([(x - w, y), (x, y - height), (x + w, y)], _shade(rock, 0.74))
        c.poly([(x, y - height), (x + w, y), (x + w * 0.1, y)], _shade(rock, 0.52))
    return Sites(floor, Region(0.15, 0.85, floor + 0.1, 0.97, 0.8, 1.0), None, Region(0.2, 0.8, 0.25, 0.5, 0.5, 0.5))


def _outside(c: Canvas, mouth: list[Point], floor: float) -> None:
    """What one sees through the mouth of a cave: hills or the sea, and stars at night."""
    left, right = min(p[0] for p in mouth), max(p[0] for p in mouth)
    wet, phase = c.chance(0.4), c.u(0, 6)
    colours = ((90, 170, 220), (50, 120, 190))
    if not wet:
        colours = (_shade(c.mood.grass, 0.95), _shade(c.mood.grass, 0.75))
    level = [floor - (0.07 if wet else 0.08 + 0.025 * math.sin(9 * p[0] + phase)) for p in mouth]
    c.shaded([(a, max(b, y)) for (a, b), y in zip(mouth, level, strict=True)], colours, 0.2)
    for _ in range(9 if c.mood.stars else 0):
        t = c.u(0.2, 0.8)
        c.disc(left + (right - left) * t, floor - c.u(0.13, 0.26), 0.005, (255, 255, 236), SHINING)


def _crystals(c: Canvas, x: float, y: float) -> None:
    colour = c.rng.choice(((110, 220, 240), (200, 130, 250), (130, 240, 180)))
    c.glow(x, y - 0.06, 0.18, colour, 0.5)
    for lean, height in ((-0.06, 0.1), (0.06, 0.12), (0.0, 0.17)):
        w = 0.025
        tip = (x + lean, y - height)
        c.poly([(x - w + lean / 3, y), (tip[0] - w, tip[1] + 0.04), tip, (tip[0] + w, tip[1] + 0.04), (x + w + lean / 3, y)], colour, SHINING)
        c.poly([tip, (tip[0] + w, tip[1] + 0.04), (x + w + lean / 3, y), (x + lean / 3, y)], _shade(colour, 0.78), SHINING)


def _torch(c: Canvas, x: float, y: float) -> None:
    top = y - 0.34
    c.glow(x, top, 0.34, (255, 170, 70), 0.65)
    c.box(x - 0.012, top, x + 0.012, top + 0.16, (120, 80, 50))
    for r, colour in ((0.034, (240, 110, 40)), (0.022, (255, 210, 90))):
        c.disc(x, top - r * 0.6, r, colour, SHINING)
        c.poly([(x - r * 0.9, top - r), (x + r * 0.1, top - r * 3.4), (x + r * 0.9, top - r)], colour, SHINING)


def _paint_under_water(c: Canvas) -> Sites:
    floor = c.u(0.8, 0.88)
    hues = (((150, 232, 240), (40, 160, 206), (14, 84, 150)), ((130, 226, 220), (24, 150, 170), (10, 80, 110)), ((120, 200, 250), (36, 120, 210), (16, 56, 130)))
    hue = c.rng.choice(hues)
    c.ramp(0, 1, hue)
    _light_rays(c, hue[0])
    far = [(x, y) for x, y in _rolling(c, floor - 0.06, 0.05, 0.8)]
    c.land(far, (_mix(hue[2], hue[1], 0.35),) * 2)
    for x in c.along(c.some(2, 4)):
        _kelp(c, x, floor + 0.01, c.u(0.2, 0.4), _mix((40, 130, 100), hue[2], 0.6))
    sand = _mix(_near(c.rng, (236, 214, 160), 6), hue[1], 0.25)
    line = _rolling(c, floor, 0.018)
    c.land(line, (sand, _shade(sand, 0.78)))
    for x in c.along(c.some(2, 4), 0.2):
        c.oval(x, c.u(floor + 0.06, 0.98), c.u(0.06, 0.12), 0.008, _shade(sand, 0.86))
    for side in (c.u(0.02, 0.2), c.u(0.8, 0.98), c.u(0.0, 1.0)):
        x, y = side * c.w, floor + c.u(0.0, 0.06)
        kind = c.rng.choice((_coral, _kelp, _coral, _reef_rock))
        kind(c, x, y, c.u(0.14, 0.24) * (1.5 if kind is _kelp else 1))
    for _ in range(c.some(2, 4)):
        x, y = c.u(0.05, 0.95) * c.w, c.u(0.3, 0.7)
        for i in range(3):
            _bubble(c, x + c.u(-0.02, 0.02), y - 0.07 * i, c.u(0.008, 0.02))
    return Sites(0.0, Region(0.05, 0.95, floor + 0.05, 0.97, 0.8, 1.0), None, None, Region(0.05, 0.95, 0.15, floor - 0.08, 0.9, 0.9))


def _light_rays(c: Canvas, colour: Colour) -> None:
    small = Image.new("L", (96, 96))
    pen, x = ImageDraw.Draw(small), c.u(0.2, 0.8) * 96
    for i in range(7):
        turn = 0.45 + (i + c.u(0.2, 0.8)) * 0.32
        wide = c.u(0.04, 0.09)
        ends = [(x + 150 * math.cos(turn + s * wide) / c.w, 130 * math.sin(turn)) for s in (-1, 1)]
        pen.polygon([(x - 3 + i, -14), *ends], fill=95)
    fade = np.linspace(1, 0, 96)[:, None] ** 1.1  # (96, 1)
    shine = c.lit(_shade(colour, 1.5))
    c.veil(np.asarray(small.filter(ImageFilter.GaussianBlur(1.1))) / 255 * fade, shine)
    c.glow(x / 96 * c.w, -0.02, 0.4, shine, 0.7, 0.2)


def _kelp(c: Canvas, x: float, y: float, height: float, colour: Colour | None = None) -> None:
    colour = _near(c.rng, c.rng.choice(((50, 150, 90), (90, 160, 70), (40, 130, 110))), 8) if colour is None else colour
    for dx in (-0.035, 0.0, 0.04):
        tall, phase, ts = height * c.u(0.7, 1), c.u(0, 6), np.linspace(0, 1, 10)
        middle = x + dx + 0.018 * np.sin(ts * 7 + phase) * (0.3 + ts)
        half = 0.016 * (1 - ts**2 * 0.9)
        left, right = (list(zip((middle + s * half).tolist(), (y - tall * ts).tolist(), strict=True)) for s in (-1, 1))
        c.poly(left + right[::-1], _shade(colour, 0.9 + 4 * dx))


def _coral(c: Canvas, x: float, y: float, height: float) -> None:
    colour = c.rng.choice(((250, 110, 110), (250, 150, 90), (230, 110, 190), (250, 200, 90), (190, 120, 230)))
    w = height * 0.1
    for turn, low, reach in ((-0.6, 0.25, 0.6), (0.6, 0.3, 0.6), (-0.25, 0.45, 0.55), (0.3, 0.5, 0.5), (0.0, 0.0, 1.0)):
        start = (x, y - low * height)
        end = (x + math.sin(turn) * reach * height, y - low * height - math.cos(turn) * reach * height)
        c.line([start, end], w * 1.7, _shade(colour, 0.9 if turn else 1.0))
        c.disc(*end, w * 0.85, _shade(colour, 0.9 if turn else 1.0))
    c.oval(x, y, height * 0.26, height * 0.09, _shade(colour, 0.8))


def _reef_rock(c: Canvas, x: float, y: float, width: float) -> None:
    _rock(c, x, y + 0.02, width * 1.4, (90, 116, 136))


def _bubble(c: Canvas, x: float, y: float, r: float) -> None:
    c.disc(x, y, r, (196, 236, 250))
    c.disc(x, y, r * 0.76, (120, 200, 232))
    c.disc(x - r * 0.3, y - r * 0.3, r * 0.22, _WHITE)


def _paint_space(c: Canvas) -> Sites:
    base = c.rng.choice((((8, 8, 26), (22, 16, 54)), ((4, 8, 22), (10, 26, 58)), ((14, 6, 30), (44, 14, 62))))
    c.ramp(0, 1, base if c.chance(0.5) else base[::-1], SHINING)
    hues = c.rng.sample(((150, 60, 190), (50, 110, 210), (220, 70, 130), (40, 170, 180), (230, 130, 70)), 2)
    x, y, turn = c.u(0.2, 0.8) * c.w, c.u(0.25, 0.75), c.u(-0.8, 0.8)
    for i in range(-5, 6):  # a nebula: soft balls along a band
        cx, cy = x + i * 0.11 * math.cos(turn), y + i * 0.11 * math.sin(turn)
        hue, wide = _mix(*hues, (i + 5) / 10), 0.32 - 0.025 * abs(i)
        c.glow(cx, cy + c.u(-0.04, 0.04), wide * c.u(0.9, 1.2), hue, c.u(0.22, 0.34))
    for _ in range(c.some(50, 80)):
        r = c.rng.choice((0.003, 0.003, 0.004, 0.006))
        c.disc(c.u(0, c.w), c.u(0, 1), r, c.rng.choice(((255, 255, 255), (255, 240, 210), (210, 226, 255))), SHINING)
    moon = c.chance(0.3)
    spots = [(c.u(0.1, 0.35), c.u(0.12, 0.35)), (c.u(0.65, 0.9), c.u(0.1, 0.4))]
    if not moon:
        spots += [(c.u(0.65, 0.9), c.u(0.65, 0.9)), (c.u(0.1, 0.35), c.u(0.65, 0.9))]
    for px, py in c.rng.sample(spots, c.rng.choice((1, 2, 2, len(spots) - 1))):
        _planet(c, px * c.w, py, c.u(0.06, 0.15))
    stand = None
    if moon:  # the ground of a moon
        grey = _near(c.rng, c.rng.choice(((150, 148, 158), (190, 120, 90))), 6)
        c.land(_rolling(c, 0.84, 0.02, 0.5), (_shade(grey, 1.1), _shade(grey, 0.7)), SHINING)
        for _ in range(c.some(4, 6)):
            cx, cy, r = c.u(0, c.w), c.u(0.88, 0.98), c.u(0.03, 0.07)
            c.oval(cx, cy, r, r * 0.3, _shade(grey, 0.66), SHINING)
            c.oval(cx, cy + r * 0.07, r * 0.8, r * 0.2, _shade(grey, 0.82), SHINING)
        stand = Region(0.05, 0.95, 0.87, 0.96, 0.9, 1.0)
    return Sites(0.84 if stand else 0.0, stand, fly=Region(0.05, 0.95, 0.1, 0.78 if stand else 0.9))


def _planet(c: Canvas, x: float, y: float, r: float) -> None:
    """A ball with bands or craters, a shaded side and perhaps a ring."""
    colour = _near(c.rng, c.rng.choice(((230, 140, 90), (220, 190, 130), (110, 170, 220), (200, 100, 90), (150, 200, 150), (180, 150, 210))), 8)
    c.glow(x, y, r * 1.5, colour, 0.4)
    size = max(4, round(2 * r * c.unit))
    ball = Image.new("RGB", (size, size), _ints(colour))
    pen, kind = ImageDraw.Draw(ball), c.rng.choice(("bands", "craters", "land"))
    for i in range(6):
        other = _shade(colour, (0.82, 1.2)[i % 2])
        if kind == "bands":
            top = size * (i + c.u(0, 0.4)) / 6
            pen.rectangle([0, top, size, top + size * c.u(0.05, 0.12)], fill=_ints(other))
        else:
            cx, cy, cr = c.u(0.1, 0.9) * size, c.u(0.1, 0.9) * size, c.u(0.06, 0.13) * size
            wide = 2.2 if kind == "land" else 1.0
            pen.ellipse([cx - cr * wide, cy - cr, cx + cr * wide, cy + cr], fill=_ints(_shade(colour, 0.8)))
    dusk = Image.new("L", (size, size), 130)
    ImageDraw.Draw(dusk).ellipse([-size * 0.28, -size * 0.28, size * 0.84, size * 0.84], fill=0)
    ball.paste((10, 8, 30), mask=dusk)
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).ellipse([0, 0, size - 1, size - 1], fill=255)
    turns = np.linspace(0, math.pi, 24)
    tilt, ringed = c.u(-0.4, 0.4), c.chance(0.45)
    cos, sin = math.cos(tilt), math.sin(tilt)

    def half_ring(side: int) -> None:
        where = [(1.75 * r * math.cos(t), side * 0.42 * r * math.sin(t)) for t in turns]
        ring = [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in where]
        c.line(ring, r * 0.14, _shade(colour, 1.35), SHINING)

    if ringed:
        half_ring(-1)
    c.image.paste(ball, (round((x - r) * c.unit), round((y - r) * c.unit)), mask)
    if ringed:
        half_ring(1)


def _paint_island(c: Canvas) -> Sites:
    horizon = c.u(0.42, 0.54)
    x = _sky(c, horizon, horizon)
    blue = _water(c, horizon, 1, x, 0.2)
    cx, cy = c.u(0.42, 0.58) * c.w, c.u(0.68, 0.76)
    rx, ry = min(c.u(0.3, 0.38), c.w * 0.42), c.u(0.07, 0.09)
    sand = _near(c.rng, c.rng.choice(_SAND), 5)
    c.oval(cx, cy + 0.02, rx * 1.16, ry * 1.35, _shade(blue, 1.3))
    c.oval(cx, cy + 0.012, rx * 1.05, ry * 1.12, (246, 250, 252))
    c.oval(cx, cy, rx, ry, _shade(sand, 0.88))
    c.oval(cx, cy - 0.008, rx * 0.97, ry * 0.9, sand)
    green = (90, 160, 80) if not c.mood.snow else c.mood.grass
    kind = c.rng.choice(("palms", "palms", "hill", "mountain"))
    if kind == "hill":
        c.shaded([(cx + rx * 0.75 * math.cos(t), cy - ry * 0.4 - 0.2 * math.sin(t)) for t in np.linspace(0, math.pi, 20)], (_shade(green, 1.1), _shade(green, 0.8)))
    elif kind == "mountain":
        _mountain(c, cx, cy - ry * 0.3, rx * 1.3, c.u(0.24, 0.32), (120, 116, 122), 0.1)
    c.oval(cx, cy - ry * 0.5, rx * 0.72, ry * 0.45, green)
    for _ in range(c.rng.choice((2, 3, 4))):
        _palm(c, cx + c.u(-0.55, 0.55) * rx, cy - c.u(0.2, 0.6) * ry, c.u(0.24, 0.42))
    for _ in range(c.some(4, 6)):
        c.oval(c.u(0, c.w), c.u(cy + ry * 1.8, 0.98), c.u(0.06, 0.12), 0.006, _shade(blue, 1.35))
    left, right = (cx - rx * 0.7) / c.w, (cx + rx * 0.7) / c.w
    stand = Region(left, right, cy, cy + ry * 0.6, 0.45, 0.5)
    return Sites(horizon, stand, _wide(min(cy + ry + 0.08, 0.9), 0.96, horizon), _air(horizon))


def _paint_farm(c: Canvas) -> Sites:
    horizon = c.u(0.46, 0.56)
    _sky(c, horizon, horizon - 0.06)
    c.land(_rolling(c, horizon - 0.01, 0.035), (_shade(c.mood.grass, 0.88),) * 2, 0.7)
    c.ramp(horizon + 0.02, 1, (_shade(c.mood.grass, 1.04), _shade(c.mood.grass, 0.85)))
    _crop_rows(c, horizon + 0.05)
    left = c.chance(0.5)
    x = c.w * (c.u(0.2, 0.3) if left else c.u(0.7, 0.8))
    foot = horizon + 0.09
    for t in c.along(c.some(2, 4)):
        _tree(c, t, horizon + 0.05, c.u(0.14, 0.24), 0.3)
    _barn(c, x, foot, c.u(0.3, 0.38), c.u(0.28, 0.34))
    _rail_fence(c, c.u(0.9, 0.95))
    return Sites(horizon, Region(0.03, 0.97, horizon + 0.2, 0.96, 0.5, 1.0), None, _air(horizon - 0.2))


def _crop_rows(c: Canvas, top: float) -> None:
    """Furrows or ripe corn that run to a point on the horizon."""
    ripe = c.chance({None: 0.45, "autumn": 0.7}.get(c.mood.place.season, 0.0))
    crop = (232, 190, 84) if ripe else _shade(c.mood.grass, 0.8)
    soil = (150, 108, 72) if not c.mood.snow else (206, 216, 232)
    if c.mood.snow:
        crop = (246, 250, 254)
    vx = c.u(0.35, 0.65) * c.w
    c.ramp(top, 1, (_mix(soil, crop, 0.5), soil))
    for i in range(-9, 10):
        x = i * 0.19
        low, high = (vx + x * 3 - 0.13, vx + x * 3 + 0.13), (vx + x * 0.75 - 0.03, vx + x * 0.75 + 0.03)
        c.poly([(high[0], top), (high[1], top), (low[1], 1), (low[0], 1)], crop)
        c.poly([(high[0], top), (high[0] + 0.02, top), (low[0] + 0.08, 1), (low[0], 1)], _shade(crop, 0.88))


def _barn(c: Canvas, x: float, y: float, width: float, height: float) -> None:
    red, roof, half = _near(c.rng, (190, 58, 48), 8), (110, 100, 108), width / 2
    silo = x + half + 0.07 if x < c.w / 2 else x - half - 0.07
    c.box(silo - 0.055, y - height * 0.95, silo + 0.055, y, (206, 208, 214))
    c.box(silo + 0.02, y - height * 0.95, silo + 0.055, y, (176, 180, 190))
    c.oval(silo, y - height * 0.95, 0.055, 0.05, (160, 166, 180))
    gable = [(-half, 0), (-half, -0.55), (-half * 0.62, -0.82), (0, -1), (half * 0.62, -0.82), (half, -0.55), (half, 0)]
    c.poly([(x + a, y + b * height) for a, b in gable], red)
    edge = [(x + a * 1.08, y + b * height) for a, b in gable[1:-1]]
    c.line(edge, 0.026, _WHITE if c.mood.snow else roof)
    white, door = (246, 240, 232), width * 0.2
    top = y - height * 0.42
    c.box(x - door, top, x + door, y, white)
    c.box(x - door * 0.86, top + 0.012, x + door * 0.86, y, _shade(red, 0.82))
    c.line([(x - door * 0.86, top + 0.012), (x + door * 0.86, y)], 0.012, white)
    c.line([(x + door * 0.86, top + 0.012), (x - door * 0.86, y)], 0.012, white)
    glass = ((255, 216, 110), SHINING) if c.mood.lamps else ((70, 50, 50), 0.0)
    c.box(x - 0.035, y - height * 0.76, x + 0.035, y - height * 0.58, white)
    c.box(x - 0.024, y - height * 0.74, x + 0.024, y - height * 0.6, *glass)


def _rail_fence(c: Canvas, y: float) -> None:
    wood = (160, 118, 80)

    def draw(c: Canvas) -> None:
        for rail in (0.05, 0.11):
            c.box(0, y - rail - 0.012, c.w, y - rail + 0.006, _shade(wood, 0.9))
        for x in c.along(c.some(4, 5), 0.05):
            c.box(x - 0.014, y - 0.15, x + 0.014, y + 0.02, wood)

    if c.chance(0.5):
        c.front.append(draw)


def _paint_park(c: Canvas) -> Sites:
    lawn = c.u(0.52, 0.62)
    _sky(c, lawn, lawn * 0.5)
    if c.chance(0.5):
        x = -0.05
        while x < c.w:
            width = c.u(0.08, 0.14)
            _tower_block(c, x, lawn, width, c.u(0.16, 0.32), (140, 152, 172), 0.8, False)
            x += width * 1.1
    _wood(c, [(0, lawn + 0.01), (c.w, lawn + 0.01)], c.u(0.1, 0.14), 0.45, False)
    c.ramp(lawn, 1, (_shade(c.mood.grass, 1.06), _shade(c.mood.grass, 0.85)))
    bend = c.u(0.12, 0.25) * c.rng.choice((-1, 1))
    left, right = _winding(c, lawn + 0.02, 0.2, bend, c.u(0.35, 0.65), c.u(0.4, 0.6))
    c.shaded(left + right[::-1], ((232, 214, 178), (214, 194, 158)) if not c.mood.snow else ((206, 216, 234),) * 2)
    if c.chance(0.3):
        c.oval(c.u(0.15, 0.85) * c.w, lawn + 0.12, 0.2, 0.035, _mix(c.lit((80, 150, 200)), c.mood.sky[-1], 0.3), SHINING)
    for x in c.along(c.some(2, 4)):
        _tree(c, x, lawn + c.u(0.04, 0.1), c.u(0.3, 0.46))
    left_side = c.chance(0.5)
    _bench(c, c.w * (0.22 if left_side else 0.78), c.u(0.8, 0.86))
    _lamp_post(c, c.w * (0.42 if left_side else 0.58), c.u(0.78, 0.84), c.u(0.4, 0.5))
    return Sites(lawn, Region(0.05, 0.95, 0.84, 0.97, 0.85, 1.0), None, _air(lawn * 0.55))


def _bench(c: Canvas, x: float, y: float) -> None:
    wood, iron, w = _near(c.rng, (176, 116, 70), 8), (66, 66, 78), 0.16
    for dx in (-0.8, 0.8):
        c.box(x + dx * w - 0.01, y - 0.16, x + dx * w + 0.01, y, iron)
    for i in range(3):
        c.box(x - w, y - 0.165 + 0.032 * i, x + w, y - 0.143 + 0.032 * i, wood)
    c.box(x - w * 1.03, y - 0.065, x + w * 1.03, y - 0.045, _shade(wood, 0.8))
    if c.mood.snow:
        c.box(x - w, y - 0.178, x + w, y - 0.162, _WHITE)


def _paint_kitchen(c: Canvas) -> Sites:
    floor, outdoors = c.u(0.7, 0.76), _indoors(c)
    _wall(c, floor)
    tone = c.rng.choice(((240, 236, 226), (120, 160, 170), (214, 120, 96), (232, 200, 130), (140, 170, 130)))
    tiles = _shade(_near(c.rng, tone, 6), 1.5)
    c.box(0, 0.28, c.w, 0.5, tiles)
    for x in c.along(c.some(7, 9), 0):
        c.box(x - 0.003, 0.28, x + 0.003, 0.5, _shade(tiles, 0.88))
    for y in (0.35, 0.42):
        c.box(0, y - 0.003, c.w, y + 0.003, _shade(tiles, 0.88))
    c.ramp(floor, 1, ((196, 186, 176), (222, 212, 200)))
    for i in range(-6, 7):
        c.line([(c.w / 2 + i * 0.16, floor), (c.w / 2 + i * 0.4, 1)], 0.006, (170, 160, 150))
    c.box(0, (floor + 1) / 2 - 0.01, c.w, (floor + 1) / 2 - 0.003, (170, 160, 150))
    left = c.chance(0.5)
    place = (0.56, 0.14) if left else (0.1, 0.62)
    _window(c, outdoors, place[0] * c.w, 0.08, c.w * 0.3, 0.28)
    _counter(c, floor, tone, (place[1] + 0.12) * c.w)
    if c.mood.night or c.chance(0.3):
        _hanging_lamp(c, c.w * 0.5, 0.2)
    return Sites(floor, Region(0.1, 0.9, floor + 0.1, 0.97, 0.9, 1.0), None, Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5))


def _counter(c: Canvas, floor: float, tone: Colour, stove: float) -> None:
    """Cupboards below a worktop, a stove with a hood and a pot, shelves with crockery."""
    top, front = floor - 0.22, _near(c.rng, tone, 8)
    c.box(0, top, c.w, floor + 0.02, front)
    number = c.some(4, 5)
    for x in c.along(number, 0):
        half = c.w / number / 2 - 0.012
        c.box(x - half, top + 0.055, x + half, floor, _shade(front, 1.15), 0.0, 0.01)
        c.box(x - 0.03, top + 0.07, x + 0.03, top + 0.08, (110, 100, 96))
    c.box(0, top - 0.012, c.w, top + 0.03, (150, 104, 70))
    c.box(stove - 0.14, top - 0.012, stove + 0.14, floor + 0.02, (228, 230, 234))
    c.box(stove - 0.1, top + 0.07, stove + 0.1, floor - 0.03, (70, 74, 84), 0.0, 0.012)
    for i in range(4):
        c.disc(stove - 0.09 + 0.06 * i, top + 0.03, 0.012, (90, 94, 104))
    hood = (200, 204, 210)
    c.box(stove - 0.05, 0, stove + 0.05, 0.14, hood)
    c.poly([(stove - 0.05, 0.12), (stove + 0.05, 0.12), (stove + 0.14, 0.22), (stove - 0.14, 0.22)], _shade(hood, 0.9))
    pot = c.rng.choice(((206, 70, 60), (70, 110, 160), (110, 114, 124)))
    c.box(stove - 0.07, top - 0.1, stove + 0.07, top - 0.012, pot, 0.0, 0.016)
    c.box(stove - 0.078, top - 0.108, stove + 0.078, top - 0.094, _shade(pot, 0.75))
    c.disc(stove, top - 0.118, 0.014, _shade(pot, 0.6))


def _paint_bedroom(c: Canvas) -> Sites:
    floor, outdoors = c.u(0.62, 0.68), _indoors(c)
    _wall(c, floor)
    _boards(c, floor)
    left = c.chance(0.5)
    side = 1 if left else -1
    x = c.w * (0.3 if left else 0.7)
    width = min(0.36, c.w * 0.36)
    wx = c.w * 0.6 if left else c.w * 0.4 - width
    _window(c, outdoors, wx, c.u(0.08, 0.12), width, c.u(0.28, 0.34))
    _bed(c, x, floor, min(c.u(0.26, 0.3), c.w * 0.3))
    nx = x + side * (min(0.3, c.w * 0.3) + 0.1)
    c.box(nx - 0.07, floor - 0.1, nx + 0.07, floor + 0.05, (160, 114, 78))
    c.box(nx - 0.055, floor - 0.06, nx + 0.055, floor - 0.02, (186, 138, 98))
    if c.mood.lamps:
        c.glow(nx, floor - 0.19, 0.24, (255, 228, 160), 0.7)
    c.box(nx - 0.008, floor - 0.16, nx + 0.008, floor - 0.1, (120, 90, 70))
    shade = [(nx - 0.055, floor - 0.15), (nx - 0.03, floor - 0.23), (nx + 0.03, floor - 0.23), (nx + 0.055, floor - 0.15)]
    c.poly(shade, (255, 236, 180), SHINING if c.mood.lamps else 0.0)
    return Sites(floor, Region(0.1, 0.9, 0.9, 0.97, 0.95, 1.0), None, Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5))


def _bed(c: Canvas, x: float, floor: float, half: float) -> None:
    """A bed seen from its foot, with pillows and a blanket."""
    wood = _near(c.rng, c.rng.choice(((140, 96, 66), (190, 146, 100), (236, 232, 224))), 6)
    cloth = _near(c.rng, c.rng.choice(((80, 120, 170), (200, 90, 90), (110, 150, 120), (230, 180, 100), (150, 120, 180))), 8)
    c.box(x - half, floor - 0.26, x + half, floor + 0.05, wood, 0.0, 0.05)
    c.box(x - half * 0.95, floor - 0.06, x + half * 0.95, floor + 0.06, (250, 248, 242), 0.0, 0.02)
    for side in (-1, 1):
        middle = x + side * half * 0.46
        c.box(middle - half * 0.38, floor - 0.13, middle + half * 0.38, floor - 0.01, (232, 232, 236), 0.0, 0.03)
        c.box(middle - half * 0.36, floor - 0.13, middle + half * 0.34, floor - 0.025, _WHITE, 0.0, 0.03)
    wide = half * 1.1
    c.poly([(x - half * 0.97, floor + 0.02), (x + half * 0.97, floor + 0.02), (x + wide, floor + 0.2), (x - wide, floor + 0.2)], cloth)
    c.poly([(x - half * 0.97, floor + 0.02), (x + half * 0.97, floor + 0.02), (x + half, floor + 0.055), (x - half, floor + 0.055)], _shade(cloth, 1.45))
    c.box(x - wide, floor + 0.19, x + wide, floor + 0.25, _shade(cloth, 0.82), 0.0, 0.012)
    for side in (-1, 1):
        c.box(x + side * wide * 0.9 - 0.015, floor + 0.24, x + side * wide * 0.9 + 0.015, floor + 0.28, _shade(wood, 0.8))


def _paint_jungle(c: Canvas) -> Sites:
    floor = c.u(0.68, 0.76)
    _sky(c, floor, floor * 0.5)
    green = (70, 150, 70)
    for i, far in enumerate((0.8, 0.5)):
        base = floor - 0.03 + 0.03 * i
        _wood(c, [(0, base), (c.w, base)], (0.42, 0.28)[i], far, False)
        for x in c.along(c.some(2, 3)):
            _palm(c, x, base + 0.02, c.u(0.45, 0.6) - 0.06 * i, far * 0.8)
    c.land(_rolling(c, floor, 0.015), (_shade(green, 0.75), _shade(green, 0.55), _shade(green, 0.42)))
    for x in c.along(c.some(4, 6)):
        _fern(c, x, floor + c.u(0.03, 0.1), c.u(0.14, 0.22), 0.1)
    for side in (-1, 1):
        edge = 0.0 if side > 0 else c.w
        _big_trunk(c, edge + side * c.u(0.02, 0.08), 1.0, (92, 66, 46))
        for i in range(5):
            turn = c.u(-1.3, 1.0)
            y, reach = 0.08 + 0.22 * i, min(c.u(0.22, 0.34), c.w * 0.34)
            hue = _near(c.rng, c.rng.choice(((40, 120, 60), (60, 150, 70), (30, 100, 70), (90, 170, 70))), 6)
            _leaf(c, edge - side * 0.03, y, turn if side > 0 else math.pi - turn, reach, hue)
    for x in c.along(c.some(2, 4)):
        _vine(c, x, c.u(0.2, 0.4))
    return Sites(floor, Region(0.18, 0.82, floor + 0.1, 0.97, 0.75, 1.0), None, Region(0.2, 0.8, 0.1, 0.45, 0.5, 0.5))


def _leaf(c: Canvas, x: float, y: float, turn: float, length: float, colour: Colour) -> None:
    """A large pointed leaf with a lighter half and a rib."""
    cos, sin = math.cos(turn), math.sin(turn)
    halves = []
    for side in (-1, 1):
        outline = [(t, side * 0.24 * math.sin(math.pi * t**0.75)) for t in np.linspace(0, 1, 9)]
        halves.append([(x + length * (a * cos - b * sin), y + length * (a * sin + b * cos)) for a, b in outline])
    c.poly(halves[0] + halves[1][::-1], colour)
    c.poly(halves[0], _shade(colour, 1.14))
    c.line([halves[0][0], halves[0][-1]], length * 0.025, _shade(colour, 0.75))


def _fern(c: Canvas, x: float, y: float, height: float, far: float) -> None:
    for i, turn in enumerate((-1.1, 1.1, -0.65, 0.65, -0.25, 0.25)):
        tip = (x + math.sin(turn) * height, y - math.cos(turn) * height * (1 if abs(turn) < 1 else 0.6))
        middle, w = ((x + tip[0]) / 2, (y + tip[1]) / 2 - height * 0.12), height * 0.07
        colour = _shade((56, 140, 66), 0.8 + 0.12 * (i % 3))
        c.poly([(x, y), (middle[0] - w, middle[1]), tip, (middle[0] + w, middle[1] + w)], colour, far)


def _vine(c: Canvas, x: float, length: float) -> None:
    bend = c.u(-0.05, 0.05)
    points = [(x + bend * math.sin(t * 2.6), t * length - 0.01) for t in (0, 0.25, 0.5, 0.75, 1)]
    c.line(points, 0.01, (56, 110, 50))
    for i, (px, py) in enumerate(points[1:]):
        c.oval(px + (0.018 if i % 2 else -0.018), py, 0.02, 0.012, (80, 160, 70))


def _paint_savanna(c: Canvas) -> Sites:
    horizon = c.u(0.52, 0.62)
    _sky(c, horizon, horizon - 0.05)
    grass = _near(c.rng, c.rng.choice(((222, 188, 96), (210, 176, 90), (190, 180, 92))), 6)
    c.land(_rolling(c, horizon - 0.02, 0.03), (_shade(_mix(grass, (120, 130, 150), 0.5), 1),) * 2, 0.7)
    c.ramp(horizon, 1, (_shade(grass, 1.1), grass, _shade(grass, 0.8)))
    for i in range(3):
        y = horizon + 0.05 + 0.12 * i
        c.land(_rolling(c, y, 0.012), (_shade(grass, 1.04 - 0.08 * i),) * 2)
        for x in c.along(c.some(3, 5)):
            c.oval(x, y + c.u(0.02, 0.06), c.u(0.05, 0.1), 0.007, _shade(grass, 0.86))
    for i, x in enumerate(c.along(c.some(2, 3.4))):
        far = 0.35 if i % 2 else 0.05
        _acacia(c, x, horizon + (0.03 if i % 2 else c.u(0.06, 0.12)), (0.2 if i % 2 else 0.38) * c.u(0.85, 1.15), far)
    if c.chance(0.6):
        c.front.append(lambda c: _dry_tufts(c, grass))
    return Sites(horizon, _wide(horizon + 0.16, 0.97, horizon), None, _air(horizon - 0.1))


def _acacia(c: Canvas, x: float, y: float, height: float, far: float) -> None:
    """A tree with a flat crown on forked branches."""
    bark, leaf = (104, 76, 56), _near(c.rng, (104, 132, 62), 8)
    w = height * 0.045
    c.poly([(x - w, y), (x - w * 0.6, y - height * 0.55), (x + w * 0.6, y - height * 0.55), (x + w, y)], bark, far)
    for dx in (-0.3, 0.28, 0.02):
        c.line([(x, y - height * 0.45), (x + dx * height, y - height * 0.82)], w * 0.9, bark, far)
    for dx, dy, rx in ((0.0, -0.88, 0.5), (-0.26, -0.8, 0.26), (0.3, -0.82, 0.27)):
        c.oval(x + dx * height, y + dy * height, rx * height, 0.085 * height, _shade(leaf, 0.82), far)
    for dx, dy, rx in ((-0.03, -0.91, 0.42), (-0.28, -0.82, 0.2), (0.27, -0.84, 0.2)):
        c.oval(x + dx * height, y + dy * height, rx * height, 0.055 * height, leaf, far)


def _dry_tufts(c: Canvas, grass: Colour) -> None:
    for x in c.along(c.some(6, 9), 0.5):
        for blade in range(-2, 3):
            root, tip = x + blade * 0.012, x + blade * 0.034
            c.poly([(root - 0.007, 1.01), (tip, 1 - c.u(0.04, 0.1)), (root + 0.007, 1.01)], _shade(grass, 0.78 + 0.1 * (blade % 2)))


def _paint_pond(c: Canvas) -> Sites:
    horizon = c.u(0.36, 0.46)
    _sky(c, horizon, horizon - 0.1)
    _wood(c, [(0, horizon + 0.02), (c.w, horizon + 0.02)], c.u(0.1, 0.16), 0.4, None)
    c.ramp(horizon, 1, (_shade(c.mood.grass, 1.06), _shade(c.mood.grass, 0.82)))
    for x in c.along(c.some(2, 3)):
        _any_tree(c)(c, x, horizon + c.u(0.04, 0.08), c.u(0.22, 0.32), 0.15)
    x, y, rx, ry = c.w / 2, c.u(0.68, 0.72), c.w * c.u(0.38, 0.43), c.u(0.14, 0.17)
    blue = _blue(c)
    c.oval(x, y, rx * 1.06, ry * 1.1, _shade(c.mood.grass, 0.7))
    c.oval(x, y + 0.01, rx, ry, _mix(c.lit(_shade(blue, 0.85)), c.mood.sky[-1], 0.1), SHINING)
    c.oval(x, y + 0.02, rx * 0.94, ry * 0.86, _mix(c.lit(blue), c.mood.sky[1], 0.3), SHINING)
    for _ in range(5):
        c.oval(x + c.u(-0.6, 0.6) * rx, y + c.u(-0.6, 0.7) * ry, c.u(0.05, 0.09), 0.004, _mix(c.lit(blue), c.mood.sky[-1], 0.6), SHINING)
    _lilies(c, x, y, rx, ry)
    for turn in (0.15, 0.4, 0.62, 0.9):
        t = math.pi * (turn + c.u(-0.06, 0.06))
        _rock(c, x + rx * math.cos(t), y + ry * math.sin(t) + 0.03, c.u(0.07, 0.12))
    side = c.rng.choice((-1, 1))
    _reeds(c, [(0.0, y + side * 0.02), (c.w, y - side * 0.02)])
    _flowers(c, 0.88, 0.99, c.some(4, 10))
    return Sites(horizon, Region(0.1, 0.9, y + ry + 0.06, 0.98, 0.95, 1.0), Region((x - rx * 0.7) / c.w, (x + rx * 0.7) / c.w, y, y + ry * 0.75, 0.7, 0.85), _air(horizon - 0.05))


def _lilies(c: Canvas, x: float, y: float, rx: float, ry: float) -> None:
    if not c.mood.leaves:
        return
    for i in range(c.rng.choice((4, 5, 6))):
        turn, reach = c.u(0, 6.3), c.u(0.55, 0.85)
        px, py, r = x + rx * reach * math.cos(turn), y + 0.01 + ry * reach * math.sin(turn), c.u(0.03, 0.05)
        c.oval(px, py, r, r * 0.42, (60, 140, 80))
        c.oval(px - r * 0.1, py - r * 0.05, r * 0.8, r * 0.3, (96, 172, 96))
        if i % 2:
            for dx in (-0.3, 0.3, 0.0):
                c.oval(px + dx * r, py - r * 0.3, r * 0.26, r * 0.34, (250, 190, 214) if dx else (255, 226, 238))


def _paint_waterfall(c: Canvas) -> Sites:
    top, pool = c.u(0.2, 0.3), c.u(0.68, 0.76)
    _sky(c, top + 0.2, top)
    rock = _near(c.rng, c.rng.choice(((126, 116, 112), (110, 112, 126), (140, 116, 96))), 6)
    x, half = c.u(0.4, 0.6) * c.w, c.u(0.09, 0.15)
    _wood(c, [(0, top + 0.04), (c.w, top + 0.04)], c.u(0.1, 0.16), 0.4)
    c.shaded([(0, top), (c.w, top), (c.w, pool + 0.02), (0, pool + 0.02)], (_shade(rock, 1.05), _shade(rock, 0.7)), 0.1)
    number = c.some(7, 9)
    for i, edge in enumerate(c.along(number)):  # pillars of rock
        w, tall = c.w / number * 0.62, c.u(-0.03, 0.07)
        c.poly([(edge - w, pool + 0.02), (edge - w * 0.9, top + tall), (edge + w * 0.5, top + tall - 0.02), (edge + w, pool + 0.02)], _shade(rock, 0.82 + 0.12 * (i % 3)), 0.08)
        c.poly([(edge + w * 0.3, pool + 0.02), (edge + w * 0.25, top + tall), (edge + w * 0.5, top + tall - 0.02), (edge + w, pool + 0.02)], _shade(rock, 0.68), 0.08)
    c.land(_rolling(c, top + 0.01, 0.012), (c.mood.grass, _shade(c.mood.grass, 0.8)), 0.1, top + 0.05)
    blue = _blue(c)
    c.shaded([(x - half, top), (x + half, top), (x + half * 1.25, pool + 0.03), (x - half * 1.25, pool + 0.03)], (_shade(blue, 1.45), _shade(blue, 1.75)))
    for i in range(7):
        t = (i + 0.5) / 7 * 2 - 1
        a, w = x + t * half, half * c.u(0.05, 0.09)
        low = top + (pool - top) * c.u(0.55, 1)
        c.poly([(a - w, top), (a + w, top), (a + t * half * 0.25 + w, low), (a + t * half * 0.25 - w, low)], _WHITE if i % 2 else _shade(blue, 1.2))
    c.ramp(pool, 1, (_shade(blue, 1.15), _shade(blue, 0.8)))
    for i in range(4):
        c.oval(x, pool + 0.03 + 0.03 * i, half * (1.7 + 0.5 * i), 0.012 + 0.003 * i, _shade(blue, 1.6 - 0.12 * i))
    for dx in np.linspace(-1.3, 1.3, 7).tolist():  # spray
        c.disc(x + dx * half, pool + 0.01, c.u(0.03, 0.05), (244, 250, 255))
    for side in (0.0, 1.0):
        edge = side * c.w
        sign = 1 if side == 0 else -1
        c.poly([(edge, pool - 0.02), (edge + sign * 0.3 * c.w, pool + 0.06), (edge + sign * 0.26 * c.w, 1.0), (edge, 1.0)], c.mood.grass)
        _any_tree(c)(c, edge + sign * c.u(0.06, 0.14), pool + c.u(0.02, 0.08), c.u(0.36, 0.5))
        _rock(c, edge + sign * 0.27 * c.w, pool + 0.1, c.u(0.1, 0.16))
    return Sites(pool, Region(0.02, 0.24, pool + 0.1, 0.97, 0.85, 1.0), Region(0.35, 0.65, pool + 0.14, 0.96, 0.8, 1.0), _air(0.4))


def _paint_volcano(c: Canvas) -> Sites:
    foot, top = c.u(0.68, 0.76), c.u(0.24, 0.34)
    _sky(c, foot, top + 0.1)
    rock = _near(c.rng, c.rng.choice(((92, 80, 84), (84, 80, 94), (104, 82, 76))), 5)
    x, w, mouth = c.u(0.42, 0.58) * c.w, c.u(0.42, 0.55), c.u(0.06, 0.09)
    smoke = _mix(c.lit((96, 90, 100)), c.mood.sky[0], 0.25)
    drift = c.u(-0.5, 0.5)
    for i in range(6):
        t = i / 5
        c.disc(x + drift * 0.4 * t * t + c.u(-0.03, 0.03), top - 0.02 - (top + 0.05) * t, 0.06 + 0.08 * t, _shade(smoke, 0.95 + 0.06 * (i % 2)), SHINING)
    c.glow(x, top, 0.3, (255, 110, 40), 0.7)
    for dx in (-0.6, 0.0, 0.55, -0.25, 0.3):  # lava that is thrown up
        c.poly([(x + dx * mouth - 0.02, top + 0.01), (x + dx * mouth * 2, top - c.u(0.06, 0.16)), (x + dx * mouth + 0.02, top + 0.01)], (255, 140, 40), SHINING)
    _range(c, foot, 0.16, 0.6, _shade(rock, 1.1))
    left = [(x - mouth, top), (x - mouth * 1.8, top + (foot - top) * 0.35), (x - w * 0.62, top + (foot - top) * 0.75), (x - w, foot + 0.02)]
    right = [(2 * x - a, b) for a, b in left]
    c.poly(left + right[::-1], _shade(rock, 1.06), 0.1)
    c.poly([(x + mouth * 0.2, top), (x + mouth * 0.4, foot + 0.02), *right[::-1]], _shade(rock, 0.8), 0.1)
    c.oval(x, top, mouth, 0.016, (255, 190, 70), SHINING)
    for dx, low in ((-0.5, 0.75), (0.15, 0.95), (0.7, 0.6)):  # streams of lava
        end = top + (foot - top) * c.u(low - 0.15, low)
        a, b = x + dx * mouth, x + dx * mouth * 3.4
        c.poly([(a - 0.016, top), (a + 0.016, top), ((a + b) / 2 + 0.03, (top + end) / 2), (b + 0.016, end), (b - 0.01, end), ((a + b) / 2 - 0.006, (top + end) / 2)], (255, 112, 36), SHINING)
    ground = _mix(rock, (110, 90, 70), 0.5)
    c.box(0, foot + 0.005, c.w, 1, ground)
    c.land(_rolling(c, foot + 0.02, 0.015), (ground, _shade(ground, 0.72)))
    for at in c.along(c.some(2, 4)):
        _rock(c, at, c.u(foot + 0.1, 0.97), c.u(0.06, 0.13), _shade(rock, 0.9))
    return Sites(foot, Region(0.03, 0.97, foot + 0.1, 0.97, 0.75, 1.0), None, Region(0.0, 1.0, 0.06, 0.4, 0.5, 0.5))


@dataclass(frozen=True)
class _Kind:
    """A place's painter and what it can be combined with."""

    paint: Callable[[Canvas], Sites]
    times: tuple[str, ...] = TIMES
    weathers: tuple[str, ...] = WEATHERS
    seasons: tuple[str | None, ...] = SEASONS
    outdoors: bool = True


_DRY = ("clear", "cloudy", "storm", "rainbow", "wind", "fog")
_WARM = tuple(weather for weather in WEATHERS if weather != "snow")
_SEEN = tuple(weather for weather in WEATHERS if weather != "fog")
_INDOOR = ("clear", "rain", "storm", "snow")
_PLACES = {
    "sky": _Kind(_paint_sky, weathers=_SEEN, seasons=(None,)),
    "sea": _Kind(_paint_sea, seasons=(None,)),
    "lake": _Kind(_paint_lake),
    "river": _Kind(_paint_river),
    "beach": _Kind(_paint_beach, weathers=_WARM, seasons=(None,)),
    "island": _Kind(_paint_island, weathers=_WARM, seasons=(None,)),
    "desert": _Kind(_paint_desert, weathers=_DRY, seasons=(None,)),
    "hills": _Kind(_paint_hills),
    "mountains": _Kind(_paint_mountains),
    "forest": _Kind(_paint_forest),
    "meadow": _Kind(_paint_meadow),
    "snow": _Kind(_paint_snow, weathers=("clear", "cloudy", "fog", "snow"), seasons=(None,)),
    "city": _Kind(_paint_city, seasons=(None, "winter")),
    "village": _Kind(_paint_village),
    "road": _Kind(_paint_road),
    "garden": _Kind(_paint_garden),
    "park": _Kind(_paint_park),
    "farm": _Kind(_paint_farm),
    "pond": _Kind(_paint_pond),
    "waterfall": _Kind(_paint_waterfall),
    "jungle": _Kind(_paint_jungle, weathers=("clear", "rain", "storm", "fog"), seasons=(None,)),
    "savanna": _Kind(_paint_savanna, weathers=("clear", "cloudy", "rain", "storm"), seasons=(None,)),
    "volcano": _Kind(_paint_volcano, weathers=("clear", "cloudy", "storm", "snow"), seasons=(None,)),
    "room": _Kind(_paint_room, ("day", "night"), _INDOOR, (None,), False),
    "table": _Kind(_paint_table, ("day", "night"), _INDOOR, (None,), False),
    "kitchen": _Kind(_paint_kitchen, ("day", "night"), _INDOOR, (None,), False),
    "bedroom": _Kind(_paint_bedroom, ("day", "night"), _INDOOR, (None,), False),
    "cave": _Kind(_paint_cave, ("day", "night"), ("clear",), (None,), False),
    "under water": _Kind(_paint_under_water, ("day", "night"), ("clear",), (None,), False),
    "space": _Kind(_paint_space, ("day",), ("clear",), (None,), False),
}
NAMES = tuple(_PLACES)


def possible(name: str) -> list[Place]:
    """Each time, weather and season that a place can be drawn in."""
    if name not in _PLACES:
        raise ValueError(f"no place is called {name!r}; there are: {', '.join(_PLACES)}")
    kind = _PLACES[name]
    every = (Place(name, t, w, s) for t in kind.times for w in kind.weathers for s in kind.seasons)
    return [place for place in every if _sensible(place)]


def _sensible(place: Place) -> bool:
    if place.weather == "rainbow" and place.time == "night":
        return False
    if place.weather == "snow" and place.season not in (None, "winter"):
        return False
    return not (place.season == "winter" and place.weather in ("storm", "rainbow", "rain"))


def check(place: Place) -> None:
    """Raises ValueError if the place cannot be drawn so."""
    if place not in possible(place.name):
        raise ValueError(f"{place} is not drawn; possible({place.name!r}) lists what is")
