"""What a composition shows and a caption says, and how to falsify exactly one of these facts."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache

from vqclip_nb.train.compositions.things import all_things, is_plural, things_called
from vqclip_nb.train.places import Place
from vqclip_nb.train.places import other as other_place

KINDS = ("scene", "plain", "portrait", "still life", "pattern", "landscape")
# Each relation with those that are false where it is true. A relation that is true in many pictures
# ("near", "with") can be falsified, but is no falsehood itself.
CONTRADICTIONS = {
    "next to": ("above", "below", "on", "in"),
    "near": ("above", "below", "on", "in"),
    "and": ("above", "below", "on", "in"),
    "above": ("below", "next to", "in"),
    "below": ("above", "next to", "on"),
    "under": ("above", "on", "in"),
    "on": ("below", "next to", "in"),
    "in": ("next to", "above", "below"),
    "in front of": ("behind", "above", "on"),
    "behind": ("in front of", "above", "on"),
    "between": ("on", "above", "below"),
    "wearing": ("next to",),
    "riding": ("next to", "below", "behind"),
    "holding": ("on",),
    "with": (),
}
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "grey", "black")
COLOURS += ("white",)
BACKGROUNDS = (*COLOURS, "turquoise", "light blue", "dark blue", "dark green", "beige")
# similar colours, which are never swapped
_NEAR = ({"red", "orange"}, {"red", "pink"}, {"orange", "yellow"}, {"orange", "brown"})
_NEAR += ({"purple", "pink"}, {"purple", "dark blue"}, {"grey", "black"}, {"grey", "white"})
_NEAR += ({"blue", "light blue", "dark blue", "turquoise"}, {"green", "dark green"})
_NEAR += ({"green", "turquoise"}, {"beige", "white"}, {"beige", "yellow"}, {"beige", "pink"})
_NEAR += ({"black", "dark blue"}, {"black", "dark green"}, {"brown", "beige"}, {"brown", "red"})
STYLES = ("pixel art", "line drawing", "black and white", "sepia", "watercolour", "neon", "mosaic")
STYLES += ("stained glass", "oil painting")
_TRAITS = {"place": "name", "time": "time", "weather": "weather", "season": "season"}


@dataclass(frozen=True)
class Item:
    """A thing in a caption: a noun, and colour and size if they are mentioned.

    size: "small" or "large"
    """

    name: str
    colour: str | None = None
    size: str | None = None
    number: int = 1


@dataclass(frozen=True)
class Composition:
    """What the caption of a picture says; the picture can show more.

    kind: one of `KINDS`
    items: none in a landscape, otherwise one to three
    relation: between the first item and the second, one of `CONTRADICTIONS`
    place, say: the place, and which of its traits are mentioned
    how: the things "stand", are "afloat", "fly" or "swim" there
    background: a colour
    style: one of `STYLES`
    """

    kind: str
    items: tuple[Item, ...] = ()
    relation: str | None = None
    place: Place | None = None
    say: tuple[str, ...] = ()
    how: str = "stand"
    background: str | None = None
    style: str | None = None


def facts(composition: Composition) -> dict[str, object]:
    """All that is mentioned: "thing 0", "colour 0", "relation", "time", …"""
    found: dict[str, object] = {}
    for i, item in enumerate(composition.items):
        found[f"thing {i}"] = item.name
        for field in ("colour", "size"):
            if getattr(item, field):
                found[f"{field} {i}"] = getattr(item, field)
        if item.number > 1:
            found[f"number {i}"] = item.number
    for field in ("relation", "background", "style"):
        if getattr(composition, field):
            found[field] = getattr(composition, field)
    for fact, trait in _TRAITS.items():
        if composition.place and trait in composition.say:
            found[fact] = getattr(composition.place, trait)
    return found


def with_error(composition: Composition, rng: random.Random) -> Composition:
    """The same with exactly one fact changed, so that its caption is false.

    Facts that have no clear opposite, such as sizes, are never chosen.
    """
    names = list(facts(composition))
    rng.shuffle(names)
    names.sort(key=lambda fact: fact.startswith("size"))
    for fact in names:
        wrong = _with_wrong(composition, fact, rng)
        if wrong is not None:
            return wrong
    raise ValueError(f"nothing in {composition} can be wrong")


def _with_wrong(composition: Composition, fact: str, rng: random.Random) -> Composition | None:
    kind, _, index = fact.partition(" ")
    if kind in _TRAITS:
        try:
            return replace(composition, place=other_place(composition.place, _TRAITS[kind], rng))
        except ValueError:
            return None
    if kind == "relation":
        others = CONTRADICTIONS[composition.relation]
        return replace(composition, relation=rng.choice(others)) if others else None
    if kind == "background":
        return replace(composition, background=other_colour(composition.background, rng))
    if kind == "style":
        others = [style for style in STYLES if style != composition.style]
        return replace(composition, style=rng.choice(others))
    if kind == "size":
        return None
    item = composition.items[int(index)]
    if kind == "thing":
        said = tuple(each.name for each in composition.items)
        changed = replace(item, name=_other_name(item, said, rng))
    elif kind == "colour":
        changed = replace(item, colour=other_colour(item.colour, rng))
    else:
        changed = replace(item, number=rng.choice([n for n in range(2, 6) if n != item.number]))
    items = list(composition.items)
    items[int(index)] = changed
    return replace(composition, items=tuple(items))


def other_colour(colour: str, rng: random.Random) -> str:
    """A colour that is clearly different."""
    near = {colour}.union(*(group for group in _NEAR if colour in group))
    return rng.choice([name for name in COLOURS if name not in near])


def _other_name(item: Item, said: tuple[str, ...], rng: random.Random) -> str:
    """The name of something else, of the same kind in half of the cases."""
    things = all_things()
    kinds = {things[i].kind for i in things_called(item.name)}
    alike = set().union(*(_alike(name) for name in said))
    others = [
        thing
        for i, thing in enumerate(things)
        if i not in alike and not thing.mass and thing.kind != "symbol"
        if item.number == 1 or not is_plural(thing.spoken)
    ]
    near = [thing for thing in others if thing.kind in kinds]
    return rng.choice(near if near and rng.random() < 0.5 else others).spoken


@cache
def _alike(name: str) -> frozenset[int]:
    """Things that somebody could call by this name: with a name or a noun in common."""
    names, nouns = {name}, {name.split()[-1]}
    for i in things_called(name):
        thing = all_things()[i]
        names |= {thing.name, thing.spoken, *thing.aliases}
    nouns |= {each.split()[-1] for each in names} | {each.split()[0] for each in names}
    return frozenset(
        i
        for i, thing in enumerate(all_things())
        if names & {thing.name, thing.spoken, *thing.aliases}
        or nouns & {word for each in (thing.spoken, *thing.aliases) for word in each.split()}
    )
