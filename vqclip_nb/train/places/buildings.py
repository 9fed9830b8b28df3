"""Houses, towers, lamps, fences and benches."""

from __future__ import annotations

from vqclip_nb.train.places.canvas import SHINING, Canvas
from vqclip_nb.train.places.mood import WHITE, Colour, Point, toned

_WALLS = (
    *((244, 226, 190), (230, 180, 140), (200, 216, 226)),
    *((236, 206, 206), (222, 222, 206), (190, 90, 74)),
)
_ROOFS = ((176, 72, 56), (150, 84, 62), (92, 84, 104), (120, 62, 62))


def draw_house(
    c: Canvas, x: float, y: float, width: float, height: float, far: float = 0.0
) -> None:
    """A gabled house with a door, windows and a chimney; (x, y) is the middle of its foot."""
    wall, roof = c.pick(_WALLS, 6), c.pick(_ROOFS, 6)
    half, eaves = width / 2, y - height * 0.6
    chimney = (y - height * 1.02, y - height * 0.7)
    c.block(x + half * 0.48, half * 0.12, *chimney, toned(roof, 0.8), far)
    gable = [(x - half, y), (x - half, eaves), (x, y - height), (x + half, eaves), (x + half, y)]
    c.poly(gable, wall, far)
    c.box(x + half * 0.55, eaves, x + half, y, toned(wall, 0.9), far)
    _roof(c, x, eaves, half, height, roof, far)
    glass, shine = ((255, 216, 110), SHINING) if c.mood.lamps else ((120, 170, 200), far)
    c.block(x, width * 0.11, y - height * 0.32, y, toned(roof, 0.7), far)
    pane = width * 0.085
    for dx, dy in ((-0.3, 0.4), (0.3, 0.4), (0, 0.68)):
        at, middle, frame = x + dx * width, y - dy * height, pane * 1.25
        c.block(at, frame, middle - frame, middle + frame, (250, 246, 236), far)
        c.block(at, pane, middle - pane, middle + pane, glass, shine)


def _roof(
    c: Canvas, x: float, eaves: float, half: float, height: float, colour: Colour, far: float
) -> None:
    """The edge of a gabled roof, with snow on it in winter."""
    out, peak, thick = half * 1.16, eaves - height * 0.46, height * 0.12
    top, low = eaves + thick * 0.5, eaves + thick * 1.2
    inner = [(x + half * 1.1, low), (x, peak + thick * 1.2), (x - half * 1.1, low)]
    c.poly([(x - out, top), (x, peak), (x + out, top), *inner], colour, far)
    if c.mood.snow:
        ridge = [(x, peak - thick * 0.3), (x + out, top), (x, peak + thick * 0.6)]
        c.poly([(x - out, top), *ridge], WHITE, far)


def draw_lamp_post(c: Canvas, x: float, y: float, height: float) -> None:
    c.box(x - height * 0.02, y - height, x + height * 0.02, y, (60, 62, 76))
    c.box(x - height * 0.06, y - height * 0.04, x + height * 0.06, y, (60, 62, 76))
    top = y - height
    if c.mood.lamps:
        c.glow(x, top - height * 0.05, height * 0.5, (255, 214, 120), 0.6)
    lamp = (255, 232, 150) if c.mood.lamps else (236, 236, 226)
    c.poly(
        [
            (x - height * 0.04, top),
            (x - height * 0.065, top - height * 0.13),
            (x + height * 0.065, top - height * 0.13),
            (x + height * 0.04, top),
        ],
        lamp,
        SHINING if c.mood.lamps else 0.0,
    )
    c.poly(
        [
            (x - height * 0.08, top - height * 0.12),
            (x, top - height * 0.19),
            (x + height * 0.08, top - height * 0.12),
        ],
        (60, 62, 76),
    )


def draw_tower_block(
    c: Canvas,
    corner: Point,
    width: float,
    height: float,
    colour: Colour,
    far: float,
    *,
    windows: bool = True,
) -> None:
    """A high building on its lower left corner; windows shine at night."""
    x, y = corner
    top, middle = y - height, x + width / 2
    c.box(x, top, x + width, y, colour, far)
    c.box(x + width * 0.72, top, x + width, y, toned(colour, 0.86), far)
    kind = c.rng.choice(("flat", "flat", "spire", "step", "slope"))
    if kind == "spire":
        foot = width * 0.04
        c.poly(
            [(middle - foot, top), (middle, top - height * 0.22), (middle + foot, top)], colour, far
        )
        c.block(middle, width * 0.25, top - height * 0.05, top, colour, far)
    elif kind == "step":
        c.block(middle, width * 0.3, top - height * 0.08, top, toned(colour, 0.94), far)
    elif kind == "slope":
        c.poly([(x, top), (x + width, top - width * 0.4), (x + width, top)], colour, far)
    if c.mood.snow and kind != "slope":
        c.box(x - 0.004, top - 0.014, x + width + 0.004, top + 0.004, WHITE, far)
    if windows:
        _windows(c, (x, top), width, height, toned(colour, 0.72), far)


def _windows(
    c: Canvas, corner: Point, width: float, height: float, dark: Colour, far: float
) -> None:
    """Rows of windows from the upper left corner down; most shine at night."""
    x, top = corner
    columns = max(2, round(width / 0.042))
    step, pane = width / (columns + 0.35), 0.044
    for row in range(int((height - 0.02) / pane)):
        for column in range(columns):
            left, y = x + step * (0.35 + column), top + 0.02 + row * pane
            on = c.mood.lamps and c.chance(0.62)
            paint = ((255, 214, 110), SHINING) if on else (dark, far)
            c.box(left, y, left + step * 0.62, y + pane * 0.55, *paint)


def draw_church(c: Canvas, x: float, y: float, height: float) -> None:
    wall, roof = (232, 224, 208), (96, 88, 112)
    w = height * 0.13
    c.box(x - w, y - height * 0.7, x + w, y, wall, 0.15)
    c.box(x + w * 0.3, y - height * 0.7, x + w, y, toned(wall, 0.88), 0.15)
    c.poly(
        [(x - w * 1.2, y - height * 0.7), (x, y - height * 1.1), (x + w * 1.2, y - height * 0.7)],
        roof,
        0.15,
    )
    glass = ((255, 216, 110), SHINING) if c.mood.lamps else ((90, 110, 140), 0.1)
    c.box(x - w * 0.3, y - height * 0.6, x + w * 0.3, y - height * 0.46, *glass, w * 0.3)


def draw_picket_fence(c: Canvas, y: float) -> None:
    paint = c.rng.choice(((248, 246, 238), (248, 246, 238), (176, 126, 84), (190, 214, 226)))
    for rail in (0.05, 0.1):
        c.box(0, y - rail - 0.012, c.w, y - rail, toned(paint, 0.86))
    step = 0.055
    for i in range(int(c.w / step) + 2):
        x = i * step
        c.poly(
            [(x, y), (x, y - 0.125), (x + 0.015, y - 0.145), (x + 0.03, y - 0.125), (x + 0.03, y)],
            paint,
        )


def draw_barn(c: Canvas, x: float, y: float, width: float, height: float) -> None:
    red, roof, half = c.near((190, 58, 48), 8), (110, 100, 108), width / 2
    silo = x + half + 0.07 if x < c.w / 2 else x - half - 0.07
    c.box(silo - 0.055, y - height * 0.95, silo + 0.055, y, (206, 208, 214))
    c.box(silo + 0.02, y - height * 0.95, silo + 0.055, y, (176, 180, 190))
    c.oval(silo, y - height * 0.95, 0.055, 0.05, (160, 166, 180))
    gable = [
        (-half, 0),
        (-half, -0.55),
        (-half * 0.62, -0.82),
        (0, -1),
        (half * 0.62, -0.82),
        (half, -0.55),
        (half, 0),
    ]
    c.poly([(x + a, y + b * height) for a, b in gable], red)
    edge = [(x + a * 1.08, y + b * height) for a, b in gable[1:-1]]
    c.line(edge, 0.026, WHITE if c.mood.snow else roof)
    white, door = (246, 240, 232), width * 0.2
    top = y - height * 0.42
    c.box(x - door, top, x + door, y, white)
    c.box(x - door * 0.86, top + 0.012, x + door * 0.86, y, toned(red, 0.82))
    c.line([(x - door * 0.86, top + 0.012), (x + door * 0.86, y)], 0.012, white)
    c.line([(x + door * 0.86, top + 0.012), (x - door * 0.86, y)], 0.012, white)
    glass = ((255, 216, 110), SHINING) if c.mood.lamps else ((70, 50, 50), 0.0)
    c.box(x - 0.035, y - height * 0.76, x + 0.035, y - height * 0.58, white)
    c.box(x - 0.024, y - height * 0.74, x + 0.024, y - height * 0.6, *glass)


def add_rail_fence(c: Canvas, y: float) -> None:
    wood = (160, 118, 80)

    def draw(c: Canvas) -> None:
        for rail in (0.05, 0.11):
            c.box(0, y - rail - 0.012, c.w, y - rail + 0.006, toned(wood, 0.9))
        for x in c.along(c.some(4, 5), 0.05):
            c.box(x - 0.014, y - 0.15, x + 0.014, y + 0.02, wood)

    if c.chance(0.5):
        c.front.append(draw)


def draw_bench(c: Canvas, x: float, y: float) -> None:
    wood, iron, w = c.near((176, 116, 70), 8), (66, 66, 78), 0.16
    for dx in (-0.8, 0.8):
        c.box(x + dx * w - 0.01, y - 0.16, x + dx * w + 0.01, y, iron)
    for i in range(3):
        c.box(x - w, y - 0.165 + 0.032 * i, x + w, y - 0.143 + 0.032 * i, wood)
    c.box(x - w * 1.03, y - 0.065, x + w * 1.03, y - 0.045, toned(wood, 0.8))
    if c.mood.snow:
        c.box(x - w, y - 0.178, x + w, y - 0.162, WHITE)
