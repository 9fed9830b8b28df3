"""Places where people live and drive."""

from __future__ import annotations

from vqclip_nb.models.draft.place import Region
from vqclip_nb.train.places.buildings import (
    add_rail_fence,
    draw_barn,
    draw_bench,
    draw_church,
    draw_house,
    draw_lamp_post,
    draw_picket_fence,
    draw_tower_block,
)
from vqclip_nb.train.places.canvas import SHINING, Canvas, rolling, winding
from vqclip_nb.train.places.mood import Point, mix, toned
from vqclip_nb.train.places.plants import draw_flower_bush, draw_tree, draw_wood
from vqclip_nb.train.places.sites import Sites, air_region
from vqclip_nb.train.places.terrain import draw_mirror, draw_range, draw_water
from vqclip_nb.train.places.weather import draw_sky

_TOWERS = (
    *((136, 150, 172), (160, 150, 156), (120, 134, 150), (172, 160, 144)),
    *((110, 128, 158), (176, 132, 116), (104, 150, 168), (196, 178, 140)),
)


def paint_city(c: Canvas) -> Sites:
    street = c.u(0.74, 0.84)
    draw_sky(c, street, street * 0.45)
    tint = c.rng.choice(_TOWERS)
    x = -0.05
    while x < c.w:
        width = c.u(0.09, 0.15)
        height, colour = street * c.u(0.45, 0.78), c.near(tint, 5)
        draw_tower_block(c, (x, street), width, height, colour, 0.75, windows=False)
        x += width * c.u(0.9, 1.1)
    x = -0.03
    while x < c.w:
        width = c.u(0.12, 0.2)
        colour = toned(c.pick(_TOWERS, 8), 0.86)
        draw_tower_block(c, (x, street), width, street * c.u(0.26, 0.6), colour, 0.15)
        x += width * c.u(1.0, 1.25)
    if c.chance(0.4):
        _waterfront(c, street)
        water = Region(0.0, 1.0, street + 0.06, 0.92, 0.7, 0.9)
        return Sites(street, Region(0.02, 0.98, 0.955, 0.985), water, air_region(street * 0.4))
    pavement = (176, 176, 180) if not c.mood.snow else (232, 238, 246)
    c.ramp(street, street + 0.05, (pavement, toned(pavement, 0.9)))
    c.ramp(street + 0.05, 1, ((92, 94, 104), (76, 78, 90)))
    middle = (street + 0.05 + 1) / 2
    for dash in c.along(c.some(3, 4), 0):
        c.box(dash - 0.07, middle - 0.006, dash + 0.07, middle + 0.006, (240, 236, 220))
    for post in c.along(c.some(1, 3)):
        draw_lamp_post(c, post, street + 0.03, 0.2)
    return Sites(
        street, Region(0.02, 0.98, street + 0.03, 0.96, 0.75, 1.0), None, air_region(street * 0.4)
    )


def _waterfront(c: Canvas, edge: float) -> None:
    """Water that mirrors the city, and a quay in front."""
    draw_water(c, edge, 1, None, 0.0)
    draw_mirror(c, edge, 1 - edge)
    c.box(0, edge - 0.012, c.w, edge + 0.006, (110, 108, 116))
    stone = (168, 162, 156) if not c.mood.snow else (232, 238, 246)
    c.ramp(0.93, 1, (stone, toned(stone, 0.86)))
    c.box(0, 0.93, c.w, 0.942, toned(stone, 1.3))


def paint_village(c: Canvas) -> Sites:
    street = c.u(0.66, 0.74)
    draw_sky(c, street, street * 0.5)
    c.land(rolling(c, street - 0.2, 0.05), (toned(c.mood.grass, 0.9),) * 2, 0.7)
    for x in c.along(c.some(2, 4)):
        draw_tree(c, x, street - 0.04, c.u(0.34, 0.48), 0.3)
    if c.chance(0.6):
        draw_church(c, c.u(0.2, 0.8) * c.w, street - 0.02, c.u(0.46, 0.55))
    x = c.u(-0.08, 0.08)
    while x < c.w + 0.05:
        width = c.u(0.22, 0.3)
        draw_house(c, x + width / 2, street + 0.01, width, c.u(0.26, 0.38))
        x += width * c.u(1.05, 1.3)
    stone = (196, 184, 166) if not c.mood.snow else (236, 241, 250)
    c.ramp(street, 1, (stone, toned(stone, 0.85)))
    for row in range(4):  # cobbles
        y = street + 0.05 + (0.95 - street) * (row / 4) ** 1.3
        for x in c.along(c.some(4, 6), 0.4):
            c.oval(
                x,
                y,
                0.02 + 0.012 * row,
                0.007 + 0.004 * row,
                toned(stone, 0.84 if not c.mood.snow else 0.95),
            )
    for post in c.along(c.some(1, 2)):
        draw_lamp_post(c, post, street + 0.07, 0.3)
    return Sites(
        street, Region(0.02, 0.98, street + 0.1, 0.97, 0.8, 1.0), None, air_region(street * 0.45)
    )


def paint_road(c: Canvas) -> Sites:
    horizon = c.u(0.4, 0.54)
    skyline = horizon - 0.08
    draw_sky(c, horizon, skyline)
    if c.chance(0.4):
        draw_range(c, horizon + 0.01, c.u(0.14, 0.26), 0.75)
    else:
        c.land(rolling(c, horizon - 0.03, 0.04), (toned(c.mood.grass, 0.85),) * 2, 0.75)
    c.ramp(horizon, 1, (toned(c.mood.grass, 1.05), toned(c.mood.grass, 0.82)))
    for x in c.along(c.some(3, 6)):
        draw_tree(c, x, horizon + 0.015, c.u(0.06, 0.1), 0.5)
    bend = c.u(0.05, 0.12) * c.rng.choice((-1, 0, 1))
    left, right = winding(c, horizon, c.u(0.4, 0.5), bend, c.u(0.4, 0.6), c.u(0.45, 0.55), 1.0)
    asphalt = c.near((98, 100, 110), 6)
    wide = [
        [(a + s * 0.08 * (b - horizon), b) for a, b in edge] for s, edge in ((-1, left), (1, right))
    ]
    c.poly(wide[0] + wide[1][::-1], (214, 200, 166) if not c.mood.snow else (220, 228, 240))
    c.shaded(left + right[::-1], (toned(asphalt, 1.15), asphalt))

    def lane(share: float, i: int) -> Point:
        return left[i][0] + (right[i][0] - left[i][0]) * share, left[i][1]

    for low, high in ((0.04, 0.075), (0.925, 0.96)):
        c.poly(
            [lane(low, i) for i in range(30)] + [lane(high, i) for i in range(29, -1, -1)],
            (244, 242, 232),
        )
    for i in range(4, 28, 4):
        c.poly(
            [lane(0.485, i), lane(0.515, i), lane(0.52, i + 2), lane(0.48, i + 2)], (250, 226, 110)
        )
    side = c.rng.choice((left, right))
    for i in (3, 7, 13, 20) if c.chance(0.7) else ():
        px, py = side[i]
        out = (-1 if side is left else 1) * (0.03 + 0.1 * i / 20)
        draw_tree(c, px + out * 1.2, py, 0.06 + 0.016 * i)
    return Sites(
        horizon, Region(0.2, 0.8, horizon + 0.2, 0.96, 0.4, 1.0), None, air_region(skyline)
    )


def paint_garden(c: Canvas) -> Sites:
    fence = c.u(0.56, 0.66)
    draw_sky(c, fence, fence * 0.55)
    for x in c.along(c.some(2, 4)):
        draw_tree(c, x, fence + 0.02, c.u(0.3, 0.46), 0.3)
    hedge = c.mood.grass if c.mood.snow else toned(c.mood.grass, 0.66)
    if c.chance(0.4):
        for x in c.along(c.some(7, 9), 0.1):
            c.disc(x, fence - 0.06, 0.1, toned(hedge, 1.0), 0.1)
        c.box(0, fence - 0.08, c.w, fence + 0.02, hedge, 0.05)
    c.ramp(fence, 1, (c.mood.grass, toned(c.mood.grass, 0.86)))
    draw_picket_fence(c, fence + 0.02)
    left, right = winding(c, fence + 0.02, 0.12, c.u(-0.15, 0.15), c.u(0.3, 0.7), c.u(0.35, 0.65))
    if c.chance(0.6):
        c.poly(left + right[::-1], (222, 204, 170) if not c.mood.snow else (214, 224, 240))
    for y, number in ((fence + 0.06, c.some(6, 9)), (0.99, c.some(4, 6))):
        scale = 0.6 if y < 0.8 else 1.0
        for x in c.along(number, 0.2):
            if y > 0.8 and 0.25 * c.w < x < 0.75 * c.w:
                continue
            draw_flower_bush(c, x, y, 0.13 * scale * c.u(0.85, 1.2))
    return Sites(
        fence, Region(0.15, 0.85, fence + 0.14, 0.97, 0.75, 1.0), None, air_region(fence * 0.5)
    )


def paint_farm(c: Canvas) -> Sites:
    horizon = c.u(0.46, 0.56)
    draw_sky(c, horizon, horizon - 0.06)
    c.land(rolling(c, horizon - 0.01, 0.035), (toned(c.mood.grass, 0.88),) * 2, 0.7)
    c.ramp(horizon + 0.02, 1, (toned(c.mood.grass, 1.04), toned(c.mood.grass, 0.85)))
    _crop_rows(c, horizon + 0.05)
    left = c.chance(0.5)
    x = c.w * (c.u(0.2, 0.3) if left else c.u(0.7, 0.8))
    foot = horizon + 0.09
    for t in c.along(c.some(2, 4)):
        draw_tree(c, t, horizon + 0.05, c.u(0.14, 0.24), 0.3)
    draw_barn(c, x, foot, c.u(0.3, 0.38), c.u(0.28, 0.34))
    add_rail_fence(c, c.u(0.9, 0.95))
    return Sites(
        horizon, Region(0.03, 0.97, horizon + 0.2, 0.96, 0.5, 1.0), None, air_region(horizon - 0.2)
    )


def _crop_rows(c: Canvas, top: float) -> None:
    """Furrows or ripe corn that run to a point on the horizon."""
    ripe = c.chance({None: 0.45, "autumn": 0.7}.get(c.mood.place.season, 0.0))
    crop = (232, 190, 84) if ripe else toned(c.mood.grass, 0.8)
    soil = (150, 108, 72) if not c.mood.snow else (206, 216, 232)
    if c.mood.snow:
        crop = (246, 250, 254)
    vx = c.u(0.35, 0.65) * c.w
    c.ramp(top, 1, (mix(soil, crop, 0.5), soil))
    for i in range(-9, 10):
        x = i * 0.19
        low, high = (
            (vx + x * 3 - 0.13, vx + x * 3 + 0.13),
            (vx + x * 0.75 - 0.03, vx + x * 0.75 + 0.03),
        )
        c.poly([(high[0], top), (high[1], top), (low[1], 1), (low[0], 1)], crop)
        c.poly(
            [(high[0], top), (high[0] + 0.02, top), (low[0] + 0.08, 1), (low[0], 1)],
            toned(crop, 0.88),
        )


def paint_park(c: Canvas) -> Sites:
    lawn = c.u(0.52, 0.62)
    draw_sky(c, lawn, lawn * 0.5)
    if c.chance(0.5):
        x = -0.05
        while x < c.w:
            width = c.u(0.08, 0.14)
            height, grey = c.u(0.16, 0.32), (140, 152, 172)
            draw_tower_block(c, (x, lawn), width, height, grey, 0.8, windows=False)
            x += width * 1.1
    draw_wood(c, [(0, lawn + 0.01), (c.w, lawn + 0.01)], c.u(0.1, 0.14), 0.45, False)
    c.ramp(lawn, 1, (toned(c.mood.grass, 1.06), toned(c.mood.grass, 0.85)))
    bend = c.u(0.12, 0.25) * c.rng.choice((-1, 1))
    left, right = winding(c, lawn + 0.02, 0.2, bend, c.u(0.35, 0.65), c.u(0.4, 0.6))
    c.shaded(
        left + right[::-1],
        ((232, 214, 178), (214, 194, 158)) if not c.mood.snow else ((206, 216, 234),) * 2,
    )
    if c.chance(0.3):
        c.oval(
            c.u(0.15, 0.85) * c.w,
            lawn + 0.12,
            0.2,
            0.035,
            mix(c.lit((80, 150, 200)), c.mood.sky[-1], 0.3),
            SHINING,
        )
    for x in c.along(c.some(2, 4)):
        draw_tree(c, x, lawn + c.u(0.04, 0.1), c.u(0.3, 0.46))
    left_side = c.chance(0.5)
    draw_bench(c, c.w * (0.22 if left_side else 0.78), c.u(0.8, 0.86))
    draw_lamp_post(c, c.w * (0.42 if left_side else 0.58), c.u(0.78, 0.84), c.u(0.4, 0.5))
    return Sites(lawn, Region(0.05, 0.95, 0.84, 0.97, 0.85, 1.0), None, air_region(lawn * 0.55))
