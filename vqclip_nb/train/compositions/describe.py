"""The wording of captions, in the manner of what people type.

CLIP and the judge are trained with different templates, so that the judge does not share the habits
of CLIP.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, fields

from vqclip_nb.models.draft.composition import BACKGROUNDS, Composition, Item
from vqclip_nb.models.draft.things import all_things, things_called
from vqclip_nb.models.styles import STYLES, SYNONYMS
from vqclip_nb.train.compositions.nouns import counted, is_plural, plural, with_article
from vqclip_nb.train.places import describe as describe_place
from vqclip_nb.train.places import phrase as phrase_place
from vqclip_nb.train.places import vocabulary as vocabulary_of_places


@dataclass(frozen=True)
class Templates:
    """Templates of captions: {things}, {place}, {colour}, {style}, {scene}, …"""

    bare: tuple[str, ...]
    scene: tuple[str, ...]
    plain: tuple[str, ...]
    portrait: tuple[str, ...]
    still_life: tuple[str, ...]
    pattern: tuple[str, ...]
    styled: tuple[str, ...]
    around: tuple[str, ...]
    small: tuple[str, ...]
    large: tuple[str, ...]


PAIR = Templates(
    bare=("{things}",),
    scene=("{things} {place}",),
    plain=(
        "{things} on {a_colour} background",
        "{things} on {colour}",
        "{things} in front of {a_colour} background",
    ),
    portrait=("a portrait of {things}", "a close-up of {things}", "portrait of {things}"),
    still_life=("a still life with {things}", "still life, {things}", "{things}"),
    pattern=("a pattern of {things}", "a pattern with {things}", "many {things}"),
    styled=("{scene}, {style}", "{scene} in {style} style", "{of} {scene}"),
    around=("{scene}",) * 5
    + (
        "a painting of {scene}",
        "a picture of {scene}",
        "a drawing of {scene}",
        "painting of {scene}",
    ),
    small=("small", "tiny"),
    large=("large", "big"),
)
JUDGE = Templates(
    bare=("just {things}", "nothing but {things}"),
    scene=("{things}, {place}", "{place}: {things}", "{things} seen {place}"),
    plain=(
        "{things}, {colour} background",
        "{things} against {colour}",
        "{colour} behind {things}",
    ),
    portrait=("{things}, portrait", "{things} up close", "the portrait shows {things}"),
    still_life=("{things} as a still life", "a table piece: {things}", "{things}, arranged"),
    pattern=("{things} all over", "a wallpaper with {things}", "{things} again and again"),
    styled=("{style}: {scene}", "{scene} ({style})", "{style} version of {scene}"),
    around=("{scene}",) * 4 + ("an illustration with {scene}", "this shows {scene}"),
    small=("little", "small", "tiny"),
    large=("huge", "large", "big"),
)
_RELATIONS = {
    "next to": ("next to", "beside", "next to"),
    "near": ("near", "by", "close to"),
    "and": ("and",),
    "above": ("above", "over"),
    "below": ("below", "under", "beneath"),
    "under": ("under", "beneath", "under"),
    "on": ("on", "on top of", "on"),
    "in": ("in", "inside", "in"),
    "in front of": ("in front of",),
    "behind": ("behind",),
    "between": ("between",),
    "wearing": ("wearing", "with"),
    "riding": ("riding", "on"),
    "holding": ("holding", "with"),
    "with": ("with",),
}
_OF = {  # a picture in this style
    "pixel art": "pixel art of",
    "line drawing": "a line drawing of",
    "black and white": "a black and white picture of",
    "sepia": "a sepia picture of",
    "watercolour": "a watercolour of",
    "neon": "a neon sign of",
    "mosaic": "a mosaic of",
    "stained glass": "a stained glass window with",
    "oil painting": "an oil painting of",
    "pencil sketch": "a pencil sketch of",
    "impressionist": "an impressionist painting of",
    "comic": "a comic of",
    "low poly": "low poly art of",
    "pop art": "pop art of",
    "woodcut": "a woodcut of",
    "chalk": "a chalk drawing of",
}
_VERBS = {
    "fly": ("flying",),
    "swim": ("swimming",),
    "afloat": ("floating",),
}
_SHIP = ("sailing",)


def caption_of(composition: Composition, templates: Templates, rng: random.Random) -> str:
    """A caption; the state of `rng` determines the wording."""
    seeds = [rng.getrandbits(32) for _ in range(4)]
    wording, nouns, place, around = (random.Random(seed) for seed in seeds)
    things = _things(composition, templates, nouns)
    if composition.kind == "landscape":
        scene = describe_place(composition.place, place, say=composition.say)
    else:
        scene = _scene(composition, things, templates, wording, place)
    whole = composition.kind in ("portrait", "still life", "pattern") or ": " in scene
    if composition.style is None:
        return scene if whole else around.choice(templates.around).format(scene=scene)
    template = around.choice(templates.styled)
    if whole and "of" in template:
        template = templates.styled[0]  # no "a mosaic of a portrait of a cat"
    of = _OF[composition.style]
    return template.format(scene=scene, style=composition.style, of=of)


def _scene(
    composition: Composition,
    things: str,
    templates: Templates,
    rng: random.Random,
    place_rng: random.Random,
) -> str:
    where = ""
    if composition.place is not None and composition.say:
        how, say = composition.how, composition.say
        where = phrase_place(composition.place, place_rng, how=how, say=say)
    if composition.kind in ("portrait", "still life", "pattern"):
        group = getattr(templates, composition.kind.replace(" ", "_"))
        scene = rng.choice(group).format(things=things)
        tail = ""
        if composition.background:
            tail = f"on {with_article(composition.background)} background"
        return " ".join(part for part in (scene, where, tail) if part)
    if composition.background is not None:
        template = rng.choice(templates.plain)
        colour = composition.background
        return template.format(things=things, colour=colour, a_colour=with_article(colour))
    if where:
        return rng.choice(templates.scene).format(things=things, place=where)
    return rng.choice(templates.bare).format(things=things)


def _things(composition: Composition, templates: Templates, rng: random.Random) -> str:
    """The noun phrase of all items; one draw decides the article, so that one fact differs."""
    bare, seeds = rng.random(), [rng.getrandbits(32) for _ in range(5)]
    many = composition.kind == "pattern"
    parts = [
        _noun(item, templates, random.Random(seed), bare, many)
        for item, seed in zip(composition.items, seeds, strict=False)
    ]
    if len(parts) == 3:
        return f"{parts[0]}, {parts[1]} and {parts[2]}"
    if len(parts) == 2:
        relation = random.Random(seeds[3]).choice(_RELATIONS[composition.relation])
        return f"{parts[0]} {relation} {parts[1]}"
    if parts and composition.kind == "scene":
        return parts[0] + _verb(composition, random.Random(seeds[4]))
    return parts[0] if parts else ""


def _verb(composition: Composition, rng: random.Random) -> str:
    """What the only thing of a scene does, in some captions."""
    kind = next((all_things()[i].kind for i in things_called(composition.items[0].name)), "")
    verbs = _VERBS.get(composition.how, ())
    if composition.how == "afloat" and kind == "vehicle/water":
        verbs = _SHIP
    if composition.how in ("swim", "fly") and not kind.startswith(("animal", "vehicle/air")):
        verbs = ()
    return f" {rng.choice(verbs)}" if verbs and rng.random() < 0.3 else ""


def _noun(
    item: Item, templates: Templates, rng: random.Random, bare: float, many: bool = False
) -> str:
    size = item.size and rng.choice(getattr(templates, item.size))
    words = " ".join(part for part in (size, item.colour, item.name) if part)
    mass = any(all_things()[i].mass for i in things_called(item.name)[:1])
    if many and not mass:
        return plural(words)
    if item.number > 1:
        return counted(words, item.number)
    if mass or is_plural(words):
        return words
    if bare < 0.12:
        return words
    return f"the {words}" if bare < 0.18 else with_article(words)


def styled_as(style: str) -> str:
    """What a picture in this style is called: "a mosaic"."""
    return _OF[style].removesuffix(" of").removesuffix(" with")


def vocabulary() -> list[str]:
    """Every word that a caption can contain, sorted."""
    phrases = list(vocabulary_of_places())
    for thing in all_things():
        names = (thing.spoken, thing.name, *thing.aliases)
        phrases += [*names, *(plural(name) for name in names)]
    for templates in (PAIR, JUDGE):
        phrases += [text for field in fields(templates) for text in getattr(templates, field.name)]
    for table in (_RELATIONS, _VERBS):
        phrases += [text for group in table.values() for text in group]
    phrases += [*BACKGROUNDS, *STYLES, *SYNONYMS, *_OF.values(), *_SHIP]
    phrases += ["a an the on background in style"]
    phrases += ["two three four five"]
    return sorted({word for text in phrases for word in words_of(re.sub(r"{\w+}", " ", text))})


def words_of(text: str) -> list[str]:
    """The words of a caption, without punctuation marks."""
    return re.findall(r"[^\s,.:()]+", text)
