"""Captions of scenes: what they describe, their wording, and false captions.

CLIP and the judge are trained with different templates, so that the judge does not share the habits
of CLIP.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from vqclip_nb.models.draft.paint import RGB as COLOURS

# similar colours, which are never swapped to make a false caption
_NEAR = [{"green", "dark green"}, {"light blue", "blue", "turquoise"}, {"blue", "dark blue"}]
_NEAR += [{"white", "beige"}, {"orange", "yellow"}, {"brown", "orange"}, {"black", "dark blue"}]
_NEAR += [{"pink", "red"}, {"green", "turquoise"}, {"purple", "dark blue"}, {"red", "orange"}]
_NEAR += [{"pink", "beige"}, {"purple", "pink"}, {"yellow", "beige"}]

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
PLACES = ("next to", "above", "below")


@dataclass(frozen=True)
class Thing:
    """A thing in a caption: its name and, if mentioned, its colour and size."""

    name: str
    colour: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class Description:
    """The content of a caption; a None or empty field is not mentioned, but may be visible.

    things: empty (only style or background are mentioned), one, or two with a `place`
    place: one of `PLACES`
    number: count of a single thing, 2 to 5
    background: up to two names of colours
    style: one of `styles.STYLES`
    """

    things: tuple[Thing, ...] = ()
    place: str | None = None
    number: int | None = None
    background: tuple[str, ...] = ()
    style: str | None = None


@dataclass(frozen=True)
class Wording:
    """A set of caption templates."""

    plain: tuple[str, ...]
    on_one: tuple[str, ...]
    on_two: tuple[str, ...]
    styled: tuple[str, ...]
    bare_style: tuple[str, ...]
    bare_background: tuple[str, ...]
    small: tuple[str, ...]
    large: tuple[str, ...]


PAIR = Wording(
    plain=("{thing}", "{thing}", "a picture of {thing}", "a drawing of {thing}"),
    on_one=(
        "{thing} on a {colour} background",
        "{thing} on {colour}",
        "{thing} in front of a {colour} background",
    ),
    on_two=(
        "{thing} on a {colour} and {other} background",
        "{thing} in front of {colour} and {other}",
    ),
    styled=("{scene}, {style}", "{scene} in {style} style", "{scene} in {style}"),
    bare_style=("{style}", "{style} style", "in {style} style"),
    bare_background=("on a {colour} background", "a {colour} background", "{colour}"),
    small=("small", "tiny"),
    large=("large", "big"),
)
JUDGE = Wording(
    plain=("{thing}", "this shows {thing}", "an illustration with {thing}", "look, {thing}"),
    on_one=("{thing}, {colour} background", "{thing} against {colour}", "{colour} behind {thing}"),
    on_two=("{thing} against {colour} and {other}", "{thing}, {colour} and {other} background"),
    styled=("{style}: {scene}", "{scene} ({style})", "{scene} drawn as {style}"),
    bare_style=("{style}", "drawn as {style}"),
    bare_background=("{colour} background", "all {colour}"),
    small=("little", "small", "tiny"),
    large=("huge", "large", "big"),
)


def caption_of(description: Description, wording: Wording, rng: random.Random) -> str:
    """Write a description as a sentence; the state of `rng` determines the templates."""
    one = wording.on_one if description.things else wording.bare_background
    two = wording.on_two if description.things else wording.bare_background
    templates = {0: wording.plain, 1: one, 2: two}[len(description.background)]
    template, styled = rng.choice(templates), rng.choice(wording.styled)
    bare_style, bare = rng.choice(wording.bare_style), rng.random()
    if not description.things and not description.background:
        return bare_style.format(style=description.style)
    colours = (*description.background, "", "")
    scene = template.format(
        thing=_things(description, bare), colour=colours[0], other=colours[1]
    ).strip()
    if description.style is None:
        return scene
    return styled.format(scene=scene, style=description.style)


def _things(description: Description, bare: float) -> str:
    """The noun phrase; `bare`, uniform in [0,1], determines the article."""
    nouns = []
    for thing in description.things:
        words = " ".join(part for part in (thing.size, thing.colour, thing.name) if part)
        if description.number is not None:
            nouns.append(f"{NUMBERS[description.number]} {plural(words)}")
        elif words.endswith("s") or bare < 0.1:
            nouns.append(words)
        elif bare < 0.2:
            nouns.append(f"the {words}")
        else:
            nouns.append(_grammar().a(words))
    return f" {description.place} ".join(nouns)


def plural(words: str) -> str:
    """The plural of a noun phrase; returned unchanged if it ends in s."""
    return words if words.endswith("s") else _grammar().plural(words)


def without_colours(name: str) -> str:
    """A name without its colours: "apple" for "green apple"; may be empty."""
    return " ".join(part for part in name.split() if part not in COLOURS)


def kinds_of_error(description: Description) -> list[str]:
    """The possible errors: some of "thing", "colour", "background", "count", "place", "style"."""
    kinds = []
    if description.things:
        kinds.append("thing")
    if any(thing.colour for thing in description.things):
        kinds.append("colour")
    if description.background:
        kinds.append("background")
    if description.number is not None:
        kinds.append("count")
    if description.place is not None:
        kinds.append("place")
    if description.style is not None:
        kinds.append("style")
    return kinds


def with_error(
    description: Description, kind: str, names: list[str], styles: Iterable[str], rng: random.Random
) -> Description:
    """Replace one detail of a description by a wrong one; `names`: candidates for a thing's name."""
    if kind == "background":
        first = _other_colour(description.background, rng)
        return replace(description, background=(first, *description.background[1:]))
    if kind == "count":
        others = [number for number in NUMBERS if number != description.number]
        return replace(description, number=rng.choice(others))
    if kind == "place":
        others = [place for place in PLACES if place != description.place]
        return replace(description, place=rng.choice(others))
    if kind == "style":
        return replace(description, style=rng.choice([s for s in styles if s != description.style]))
    things = list(description.things)
    if kind == "colour":
        index = rng.choice([i for i, thing in enumerate(things) if thing.colour])
        colour = _other_colour((things[index].colour,), rng)
        things[index] = replace(things[index], colour=colour)
    else:
        index = rng.randrange(len(things))
        things[index] = replace(things[index], name=rng.choice(names))
    return replace(description, things=tuple(things))


def split_caption(description: Description) -> tuple[Description, Description] | None:
    """Split into things and style, or things and background; None if there is only one part."""
    if not description.things:
        return None
    if description.style is not None:
        return replace(description, style=None), Description(style=description.style)
    if len(description.background) == 1:
        return replace(description, background=()), Description(background=description.background)
    return None


def _other_colour(colours: tuple[str, ...], rng: random.Random) -> str:
    """A colour that is clearly different from the given ones."""
    near = set(colours).union(*(group for group in _NEAR if group & set(colours)))
    return rng.choice([name for name in COLOURS if name not in near])


def vocabulary(names: Iterable[str], styles: Iterable[str], wording: Wording) -> list[str]:
    """All words that captions can contain, sorted."""
    phrases = [*names, *(plural(name) for name in names), *COLOURS, *PLACES, *NUMBERS.values()]
    phrases += [*styles, *wording.small, *wording.large, "a", "an", "the"]
    for group in (wording.plain, wording.on_one, wording.on_two, wording.styled):
        phrases += group
    phrases += [*wording.bare_style, *wording.bare_background]
    blanks = re.compile(r"{\w+}")
    spoken = re.compile(r"[^\s,:()]+")  # words without punctuation marks
    return sorted({w for phrase in phrases for w in spoken.findall(blanks.sub(" ", phrase))})


@cache
def _grammar():
    import inflect  # from the extra `train`, which the lesson on training does not need

    return inflect.engine()
