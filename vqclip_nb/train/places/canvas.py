"""The canvas of all places: anti-aliased shapes in shares of the picture's height."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from vqclip_nb.train.places.mood import Colour, Mood, Point, jittered, mix, tinted, to_ints

SHINING = None  # in place of a distance: this colour needs no light


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

    def near(self, colour: Colour, amount: float = 10) -> Colour:
        """A colour like the one given."""
        return jittered(self.rng, colour, amount)

    def pick(self, colours: Sequence[Colour], amount: float = 10) -> Colour:
        """A colour like one of those given."""
        return self.near(self.rng.choice(colours), amount)

    def lit(self, colour: Colour, far: float | None = 0.0) -> tuple[int, ...]:
        if far is SHINING:
            return to_ints(colour)
        lit = tinted(colour, self.mood.light)
        if far:
            lit = mix(lit, self.mood.sky[-1], min(far * self.mood.haze * 1.5, 0.93))
        return to_ints(lit)

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

    def block(
        self, x, half, y0, y1, colour: Colour, far: float | None = 0.0, round_: float = 0.0
    ) -> None:
        """A box by its middle and half its width."""
        self.box(x - half, y0, x + half, y1, colour, far, round_)

    def trapezoid(self, top, bottom, colour: Colour, far: float | None = 0.0) -> None:
        """top and bottom: (y, left, right)"""
        (y0, a, b), (y1, d, e) = top, bottom
        self.poly([(a, y0), (b, y0), (e, y1), (d, y1)], colour, far)

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
        self.image.paste(to_ints(colour), (*corner, corner[0] + size[0], corner[1] + size[1]), mask)

    def veil(self, mask: np.ndarray, colour: Colour) -> None:
        """A colour over all; mask: [h, w] in [0,1], small, stretched over the picture."""
        small = Image.fromarray((mask * 255).clip(0, 255).astype(np.uint8))
        self.image.paste(
            to_ints(colour), mask=small.resize(self.image.size, Image.Resampling.BICUBIC)
        )


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


def rolling(c: Canvas, y: float, height: float, waves: float = 1.0) -> list[Point]:
    """A soft skyline around y, up to `height` above and below it."""
    xs = np.linspace(0, c.w, 2 + round(24 * max(c.w, 1)))
    fast, phases = c.u(1.6, 2.4), [c.u(0, 6.3) for _ in range(2)]
    turns = xs * waves * 5
    line = 0.68 * np.sin(turns + phases[0]) + 0.32 * np.sin(turns * fast + phases[1])
    return list(zip(xs.tolist(), (y - height * line).tolist(), strict=True))


def height_at(line: list[Point], x: float) -> float:
    return float(np.interp(x, [p[0] for p in line], [p[1] for p in line]))


def winding(
    c: Canvas,
    horizon: float,
    width: float,
    bend: float,
    start: float,
    end: float,
    flare: float = 1.4,
):
    """The two sides of a band that winds from the horizon to the lower edge."""
    ts = np.linspace(0, 1, 30)
    y = horizon + (1.02 - horizon) * ts
    turns = np.sin((1 - ts) ** 0.6 * 7.5) * bend * (0.08 + 0.92 * ts**1.2) * (1 - ts * 0.4)
    middle = (start + (end - start) * ts**1.3 + turns) * c.w
    half = width * (0.03 + 0.97 * ts**flare)
    return [list(zip((middle + s * half).tolist(), y.tolist(), strict=True)) for s in (-1, 1)]
