"""Plans compositions: what is shown, where, and what of it the caption says."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from vqclip_nb.models.draft import relations
from vqclip_nb.models.draft.composition import BACKGROUNDS, Composition, Item
from vqclip_nb.models.draft.habitats import place_for
from vqclip_nb.models.draft.paint import RGB, Sprite
from vqclip_nb.models.draft.roles import (
    CANOPIES,
    CONTAINERS,
    EATEN,
    FLOWERS,
    FRUIT,
    HATLESS,
    HELD,
    MOUNTS,
    RIDERS,
    SUPPORTS,
    VESSELS,
)
from vqclip_nb.models.draft.stage import Figure, Stage
from vqclip_nb.models.draft.things import Thing, all_things
from vqclip_nb.train.compositions.casting import Cast, countable, manner
from vqclip_nb.train.places import Ground, Place, draw_place, random_place, traits

_SHARES = {
    "scene": 0.58,
    "plain": 0.16,
    "portrait": 0.08,
    "still life": 0.07,
    "pattern": 0.03,
    "landscape": 0.08,
}
_INDOORS = ("room", "kitchen", "bedroom", "table")


@dataclass(frozen=True)
class Arrangement:
    """A composition, and the sprites that show it in the order of painting.

    ground: the drawn place, None for a plain background
    behind: the plain background, RGB in [0,1]
    thing: of each sprite, its index in `all_things()`
    """

    composition: Composition
    sprites: tuple[Sprite, ...]
    ground: Ground | None
    behind: tuple[float, float, float] | None = None


def arrange(
    cast: Cast, size: tuple[int, int], rng: random.Random, kind: str | None = None
) -> Arrangement:
    """A random arrangement at (width, height) pixels.

    kind: one of `composition.KINDS`; None: any of those that the drawings suffice for
    """
    for _ in range(20):  # a choice fails if no drawing fits
        chosen = kind or rng.choices(list(_SHARES), list(_SHARES.values()))[0]
        found = _ARRANGERS[chosen](cast, size, rng)
        if found is not None:
            return found
    raise ValueError(f"the drawings do not suffice for a composition of the kind {chosen!r}")


class _Scene:
    """A composition in the making: figures and items of the same things."""

    def __init__(self, cast: Cast, size: tuple[int, int], rng: random.Random) -> None:
        self.cast, self.size, self.rng = cast, size, rng

    def stage(self, how: str, place: Place) -> Stage | None:
        """None if this picture of the place has no such region."""
        ground = draw_place(place, self.size, self.rng)
        return None if getattr(ground, how) is None else Stage(self.size, ground, how, self.rng)

    def member(
        self, thing: int, *, coloured: float = 0.22, sized: float = 0.0
    ) -> tuple[Figure, Item]:
        """A drawing of a thing, and what the caption says of it."""
        rng = self.rng
        colour = self.cast.colour(thing, rng, coloured)
        size = rng.choice(("small", "large")) if rng.random() < sized else None
        figure = Figure.drawn(self.cast.drawings, thing, rng, mirror=rng.random() < 0.4)
        shown = self.cast.silhouette(figure.drawing, colour, rng)
        scale = {"small": 0.5, "large": 1.35, None: 1.0}[size]
        name = spoken(all_things()[thing], rng)
        item = Item((colour and _without_colours(name)) or name, colour, size)
        return replace(figure, colour=shown, scale=scale), item

    def finished(self, stage: Stage, sprites: list[Sprite], **facts) -> Arrangement:
        """The arrangement; in plain ones the background contrasts with the things."""
        rng = self.rng
        if stage.ground is not None:
            how = "stand" if stage.how not in ("fly", "swim", "afloat") else stage.how
            if "say" not in facts:
                facts["say"] = traits(facts["place"], rng, bare=0.1)
            return Arrangement(Composition(how=how, **facts), tuple(sprites), stage.ground)
        if len(sprites) > 1 and facts["kind"] != "pattern":
            sprites = relations.centred(stage, sprites)
        colours = self.contrasting(sprites)
        colour = "white" if "white" in colours and rng.random() < 0.25 else rng.choice(colours)
        mentioned = rng.random() < (0.35 if colour == "white" else 0.8)
        behind = tuple(min(max(part + rng.gauss(0, 0.03), 0), 1) for part in RGB[colour])
        composition = Composition(background=colour if mentioned else None, **facts)
        return Arrangement(composition, tuple(sprites), None, behind)

    def contrasting(self, sprites: list[Sprite]) -> list[str]:
        """The backgrounds before which all things can be seen."""
        used = {sprite.colour for sprite in sprites}
        means = [RGB[name] for name in used if name]
        means += [self.cast.mean_colour(s.drawing) for s in sprites if s.colour is None]
        names = [name for name in BACKGROUNDS if name not in used]
        clear = [name for name in names if all(_apart(RGB[name], mean) > 0.4 for mean in means)]
        return clear or names


def _apart(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5


def spoken(thing: Thing, rng: random.Random) -> str:
    """What a thing is called: its name, or an alias in some cases."""
    chance = rng.random()
    if thing.aliases and chance < 0.15:
        return rng.choice(thing.aliases)
    return thing.name if chance > 0.85 else thing.spoken


def _scene(cast: Cast, size: tuple[int, int], rng: random.Random) -> Arrangement | None:
    names = ("single", "several", "relation", "group")
    return _SCENES[rng.choices(names, (0.45, 0.13, 0.37, 0.05))[0]](_Scene(cast, size, rng))


def _plain(cast: Cast, size: tuple[int, int], rng: random.Random) -> Arrangement | None:
    """One to three things on a background of one colour."""
    scene, stage = _Scene(cast, size, rng), Stage(size, None, "stand", rng)
    chosen = rng.choices(("single", "several", "relation", "group"), (0.5, 0.15, 0.3, 0.05))[0]
    if chosen == "relation":
        return _related(scene, plain=True)
    count = {"single": 1, "several": 1, "group": 3}[chosen]
    things = [cast.any(rng, part="") for _ in range(count)]
    if None in things or len(set(things)) < count:
        return None
    members = [scene.member(thing, sized=0.1 * (count == 1)) for thing in things]
    figures, items = [m[0] for m in members], tuple(m[1] for m in members)
    if chosen == "several" and countable(all_things()[things[0]]):
        return _counted(scene, stage, figures[0], items[0], kind="plain")
    if count == 1:
        sprites = [_in_the_middle(stage, figures[0], rng.uniform(0.62, 0.9))]
        return scene.finished(stage, sprites, kind="plain", items=items[:1])
    sprites = relations.row(stage, figures)
    return scene.finished(stage, sprites, kind="plain", items=items, relation="and")


def _in_the_middle(stage: Stage, figure: Figure, share: float) -> Sprite:
    rng, width, height = stage.rng, stage.width, stage.height
    sprite = stage.sprite(figure, min(share * figure.scale, 0.94), width / 2, height / 2)
    room_x, room_y = width - sprite.width, height - sprite.height
    dx, dy = rng.uniform(-0.3, 0.3) * room_x, rng.uniform(-0.3, 0.3) * room_y
    return stage.inside(sprite.moved(dx, sprite.height / 2 + dy))


def _counted(scene: _Scene, stage: Stage, figure: Figure, item: Item, **facts):
    large = stage.ground is not None and figure.thing.size > 3  # five would be too small
    number = scene.rng.choices((2, 3, 4, 5), (5, 3, 0, 0) if large else (5, 4, 2, 2))[0]
    item = replace(item, number=number, size=None)
    sprites = relations.several(stage, replace(figure, scale=1.0), number)
    return scene.finished(stage, sprites, items=(item,), **facts)


def _placed(scene: _Scene, things: list[int], where: str) -> tuple[Stage, Place]:
    """A place that suits the things; where: one of `things.WHERE`."""
    for _ in range(30):  # some pictures of a city have no water
        place = place_for([all_things()[i] for i in things], where, scene.rng)
        how = {"table": "stand", "deep": "stand"}.get(where, where)
        how = scene.rng.choice(("fly", "fly", "stand")) if where == "space" else how
        stage = scene.stage(how, place)
        if stage is not None:
            return stage, place
    raise ValueError(f"no place has a region for {all_things()[things[0]].name!r}, {where}")


def _single(scene: _Scene) -> Arrangement | None:
    thing = scene.cast.any(scene.rng, where=_ANYWHERE)
    if thing is None:
        return None
    figure, item = scene.member(thing, sized=0.1)
    stage, place = _placed(scene, [thing], manner(all_things()[thing], scene.rng))
    sprite = stage.alone(figure)
    return scene.finished(stage, [sprite], kind="scene", items=(item,), place=place)


def _several(scene: _Scene) -> Arrangement | None:
    thing = scene.cast.any(scene.rng, where=_ANYWHERE)
    if thing is None or not countable(all_things()[thing]):
        return None
    figure, item = scene.member(thing)
    stage, place = _placed(scene, [thing], manner(all_things()[thing], scene.rng))
    return _counted(scene, stage, figure, item, kind="scene", place=place)


def _group(scene: _Scene) -> Arrangement | None:
    """Three different things side by side."""
    small = scene.rng.random() < 0.5
    where = "table" if small else "stand"
    things = [scene.cast.any(scene.rng, where=where) for _ in range(3)]
    if None in things or len(set(things)) < 3 or _ratio(things) > 40:
        return None
    members = [scene.member(thing) for thing in things]
    stage, place = _placed(scene, things, where)
    sprites = relations.row(stage, [figure for figure, _ in members])
    items = tuple(item for _, item in members)
    return scene.finished(stage, sprites, kind="scene", items=items, relation="and", place=place)


def _without_colours(name: str) -> str:
    """A name without its colours: "apple" for "green apple"; may be empty."""
    return " ".join(part for part in name.split() if part not in BACKGROUNDS)


def _ratio(things: list[int]) -> float:
    sizes = [all_things()[i].size for i in things]
    return max(sizes) / min(sizes)


_ANYWHERE = "stand table afloat fly swim deep space"


@dataclass(frozen=True)
class _Pairing:
    """How two things are chosen for a relation and placed in it.

    choose: (cast, rng) -> two things, or None
    draw: (scene, stage, first, second) -> sprites
    """

    choose: Callable
    draw: Callable


def _related(scene: _Scene, plain: bool = False) -> Arrangement | None:
    rng = scene.rng
    names = _ON_PLAIN if plain else _IN_PLACES
    relation = rng.choices(list(names), list(names.values()))[0]
    pairing = _PAIRINGS[relation]
    if plain and relation in ("next to", "near", "and", "above", "below"):
        things = scene.cast.any(rng, part=""), scene.cast.any(rng, part="")
    else:
        things = pairing.choose(scene.cast, rng)
    if None in things or things[0] == things[1]:
        return None
    members = [scene.member(thing, coloured=0.25) for thing in things]
    (first, one), (second, other) = members
    if relation == "between":
        if not countable(all_things()[things[1]]):
            return None
        other = replace(other, number=2)
    if plain:
        stage, place = Stage(scene.size, None, "stand", rng), None
    else:
        where = all_things()[things[1]].where
        grounded = {"stand", "table"} & set(where) or not where or relation == "below"
        how = "stand" if grounded else where[0]  # on a whale, in a canoe
        stage, place = _placed(scene, _standing(relation, things), how)
    sprites = pairing.draw(scene, stage, first, second)
    facts = {"items": (one, other), "relation": relation}
    if plain:
        return scene.finished(stage, sprites, kind="plain", **facts)
    return scene.finished(stage, sprites, kind="scene", place=place, **facts)


def _standing(relation: str, things: tuple[int, int]) -> list[int]:
    """The things that the place must suit."""
    flying = {"above": things[1:], "below": things[:1]}
    return list(flying.get(relation, things))


def _both(where: str, limit: float = 60):
    def choose(cast: Cast, rng: random.Random):
        kind = where if rng.random() < 0.6 else "table"
        pair = cast.any(rng, where=kind), cast.any(rng, where=kind)
        return pair if None not in pair and _ratio(list(pair)) < limit else (None, None)

    return choose


def _flying(cast: Cast, rng: random.Random) -> int | None:
    return cast.any(rng, where="fly")


def _small(cast: Cast, rng: random.Random, largest: float = 1.0) -> int | None:
    return cast.matching(
        rng,
        f"up to {largest}",
        lambda thing: (
            thing.size <= largest
            and thing.part == "whole"
            and {"stand", "table"} & set(thing.where)
            and (thing.kind.startswith("animal") or "table" in thing.where)
        ),
    )


def _creature(cast: Cast, rng: random.Random) -> int | None:
    return cast.matching(
        rng,
        "creature",
        lambda thing: (
            thing.kind in ("animal/land", "person", "animal/air")
            and "stand" in thing.where
            and thing.size < 3
        ),
    )


def _large(cast: Cast, rng: random.Random) -> int | None:
    """A building, a tree or a vehicle to stand in front of."""
    return cast.matching(
        rng,
        "large",
        lambda thing: (
            "stand" in thing.where
            and thing.size >= 2.5
            and thing.kind in ("building", "vehicle/land", "plant", "nature")
        ),
    )


def _fits_in(cast: Cast, rng: random.Random):
    container = cast.named(rng, CONTAINERS)
    if container is None:
        return None, None
    name, size = all_things()[container].name, all_things()[container].size
    if name == "canoe":
        return cast.named(rng, RIDERS), container
    content = cast.named(rng, FRUIT) if rng.random() < 0.4 and name != "pram" else None
    return content or _small(cast, rng, max(size * 1.3, 0.3)), container


def _worn(cast: Cast, rng: random.Random):
    face = cast.any(rng, part="head") if rng.random() < 0.7 else cast.named(rng, HATLESS, "head")
    if face is None or not all_things()[face].kind.startswith("animal"):
        face = cast.named(rng, HATLESS, "head")
    if face is not None and all_things()[face].name in ("sun with face", "reindeer face"):
        face = None
    piece = cast.matching(rng, "worn", lambda thing: bool(thing.worn))
    return face, piece


def _beside(scene: _Scene, stage: Stage, first: Figure, second: Figure) -> list[Sprite]:
    pair = [first, second]
    if scene.rng.random() < 0.4:
        pair.reverse()
    return relations.row(stage, pair)


def _with(scene: _Scene, stage: Stage, first: Figure, second: Figure) -> list[Sprite]:
    return relations.row(stage, [first, second], close=True)


def _simple(function: Callable, reverse: bool = False) -> Callable:
    def draw(scene: _Scene, stage: Stage, first: Figure, second: Figure) -> list[Sprite]:
        return function(stage, second, first) if reverse else function(stage, first, second)

    return draw


_PAIRINGS = {
    "next to": _Pairing(_both("stand"), _beside),
    "near": _Pairing(_both("stand"), _beside),
    "and": _Pairing(_both("stand"), _beside),
    "with": _Pairing(lambda c, r: (_creature(c, r), _creature(c, r)), _with),
    "above": _Pairing(
        lambda c, r: (_flying(c, r), _large(c, r) if r.random() < 0.6 else _creature(c, r)),
        _simple(relations.above),
    ),
    "below": _Pairing(
        lambda c, r: (_creature(c, r) if r.random() < 0.6 else _large(c, r), _flying(c, r)),
        _simple(relations.above, reverse=True),
    ),
    "under": _Pairing(
        lambda c, r: (_creature(c, r), c.named(r, CANOPIES)), _simple(relations.under)
    ),
    "on": _Pairing(
        lambda c, r: (_small(c, r, 0.9), c.named(r, SUPPORTS)),
        lambda scene, stage, a, b: relations.on(stage, a, b, scene.cast.drawings),
    ),
    "in": _Pairing(_fits_in, lambda scene, stage, a, b: relations.inside(stage, [a], b)),
    "in front of": _Pairing(
        lambda c, r: (_creature(c, r), _large(c, r)), _simple(relations.in_front)
    ),
    "behind": _Pairing(
        lambda c, r: (_large(c, r), _creature(c, r)),
        _simple(relations.in_front, reverse=True),
    ),
    "between": _Pairing(
        lambda c, r: (_creature(c, r), _large(c, r) if r.random() < 0.7 else _creature(c, r)),
        _simple(relations.between),
    ),
    "wearing": _Pairing(_worn, _simple(relations.wearing)),
    "riding": _Pairing(
        lambda c, r: (c.named(r, RIDERS), c.named(r, MOUNTS)), _simple(relations.riding)
    ),
    "holding": _Pairing(
        lambda c, r: (c.named(r, RIDERS), c.named(r, HELD)), _simple(relations.holding)
    ),
}
_IN_PLACES = {
    "next to": 3, "near": 1.5, "and": 2.5, "with": 1, "above": 2, "below": 0.7, "under": 1.5,
    "on": 2.5, "in": 1.5, "in front of": 2, "behind": 1, "between": 0.8, "wearing": 1,
    "riding": 1.5, "holding": 1,
}  # fmt: skip
_ON_PLAIN = {
    "next to": 3, "near": 1, "and": 2, "above": 2, "below": 2, "on": 1.5, "in": 1.5,
    "wearing": 2, "riding": 1, "holding": 1.5,
}  # fmt: skip


def _portrait(cast: Cast, size: tuple[int, int], rng: random.Random) -> Arrangement | None:
    """One large head, person or animal, in front of a place or a colour."""
    scene = _Scene(cast, size, rng)
    part = rng.choice(("head", "head", "bust", "bust", "whole"))
    thing = cast.any(rng, part=part)
    if part == "whole":
        thing = _creature(cast, rng)
    if thing is None:
        return None
    figure, item = scene.member(thing)
    low = part == "bust"
    share = rng.uniform(0.72, 0.92)
    if rng.random() < 0.6:
        stage, place = Stage(size, None, "stand", rng), None
    else:
        stage, place = _placed(scene, [thing], "stand")
    sprite = replace(_in_the_middle(stage, figure, share), shadow=part == "whole" and bool(place))
    if low:  # a bust ends at the lower edge
        sprite = sprite.moved(0, size[1] - sprite.bottom)
    facts = {"kind": "portrait", "items": (item,)}
    return scene.finished(stage, [sprite], **facts, **({"place": place} if place else {}))


def _still_life(cast: Cast, size: tuple[int, int], rng: random.Random) -> Arrangement | None:
    """Flowers in a vase, fruit in a bowl, or two or three things on a table."""
    scene = _Scene(cast, size, rng)
    place = random_place(rng, "table") if rng.random() < 0.6 else None
    stage = scene.stage("stand", place) if place else Stage(size, None, "stand", rng)
    where = {"place": place} if place else {}
    kind = rng.choice(("flowers", "fruit", "fruit", "things"))
    if kind == "things":
        things = [cast.named(rng, rng.choice((EATEN, VESSELS))) for _ in range(rng.choice((2, 3)))]
        if None in things or len(set(things)) < len(things):
            return None
        members = [scene.member(thing, coloured=0.15) for thing in things]
        sprites = relations.row(stage, [figure for figure, _ in members], close=True)
        items = tuple(item for _, item in members)
        return scene.finished(
            stage, sprites, kind="still life", items=items, relation="and", **where
        )
    inner = cast.named(rng, FLOWERS if kind == "flowers" else FRUIT)
    outer = cast.named(rng, "vase" if kind == "flowers" else "bowl;basket")
    if inner is None or outer is None:
        return None
    (content, item), (vessel, holder) = scene.member(inner, coloured=0.3), scene.member(outer)
    bunch = all_things()[inner].name in ("bouquet", "roses", "grapes")
    number = 1 if bunch or not countable(all_things()[inner]) else rng.choice((1, 2, 3, 4))
    sprites = relations.inside(stage, [content] * number, vessel)
    items = (replace(item, number=number), holder)
    return scene.finished(stage, sprites, kind="still life", items=items, relation="in", **where)


def _pattern(cast: Cast, size: tuple[int, int], rng: random.Random) -> Arrangement | None:
    scene, stage = _Scene(cast, size, rng), Stage(size, None, "stand", rng)
    things = [cast.any(rng, part="") for _ in range(rng.choice((1, 1, 2)))]
    if None in things or len(set(things)) < len(things):
        return None
    members = [scene.member(thing, coloured=0.35) for thing in things]
    if any(all_things()[thing].mass for thing in things):
        return None
    sprites = relations.pattern(stage, [figure for figure, _ in members])
    items = tuple(item for _, item in members)
    relation = "and" if len(items) == 2 else None
    return scene.finished(stage, sprites, kind="pattern", items=items, relation=relation)


def _landscape(cast: Cast, size: tuple[int, int], rng: random.Random) -> Arrangement:
    place = random_place(rng)
    ground = draw_place(place, size, rng)
    return Arrangement(Composition("landscape", place=place, say=traits(place, rng)), (), ground)


_SCENES = {"single": _single, "several": _several, "relation": _related, "group": _group}
_ARRANGERS = {
    "scene": _scene,
    "plain": _plain,
    "portrait": _portrait,
    "still life": _still_life,
    "pattern": _pattern,
    "landscape": _landscape,
}
