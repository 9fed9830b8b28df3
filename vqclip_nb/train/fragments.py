"""Short texts with their meanings: what people type as extras, or one word alone."""

from __future__ import annotations

import random

from vqclip_nb.models.draft.composition import BACKGROUNDS, Composition, Item
from vqclip_nb.models.draft.things import all_things
from vqclip_nb.models.styles import STYLES, SYNONYMS
from vqclip_nb.train.compositions.describe import styled_as
from vqclip_nb.train.compositions.nouns import is_plural, plural, with_article
from vqclip_nb.train.lexicon import Lexicon, Meaning
from vqclip_nb.train.places import TRAITS, phrase, random_place

_PLACED = 200  # random phrases of each trait of a place
_STYLED = 12  # copies of each text of a style, which are few


def fragments(lexicon: Lexicon) -> list[tuple[str, Meaning]]:
    """Names of things, places, times, weathers, seasons, colours and styles."""
    texts = [*_named(), *_placed(), *_styles()]
    texts += [(c, Composition("plain", background=c)) for c in BACKGROUNDS]
    return [(text, lexicon.meaning(composition)) for text, composition in texts]


def _named():
    for thing in all_things():
        for name in dict.fromkeys((thing.spoken, *thing.aliases)):
            composition = Composition("plain", (Item(name),))
            yield name, composition
            yield (name if thing.mass else with_article(name)), composition
            if not thing.mass and not is_plural(name):
                yield plural(name), composition


def _placed():
    rng = random.Random(0)
    for trait in TRAITS:
        for _ in range(_PLACED):
            place = random_place(rng)
            if getattr(place, trait) not in (None, "clear", "day"):
                say = (trait,)
                yield phrase(place, rng, say=say), Composition("landscape", place=place, say=say)


def _styles():
    for style in STYLES:
        for text in (style, f"in {style} style", f"{style} style", styled_as(style)):
            yield from [(text, Composition("plain", style=style))] * _STYLED
    for text, style in SYNONYMS.items():
        yield from [(text, Composition("plain", style=style))] * _STYLED
