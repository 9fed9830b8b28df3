"""The sky with what is in it, and the weather in front of the things."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vqclip_nb.models.draft.place import KINDS, SEASONS
from vqclip_nb.train.places.canvas import SHINING, Canvas
from vqclip_nb.train.places.mood import WHITE, Colour, mix, to_ints, toned


def draw_sky(c: Canvas, horizon: float, skyline: float | None = None) -> float:
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
        x, y, size = (
            c.u(0, c.w),
            c.u(0, max(skyline - 0.04, 0.15)),
            c.rng.choice((3, 4, 4, 6)) / 1000,
        )
        c.disc(x, y, size, (255, 255, 236), SHINING)
    for x in c.along(c.some(2, 5)):  # a few large ones with four points
        y, r = c.u(0.02, max(skyline * 0.8, 0.1)), c.u(0.012, 0.02)
        points = [(0, -r), (r / 5, -r / 5), (r, 0), (r / 5, r / 5)]
        points += [(-a, -b) for a, b in points]
        c.poly([(x + a, y + b) for a, b in points], (255, 250, 220), SHINING)


def _moon(c: Canvas, x: float, skyline: float) -> None:
    r = c.u(0.05, 0.085)
    y = c.u(r + 0.03, max(skyline * 0.6, r + 0.04))
    pale = mix((252, 246, 214), c.mood.sky[1], 0.0 if c.mood.stars else 0.25)
    y = y if c.mood.stars else max(skyline * 0.6, r + 0.04)  # below the cover of clouds
    c.glow(x, y, r * 3.2, mix(pale, c.mood.sky[1], 0.3), 0.45)
    kind = c.rng.choice(("full", "crescent", "crescent"))
    if kind == "full" or not c.mood.stars:
        c.disc(x, y, r, pale, SHINING)
        for dx, dy, size in ((-0.3, -0.25, 0.22), (0.35, 0.1, 0.16), (-0.1, 0.42, 0.13)):
            c.disc(x + dx * r, y + dy * r, size * r, toned(pale, 0.88), SHINING)
        return
    side = c.rng.choice((-1, 1))
    turns = np.linspace(-math.pi / 2, math.pi / 2, 16)
    outer = [(x + side * r * math.cos(t), y + r * math.sin(t)) for t in turns]
    inner = [(x + side * r * (0.35 * math.cos(t)), y + r * math.sin(t)) for t in turns[::-1]]
    c.poly(outer + inner, pale, SHINING)


def _sun(c: Canvas, x: float, skyline: float) -> None:
    time, colour = c.mood.place.time, c.mood.sun
    if c.mood.place.weather in ("cloudy", "snow"):
        colour = mix(colour, c.mood.sky[1], 0.45)
    if time == "day":
        if c.chance(0.2):
            return
        r = c.u(0.05, 0.08)
        y = c.u(r + 0.02, max(skyline * 0.5, r + 0.03))
        c.glow(x, y, r * 3, toned(colour, 1.5), 0.5)
        c.disc(x, y, r, colour, SHINING)
        return
    r = c.u(0.09, 0.14)
    y = skyline - r * c.u(-0.2, 0.75)
    if time == "dawn":
        _sunbeams(c, x, y, toned(colour, 1.3))
    c.glow(x, y, r * 4.5, toned(colour, 1.1), 0.8, r * 3)
    c.disc(x, y, r, colour, SHINING)
    c.disc(x, y, r * 0.82, toned(colour, 1.15), SHINING)


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
    colours = (
        (232, 60, 66),
        (246, 146, 52),
        (250, 222, 80),
        (90, 190, 96),
        (70, 140, 224),
        (140, 96, 200),
    )
    band = radius * c.u(0.05, 0.065)
    for i, colour in enumerate(colours):
        r, width = radius - i * band, max(1, round(band * c.unit) + 1)
        corners = [(x - r) * c.unit, (y - r) * c.unit, (x + r) * c.unit, (y + r) * c.unit]
        c.pen.arc(corners, 180, 360, to_ints(mix(colour, c.mood.sky[1], 0.22)), width)


def _clouds(c: Canvas, skyline: float, light_x: float | None) -> None:
    """The weather's clouds; those of a fair one leave the sun or the moon free."""
    weather, room = c.mood.place.weather, max(skyline, 0.2)
    number = {"clear": (0, 2.5), "rainbow": (1, 2), "wind": (2, 3.5), "snow": (2, 4)}
    if weather == "storm":
        _cloud_deck(c, room * 0.5, toned(c.mood.cloud, 0.72))
        _cloud_deck(c, room * 0.3, toned(c.mood.cloud, 0.95))
    elif weather == "rain":
        _cloud_deck(c, room * 0.34, toned(c.mood.cloud, 0.85))
        _cloud_deck(c, room * 0.18, toned(c.mood.cloud, 0.98))
    elif weather == "cloudy":
        for x in c.along(c.some(2.5, 4)):
            draw_cloud(c, x, c.u(0.3, 0.8) * room, c.u(0.2, 0.32), toned(c.mood.cloud, 0.9))
        for x in c.along(c.some(2.5, 4)):
            draw_cloud(c, x, c.u(0.08, 0.5) * room, c.u(0.28, 0.46), toned(c.mood.cloud, 1.25))
    elif weather != "fog":
        for x in c.along(round(c.u(*number[weather]) * c.w)):
            width = c.u(0.14, 0.28)
            if light_x is None or abs(x - light_x) > 0.1 + width * 0.6:
                draw_cloud(c, x, c.u(0.12, 0.62) * room, width, c.mood.cloud)


def draw_cloud(c: Canvas, x: float, y: float, width: float, colour: Colour) -> None:
    """Balls on a flat base, each ball's lower side in the shade."""
    number = c.rng.choice((3, 4, 5))
    shade = mix(colour, c.mood.sky[1], 0.3)
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
        x - width * 0.44,
        y - width * 0.07,
        x + width * 0.42,
        y + width * 0.02,
        colour,
        SHINING,
        width * 0.045,
    )


def _cloud_deck(c: Canvas, bottom: float, colour: Colour) -> None:
    """A closed cover of heavy clouds from the top down to `bottom`."""
    c.box(0, 0, c.w, bottom * 0.7, colour, SHINING)
    for x in c.along(c.some(6, 8)):
        c.disc(x, bottom * 0.62, bottom * c.u(0.24, 0.4), toned(colour, 0.9), SHINING)
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


def foreground(c: Canvas, size: tuple[int, int]) -> np.ndarray | None:
    """Rain, snow, fog, grass; uint8 [H, W, 4], premultiplied."""
    weather = c.mood.place.weather if KINDS[c.mood.place.name].outdoors else "clear"
    painters = {"rain": draw_rain, "storm": draw_rain, "snow": draw_snowfall, "wind": _gusts}
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
    return None if front is None else np.array(front.convert("RGBa"))


def draw_rain(c: Canvas) -> None:
    lean, pale = c.u(-0.35, 0.35), mix(c.mood.sky[-1], WHITE, 0.55 if not c.mood.night else 0.25)
    if c.mood.place.weather == "storm":
        lean = c.rng.choice((-1, 1)) * c.u(0.35, 0.6)
    fill = (*to_ints(pale), 165)
    for _ in range(c.some(70, 100)):
        x, y, length = c.u(-0.2, c.w + 0.2), c.u(-0.05, 1), c.u(0.05, 0.11)
        ends = [x * c.unit, y * c.unit, (x + lean * length) * c.unit, (y + length) * c.unit]
        c.pen.line(ends, fill, max(c.over - 1, round(0.0075 * c.unit)))


def draw_snowfall(c: Canvas) -> None:
    shade = 1.0 if not c.mood.night else 0.86
    for _ in range(c.some(45, 70)):
        x, y, r = c.u(0, c.w), c.u(0, 1), c.rng.choice((0.008, 0.01, 0.01, 0.013, 0.016))
        corners = [(x - r) * c.unit, (y - r) * c.unit, (x + r) * c.unit, (y + r) * c.unit]
        c.pen.ellipse(corners, (*to_ints(toned(WHITE, shade)), 235))


def _gusts(c: Canvas) -> None:
    """Curls of wind and leaves that fly."""
    fill, side = (*to_ints(toned(WHITE, 0.55 if c.mood.night else 1)), 190), c.rng.choice((-1, 1))
    for x in c.along(c.some(3, 5)):
        y, length, r = c.u(0.12, 0.85), c.u(0.25, 0.45), c.u(0.035, 0.06)
        turns = np.linspace(0, 5.2, 18)
        curl = [(x + side * r * math.sin(t), y - r + r * math.cos(t)) for t in turns]
        tail = [(x - side * length, y + 0.03), (x - side * length * 0.5, y + 0.01)]
        points = [(px * c.unit, py * c.unit) for px, py in tail + curl]
        c.pen.line(points, fill, max(1, round(0.012 * c.unit)), joint="curve")
    if len(KINDS[c.mood.place.name].seasons) == len(SEASONS):  # where there are trees
        _falling_leaves(c)


def _falling_leaves(c: Canvas) -> None:
    colours = c.mood.leaves or ((150, 110, 70),)
    for _ in range(c.some(9, 16)):
        x, y, turn, r = c.u(0, c.w), c.u(0.05, 1), c.u(0, 3.14), c.u(0.012, 0.02)
        dx, dy = r * math.cos(turn), r * math.sin(turn)
        c.poly(
            [
                (x - dx, y - dy),
                (x - dy / 2, y + dx / 2),
                (x + dx, y + dy),
                (x + dy / 2, y - dx / 2),
            ],
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
    fog = Image.new("RGBA", size, (*to_ints(toned(c.mood.sky[-1], 1.3)), 255))
    fog.putalpha(small.resize(size, Image.Resampling.BICUBIC))
    return fog
