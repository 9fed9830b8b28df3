"""Places in the country where nobody lives."""

from __future__ import annotations

import math

import numpy as np

from vqclip_nb.models.draft.place import Region
from vqclip_nb.train.places.canvas import SHINING, Canvas, height_at, rolling, winding
from vqclip_nb.train.places.mood import Colour, mix, toned
from vqclip_nb.train.places.plants import (
    draw_acacia,
    draw_big_trunk,
    draw_bush,
    draw_cactus,
    draw_dry_tufts,
    draw_fern,
    draw_fir,
    draw_flowers,
    draw_leaf,
    draw_mushrooms,
    draw_palm,
    draw_tree,
    draw_tufts,
    draw_vine,
    draw_wood,
    season_tree,
)
from vqclip_nb.train.places.sites import Sites, air_region, ground_region
from vqclip_nb.train.places.terrain import draw_mountain, draw_range, draw_rock, water_colour
from vqclip_nb.train.places.weather import draw_sky


def paint_desert(c: Canvas) -> Sites:
    horizon = c.u(0.4, 0.56)
    skyline = horizon - 0.08
    draw_sky(c, horizon, skyline)
    sand = c.pick(((236, 190, 110), (230, 170, 100), (240, 204, 130), (222, 150, 92)), 6)
    if c.chance(0.45):
        for x in c.along(c.some(1, 2.4)):
            _mesa(
                c,
                x,
                horizon + 0.01,
                c.u(0.2, 0.36),
                c.u(0.1, 0.2),
                toned(mix(sand, (200, 90, 60), 0.5), 0.95),
            )
    c.ramp(horizon, 1, (sand, sand), 0.5)
    for i, (y, height) in enumerate(((0.05, 0.1), (0.16, 0.16))):
        _dunes(c, horizon + y, height, c.some(2.6 - i, 4 - i), sand, 0.4 - 0.3 * i)
    near = rolling(c, horizon + 0.2, 0.035, 0.6)
    c.land(near, (toned(sand, 1.1), toned(sand, 0.9)))
    for x in c.along(c.some(2, 4)):
        y = c.u(horizon + 0.28, 0.96)
        c.oval(x, y, c.u(0.08, 0.18), 0.008, toned(sand, 0.9))
    for _ in range(c.some(2, 4)):
        y = c.u(horizon + 0.16, 0.9)
        size = (y - horizon) / (1 - horizon)
        draw_cactus(c, c.u(0.03, 0.97) * c.w, y, 0.1 + 0.28 * size)
    return Sites(horizon, ground_region(horizon + 0.22, 0.97, horizon), None, air_region(skyline))


def _mesa(c: Canvas, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    outline = [(-0.5, 0), (-0.36, -0.55), (-0.32, -1), (0.3, -1), (0.34, -0.55), (0.5, 0)]
    c.poly([(x + a * width, y + b * height) for a, b in outline], colour, 0.45)
    c.box(
        x - 0.33 * width,
        y - 0.8 * height,
        x + 0.32 * width,
        y - 0.66 * height,
        toned(colour, 0.85),
        0.45,
    )


def _dunes(c: Canvas, y: float, height: float, number: int, sand: Colour, far: float) -> None:
    """A row of dunes with a long side in the light and a steep one in the shade."""
    side = c.rng.choice((-1, 1))
    crests = [(x, height * c.u(0.5, 1.1)) for x in c.along(number, 0.35)]
    xs = np.linspace(-0.05, c.w + 0.05, 60)
    rise = np.zeros_like(xs) + 0.1 * height
    for x, tall in crests:
        reach = side * (xs - x) / tall
        slope = np.where(
            reach < 0, (1 + reach / 2.6).clip(0) ** 1.5, (1 - reach / 1.5).clip(0) ** 1.25
        )
        rise = np.maximum(rise, tall * slope)
    line = list(zip(xs.tolist(), (y - rise).tolist(), strict=True))
    c.land(line, (toned(sand, 1.14), sand), far)
    ts = np.linspace(0, 1, 9)
    for x, tall in crests:
        if height_at(line, x) < y - tall - 0.01:
            continue  # behind a higher one
        lee = [(x + side * 1.5 * tall * t, y - tall * max(1 - t, 0) ** 1.25) for t in ts]
        lee = [(a, max(b, height_at(line, a))) for a, b in lee]
        spine = [
            (x + side * tall * (0.28 * math.sin(4.2 * t) - 0.1 * t), y - tall * (1 - 1.25 * t))
            for t in ts
        ]
        c.poly(
            [*lee, (x + side * 0.9 * tall, y + 0.2 * tall), *spine[::-1]], toned(sand, 0.82), far
        )


def paint_hills(c: Canvas) -> Sites:
    horizon = c.u(0.42, 0.56)
    draw_sky(c, horizon + 0.1, horizon - 0.1)
    layers = c.rng.choice((3, 4))
    for i in range(layers):
        t = i / (layers - 1)
        line = rolling(c, horizon + t * 0.3, 0.085 - 0.03 * t, c.u(0.7, 1.1))
        green = toned(c.near(c.mood.grass, 5), 1.08 - 0.2 * (i % 2) - 0.05 * t)
        c.land(line, (toned(green, 1.08), toned(green, 0.84)), 0.75 * (1 - t))
        for x in c.along(c.some(1, 3)) if c.chance(0.75) else ():
            y = height_at(line, x) + 0.015
            season_tree(c)(c, x, y, (0.07 + 0.11 * t) * c.u(0.8, 1.2), 0.6 * (1 - t))
    draw_flowers(c, horizon + 0.3, 0.98, c.some(5, 14))
    if c.chance(0.4):
        c.front.append(draw_tufts)
    return Sites(
        horizon, ground_region(horizon + 0.3, 0.97, horizon), None, air_region(horizon - 0.08)
    )


def paint_mountains(c: Canvas) -> Sites:
    foot = c.u(0.62, 0.74)
    top = c.u(0.14, 0.26)
    draw_sky(c, foot, top + 0.16)
    draw_range(c, foot - 0.04, (foot - top) * 0.72, 0.75)
    rock = c.pick(((106, 108, 132), (124, 106, 112), (92, 106, 124), (132, 118, 106)), 6)
    places = c.along(c.some(1.3, 2.2), 0.2)
    c.rng.shuffle(places)
    for x in places:
        tall = (foot - top) * c.u(0.8, 1.0)
        draw_mountain(c, x, foot + 0.03, tall * c.u(1.35, 1.8), tall, rock, 0.3)
    c.ramp(foot, foot + 0.12, (toned(c.mood.grass, 0.7),) * 2)
    kind = season_tree(c, 0.9)
    draw_wood(c, rolling(c, foot + 0.01, 0.012), c.u(0.06, 0.1), 0.25, kind is draw_fir)
    line = rolling(c, foot + 0.05, 0.03, 0.7)
    c.land(line, (c.mood.grass, toned(c.mood.grass, 0.82)))
    if c.chance(0.3):
        c.oval(
            c.u(0.3, 0.7) * c.w,
            foot + 0.13,
            0.3,
            0.035,
            mix(c.lit(water_colour(c)), c.mood.sky[1], 0.4),
            SHINING,
        )
    for x in c.along(c.some(1, 4)):
        kind(c, x, foot + c.u(0.08, 0.16), c.u(0.12, 0.24))
    if c.chance(0.4):
        draw_rock(c, c.u(0.1, 0.9) * c.w, c.u(0.9, 0.96), c.u(0.1, 0.18))
    if c.mood.place.season == "spring":
        draw_flowers(c, foot + 0.1, 0.98, c.some(14, 24))
    return Sites(foot, Region(0.0, 1.0, foot + 0.14, 0.97, 0.6, 1.0), None, air_region(top + 0.1))


def paint_forest(c: Canvas) -> Sites:
    floor = c.u(0.62, 0.72)
    draw_sky(c, floor, floor * 0.5)
    pointed = season_tree(c, 0.5) is draw_fir
    for i, far in enumerate((0.95, 0.6, 0.32)):
        base = floor - 0.02 + 0.03 * i
        draw_wood(c, [(0, base), (c.w, base)], (0.46, 0.36, 0.26)[i] * c.u(0.9, 1.1), far, pointed)
    ground = toned(c.mood.grass, 0.8) if not c.mood.snow else c.mood.grass
    c.land(rolling(c, floor + 0.03, 0.015), (toned(ground, 0.8), ground, toned(ground, 0.75)))
    if c.chance(0.35):
        left, right = winding(
            c, floor + 0.03, 0.16, c.u(-0.15, 0.15), c.u(0.35, 0.65), c.u(0.4, 0.6)
        )
        c.poly(left + right[::-1], (196, 164, 120) if not c.mood.snow else (206, 216, 234))
    kind = draw_fir if pointed else draw_tree
    for x in c.along(c.some(3, 5)):
        kind(c, x, floor + c.u(0.03, 0.08), c.u(0.36, 0.55), 0.12)
    trunk = c.near((84, 60, 48), 6) if c.chance(0.7) else (222, 220, 212)
    for side in (c.u(0.0, 0.1), c.u(0.9, 1.0)):
        if pointed:
            draw_fir(c, side * c.w, c.u(0.9, 1.0), c.u(0.8, 1.0))
        else:
            draw_big_trunk(c, side * c.w, c.u(0.88, 0.98), trunk)
    for x in c.along(c.some(2, 4)):
        draw_bush(c, x, floor + c.u(0.06, 0.1), c.u(0.1, 0.18))
    if c.chance(0.5):
        draw_mushrooms(c, c.u(0.15, 0.85) * c.w, c.u(0.88, 0.96))
    if c.chance(0.5):
        c.front.append(draw_tufts)
    return Sites(
        floor,
        Region(0.15, 0.85, floor + 0.12, 0.97, 0.65, 1.0),
        None,
        Region(0.1, 0.9, 0.06, 0.4, 0.5, 0.5),
    )


def paint_meadow(c: Canvas) -> Sites:
    horizon = c.u(0.38, 0.56)
    draw_sky(c, horizon, horizon - 0.06)
    if c.chance(0.4):
        c.land(rolling(c, horizon - 0.02, 0.04), (toned(c.mood.grass, 0.85),) * 2, 0.85)
    if c.chance(0.6):
        draw_wood(c, [(0, horizon + 0.01), (c.w, horizon + 0.01)], c.u(0.04, 0.07), 0.6)
    line = rolling(c, horizon + 0.01, 0.008)
    c.land(line, (toned(c.mood.grass, 1.12), c.mood.grass, toned(c.mood.grass, 0.78)))
    for i in range(4):
        y = horizon + 0.06 + (0.9 - horizon) * (i / 4) ** 1.4
        c.land(
            rolling(c, y + 0.02, 0.015),
            (toned(c.mood.grass, 1.08 - 0.06 * i - 0.08 * (i % 2)),) * 2,
        )
    draw_flowers(c, horizon + 0.08, 0.98, c.some(34, 60))
    for x in c.along(c.some(0.6, 3) if c.chance(0.4) or c.mood.place.season else 0):
        draw_tree(c, x, horizon + c.u(0.06, 0.14), c.u(0.2, 0.34))
    c.front.append(draw_tufts)
    return Sites(horizon, ground_region(horizon + 0.15, 0.97, horizon), None, air_region(horizon))


def paint_snow(c: Canvas) -> Sites:
    horizon = c.u(0.42, 0.58)
    draw_sky(c, horizon, horizon - 0.08)
    if c.chance(0.4):
        draw_range(c, horizon + 0.03, c.u(0.16, 0.26), 0.7)
    else:
        draw_wood(c, rolling(c, horizon + 0.01, 0.01), c.u(0.08, 0.13), 0.6, True)
    c.ramp(horizon, 1, ((246, 250, 255),) * 2, 0.3)
    for i in range(3):
        line = rolling(c, horizon + 0.03 + 0.14 * i, 0.035, 0.7)
        c.land(
            line,
            ((252, 254, 255), mix((238, 244, 252), (170, 196, 232), 0.35 + 0.2 * i)),
            0.3 - 0.15 * i,
        )
        for x in c.along(c.some(1.5, 3), 0.4):
            draw_fir(
                c, x, height_at(line, x) + 0.03, (0.14 + 0.08 * i) * c.u(0.8, 1.2), 0.3 - 0.15 * i
            )
    if c.chance(0.4):
        x = c.u(0.3, 0.6) * c.w
        for i in range(6):  # footprints
            y = 0.98 - 0.055 * i
            c.oval(x + (-1) ** i * 0.02 + 0.02 * i, y, 0.016 - 0.001 * i, 0.009, (176, 198, 230))
    return Sites(
        horizon, ground_region(horizon + 0.32, 0.97, horizon), None, air_region(horizon - 0.06)
    )


def paint_jungle(c: Canvas) -> Sites:
    floor = c.u(0.68, 0.76)
    draw_sky(c, floor, floor * 0.5)
    green = (70, 150, 70)
    for i, far in enumerate((0.8, 0.5)):
        base = floor - 0.03 + 0.03 * i
        draw_wood(c, [(0, base), (c.w, base)], (0.42, 0.28)[i], far, False)
        for x in c.along(c.some(2, 3)):
            draw_palm(c, x, base + 0.02, c.u(0.45, 0.6) - 0.06 * i, far * 0.8)
    c.land(rolling(c, floor, 0.015), (toned(green, 0.75), toned(green, 0.55), toned(green, 0.42)))
    for x in c.along(c.some(4, 6)):
        draw_fern(c, x, floor + c.u(0.03, 0.1), c.u(0.14, 0.22), 0.1)
    for side in (-1, 1):
        edge = 0.0 if side > 0 else c.w
        draw_big_trunk(c, edge + side * c.u(0.02, 0.08), 1.0, (92, 66, 46))
        for i in range(5):
            turn = c.u(-1.3, 1.0)
            y, reach = 0.08 + 0.22 * i, min(c.u(0.22, 0.34), c.w * 0.34)
            hue = c.pick(((40, 120, 60), (60, 150, 70), (30, 100, 70), (90, 170, 70)), 6)
            draw_leaf(c, edge - side * 0.03, y, turn if side > 0 else math.pi - turn, reach, hue)
    for x in c.along(c.some(2, 4)):
        draw_vine(c, x, c.u(0.2, 0.4))
    return Sites(
        floor,
        Region(0.18, 0.82, floor + 0.1, 0.97, 0.75, 1.0),
        None,
        Region(0.2, 0.8, 0.1, 0.45, 0.5, 0.5),
    )


def paint_savanna(c: Canvas) -> Sites:
    horizon = c.u(0.52, 0.62)
    draw_sky(c, horizon, horizon - 0.05)
    grass = c.pick(((222, 188, 96), (210, 176, 90), (190, 180, 92)), 6)
    c.land(rolling(c, horizon - 0.02, 0.03), (toned(mix(grass, (120, 130, 150), 0.5), 1),) * 2, 0.7)
    c.ramp(horizon, 1, (toned(grass, 1.1), grass, toned(grass, 0.8)))
    for i in range(3):
        y = horizon + 0.05 + 0.12 * i
        c.land(rolling(c, y, 0.012), (toned(grass, 1.04 - 0.08 * i),) * 2)
        for x in c.along(c.some(3, 5)):
            c.oval(x, y + c.u(0.02, 0.06), c.u(0.05, 0.1), 0.007, toned(grass, 0.86))
    for i, x in enumerate(c.along(c.some(2, 3.4))):
        far = 0.35 if i % 2 else 0.05
        draw_acacia(
            c,
            x,
            horizon + (0.03 if i % 2 else c.u(0.06, 0.12)),
            (0.2 if i % 2 else 0.38) * c.u(0.85, 1.15),
            far,
        )
    if c.chance(0.6):
        c.front.append(lambda c: draw_dry_tufts(c, grass))
    return Sites(
        horizon, ground_region(horizon + 0.16, 0.97, horizon), None, air_region(horizon - 0.1)
    )


_LAVA = (255, 112, 36)


def paint_volcano(c: Canvas) -> Sites:
    foot, top = c.u(0.68, 0.76), c.u(0.24, 0.34)
    draw_sky(c, foot, top + 0.1)
    rock = c.pick(((92, 80, 84), (84, 80, 94), (104, 82, 76)), 5)
    x, half, mouth = c.u(0.42, 0.58) * c.w, c.u(0.42, 0.55), c.u(0.06, 0.09)
    _eruption(c, x, top, mouth)
    draw_range(c, foot, 0.16, 0.6, toned(rock, 1.1))
    _cone(c, x, top, foot, (mouth, half), rock)
    c.oval(x, top, mouth, 0.016, (255, 190, 70), SHINING)
    for dx, low in ((-0.5, 0.75), (0.15, 0.95), (0.7, 0.6)):
        a, b, end = x + dx * mouth, x + dx * mouth * 3.4, top + (foot - top) * c.u(low - 0.15, low)
        middle, y = (a + b) / 2, (top + end) / 2
        c.trapezoid((top, a - 0.016, a + 0.016), (y, middle - 0.006, middle + 0.03), _LAVA, SHINING)
        c.trapezoid((y, middle - 0.006, middle + 0.03), (end, b - 0.01, b + 0.016), _LAVA, SHINING)
    ground = mix(rock, (110, 90, 70), 0.5)
    c.box(0, foot + 0.005, c.w, 1, ground)
    c.land(rolling(c, foot + 0.02, 0.015), (ground, toned(ground, 0.72)))
    for at in c.along(c.some(2, 4)):
        draw_rock(c, at, c.u(foot + 0.1, 0.97), c.u(0.06, 0.13), toned(rock, 0.9))
    stand = Region(0.03, 0.97, foot + 0.1, 0.97, 0.75, 1.0)
    return Sites(foot, stand, fly=Region(0.0, 1.0, 0.06, 0.4, 0.5, 0.5))


def _cone(
    c: Canvas, x: float, top: float, foot: float, halves: tuple[float, float], rock: Colour
) -> None:
    """A mountain with a flat top; halves: of its width at the top and at the foot."""
    mouth, half = halves
    shares = ((mouth, 0.0), (mouth * 1.8, 0.35), (half * 0.62, 0.75), (half, 1.05))
    flank = [(dx, top + (foot - top) * t) for dx, t in shares]
    right = [(x + dx, y) for dx, y in flank[::-1]]
    c.poly([*((x - dx, y) for dx, y in flank), *right], toned(rock, 1.06), 0.1)
    shade = [(x + mouth * 0.2, top), (x + mouth * 0.4, right[0][1]), *right]
    c.poly(shade, toned(rock, 0.8), 0.1)


def _eruption(c: Canvas, x: float, top: float, mouth: float) -> None:
    """Smoke that drifts, and lava that is thrown up."""
    smoke, drift = mix(c.lit((96, 90, 100)), c.mood.sky[0], 0.25), c.u(-0.2, 0.2)
    for i in range(6):
        t, grey = i / 5, toned(smoke, 0.95 + 0.06 * (i % 2))
        at = x + drift * t * t + c.u(-0.03, 0.03)
        c.disc(at, top - 0.02 - (top + 0.05) * t, 0.06 + 0.08 * t, grey, SHINING)
    c.glow(x, top, 0.3, (255, 110, 40), 0.7)
    for dx in (-0.6, 0.0, 0.55, -0.25, 0.3):
        root, tip = x + dx * mouth, (x + dx * mouth * 2, top - c.u(0.06, 0.16))
        points = [(root - 0.02, top + 0.01), tip, (root + 0.02, top + 0.01)]
        c.poly(points, (255, 140, 40), SHINING)
