"""Trees, bushes, flowers and leaves, as the season has them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vqclip_nb.train.places.canvas import Canvas, height_at
from vqclip_nb.train.places.mood import WHITE, Colour, Point, mix, toned


def draw_tufts(c: Canvas) -> None:
    """Blades of grass along the lower edge."""
    grass = c.mood.grass if c.mood.snow else toned(c.mood.grass, 0.72)
    for x in c.along(c.some(7, 11), 0.5):
        for blade in range(-2, 3):
            height, lean = c.u(0.03, 0.08), blade * 0.012 + c.u(-0.01, 0.01)
            root = x + blade * 0.012
            colour = toned(grass, 1 + 0.1 * (blade % 2))
            c.poly([(root - 0.008, 1.01), (root + lean, 1 - height), (root + 0.008, 1.01)], colour)


_BARK = (112, 78, 54)
_FIR = ((38, 100, 76), (48, 112, 66), (30, 86, 70))


def draw_tree(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    """A tree of the season that stands at (x, y)."""
    if not c.mood.leaves:
        _bare_tree(c, x, y, height, far)
        return
    lean = 0.12 * height if c.mood.place.weather == "wind" else 0.0
    bark, leaf = c.near(_BARK, 6), c.pick(c.mood.leaves, 6)
    w = height * 0.055
    c.poly(
        [
            (x - w, y),
            (x - w * 0.6 + lean, y - height * 0.6),
            (x + w * 0.6 + lean, y - height * 0.6),
            (x + w, y),
        ],
        bark,
        far,
    )
    x += lean
    if c.chance(0.5):
        balls = [(0, -0.72, 0.27), (-0.2, -0.52, 0.2), (0.2, -0.52, 0.2)]
    else:
        balls = [(0, -0.62, 0.26), (0, -0.8, 0.2), (0, -0.45, 0.2)]
    for dx, dy, r in balls:
        c.disc(x + dx * height, y + dy * height, r * height, toned(leaf, 0.82), far)
    for dx, dy, r in balls:
        c.disc(x + (dx - 0.035) * height, y + (dy - 0.035) * height, r * height * 0.82, leaf, far)
    if height > 0.2:
        light = toned(leaf, 1.2)
        for _ in range(4):
            dx, dy = c.u(-0.22, 0.1) * height, c.u(-0.85, -0.5) * height
            c.disc(x + dx, y + dy, height * c.u(0.03, 0.055), light, far)


def season_tree(c: Canvas, firs: float = 0.4) -> Callable:
    """A painter of trees; spring and autumn show in leaves rather than in needles."""
    coloured = c.mood.place.season in ("spring", "autumn")
    return draw_fir if c.chance(firs * (0.05 if coloured else 1)) else draw_tree


def _draw_trunk(
    c: Canvas, x: float, y: float, foot: float, top: float, height: float, bark: tuple, far: float
) -> None:
    """A tapering trunk; foot and top are half its widths."""
    c.poly([(x - foot, y), (x - top, y - height), (x + top, y - height), (x + foot, y)], bark, far)


def _bare_tree(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    bark = c.near((92, 74, 70), 6)
    w = height * 0.05
    _draw_trunk(c, x, y, w, 0.3 * w, 0.75 * height, bark, far)
    for i, t in enumerate((0.38, 0.5, 0.6, 0.7, 0.74)):
        side = -1 if i % 2 else 1
        reach, fork = (0.95 - t) * height * 0.75, (x, y - t * height)
        end = (fork[0] + side * reach, fork[1] - reach * c.u(0.7, 1.0))
        c.line([fork, end], height * 0.03, bark, far)
        half = ((fork[0] + end[0]) / 2, (fork[1] + end[1]) / 2)
        c.line(
            [half, (half[0] + side * reach * 0.1, half[1] - reach * 0.5)], height * 0.02, bark, far
        )
        if c.mood.snow:
            c.line([(p[0], p[1] - height * 0.018) for p in (half, end)], height * 0.022, WHITE, far)


def draw_fir(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    green = c.pick(_FIR, 6)
    c.box(x - height * 0.035, y - height * 0.14, x + height * 0.035, y, _BARK, far)
    tiers = 3 if height < 0.25 else 4
    for i in range(tiers):
        low = y - height * (0.1 + 0.72 * i / tiers)
        top = low - height * 0.9 / (tiers - 0.6) * (1 if i < tiers - 1 else 0.95)
        half = height * 0.27 * (1 - 0.68 * i / tiers)
        c.poly([(x - half, low), (x, top), (x + half, low)], green, far)
        c.poly([(x, top), (x + half, low), (x + half * 0.1, low)], toned(green, 0.82), far)
        if c.mood.snow:
            d = half * 0.62
            mid = top + (low - top) * 0.62
            c.poly(
                [
                    (x - d, mid),
                    (x, top),
                    (x + d, mid),
                    (x + d * 0.3, mid - half * 0.2),
                    (x - d * 0.2, mid),
                ],
                (246, 250, 255),
                far,
            )


def draw_palm(c: Canvas, x: float, y: float, height: float, far: float = 0.0) -> None:
    lean = c.rng.choice((-1, 1)) * c.u(0.1, 0.3) * height
    bark, green = c.near((150, 110, 74), 6), c.near((62, 144, 74), 8)
    stem = [(x + lean * t * t, y - height * 0.8 * t) for t in (0, 0.25, 0.5, 0.75, 1)]
    w = height * 0.035
    sides = [
        [(px + s * w * (1.2 - 0.12 * i), py) for i, (px, py) in enumerate(stem)] for s in (-1, 1)
    ]
    c.poly(sides[0] + sides[1][::-1], bark, far)
    tx, ty = stem[-1]
    for i, turn in enumerate((-2.9, -0.25, -2.35, -0.8, -1.75, 0.25, 2.9)):
        reach = height * c.u(0.36, 0.44)
        dx, dy = math.cos(turn), math.sin(turn)
        end = (tx + dx * reach, ty + dy * reach * 0.6 + reach * 0.3)
        mid = (tx + dx * reach * 0.55, ty + dy * reach * 0.75 - reach * 0.06)
        under = (tx + dx * reach * 0.45, ty + dy * reach * 0.45 + reach * 0.14)
        c.poly([(tx, ty), mid, end, under], toned(green, 0.85 + 0.1 * (i % 3)), far)
    for dx in (-0.03, 0.02):
        c.disc(tx + dx * height, ty + 0.03 * height, height * 0.03, (110, 70, 44), far)


def draw_bush(c: Canvas, x: float, y: float, width: float, far: float = 0.0) -> None:
    leaf = (226, 234, 246) if c.mood.snow else c.near(toned(c.mood.grass, 0.72), 6)
    for dx, r in ((-0.3, 0.22), (0.3, 0.22), (0, 0.3)):
        c.disc(x + dx * width, y - r * width * 0.7, r * width, toned(leaf, 0.86), far)
    for dx, r in ((-0.3, 0.16), (0.3, 0.16), (0, 0.23)):
        c.disc(x + (dx - 0.03) * width, y - r * width * 1.2, r * width, leaf, far)
    c.box(x - width * 0.5, y - 0.006, x + width * 0.5, y + 0.001, toned(leaf, 0.8), far)


def draw_wood(c: Canvas, line: list[Point], height: float, far: float, pointed: bool | None = None):
    """The far edge of a wood along a line: tree tops as one shape."""
    pointed = season_tree(c, 0.5) is draw_fir if pointed is None else pointed
    colour = c.rng.choice(_FIR if pointed else c.mood.leaves or ((150, 140, 150),))
    if c.mood.snow:
        colour = mix(colour, WHITE, 0.4)
    x, points = -0.02, []
    while x < c.w + 0.02:
        y, width, tall = height_at(line, x), height * c.u(0.45, 0.8), height * c.u(0.65, 1.15)
        if pointed:
            points += [(x, y - tall * 0.25), (x + width / 2, y - tall)]
        else:
            turns = (0.0, 0.5, 1.0, 1.57, 2.14, 2.64)
            points += [
                (x + width * (1 - math.cos(t)) / 2, y - tall * (0.45 + 0.5 * math.sin(t)))
                for t in turns
            ]
        x += width
    ground = max(p[1] for p in line) + 0.02
    points += [(x, height_at(line, x)), (x, ground), (-0.02, ground)]
    c.shaded(points, (toned(colour, 1.06), toned(colour, 0.75)), far)


def draw_flowers(c: Canvas, top: float, bottom: float, number: int) -> None:
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
            c.line([(x, y), (x, y + 2.6 * r)], r * 0.4, toned(c.mood.grass, 0.7))
        c.oval(x, y, r, r * 0.75, colour)
        c.oval(x, y, r * 0.4, r * 0.34, (255, 220, 90) if colour[2] > 90 else (130, 70, 40))


def draw_reeds(c: Canvas, line: list[Point]) -> None:
    colour = (150, 140, 96) if not c.mood.leaves else toned(c.mood.grass, 0.66)
    for clump in (c.u(0, 0.2) * c.w, c.u(0.8, 1) * c.w):
        for i in range(6):
            x = clump + (i - 2.5) * 0.022
            y, height, lean = height_at(line, x) + 0.03, c.u(0.1, 0.2), c.u(-0.03, 0.03)
            c.poly([(x - 0.006, y), (x + lean, y - height), (x + 0.006, y)], colour)
            if i % 2:
                c.oval(x + lean * 0.8, y - height * 0.95, 0.009, 0.03, (120, 78, 46))


def draw_cactus(c: Canvas, x: float, y: float, height: float) -> None:
    green = c.near((70, 140, 84), 8)
    w = height * 0.09
    c.oval(x, y, w * 2.2, w * 0.4, (150, 110, 70))
    for dx, low, high in ((-0.28, 0.35, 0.7), (0.28, 0.25, 0.6)):
        if c.chance(0.85):
            ax = x + dx * height
            c.box(
                min(x, ax),
                y - low * height - w * 0.7,
                max(x, ax),
                y - low * height + w * 0.7,
                toned(green, 0.9),
                0.0,
                w * 0.6,
            )
            c.box(
                ax - w * 0.7,
                y - high * height,
                ax + w * 0.7,
                y - low * height + w * 0.7,
                toned(green, 0.9),
                0.0,
                w * 0.7,
            )
    c.box(x - w, y - height, x + w, y, green, 0.0, w)
    c.box(
        x - w * 0.5,
        y - height * 0.92,
        x - w * 0.15,
        y - height * 0.1,
        toned(green, 1.2),
        0.0,
        w * 0.15,
    )


def draw_big_trunk(c: Canvas, x: float, y: float, bark: Colour) -> None:
    """A trunk close by that reaches out of the picture, with leaves above."""
    w = c.u(0.045, 0.07)
    sides = [(-1.9, y), (-1.05, y - 0.1), (-0.9, -0.02), (0.9, -0.02), (1.05, y - 0.1), (1.9, y)]
    c.poly([(x + a * w, b) for a, b in sides], bark)
    c.poly(
        [
            (x + a * w, b)
            for a, b in ((0.2, -0.02), (0.9, -0.02), (1.05, y - 0.1), (1.9, y), (0.3, y))
        ],
        toned(bark, 0.8),
    )
    if bark[0] > 180:
        for i in range(7):
            c.box(
                x - w * c.u(0.2, 0.9),
                y * (i + 0.6) / 8,
                x + w * c.u(0, 0.6),
                y * (i + 0.6) / 8 + 0.012,
                (70, 66, 66),
            )
    for leaf_x in (-0.14, 0.02, 0.15):
        if c.mood.leaves:
            leaf = c.pick(c.mood.leaves, 6)
            c.disc(x + leaf_x, c.u(-0.04, 0.05), c.u(0.1, 0.16), toned(leaf, 0.8))
            c.disc(x + leaf_x - 0.02, c.u(-0.05, 0.02), c.u(0.09, 0.12), leaf)


def draw_mushrooms(c: Canvas, x: float, y: float) -> None:
    if c.mood.snow:
        return
    for dx, size in ((0, 0.05), (0.05, 0.035)):
        c.box(
            x + dx - size * 0.2,
            y - size * 0.7,
            x + dx + size * 0.2,
            y,
            (246, 236, 220),
            0.0,
            size * 0.1,
        )
        c.pen.pieslice(
            [
                (x + dx - size * 0.7) * c.unit,
                (y - size * 1.3) * c.unit,
                (x + dx + size * 0.7) * c.unit,
                (y - size * 0.1) * c.unit,
            ],
            180,
            360,
            c.lit((206, 54, 46)),
        )
        c.disc(x + dx - size * 0.2, y - size * 0.9, size * 0.12, WHITE)
        c.disc(x + dx + size * 0.25, y - size * 0.85, size * 0.1, WHITE)


def draw_leaf(c: Canvas, x: float, y: float, turn: float, length: float, colour: Colour) -> None:
    """A large pointed leaf with a lighter half and a rib."""
    cos, sin = math.cos(turn), math.sin(turn)
    halves = []
    for side in (-1, 1):
        outline = [(t, side * 0.24 * math.sin(math.pi * t**0.75)) for t in np.linspace(0, 1, 9)]
        halves.append(
            [
                (x + length * (a * cos - b * sin), y + length * (a * sin + b * cos))
                for a, b in outline
            ]
        )
    c.poly(halves[0] + halves[1][::-1], colour)
    c.poly(halves[0], toned(colour, 1.14))
    c.line([halves[0][0], halves[0][-1]], length * 0.025, toned(colour, 0.75))


def draw_fern(c: Canvas, x: float, y: float, height: float, far: float) -> None:
    for i, turn in enumerate((-1.1, 1.1, -0.65, 0.65, -0.25, 0.25)):
        tip = (
            x + math.sin(turn) * height,
            y - math.cos(turn) * height * (1 if abs(turn) < 1 else 0.6),
        )
        middle, w = ((x + tip[0]) / 2, (y + tip[1]) / 2 - height * 0.12), height * 0.07
        colour = toned((56, 140, 66), 0.8 + 0.12 * (i % 3))
        c.poly(
            [(x, y), (middle[0] - w, middle[1]), tip, (middle[0] + w, middle[1] + w)], colour, far
        )


def draw_vine(c: Canvas, x: float, length: float) -> None:
    bend = c.u(-0.05, 0.05)
    points = [(x + bend * math.sin(t * 2.6), t * length - 0.01) for t in (0, 0.25, 0.5, 0.75, 1)]
    c.line(points, 0.01, (56, 110, 50))
    for i, (px, py) in enumerate(points[1:]):
        c.oval(px + (0.018 if i % 2 else -0.018), py, 0.02, 0.012, (80, 160, 70))


def draw_acacia(c: Canvas, x: float, y: float, height: float, far: float) -> None:
    """A tree with a flat crown on forked branches."""
    bark, leaf = (104, 76, 56), c.near((104, 132, 62), 8)
    w = height * 0.045
    _draw_trunk(c, x, y, w, 0.6 * w, 0.55 * height, bark, far)
    for dx in (-0.3, 0.28, 0.02):
        c.line([(x, y - height * 0.45), (x + dx * height, y - height * 0.82)], w * 0.9, bark, far)
    for dx, dy, rx in ((0.0, -0.88, 0.5), (-0.26, -0.8, 0.26), (0.3, -0.82, 0.27)):
        c.oval(
            x + dx * height, y + dy * height, rx * height, 0.085 * height, toned(leaf, 0.82), far
        )
    for dx, dy, rx in ((-0.03, -0.91, 0.42), (-0.28, -0.82, 0.2), (0.27, -0.84, 0.2)):
        c.oval(x + dx * height, y + dy * height, rx * height, 0.055 * height, leaf, far)


def draw_dry_tufts(c: Canvas, grass: Colour) -> None:
    for x in c.along(c.some(6, 9), 0.5):
        for blade in range(-2, 3):
            root, tip = x + blade * 0.012, x + blade * 0.034
            c.poly(
                [(root - 0.007, 1.01), (tip, 1 - c.u(0.04, 0.1)), (root + 0.007, 1.01)],
                toned(grass, 0.78 + 0.1 * (blade % 2)),
            )


def draw_flower_bush(c: Canvas, x: float, y: float, size: float) -> None:
    """Leaves with large blossoms; a snowed bush in winter, asters in autumn."""
    draw_bush(c, x, y, size * 1.6)
    if not c.mood.leaves:
        return
    colour = c.rng.choice(
        (
            (240, 80, 100),
            (255, 200, 60),
            (250, 140, 190),
            (170, 110, 220),
            (255, 250, 246),
            (250, 120, 60),
        )
    )
    for dx, dy in ((-0.45, -0.5), (0.05, -0.85), (0.5, -0.45), (0.02, -0.3)):
        cx, cy, r = x + dx * size, y + dy * size, size * 0.17
        for turn in range(5):
            a = turn * 2 * math.pi / 5 + dx
            c.disc(cx + r * 0.8 * math.cos(a), cy + r * 0.8 * math.sin(a), r * 0.62, colour)
        c.disc(cx, cy, r * 0.5, (255, 222, 110) if colour[2] > 80 else (140, 80, 40))
