"""Rooms, with a window that shows the weather."""

from __future__ import annotations

import math
from dataclasses import replace

from PIL import ImageDraw

from vqclip_nb.models.draft.place import Region
from vqclip_nb.train.places.canvas import SHINING, Canvas, rolling
from vqclip_nb.train.places.mood import WHITE, Colour, Mood, toned
from vqclip_nb.train.places.sites import Sites
from vqclip_nb.train.places.weather import draw_rain, draw_sky, draw_snowfall


def _indoors(c: Canvas) -> Mood:
    """Lights the room, by lamps at night; what the mood is outdoors."""
    outdoors = c.mood
    light = (0.9, 0.78, 0.6) if outdoors.night else tuple(0.4 + 0.6 * p for p in outdoors.light)
    c.mood = replace(outdoors, light=light)
    return outdoors


def _window(c: Canvas, outdoors: Mood, x: float, y: float, width: float, height: float) -> None:
    """A window in a wall through which one sees the weather."""
    frame = (250, 246, 238)
    c.box(x - 0.018, y - 0.018, x + width + 0.018, y + height + 0.018, toned(frame, 0.84))
    size = [max(2, round(part * c.unit)) for part in (width, height)]
    view = Canvas((size[0] // c.over, size[1] // c.over), outdoors, c.rng)
    draw_sky(view, 0.85, 0.6)
    view.land(rolling(view, 0.82, 0.06), (toned(c.mood.grass, 0.9),) * 2, 0.3)
    if c.mood.place.weather in ("rain", "storm", "snow"):
        painter = draw_snowfall if c.mood.place.weather == "snow" else draw_rain
        view.image, view.pen = view.image.convert("RGBA"), None
        view.pen = ImageDraw.Draw(view.image)
        painter(view)
    corner = (round(x * c.unit), round(y * c.unit))
    c.image.paste(view.image.convert("RGB").resize(size), corner)
    c.box(x + width / 2 - 0.008, y, x + width / 2 + 0.008, y + height, frame)
    c.box(x, y + height / 2 - 0.008, x + width, y + height / 2 + 0.008, frame)
    c.box(x - 0.035, y + height + 0.012, x + width + 0.035, y + height + 0.035, frame)


def _curtains(c: Canvas, x: float, y: float, width: float, height: float) -> None:
    cloth = c.pick(
        ((206, 90, 84), (88, 132, 170), (226, 180, 90), (120, 160, 110), (170, 120, 170)), 8
    )
    for side in (-1, 1):
        inner, outer = (x - 0.06, x + 0.05) if side < 0 else (x + width + 0.06, x + width - 0.05)
        c.poly(
            [
                (inner, y - 0.05),
                (outer, y - 0.05),
                (outer - side * -0.03, y + height * 0.6),
                (outer + side * 0.02, y + height + 0.06),
                (inner, y + height + 0.06),
            ],
            cloth,
        )
        c.poly(
            [
                (inner, y - 0.05),
                (inner - side * 0.03, y - 0.05),
                (inner - side * 0.02, y + height + 0.06),
                (inner, y + height + 0.06),
            ],
            toned(cloth, 0.84),
        )
    c.box(x - 0.09, y - 0.062, x + width + 0.09, y - 0.045, (120, 84, 60))


_WALLS = (
    (236, 214, 178),
    (196, 214, 206),
    (214, 200, 222),
    (240, 198, 176),
    (178, 202, 224),
    (226, 222, 204),
    (170, 190, 150),
)


def _wall(c: Canvas, bottom: float) -> Colour:
    """A papered wall; its colour."""
    wall = c.pick(_WALLS, 6)
    c.ramp(0, bottom, (wall, toned(wall, 0.93)))
    if c.chance(0.4):
        for x in c.along(c.some(7, 10), 0):
            c.box(x - 0.02, 0, x + 0.02, bottom, toned(wall, 1.12))
    c.box(0, bottom - 0.045, c.w, bottom, toned(wall, 1.4))
    return wall


def _boards(c: Canvas, top: float) -> None:
    """A wooden floor in perspective."""
    wood = c.pick(((186, 132, 84), (160, 108, 70), (206, 160, 110)), 6)
    c.ramp(top, 1, (toned(wood, 0.86), wood))
    for i in range(-8, 9):
        x = i * 0.14
        c.line([(c.w / 2 + x, top), (c.w / 2 + x * 2.4, 1)], 0.005, toned(wood, 0.82))


def paint_room(c: Canvas) -> Sites:
    floor, outdoors = c.u(0.62, 0.72), _indoors(c)
    _wall(c, floor)
    _boards(c, floor)
    width, height = min(c.u(0.3, 0.42), c.w * 0.4), c.u(0.3, 0.36)
    left = c.chance(0.5)
    x, y = (
        c.w * (c.u(0.1, 0.16) if left else c.u(0.84, 0.9)) - (0 if left else width),
        c.u(0.08, 0.13),
    )
    _window(c, outdoors, x, y, width, height)
    if c.chance(0.7):
        _curtains(c, x, y, width, height)
    side = c.w * (0.74 if left else 0.26)
    rug = c.pick(((190, 80, 76), (80, 120, 160), (110, 150, 120), (220, 180, 110)), 8)
    c.oval(c.w / 2, 0.87, min(c.w * 0.4, 0.44), 0.1, rug)
    c.oval(c.w / 2, 0.87, min(c.w * 0.34, 0.37), 0.08, toned(rug, 1.25))
    _furniture(c, side, floor)
    return Sites(
        floor, Region(0.1, 0.9, 0.82, 0.95, 0.9, 1.0), None, Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5)
    )


_CLOTHS = ((90, 130, 160), (190, 100, 84), (110, 150, 110), (200, 160, 90), (140, 110, 160))
_BOOKS = ((200, 80, 70), (80, 120, 170), (230, 190, 90), (90, 150, 110), (220, 214, 200))


def _furniture(c: Canvas, x: float, floor: float) -> None:
    """A sofa below a picture or a bookcase, and a lamp or a plant beside it."""
    (_sofa if c.chance(0.6) else _bookcase)(c, x, floor)
    if c.mood.night or (c.w > 0.8 and c.chance(0.8)):
        beside = x + (0.3 if x > c.w / 2 else -0.3)
        kind = _floor_lamp if c.mood.night or c.chance(0.5) else _pot_plant
        kind(c, min(max(beside, 0.08), c.w - 0.08), floor + 0.06)


def _sofa(c: Canvas, x: float, floor: float) -> None:
    cloth, half, arm = c.pick(_CLOTHS, 8), 0.22, 0.04
    c.block(x, half, floor - 0.17, floor + 0.02, toned(cloth, 0.9), 0.0, 0.04)
    c.block(x, half * 0.8, floor - 0.06, floor + 0.05, cloth, 0.0, 0.02)
    for side in (-half, half):
        c.block(x + side, arm, floor - 0.1, floor + 0.06, toned(cloth, 0.8), 0.0, 0.03)
    y = floor - 0.42
    c.block(x, 0.1, y, y + 0.16, c.rng.choice(((120, 84, 60), (60, 60, 66), (226, 190, 110))))
    c.block(x, 0.085, y + 0.015, y + 0.145, (246, 240, 226))
    peaks = [(-0.085, 0.145), (-0.02, 0.06), (0.03, 0.11), (0.06, 0.08), (0.085, 0.145)]
    c.poly([(x + a, y + b) for a, b in peaks], cloth)


def _bookcase(c: Canvas, x: float, floor: float) -> None:
    wood = c.near((150, 104, 70), 8)
    c.block(x, 0.15, floor - 0.45, floor + 0.03, wood)
    for shelf in range(3):
        low = floor - 0.02 - 0.14 * shelf
        c.block(x, 0.135, low - 0.125, low, toned(wood, 0.7))
        book = x - 0.13
        while book < x + 0.1:
            width = c.u(0.018, 0.032)
            c.box(book, low - c.u(0.08, 0.115), book + width, low, c.rng.choice(_BOOKS))
            book += width * c.u(1.02, 1.5)


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
    c.poly(
        [(x - 0.07, y - 0.36), (x - 0.04, y - 0.48), (x + 0.04, y - 0.48), (x + 0.07, y - 0.36)],
        shade,
        SHINING if c.mood.lamps else 0.0,
    )


def _pot_plant(c: Canvas, x: float, y: float) -> None:
    green = c.near((70, 140, 80), 8)
    for i, turn in enumerate((-2.7, -0.4, -2.2, -0.9, -1.57)):
        dx, dy = 0.16 * math.cos(turn), 0.22 * math.sin(turn)
        tip, root = (x + dx, y - 0.1 + dy), (x, y - 0.1)
        c.poly(
            [
                root,
                (x + dx * 0.5 - 0.025, y - 0.1 + dy * 0.6),
                tip,
                (x + dx * 0.5 + 0.025, y - 0.1 + dy * 0.55),
            ],
            toned(green, 0.85 + 0.12 * (i % 3)),
        )
    c.poly(
        [(x - 0.06, y - 0.12), (x + 0.06, y - 0.12), (x + 0.04, y), (x - 0.04, y)], (196, 110, 76)
    )
    c.box(x - 0.066, y - 0.13, x + 0.066, y - 0.105, (210, 124, 88))


def paint_table(c: Canvas) -> Sites:
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
    wood = c.pick(((190, 126, 72), (160, 100, 60), (214, 168, 112), (232, 226, 214)), 6)
    front, inset = c.u(0.86, 0.92), min(0.1, c.w * 0.1)
    for leg in (inset, c.w - inset):
        c.box(leg - 0.03, front, leg + 0.03, 1, toned(wood, 0.68))
    c.shaded(
        [(inset, back), (c.w - inset, back), (c.w - 0.02, front), (0.02, front)],
        (toned(wood, 0.94), toned(wood, 1.12)),
    )
    if c.chance(0.4):
        cloth = c.rng.choice(((220, 80, 80), (90, 140, 190), (240, 230, 210), (120, 170, 120)))
        t = 0.18
        c.poly(
            [
                (inset + t, back),
                (c.w - inset - t, back),
                (c.w - 0.02 - t * 0.9, front),
                (0.02 + t * 0.9, front),
            ],
            cloth,
        )
    c.box(0.02, front, c.w - 0.02, front + 0.05, toned(wood, 0.8))
    return Sites(
        back,
        Region(0.15, 0.85, back + 0.08, front - 0.03, 0.85, 1.0),
        None,
        Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5),
    )


def paint_kitchen(c: Canvas) -> Sites:
    floor, outdoors = c.u(0.7, 0.76), _indoors(c)
    _wall(c, floor)
    tone = c.rng.choice(
        ((240, 236, 226), (120, 160, 170), (214, 120, 96), (232, 200, 130), (140, 170, 130))
    )
    tiles = toned(c.near(tone, 6), 1.5)
    c.box(0, 0.28, c.w, 0.5, tiles)
    for x in c.along(c.some(7, 9), 0):
        c.box(x - 0.003, 0.28, x + 0.003, 0.5, toned(tiles, 0.88))
    for y in (0.35, 0.42):
        c.box(0, y - 0.003, c.w, y + 0.003, toned(tiles, 0.88))
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
    return Sites(
        floor,
        Region(0.1, 0.9, floor + 0.1, 0.97, 0.9, 1.0),
        None,
        Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5),
    )


def _counter(c: Canvas, floor: float, tone: Colour, stove: float) -> None:
    """Cupboards below a worktop, a stove with a hood and a pot, shelves with crockery."""
    top, front = floor - 0.22, c.near(tone, 8)
    c.box(0, top, c.w, floor + 0.02, front)
    number = c.some(4, 5)
    for x in c.along(number, 0):
        half = c.w / number / 2 - 0.012
        c.box(x - half, top + 0.055, x + half, floor, toned(front, 1.15), 0.0, 0.01)
        c.box(x - 0.03, top + 0.07, x + 0.03, top + 0.08, (110, 100, 96))
    c.box(0, top - 0.012, c.w, top + 0.03, (150, 104, 70))
    c.box(stove - 0.14, top - 0.012, stove + 0.14, floor + 0.02, (228, 230, 234))
    c.box(stove - 0.1, top + 0.07, stove + 0.1, floor - 0.03, (70, 74, 84), 0.0, 0.012)
    for i in range(4):
        c.disc(stove - 0.09 + 0.06 * i, top + 0.03, 0.012, (90, 94, 104))
    hood = (200, 204, 210)
    c.box(stove - 0.05, 0, stove + 0.05, 0.14, hood)
    c.poly(
        [(stove - 0.05, 0.12), (stove + 0.05, 0.12), (stove + 0.14, 0.22), (stove - 0.14, 0.22)],
        toned(hood, 0.9),
    )
    pot = c.rng.choice(((206, 70, 60), (70, 110, 160), (110, 114, 124)))
    c.box(stove - 0.07, top - 0.1, stove + 0.07, top - 0.012, pot, 0.0, 0.016)
    c.box(stove - 0.078, top - 0.108, stove + 0.078, top - 0.094, toned(pot, 0.75))
    c.disc(stove, top - 0.118, 0.014, toned(pot, 0.6))


def paint_bedroom(c: Canvas) -> Sites:
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
    shade = [
        (nx - 0.055, floor - 0.15),
        (nx - 0.03, floor - 0.23),
        (nx + 0.03, floor - 0.23),
        (nx + 0.055, floor - 0.15),
    ]
    c.poly(shade, (255, 236, 180), SHINING if c.mood.lamps else 0.0)
    return Sites(
        floor, Region(0.1, 0.9, 0.9, 0.97, 0.95, 1.0), None, Region(0.1, 0.9, 0.1, 0.4, 0.5, 0.5)
    )


def _bed(c: Canvas, x: float, floor: float, half: float) -> None:
    """A bed seen from its foot, with pillows and a blanket."""
    wood = c.pick(((140, 96, 66), (190, 146, 100), (236, 232, 224)), 6)
    cloth, wide = c.pick(_CLOTHS, 8), half * 1.1
    c.block(x, half, floor - 0.26, floor + 0.05, wood, 0.0, 0.05)
    c.block(x, half * 0.95, floor - 0.06, floor + 0.06, (250, 248, 242), 0.0, 0.02)
    for side in (-0.46, 0.46):
        pillow = x + side * half
        c.block(pillow, half * 0.38, floor - 0.13, floor - 0.01, (232, 232, 236), 0.0, 0.03)
        c.block(pillow, half * 0.35, floor - 0.13, floor - 0.025, WHITE, 0.0, 0.03)
    upper = (floor + 0.02, x - half * 0.97, x + half * 0.97)
    c.trapezoid(upper, (floor + 0.2, x - wide, x + wide), cloth)
    c.trapezoid(upper, (floor + 0.055, x - half, x + half), toned(cloth, 1.45))
    c.block(x, wide, floor + 0.19, floor + 0.25, toned(cloth, 0.82), 0.0, 0.012)
    for side in (-0.9, 0.9):
        c.block(x + side * wide, 0.015, floor + 0.24, floor + 0.28, toned(wood, 0.8))
