"""The sky, places by the water, and under water."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vqclip_nb.models.draft.place import Region
from vqclip_nb.train.places.canvas import SHINING, Canvas, rolling, winding
from vqclip_nb.train.places.mood import WHITE, Colour, Point, mix, tinted, toned
from vqclip_nb.train.places.plants import (
    draw_bush,
    draw_flowers,
    draw_palm,
    draw_reeds,
    draw_wood,
    season_tree,
)
from vqclip_nb.train.places.sites import Sites, air_region, ground_region
from vqclip_nb.train.places.terrain import (
    draw_glitter,
    draw_mirror,
    draw_mountain,
    draw_range,
    draw_rock,
    draw_water,
    draw_waves,
    water_colour,
)
from vqclip_nb.train.places.weather import draw_cloud, draw_sky


def paint_sky(c: Canvas) -> Sites:
    draw_sky(c, 1.0, c.u(0.85, 0.98))
    if c.mood.place.weather in ("clear", "wind", "rainbow") and not c.mood.night:
        for _ in range(c.some(1, 3)):
            draw_cloud(c, c.u(0, c.w), c.u(0.1, 0.95), c.u(0.3, 0.55), c.mood.cloud)
    if c.chance(0.6):  # a sea of clouds below
        colour = toned(c.mood.cloud, 0.94)
        for x in c.along(c.some(4, 6)):
            c.disc(x, c.u(0.99, 1.06), c.u(0.1, 0.17), colour, SHINING)
        for x in c.along(c.some(4, 6)):
            c.disc(x, c.u(1.03, 1.1), c.u(0.1, 0.16), c.mood.cloud, SHINING)
    return Sites(1.0, fly=Region(0.0, 1.0, 0.08, 0.92))


def paint_sea(c: Canvas) -> Sites:
    horizon = c.u(0.36, 0.58)
    x = draw_sky(c, horizon)
    weather = c.mood.place.weather
    rough = {"storm": 1.0, "wind": 0.6, "rain": 0.45}.get(weather, c.u(0.15, 0.35))
    blue = draw_water(c, horizon, 1, x, rough)
    draw_waves(c, horizon + 0.06, 1.05, blue, 0.035 + 0.085 * rough)
    if weather != "storm" and (c.mood.moon or c.mood.place.time in ("sunset", "dawn")):
        draw_glitter(c, horizon, 0.95, x)
    if c.chance(0.25):  # rocks at one side
        side = c.rng.choice((0.0, 1.0))
        for size in (0.24, 0.16, 0.11):
            x = (side + (0.5 - side) * c.u(0.0, 0.36)) * c.w
            draw_rock(c, x, c.u(horizon + 0.08, 0.9), size, (112, 106, 112))
    floor = horizon + 0.25 * (1 - horizon)
    return Sites(
        horizon,
        afloat=ground_region(floor, 0.92, horizon),
        fly=air_region(horizon),
        swim=Region(0, 1, 0.75, 0.97, 0.8, 1),
    )


def paint_lake(c: Canvas) -> Sites:
    horizon, shore = c.u(0.4, 0.52), c.u(0.84, 0.9)
    skyline = horizon - c.u(0.12, 0.22)
    x = draw_sky(c, horizon, skyline)
    hills = c.chance(0.5)
    if hills:
        line = rolling(c, skyline + 0.05, 0.05)
        c.land(line, (toned(c.mood.grass, 0.8),) * 2, 0.9, horizon)
    else:
        draw_range(c, horizon, horizon - skyline + 0.08, 0.7)
    bank = [(0.0, horizon), (c.w, horizon)]
    draw_wood(c, bank, c.u(0.06, 0.11), 0.45)
    blue = draw_water(c, horizon, 1, x, 0.0)
    draw_mirror(c, horizon, horizon - skyline + 0.03)
    c.box(0, horizon - 0.006, c.w, horizon + 0.008, toned(c.mood.grass, 0.85), 0.3)
    for _ in range(c.some(5, 8)):
        y = c.u(horizon + 0.05, shore)
        t = (y - horizon) / (shore - horizon)
        c.oval(c.u(0, c.w), y, c.u(0.08, 0.2) * (0.5 + t), 0.003 + 0.003 * t, toned(blue, 1.35))
    near = rolling(c, shore + 0.03, 0.03, 0.5)
    c.land([(a, b - 0.012) for a, b in near], (toned(c.mood.grass, 0.62),) * 2)
    c.land(near, (c.mood.grass, toned(c.mood.grass, 0.85)))
    draw_reeds(c, near)
    return Sites(
        horizon,
        Region(0.05, 0.95, shore + 0.07, 0.98, 0.9, 1),
        ground_region(horizon + 0.14, shore - 0.02, horizon),
        air_region(skyline),
    )


def paint_river(c: Canvas) -> Sites:
    horizon = c.u(0.36, 0.5)
    skyline = horizon - c.u(0.05, 0.15)
    draw_sky(c, horizon, skyline)
    if c.chance(0.5):
        draw_range(c, horizon + 0.01, c.u(0.16, 0.26), 0.75)
    c.land(rolling(c, horizon - 0.02, 0.03), (toned(c.mood.grass, 0.85),) * 2, 0.6)
    if c.chance(0.6):
        draw_wood(c, [(0, horizon + 0.02), (c.w, horizon + 0.02)], 0.07, 0.4)
    c.ramp(horizon + 0.015, 1, (toned(c.mood.grass, 1.05), toned(c.mood.grass, 0.85)))
    for _ in range(c.some(3, 6)):
        draw_bush(c, c.u(0, c.w), c.u(horizon + 0.06, 0.75), c.u(0.06, 0.12))
    draw_flowers(c, horizon + 0.1, 0.98, c.some(4, 26))
    left, right = _stream(c, horizon + 0.015)
    for i in (6, 11, 17):
        edge, side = c.rng.choice(((left, -1), (right, 1)))
        x, y = edge[i]
        season_tree(c)(c, x + side * (0.06 + 0.1 * i / 17), y, 0.1 + 0.012 * i)
    start, end = left[26][0] / c.w - 0.03, right[26][0] / c.w + 0.03
    bank = (0.02, max(start, 0.2)) if start + end > 1 else (min(end, 0.8), 0.98)
    start, end = max(left[22][0] / c.w, 0), min(right[22][0] / c.w, 1)
    water = Region(start, end, 0.72, 0.92, 0.6, 0.8)
    return Sites(horizon, Region(*bank, 0.82, 0.98, 0.8, 1.0), water, air_region(skyline))


def _stream(c: Canvas, top: float) -> list[list[Point]]:
    """Winding water between sandy banks; its two sides."""
    side = c.rng.choice((-1, 1))
    left, right = sides = winding(
        c, top, 0.24, c.u(0.2, 0.3) * side, c.u(0.4, 0.6), 0.5 + 0.12 * side
    )
    outer = [(x - 0.04 * (y - top), y) for x, y in left]
    outer += [(x + 0.04 * (y - top), y) for x, y in right[::-1]]
    c.poly(outer, (196, 170, 120) if not c.mood.snow else (206, 218, 236))
    blue = water_colour(c)
    far = mix(c.lit(toned(blue, 1.3)), c.mood.sky[-1], 0.55)
    c.shaded(left + right[::-1], (far, c.lit(blue), c.lit(toned(blue, 0.85))), SHINING)
    bright = mix(c.lit(blue), c.mood.sky[-1], 0.5)
    for i in range(9, 28, 2):
        (a, y), (b, _) = left[i], right[i]
        middle, reach = a + (b - a) * c.u(0.3, 0.7), (b - a) * c.u(0.12, 0.2)
        c.oval(middle, y, reach, 0.003 + 0.004 * i / 28, bright, SHINING)
    return sides


_SAND = ((246, 220, 160), (240, 208, 150), (250, 228, 176), (236, 204, 160))


def paint_beach(c: Canvas) -> Sites:
    horizon, shore = c.u(0.34, 0.46), c.u(0.6, 0.68)
    x = draw_sky(c, horizon)
    if c.chance(0.35):
        c.land(rolling(c, horizon - 0.04, 0.05, 0.6), ((96, 150, 100),) * 2, 0.8, horizon)
    blue = draw_water(c, horizon, shore + 0.1, x, 0.2)
    sand = c.pick(_SAND, 5)
    tilt = c.u(-0.08, 0.08)
    edge = [(a, b + tilt * (a / c.w - 0.5) * 2) for a, b in rolling(c, shore, 0.022, 0.8)]
    c.land([(a, b - 0.045) for a, b in edge], (toned(blue, 1.3),) * 2)
    c.land([(a, b - 0.018) for a, b in edge], ((250, 252, 252),) * 2)
    c.land([(a, b + 0.012) for a, b in edge], (toned(sand, 0.82),) * 2)
    c.land([(a, b + 0.05) for a, b in edge], (sand, toned(sand, 0.92)))
    for _ in range(c.some(3, 5)):
        y = c.u(shore + 0.14, 0.98)
        c.oval(c.u(0, c.w), y, c.u(0.06, 0.14), 0.008, toned(sand, 0.92))
    for _ in range(c.some(2, 4)):
        _shell(c, c.u(0.05, 0.95) * c.w, c.u(shore + 0.18, 0.97))
    if c.chance(0.65):
        side = c.rng.choice((0.08, 0.92))
        for dx in (0.0, 0.1)[: c.rng.choice((1, 2))]:
            draw_palm(
                c, side * c.w + dx * (1 if side < 0.5 else -1), shore + 0.12 + dx, c.u(0.5, 0.68)
            )
    return Sites(
        horizon,
        ground_region(shore + 0.12, 0.97, horizon),
        ground_region(horizon + 0.08, shore - 0.03, horizon),
        air_region(horizon),
    )


def _shell(c: Canvas, x: float, y: float) -> None:
    if c.chance(0.5):
        colour = c.rng.choice(((240, 120, 90), (236, 150, 80), (230, 100, 120)))
        turns = [(-1.57 + i * math.pi / 5, 0.026 if i % 2 == 0 else 0.011) for i in range(10)]
        c.poly([(x + r * math.cos(t), y + r * 0.8 * math.sin(t)) for t, r in turns], colour)
    else:
        c.oval(x, y, 0.018, 0.012, (255, 240, 226))
        c.oval(x, y + 0.004, 0.011, 0.006, (236, 190, 170))


def paint_under_water(c: Canvas) -> Sites:
    floor = c.u(0.8, 0.88)
    hues = (
        ((150, 232, 240), (40, 160, 206), (14, 84, 150)),
        ((130, 226, 220), (24, 150, 170), (10, 80, 110)),
        ((120, 200, 250), (36, 120, 210), (16, 56, 130)),
    )
    hue = c.rng.choice(hues)
    c.ramp(0, 1, hue)
    _light_rays(c, hue[0])
    far = [(x, y) for x, y in rolling(c, floor - 0.06, 0.05, 0.8)]
    c.land(far, (mix(hue[2], hue[1], 0.35),) * 2)
    for x in c.along(c.some(2, 4)):
        _kelp(c, x, floor + 0.01, c.u(0.2, 0.4), mix((40, 130, 100), hue[2], 0.6))
    sand = mix(c.near((236, 214, 160), 6), hue[1], 0.25)
    line = rolling(c, floor, 0.018)
    c.land(line, (sand, toned(sand, 0.78)))
    for x in c.along(c.some(2, 4), 0.2):
        c.oval(x, c.u(floor + 0.06, 0.98), c.u(0.06, 0.12), 0.008, toned(sand, 0.86))
    for side in (c.u(0.02, 0.2), c.u(0.8, 0.98), c.u(0.0, 1.0)):
        x, y = side * c.w, floor + c.u(0.0, 0.06)
        kind = c.rng.choice((_coral, _kelp, _coral, _reef_rock))
        kind(c, x, y, c.u(0.14, 0.24) * (1.5 if kind is _kelp else 1))
    for _ in range(c.some(2, 4)):
        x, y = c.u(0.05, 0.95) * c.w, c.u(0.3, 0.7)
        for i in range(3):
            _bubble(c, x + c.u(-0.02, 0.02), y - 0.07 * i, c.u(0.008, 0.02))
    c.mood = replace(c.mood, light=tinted(c.mood.light, (0.78, 0.95, 1.0)))  # of the things
    return Sites(
        0.0,
        Region(0.05, 0.95, floor + 0.05, 0.97, 0.8, 1.0),
        None,
        None,
        Region(0.05, 0.95, 0.15, floor - 0.08, 0.9, 0.9),
    )


def _light_rays(c: Canvas, colour: Colour) -> None:
    small = Image.new("L", (96, 96))
    pen, x = ImageDraw.Draw(small), c.u(0.2, 0.8) * 96
    for i in range(7):
        turn = 0.45 + (i + c.u(0.2, 0.8)) * 0.32
        wide = c.u(0.04, 0.09)
        ends = [(x + 150 * math.cos(turn + s * wide) / c.w, 130 * math.sin(turn)) for s in (-1, 1)]
        pen.polygon([(x - 3 + i, -14), *ends], fill=95)
    fade = np.linspace(1, 0, 96)[:, None] ** 1.1  # (96, 1)
    shine = c.lit(toned(colour, 1.5))
    c.veil(np.asarray(small.filter(ImageFilter.GaussianBlur(1.1))) / 255 * fade, shine)
    c.glow(x / 96 * c.w, -0.02, 0.4, shine, 0.7, 0.2)


def _kelp(c: Canvas, x: float, y: float, height: float, colour: Colour | None = None) -> None:
    colour = c.pick(((50, 150, 90), (90, 160, 70), (40, 130, 110)), 8) if colour is None else colour
    for dx in (-0.035, 0.0, 0.04):
        tall, phase, ts = height * c.u(0.7, 1), c.u(0, 6), np.linspace(0, 1, 10)
        middle = x + dx + 0.018 * np.sin(ts * 7 + phase) * (0.3 + ts)
        half = 0.016 * (1 - ts**2 * 0.9)
        left, right = (
            list(zip((middle + s * half).tolist(), (y - tall * ts).tolist(), strict=True))
            for s in (-1, 1)
        )
        c.poly(left + right[::-1], toned(colour, 0.9 + 4 * dx))


def _coral(c: Canvas, x: float, y: float, height: float) -> None:
    colour = c.rng.choice(
        ((250, 110, 110), (250, 150, 90), (230, 110, 190), (250, 200, 90), (190, 120, 230))
    )
    w = height * 0.1
    for turn, low, reach in (
        (-0.6, 0.25, 0.6),
        (0.6, 0.3, 0.6),
        (-0.25, 0.45, 0.55),
        (0.3, 0.5, 0.5),
        (0.0, 0.0, 1.0),
    ):
        start = (x, y - low * height)
        end = (
            x + math.sin(turn) * reach * height,
            y - low * height - math.cos(turn) * reach * height,
        )
        c.line([start, end], w * 1.7, toned(colour, 0.9 if turn else 1.0))
        c.disc(*end, w * 0.85, toned(colour, 0.9 if turn else 1.0))
    c.oval(x, y, height * 0.26, height * 0.09, toned(colour, 0.8))


def _reef_rock(c: Canvas, x: float, y: float, width: float) -> None:
    draw_rock(c, x, y + 0.02, width * 1.4, (90, 116, 136))


def _bubble(c: Canvas, x: float, y: float, r: float) -> None:
    c.disc(x, y, r, (196, 236, 250))
    c.disc(x, y, r * 0.76, (120, 200, 232))
    c.disc(x - r * 0.3, y - r * 0.3, r * 0.22, WHITE)


def paint_island(c: Canvas) -> Sites:
    horizon = c.u(0.42, 0.54)
    x = draw_sky(c, horizon, horizon)
    blue = draw_water(c, horizon, 1, x, 0.2)
    cx, cy = c.u(0.42, 0.58) * c.w, c.u(0.68, 0.76)
    rx, ry = min(c.u(0.3, 0.38), c.w * 0.42), c.u(0.07, 0.09)
    sand = c.pick(_SAND, 5)
    c.oval(cx, cy + 0.02, rx * 1.16, ry * 1.35, toned(blue, 1.3))
    c.oval(cx, cy + 0.012, rx * 1.05, ry * 1.12, (246, 250, 252))
    c.oval(cx, cy, rx, ry, toned(sand, 0.88))
    c.oval(cx, cy - 0.008, rx * 0.97, ry * 0.9, sand)
    green = (90, 160, 80) if not c.mood.snow else c.mood.grass
    kind = c.rng.choice(("palms", "palms", "hill", "mountain"))
    if kind == "hill":
        c.shaded(
            [
                (cx + rx * 0.75 * math.cos(t), cy - ry * 0.4 - 0.2 * math.sin(t))
                for t in np.linspace(0, math.pi, 20)
            ],
            (toned(green, 1.1), toned(green, 0.8)),
        )
    elif kind == "mountain":
        draw_mountain(c, cx, cy - ry * 0.3, rx * 1.3, c.u(0.24, 0.32), (120, 116, 122), 0.1)
    c.oval(cx, cy - ry * 0.5, rx * 0.72, ry * 0.45, green)
    for _ in range(c.rng.choice((2, 3, 4))):
        draw_palm(c, cx + c.u(-0.55, 0.55) * rx, cy - c.u(0.2, 0.6) * ry, c.u(0.24, 0.42))
    for _ in range(c.some(4, 6)):
        c.oval(c.u(0, c.w), c.u(cy + ry * 1.8, 0.98), c.u(0.06, 0.12), 0.006, toned(blue, 1.35))
    left, right = (cx - rx * 0.7) / c.w, (cx + rx * 0.7) / c.w
    stand = Region(left, right, cy, cy + ry * 0.6, 0.45, 0.5)
    return Sites(
        horizon, stand, ground_region(min(cy + ry + 0.08, 0.9), 0.96, horizon), air_region(horizon)
    )


def paint_pond(c: Canvas) -> Sites:
    horizon = c.u(0.36, 0.46)
    draw_sky(c, horizon, horizon - 0.1)
    draw_wood(c, [(0, horizon + 0.02), (c.w, horizon + 0.02)], c.u(0.1, 0.16), 0.4, None)
    c.ramp(horizon, 1, (toned(c.mood.grass, 1.06), toned(c.mood.grass, 0.82)))
    for x in c.along(c.some(2, 3)):
        season_tree(c)(c, x, horizon + c.u(0.04, 0.08), c.u(0.22, 0.32), 0.15)
    x, y, rx, ry = c.w / 2, c.u(0.68, 0.72), c.w * c.u(0.38, 0.43), c.u(0.14, 0.17)
    blue = water_colour(c)
    c.oval(x, y, rx * 1.06, ry * 1.1, toned(c.mood.grass, 0.7))
    c.oval(x, y + 0.01, rx, ry, mix(c.lit(toned(blue, 0.85)), c.mood.sky[-1], 0.1), SHINING)
    c.oval(x, y + 0.02, rx * 0.94, ry * 0.86, mix(c.lit(blue), c.mood.sky[1], 0.3), SHINING)
    for _ in range(5):
        c.oval(
            x + c.u(-0.6, 0.6) * rx,
            y + c.u(-0.6, 0.7) * ry,
            c.u(0.05, 0.09),
            0.004,
            mix(c.lit(blue), c.mood.sky[-1], 0.6),
            SHINING,
        )
    _lilies(c, x, y, rx, ry)
    for turn in (0.15, 0.4, 0.62, 0.9):
        t = math.pi * (turn + c.u(-0.06, 0.06))
        draw_rock(c, x + rx * math.cos(t), y + ry * math.sin(t) + 0.03, c.u(0.07, 0.12))
    side = c.rng.choice((-1, 1))
    draw_reeds(c, [(0.0, y + side * 0.02), (c.w, y - side * 0.02)])
    draw_flowers(c, 0.88, 0.99, c.some(4, 10))
    return Sites(
        horizon,
        Region(0.1, 0.9, y + ry + 0.06, 0.98, 0.95, 1.0),
        Region((x - rx * 0.7) / c.w, (x + rx * 0.7) / c.w, y, y + ry * 0.75, 0.7, 0.85),
        air_region(horizon - 0.05),
    )


def _lilies(c: Canvas, x: float, y: float, rx: float, ry: float) -> None:
    if not c.mood.leaves:
        return
    for i in range(c.rng.choice((4, 5, 6))):
        turn, reach = c.u(0, 6.3), c.u(0.55, 0.85)
        px, py, r = (
            x + rx * reach * math.cos(turn),
            y + 0.01 + ry * reach * math.sin(turn),
            c.u(0.03, 0.05),
        )
        c.oval(px, py, r, r * 0.42, (60, 140, 80))
        c.oval(px - r * 0.1, py - r * 0.05, r * 0.8, r * 0.3, (96, 172, 96))
        if i % 2:
            for dx in (-0.3, 0.3, 0.0):
                c.oval(
                    px + dx * r,
                    py - r * 0.3,
                    r * 0.26,
                    r * 0.34,
                    (250, 190, 214) if dx else (255, 226, 238),
                )


def paint_waterfall(c: Canvas) -> Sites:
    top, pool = c.u(0.2, 0.3), c.u(0.68, 0.76)
    draw_sky(c, top + 0.2, top)
    x, half, blue = c.u(0.4, 0.6) * c.w, c.u(0.09, 0.15), water_colour(c)
    draw_wood(c, [(0, top + 0.04), (c.w, top + 0.04)], c.u(0.1, 0.16), 0.4)
    _cliff(c, top, pool + 0.02)
    _falling_water(c, x, half, top, pool, blue)
    c.ramp(pool, 1, (toned(blue, 1.15), toned(blue, 0.8)))
    for i in range(4):
        wide, flat = half * (1.7 + 0.5 * i), 0.012 + 0.003 * i
        c.oval(x, pool + 0.03 + 0.03 * i, wide, flat, toned(blue, 1.6 - 0.12 * i))
    for dx in np.linspace(-1.3, 1.3, 7).tolist():  # spray
        c.disc(x + dx * half, pool + 0.01, c.u(0.03, 0.05), (244, 250, 255))
    for edge, side in ((0.0, 1), (c.w, -1)):  # banks
        inner = [(edge + side * 0.3 * c.w, pool + 0.06), (edge + side * 0.26 * c.w, 1.0)]
        c.poly([(edge, pool - 0.02), *inner, (edge, 1.0)], c.mood.grass)
        season_tree(c)(c, edge + side * c.u(0.06, 0.14), pool + c.u(0.02, 0.08), c.u(0.36, 0.5))
        draw_rock(c, edge + side * 0.27 * c.w, pool + 0.1, c.u(0.1, 0.16))
    stand = Region(0.02, 0.24, pool + 0.1, 0.97, 0.85, 1.0)
    water = Region(0.35, 0.65, pool + 0.14, 0.96, 0.8, 1.0)
    return Sites(pool, stand, water, air_region(0.4))


def _cliff(c: Canvas, top: float, foot: float) -> None:
    """Pillars of rock with grass on top."""
    rock = c.pick(((126, 116, 112), (110, 112, 126), (140, 116, 96)), 6)
    corners = [(0, top), (c.w, top), (c.w, foot), (0, foot)]
    c.shaded(corners, (toned(rock, 1.05), toned(rock, 0.7)), 0.1)
    number = c.some(7, 9)
    for i, x in enumerate(c.along(number)):
        half, y = c.w / number * 0.62, top + c.u(-0.03, 0.07)
        corner, low = (x + half * 0.5, y - 0.02), (x + half, foot)
        face = [(x - half, foot), (x - half * 0.9, y), corner, low]
        side = [(x + half * 0.3, foot), (x + half * 0.25, y), corner, low]
        c.poly(face, toned(rock, 0.82 + 0.12 * (i % 3)), 0.08)
        c.poly(side, toned(rock, 0.68), 0.08)
    line = rolling(c, top + 0.01, 0.012)
    c.land(line, (c.mood.grass, toned(c.mood.grass, 0.8)), 0.1, top + 0.05)


def _falling_water(c: Canvas, x: float, half: float, top: float, pool: float, blue: Colour) -> None:
    wide, low = half * 1.25, pool + 0.03
    corners = [(x - half, top), (x + half, top), (x + wide, low), (x - wide, low)]
    c.shaded(corners, (toned(blue, 1.45), toned(blue, 1.75)))
    for i in range(7):
        t, w = (i + 0.5) / 7 * 2 - 1, half * c.u(0.05, 0.09)
        a, b = x + t * half, x + t * wide
        end = top + (pool - top) * c.u(0.55, 1)
        colour = WHITE if i % 2 else toned(blue, 1.2)
        c.trapezoid((top, a - w, a + w), (end, b - w, b + w), colour)
