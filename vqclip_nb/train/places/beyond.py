"""Caves and space."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from vqclip_nb.models.draft.place import Region
from vqclip_nb.train.places.canvas import SHINING, Canvas, rolling
from vqclip_nb.train.places.mood import Colour, Point, mix, to_ints, toned
from vqclip_nb.train.places.sites import Sites


def paint_cave(c: Canvas) -> Sites:
    floor, light = c.u(0.66, 0.76), c.mood.light
    rock = c.pick(((112, 96, 92), (96, 92, 116), (122, 100, 78), (84, 100, 108)), 6)
    c.ramp(0, 1, (toned(rock, 0.42), toned(rock, 0.55)))
    c.mood = replace(c.mood, light=tuple(0.3 + 0.7 * part for part in light))
    x, r = c.u(0.32, 0.68) * c.w, min(c.u(0.2, 0.28), c.w * 0.34)
    y, edge = floor - r * 0.55, floor + 0.02
    mouth = []
    for t in np.linspace(-0.6, math.pi + 0.6, 16).tolist():
        a, b = r * math.cos(t) * c.u(0.88, 1.08), r * math.sin(t) * c.u(1.03, 1.2)
        mouth.append((x + a, min(y - b, edge)))
    for grow, factor in ((1.75, 0.52), (1.42, 0.66), (1.18, 0.84)):
        ring = [(x + (a - x) * grow, min(y + (b - y) * grow, edge)) for a, b in mouth]
        c.poly(ring, toned(rock, factor))
    c.shaded(mouth, (*c.mood.sky[1:], c.mood.sky[-1]), SHINING)
    _outside(c, mouth, floor)
    c.land(rolling(c, floor, 0.012), (toned(rock, 0.9), toned(rock, 0.6), toned(rock, 0.42)))
    c.glow(x, floor + 0.08, r * 1.6, c.mood.sky[-1], 0.35 * max(sum(light) / 3, 0.5), 0.1)
    lights = [_crystals] * 4 + ([_torch] * 6 if c.mood.night else [None] * 6)
    if (painter := c.rng.choice(lights)) is not None:
        for low, high in ((0.08, 0.25), (0.75, 0.92)):
            painter(c, c.u(low, high) * c.w, c.u(0.86, 0.95))
    _dripstones(c, floor, rock)
    stand = Region(0.15, 0.85, floor + 0.1, 0.97, 0.8, 1.0)
    return Sites(floor, stand, fly=Region(0.2, 0.8, 0.25, 0.5, 0.5, 0.5))


def _dripstones(c: Canvas, floor: float, rock: Colour) -> None:
    """They hang from the ceiling, and stand at the sides."""
    for x in c.along(c.some(6, 9)):
        tip, half = (x, c.u(0.08, 0.3)), c.u(0.03, 0.055)
        c.poly([(x - half, -0.01), tip, (x + half, -0.01)], toned(rock, 0.62))
        c.poly([tip, (x + half, -0.01), (x + half * 0.1, -0.01)], toned(rock, 0.42))
    ceiling = [(a, 0.06 + 0.03 * math.sin(9 * a)) for a in np.linspace(c.w, 0, 14).tolist()]
    c.poly([(0, 0), (c.w, 0), *ceiling], toned(rock, 0.5))
    for low in (0.0, 0.0, 0.75, 0.75):
        x, y, half = c.u(low, low + 0.25) * c.w, floor + c.u(0.02, 0.1), c.u(0.04, 0.065)
        tip = (x, y - c.u(0.1, 0.24))
        c.poly([(x - half, y), tip, (x + half, y)], toned(rock, 0.74))
        c.poly([tip, (x + half, y), (x + half * 0.1, y)], toned(rock, 0.52))


def _outside(c: Canvas, mouth: list[Point], floor: float) -> None:
    """What one sees through the mouth of a cave: hills or the sea, and stars at night."""
    left, right = min(p[0] for p in mouth), max(p[0] for p in mouth)
    wet, phase = c.chance(0.4), c.u(0, 6)
    colours = ((90, 170, 220), (50, 120, 190))
    if not wet:
        colours = (toned(c.mood.grass, 0.95), toned(c.mood.grass, 0.75))
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
        c.poly(
            [
                (x - w + lean / 3, y),
                (tip[0] - w, tip[1] + 0.04),
                tip,
                (tip[0] + w, tip[1] + 0.04),
                (x + w + lean / 3, y),
            ],
            colour,
            SHINING,
        )
        c.poly(
            [tip, (tip[0] + w, tip[1] + 0.04), (x + w + lean / 3, y), (x + lean / 3, y)],
            toned(colour, 0.78),
            SHINING,
        )


def _torch(c: Canvas, x: float, y: float) -> None:
    top = y - 0.34
    c.glow(x, top, 0.34, (255, 170, 70), 0.65)
    c.box(x - 0.012, top, x + 0.012, top + 0.16, (120, 80, 50))
    for r, colour in ((0.034, (240, 110, 40)), (0.022, (255, 210, 90))):
        c.disc(x, top - r * 0.6, r, colour, SHINING)
        c.poly(
            [(x - r * 0.9, top - r), (x + r * 0.1, top - r * 3.4), (x + r * 0.9, top - r)],
            colour,
            SHINING,
        )


def paint_space(c: Canvas) -> Sites:
    base = c.rng.choice(
        (((8, 8, 26), (22, 16, 54)), ((4, 8, 22), (10, 26, 58)), ((14, 6, 30), (44, 14, 62)))
    )
    c.ramp(0, 1, base if c.chance(0.5) else base[::-1], SHINING)
    hues = c.rng.sample(
        ((150, 60, 190), (50, 110, 210), (220, 70, 130), (40, 170, 180), (230, 130, 70)), 2
    )
    x, y, turn = c.u(0.2, 0.8) * c.w, c.u(0.25, 0.75), c.u(-0.8, 0.8)
    for i in range(-5, 6):  # a nebula: soft balls along a band
        cx, cy = x + i * 0.11 * math.cos(turn), y + i * 0.11 * math.sin(turn)
        hue, wide = mix(*hues, (i + 5) / 10), 0.32 - 0.025 * abs(i)
        c.glow(cx, cy + c.u(-0.04, 0.04), wide * c.u(0.9, 1.2), hue, c.u(0.22, 0.34))
    for _ in range(c.some(50, 80)):
        r = c.rng.choice((0.003, 0.003, 0.004, 0.006))
        c.disc(
            c.u(0, c.w),
            c.u(0, 1),
            r,
            c.rng.choice(((255, 255, 255), (255, 240, 210), (210, 226, 255))),
            SHINING,
        )
    moon = c.chance(0.3)
    spots = [(c.u(0.1, 0.35), c.u(0.12, 0.35)), (c.u(0.65, 0.9), c.u(0.1, 0.4))]
    if not moon:
        spots += [(c.u(0.65, 0.9), c.u(0.65, 0.9)), (c.u(0.1, 0.35), c.u(0.65, 0.9))]
    for px, py in c.rng.sample(spots, c.rng.choice((1, 2, 2, len(spots) - 1))):
        _planet(c, px * c.w, py, c.u(0.06, 0.15))
    stand = None
    if moon:  # the ground of a moon
        grey = c.pick(((150, 148, 158), (190, 120, 90)), 6)
        c.land(rolling(c, 0.84, 0.02, 0.5), (toned(grey, 1.1), toned(grey, 0.7)), SHINING)
        for _ in range(c.some(4, 6)):
            cx, cy, r = c.u(0, c.w), c.u(0.88, 0.98), c.u(0.03, 0.07)
            c.oval(cx, cy, r, r * 0.3, toned(grey, 0.66), SHINING)
            c.oval(cx, cy + r * 0.07, r * 0.8, r * 0.2, toned(grey, 0.82), SHINING)
        stand = Region(0.05, 0.95, 0.87, 0.96, 0.9, 1.0)
    return Sites(0.84 if stand else 0.0, stand, fly=Region(0.05, 0.95, 0.1, 0.78 if stand else 0.9))


_BALLS = (
    *((230, 140, 90), (220, 190, 130), (110, 170, 220)),
    *((200, 100, 90), (150, 200, 150), (180, 150, 210)),
)


def _planet(c: Canvas, x: float, y: float, r: float) -> None:
    """A ball, perhaps with a ring around it."""
    colour, tilt, ringed = c.pick(_BALLS, 8), c.u(-0.4, 0.4), c.chance(0.45)
    cos, sin = math.cos(tilt), math.sin(tilt)

    def half_ring(side: int) -> None:
        turns = np.linspace(0, math.pi, 24).tolist()
        where = [(1.75 * r * math.cos(t), side * 0.42 * r * math.sin(t)) for t in turns]
        ring = [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in where]
        c.line(ring, r * 0.14, toned(colour, 1.35), SHINING)

    c.glow(x, y, r * 1.5, colour, 0.4)
    if ringed:
        half_ring(-1)
    size = max(4, round(2 * r * c.unit))
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).ellipse([0, 0, size - 1, size - 1], fill=255)
    corner = (round((x - r) * c.unit), round((y - r) * c.unit))
    c.image.paste(_globe(c, size, colour), corner, mask)
    if ringed:
        half_ring(1)


def _globe(c: Canvas, size: int, colour: Colour) -> Image.Image:
    """The face of a planet with bands, craters or land, and a shaded side."""
    ball = Image.new("RGB", (size, size), to_ints(colour))
    pen, kind = ImageDraw.Draw(ball), c.rng.choice(("bands", "craters", "land"))
    for i in range(6):
        if kind == "bands":
            top, other = size * (i + c.u(0, 0.4)) / 6, toned(colour, (0.82, 1.2)[i % 2])
            pen.rectangle([0, top, size, top + size * c.u(0.05, 0.12)], fill=to_ints(other))
        else:
            x, y, r = (c.u(*span) * size for span in ((0.1, 0.9), (0.1, 0.9), (0.06, 0.13)))
            wide = r * (2.2 if kind == "land" else 1.0)
            pen.ellipse([x - wide, y - r, x + wide, y + r], fill=to_ints(toned(colour, 0.8)))
    dusk = Image.new("L", (size, size), 130)
    ImageDraw.Draw(dusk).ellipse([-size * 0.28, -size * 0.28, size * 0.84, size * 0.84], fill=0)
    ball.paste((10, 8, 30), mask=dusk)
    return ball
