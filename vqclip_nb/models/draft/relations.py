"""Places things in relation to each other.

Each function takes the stage and figures and returns their sprites in the order of painting. The
shares on the stage, see `Stage.share`, are of the picture's height.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vqclip_nb.models.draft.paint import Sprite
from vqclip_nb.models.draft.stage import Figure, Gallery, Stage, scaled

# how far below its upper edge one sits on a thing, as a share of its height
_SEATS = {"sofa": 0.5, "chair": 0.56, "bed": 0.45, "office chair": 0.5, "egg chair": 0.55}
_SEATS |= {"seat": 0.5, "desk": 0.1, "grand piano": 0.3}
# how much of the rider is behind what it rides
_SADDLES = {"bicycle": 0.3, "motorcycle": 0.3, "scooter": 0.3, "skateboard": 0.0, "surfboard": 0.0}


def row(stage: Stage, figures: list[Figure], *, close: bool = False) -> list[Sprite]:
    """Side by side, on the same ground or at the same height."""
    rng = stage.rng
    largest = max(stage.share(figure) for figure in figures) * rng.uniform(0.85, 1.05)
    shares = stage.shares(figures, largest)
    big = max(figures, key=lambda figure: figure.thing.size)
    foot = stage.foot(big)
    factor = stage.perspective(foot, big)
    hovering = stage.how in ("fly", "swim")
    if hovering:
        region = stage.region
        middle = (region.top + (region.bottom - region.top) * rng.uniform(0.3, 0.7)) * stage.height
    sprites, x = [], 0.0
    for figure, share in zip(figures, shares, strict=True):
        sprite = stage.sprite(figure, share * factor, 0, foot)
        if hovering:
            sprite = stage.sprite(figure, share * 0.85, 0, middle + rng.gauss(0, 6))
            sprite = sprite.moved(0, sprite.height / 2)
        elif stage.ground is None:
            sprite = sprite.moved(0, -rng.uniform(0, 0.03) * stage.height)
        gap = rng.uniform(-0.02, 0.0) if close else rng.uniform(0.01, 0.06)
        sprites.append(sprite.moved(x - sprite.left, 0))
        x += sprite.width + gap * stage.width
    shift = stage.across(x) - x / 2
    placed = _listed(stage.inside(*(sprite.moved(shift, 0) for sprite in sprites)))
    return placed


def several(stage: Stage, figure: Figure, number: int) -> list[Sprite]:
    """Two to five of the same thing, which do not hide each other."""
    if number < 4 or (stage.how == "stand" and stage.ground is not None):
        shrink = (1.0, 0.9, 0.72, 0.6, 0.5)[number - 1]
        jittered = [
            replace(figure, scale=figure.scale * shrink * stage.rng.uniform(0.93, 1.07))
            for _ in range(number)
        ]
        sprites = row(stage, jittered)
        return sorted((_stepped(stage, s, number) for s in sprites), key=lambda s: s.bottom)
    upper = number // 2
    half = replace(figure, scale=figure.scale * 0.58)
    rows = [row(stage, [half] * count) for count in (upper, number - upper)]
    first, second = rows
    lift = min(s.top for s in second) - max(s.bottom for s in first) - 0.03 * stage.height
    return _listed(stage.inside(*(s.moved(0, lift) for s in first), *second))


def _stepped(stage: Stage, sprite: Sprite, number: int) -> Sprite:
    """A little in front of the others or behind them, in the region."""
    if stage.ground is None:
        return sprite
    step = stage.rng.uniform(-0.04, 0.04) * stage.height * (number > 1)
    if stage.how in ("fly", "swim"):
        step *= 2
    region = stage.region
    if stage.how in ("stand", "afloat"):
        low, high = region.top * stage.height, region.bottom * stage.height
        step = min(max(sprite.bottom + step, low), high) - sprite.bottom
    step = max(step, 0.02 * stage.height - sprite.top)
    return replace(sprite.moved(0, step), depth=(sprite.bottom + step) / stage.height)


def above(stage: Stage, upper: Figure, lower: Figure) -> list[Sprite]:
    """The one higher than the other, with air between them."""
    rng, height = stage.rng, stage.height
    low, high = stage.shares([lower, upper])
    if stage.ground is None:
        low = high = 0.42
    low, high = min(low * rng.uniform(0.8, 1.0), 0.5), min(high * rng.uniform(0.7, 0.9), 0.42)
    foot = stage.foot(lower) if stage.how in ("stand", "afloat") else 0.93 * height
    foot = foot if stage.ground is not None else 0.94 * height
    base = stage.sprite(lower, low, 0, foot)
    base = stage.inside(base.moved(stage.across(base.width), 0))
    x = base.left + base.width / 2 + rng.uniform(-0.1, 0.1) * stage.width
    top = stage.sprite(upper, high, x, base.top - rng.uniform(0.03, 0.1) * height)
    top = replace(top, shadow=False, depth=base.depth)
    if top.top < 0.02 * height:
        fit = max((base.top - 0.05 * height) / top.height, 0.45)
        top = stage.sprite(upper, high * min(fit, 1.0), x, base.top - 0.03 * height)
        top = replace(top, shadow=False, depth=base.depth)
    return _listed(stage.inside(base, top))


def under(stage: Stage, small: Figure, canopy: Figure) -> list[Sprite]:
    """At the foot of something that spreads above it."""
    rng, height = stage.rng, stage.height
    foot = min(stage.foot(canopy), 0.92 * height)
    roof = stage.sprite(canopy, rng.uniform(0.68, 0.85), 0, foot)
    roof = stage.inside(roof.moved(stage.across(roof.width), 0))
    x = roof.left + roof.width * rng.choice((0.3, 0.7)) + rng.uniform(-0.05, 0.05) * roof.width
    share = stage.shares([small, canopy], roof.height / height)[0]
    sprite = stage.sprite(small, min(share, 0.4 * roof.height / height), x, roof.bottom)
    dy = rng.uniform(0.01, 0.04) * height
    return [roof, stage.inside(sprite.moved(0, dy))]


def on(stage: Stage, small: Figure, support: Figure, gallery: Gallery) -> list[Sprite]:
    """On the upper side of something, or on its seat."""
    rng, height = stage.rng, stage.height
    foot = stage.foot(support)
    shares = stage.shares([small, support])
    big = min(max(shares[1], 0.42) * rng.uniform(0.9, 1.1), 0.6)
    base = stage.sprite(support, big, 0, foot)
    if base.height > 0.55 * height:
        base = stage.sprite(support, big * 0.55 * height / base.height, 0, foot)
    base = stage.inside(base.moved(stage.across(base.width), 0))
    seat = _SEATS.get(support.thing.name)
    if seat is None:
        seat = upper_side(gallery.alpha(base.drawing))
    level = base.top + seat * base.height
    share = min(shares[0], 0.85 * base.width / (height * max(small.aspect, 0.6)))
    sprite = stage.sprite(small, max(share, 0.2), 0, level + 0.02 * base.height)
    if sprite.top < 0.02 * height:
        fit = (sprite.bottom - 0.02 * height) / sprite.height
        sprite = stage.sprite(small, max(share, 0.2) * fit, 0, sprite.bottom)
    x = base.left + base.width * rng.uniform(0.44, 0.56) - sprite.width / 2
    return [base, replace(sprite.moved(x - sprite.left, 0), shadow=False, depth=base.depth + 0.01)]


def upper_side(alpha: np.ndarray) -> float:
    """Where the upper edge of a drawing is in its middle columns, as a share of its height."""
    height, width = alpha.shape
    middle = alpha[:, round(width * 0.35) : max(round(width * 0.65), 1)] > 128  # (h, w)
    first = np.where(middle.any(0), middle.argmax(0), height // 2)
    return float(np.median(first)) / height


def inside(stage: Stage, contents: list[Figure], container: Figure) -> list[Sprite]:
    """Looking out of a container, which hides their lower parts."""
    rng, height = stage.rng, stage.height
    foot = stage.foot(container)
    lone = len(contents) == 1
    base = stage.sprite(container, 0.46 if container.aspect < 1.3 else 0.6, 0, foot)
    if base.height > 0.42 * height:
        base = stage.sprite(container, 0.42 * max(1, container.aspect), 0, foot)
    base = stage.inside(base.moved(stage.across(base.width), 0))
    room = base.width * (0.75 if lone else 0.98 / len(contents) + 0.08)
    width = base.width
    if contents[0].thing.kind == "plant":  # flowers are wider than their vase
        room, width = max(room, 0.24 * height), max(width, 0.12 * height * len(contents))
    sprites = []
    for i, figure in enumerate(contents):
        plant = figure.thing.kind == "plant"
        share = min(room / max(figure.aspect, 1) / min(figure.aspect, 1) ** 0.5, 0.5 * height)
        sprite = stage.sprite(figure, share / height, 0, 0)
        hidden = 0.35 if plant else 0.42
        spread = (i + 0.5) / len(contents) * 0.84 + 0.08
        x = base.left + base.width / 2 + width * (spread - 0.5) - sprite.width / 2
        y = base.top + hidden * min(sprite.height, base.height) - sprite.height
        y += 0 if lone else rng.uniform(-0.02, 0.02) * height
        sprites.append(replace(sprite.moved(x - sprite.left, y - sprite.top), shadow=False))
    return _listed(stage.inside(*sprites, replace(base, depth=base.depth + 0.01)))


def in_front(stage: Stage, near: Figure, far: Figure) -> list[Sprite]:
    """The one partly hides the other."""
    rng, height = stage.rng, stage.height
    foot = stage.foot(replace(far, scale=1))
    foot = min(foot, stage.region.bottom * height - 0.05 * height)
    behind = stage.sprite(far, rng.uniform(0.6, 0.8), 0, foot)
    behind = stage.inside(behind.moved(stage.across(behind.width), 0))
    share = stage.shares([near, far], behind.height / height)[0]
    x = behind.left + behind.width * rng.uniform(0.25, 0.75)
    lower = min(behind.bottom + rng.uniform(0.04, 0.08) * height, 0.98 * height)
    before = stage.sprite(near, min(max(share, 0.22), 0.36), x, lower)
    if before.height > 0.6 * behind.height:
        fit = 0.6 * behind.height / before.height
        before = stage.sprite(near, min(max(share, 0.22), 0.36) * fit, x, lower)
    return [behind, stage.inside(before)]


def between(stage: Stage, middle: Figure, side: Figure) -> list[Sprite]:
    """One in the middle of two others."""
    other = replace(side, mirror=not side.mirror)
    sprites = row(stage, [side, middle, other])
    return [sprites[0], sprites[2], sprites[1]]


def wearing(stage: Stage, head: Figure, worn: Figure) -> list[Sprite]:
    """A hat on a head, glasses on a face or a bow tie below it."""
    rng = stage.rng
    face = stage.alone(head, rng.uniform(0.6, 0.72))
    x = face.left + face.width / 2
    if worn.thing.worn == "head":
        wide = face.width * rng.uniform(0.62, 0.78)
        tall = wide / worn.aspect
        y = face.top + face.height * 0.2
    elif worn.thing.worn == "eyes":
        wide = face.width * rng.uniform(0.7, 0.85)
        tall = wide / worn.aspect
        y = face.top + face.height * 0.46 + tall / 2
    else:
        wide = face.width * 0.5
        tall = wide / worn.aspect
        y = face.bottom + tall * 0.6
    piece = Sprite(worn.drawing, x - wide / 2, y - tall, wide, tall, face.depth, worn.colour)
    face = replace(face, shadow=False)
    sprites = _listed(stage.inside(face, piece))
    return [sprites[0], replace(sprites[1], depth=sprites[0].depth + 0.01)]


def riding(stage: Stage, rider: Figure, mount: Figure) -> list[Sprite]:
    """On the back of an animal or on a vehicle."""
    rng, height = stage.rng, stage.height
    foot = stage.foot(mount)
    base = stage.sprite(mount, rng.uniform(0.48, 0.58), 0, foot)
    base = stage.inside(base.moved(stage.across(base.width), 0))
    hidden = _SADDLES.get(mount.thing.name, 0.4)
    ratio = (rider.thing.size / mount.thing.size) ** 0.5
    tall = min(max(base.height * min(ratio, 0.95), 0.22 * height), 0.45 * height)
    share = tall / height if rider.aspect < 1 else tall * rider.aspect / height
    sprite = stage.sprite(rider, share, base.left + base.width * 0.5, base.top + hidden * tall)
    sprite = replace(sprite, shadow=False, depth=base.depth - 0.01)
    return _listed(stage.inside(sprite, base))


def holding(stage: Stage, holder: Figure, held: Figure) -> list[Sprite]:
    """Something at the side of a person, where the hand is."""
    rng = stage.rng
    person = stage.alone(holder, rng.uniform(0.6, 0.7))
    side = rng.choice((-1, 1))
    share = min(max(0.22 + 0.2 * held.thing.size, 0.24), 0.42)
    x = person.left + person.width * (0.5 + side * 0.42)
    piece = stage.sprite(held, share, x, person.top + person.height * 0.62)
    dx = side * piece.width * 0.3
    piece = replace(piece.moved(dx, 0), shadow=False, depth=person.depth + 0.01)
    return _listed(stage.inside(person, piece))


def pattern(stage: Stage, figures: list[Figure]) -> list[Sprite]:
    """Rows of small copies, which may reach over the edges."""
    rng = stage.rng
    count = rng.choice((3, 4, 4, 5))
    cell = stage.width / count
    shifted, share = rng.random() < 0.5, rng.uniform(0.66, 0.86) * cell / stage.height
    rows = round(stage.height / cell + 0.49)
    sprites = []
    for j in range(rows):
        offset = 0.5 * (j % 2) if shifted else 0.0
        for i in range(count + (1 if offset else 0)):
            figure = figures[(i + j) % len(figures)]
            x, y = (i + 0.5 - offset) * cell, (j + 0.5) * cell
            sprite = stage.sprite(figure, share, x, y)
            sprite = replace(sprite, depth=0.5, shadow=False)
            sprites.append(sprite.moved(0, sprite.height / 2))
    return sprites


def centred(stage: Stage, sprites: list[Sprite]) -> list[Sprite]:
    """Moved to the middle of a plain picture, and scaled to fill most of it."""
    left, right = min(s.left for s in sprites), max(s.right for s in sprites)
    top, bottom = min(s.top for s in sprites), max(s.bottom for s in sprites)
    share = stage.rng.uniform(0.72, 0.92)
    fit = share * min(stage.width / (right - left), stage.height / (bottom - top))
    spare_x, spare_y = stage.width - fit * (right - left), stage.height - fit * (bottom - top)
    dx = spare_x * stage.rng.uniform(0.3, 0.7) - left
    dy = spare_y * stage.rng.uniform(0.3, 0.7) - top
    return [scaled(sprite, fit, left, top).moved(dx, dy) for sprite in sprites]


def _listed(sprites: Sprite | list[Sprite]) -> list[Sprite]:
    return [sprites] if isinstance(sprites, Sprite) else sprites
