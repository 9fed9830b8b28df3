"""Mountains, rocks and water."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from vqclip_nb.train.places.canvas import SHINING, Canvas
from vqclip_nb.train.places.mood import COVERS, WHITE, Colour, Point, mix, toned


def draw_mountain(
    c: Canvas, x: float, y: float, width: float, height: float, rock: Colour, far: float
):
    """A peak with a side in the light, one in the shade, and a cap of snow."""
    px, py = x + width * c.u(-0.1, 0.1), y - height

    def flank(foot: Point) -> list[Point]:
        ways = [
            ((px + (foot[0] - px) * t), (py + (foot[1] - py) * t)) for t in (0, 0.22, 0.45, 0.7, 1)
        ]
        return [ways[0]] + [(a + c.u(-1, 1) * 0.035 * width, b) for a, b in ways[1:-1]] + [ways[-1]]

    left, right, middle = (flank((x + dx * width, y)) for dx in (-0.5, 0.5, c.u(0.02, 0.14)))
    c.poly(left + right[::-1], toned(rock, 1.12), far)
    c.poly([*middle, *right[::-1]], toned(rock, 0.78), far)
    deep = 0.75 if c.mood.snow else c.u(0.3, 0.45)
    cut = [_along(side, deep * c.u(0.8, 1.1)) for side in (left, right)]
    zigzag, number = [], 6
    for i in range(1, number):
        t = i / number
        dip = (0.07 if i % 2 else -0.06) * height * c.u(0.6, 1.2)
        zigzag.append(
            (cut[0][0] + (cut[1][0] - cut[0][0]) * t, cut[0][1] + (cut[1][1] - cut[0][1]) * t + dip)
        )
    above = [
        [p for p in side if p[1] < edge[1]] for side, edge in zip((left, right), cut, strict=True)
    ]
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


def draw_range(c: Canvas, y: float, height: float, far: float, rock: Colour | None = None) -> None:
    """A chain of mountains that stands at y."""
    rock = c.pick(((112, 118, 140), (126, 112, 120), (96, 110, 130)), 6) if rock is None else rock
    for x in c.along(c.some(2.4, 3.6), 0.25):
        tall = height * c.u(0.65, 1.0)
        draw_mountain(c, x, y, tall * c.u(1.5, 2.1), tall, rock, far)


def draw_rock(
    c: Canvas, x: float, y: float, width: float, colour: Colour = (140, 136, 138), far=0.0
):
    height = width * c.u(0.5, 0.75)
    top = [(-0.5, 0), (-0.38, -0.6), (-0.1, -1), (0.24, -0.85), (0.44, -0.4), (0.5, 0)]
    c.poly([(x + a * width, y + b * height) for a, b in top], colour, far)
    c.poly(
        [
            (x + a * width, y + b * height)
            for a, b in ((-0.1, -1), (0.24, -0.85), (0.44, -0.4), (0.5, 0), (0.1, 0), (0.02, -0.5))
        ],
        toned(colour, 0.8),
        far,
    )
    if c.mood.snow:
        c.poly(
            [
                (x + a * width, y + b * height)
                for a, b in (
                    (-0.38, -0.6),
                    (-0.1, -1.05),
                    (0.24, -0.9),
                    (0.36, -0.6),
                    (0.1, -0.7),
                    (-0.1, -0.55),
                )
            ],
            WHITE,
            far,
        )


_WATER = ((42, 126, 190), (34, 140, 180), (50, 150, 200), (30, 108, 170))


def water_colour(c: Canvas) -> Colour:
    """The water's own colour, unlit, with that of the time and the weather in it."""
    blue = c.pick(_WATER, 8)
    blue = mix(blue, (82, 108, 128), COVERS[c.mood.place.weather].share * 0.75)
    mirrored = {"sunset": ((196, 120, 140), 0.5), "dawn": ((186, 176, 220), 0.45)}
    return mix(blue, *mirrored.get(c.mood.place.time, (blue, 0.0)))


def draw_water(
    c: Canvas, top: float, bottom: float, light_x: float | None, rough: float = 0.3
) -> Colour:
    """Water between two heights, with the sky's light on it; its colour near the viewer, unlit."""
    blue = water_colour(c)
    far = mix(c.lit(toned(blue, 1.2)), c.mood.sky[-1], 0.5)
    c.ramp(top, bottom, (far, c.lit(blue), c.lit(toned(blue, 0.78))), SHINING)
    if light_x is not None and (c.mood.sun or c.mood.moon):
        draw_glitter(c, top, bottom, light_x)
    number = c.some(16, 24)
    for i in range(number):  # short strokes that grow towards the viewer
        t = ((i + c.u(0, 1)) / number) ** 1.3
        y, reach = top + 0.012 + (bottom - top) * t, 0.02 + 0.07 * t
        colour = (
            mix(c.lit(blue), c.mood.sky[-1], 0.5 - 0.25 * t) if i % 3 else c.lit(toned(blue, 0.7))
        )
        c.oval(c.u(0, c.w), y, reach, 0.002 + (0.004 + 0.004 * rough) * t, colour, SHINING)
    return blue


def draw_glitter(c: Canvas, top: float, bottom: float, x: float) -> None:
    colour = c.mood.sun if c.mood.sun else (236, 238, 220)
    strong = {"day": 0.3, "dawn": 0.7, "sunset": 0.85, "night": 0.7}[c.mood.place.time]
    colour = mix(c.mood.sky[-1], colour, strong)
    for i in range(13):
        t = (i + 0.3) / 13
        reach = (0.03 + 0.075 * t) * c.u(0.6, 1.1)
        y = top + (bottom - top) * t
        c.oval(x + c.u(-0.02, 0.02), y, reach, 0.003 + 0.006 * t, colour, SHINING)


def draw_waves(c: Canvas, top: float, bottom: float, blue: Colour, height: float) -> None:
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
        colour = toned(blue, 1.05 - 0.2 * t + 0.06 * (i % 2))
        low = min(y + (bottom - top) * 0.35, 1.0)
        c.shaded([*line, (line[-1][0], low), (line[0][0], low)], (colour, toned(colour, 0.86)))
        foam = mix(toned(blue, 1.3), WHITE, 0.35 + 0.5 * t)
        c.line(line, 0.003 + 0.12 * size, foam)


def draw_mirror(c: Canvas, line: float, depth: float) -> None:
    """What is above a line upside down below it, dimmer."""
    edge, rows = round(line * c.unit), round(min(depth, 1 - line) * c.unit)
    above = c.image.crop((0, edge - rows, c.image.width, edge)).transpose(
        Image.Transpose.FLIP_TOP_BOTTOM
    )
    fade = Image.fromarray(np.linspace(150, 40, rows).astype(np.uint8)[:, None]).resize(above.size)
    c.image.paste(above, (0, edge), fade)
