"""The phrases that the draft reads, with their meanings.

The names of things are those of `things.csv`. Their plurals and the phrases of places and times are
those of the training captions; they are written to `draft.json` with the memory, because plurals
need a grammar that only the training has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from vqclip_nb.models.draft.paint import RGB
from vqclip_nb.models.draft.place import NAMES, SEASONS, TIMES, WEATHERS
from vqclip_nb.models.draft.things import all_things

SLOT = "|"  # in a pattern: adjectives can stand here
_ARTICLES = {"a", "an", "the", "some", "my", "your", "his", "her", "its", "our", "their"}
_WORD = re.compile(r"[^\W_][\w'-]*|[,.:;!?()|]")
_VALUES = {"time": TIMES, "weather": WEATHERS, "season": SEASONS}
_RELATIONS = {
    "next to": "next to", "beside": "next to", "alongside": "next to", "near": "near",
    "by": "near", "close to": "near", "at": "near", "and": "and", "above": "above",
    "over": "above", "below": "below", "under": "below", "beneath": "below",
    "underneath": "below", "on": "on", "on top of": "on", "upon": "on", "atop": "on", "in": "in",
    "inside": "in", "inside of": "in", "in front of": "in front of", "behind": "behind",
    "between": "between", "wearing": "wearing", "riding": "riding", "riding on": "riding",
    "holding": "holding", "carrying": "holding", "with": "with", "of": "of",
}  # fmt: skip
_SIZES = {"small": "small", "tiny": "small", "little": "small", "large": "large", "big": "large"}
_SIZES |= {"huge": "large", "giant": "large", "enormous": "large"}
_NUMBERS = {"two": 2, "2": 2, "three": 3, "3": 3, "four": 4, "4": 4, "five": 5, "5": 5}
_NUMBERS |= {"couple of": 2, "pair of": 2, "several": 4, "six": 5, "seven": 5, "group of": 4}
_NUMBERS |= {"flock of": 5, "herd of": 5}
_COLOURS = {name: name for name in RGB} | {"gray": "grey", "violet": "purple"}
_COLOURS |= {"golden": "yellow", "blond": "yellow", "cyan": "turquoise", "teal": "turquoise"}
_KINDS = {
    "portrait": "portrait", "close-up": "portrait", "close up": "portrait", "up close": "portrait",
    "still life": "still life", "table piece": "still life", "arranged": "still life",
    "pattern": "pattern", "wallpaper": "pattern", "all over": "pattern", "many": "pattern",
    "again and again": "pattern",
}  # fmt: skip
_STYLED = {"stained glass window": "stained glass", "neon sign": "neon"}
# In addition to the phrases of the captions: a place, and how things are there.
_PLACES = {
    "on the|moon": ("space", "stand"), "on the|sand": ("beach", ""), "|shore": ("beach", ""),
    "in|grass": ("meadow", ""), "on|grass": ("meadow", ""), "|street": ("road", ""),
    "on|ice": ("snow", ""), "|skies": ("sky", ""), "|waves": ("sea", ""), "|sand": ("beach", ""),
    "|dunes": ("desert", ""), "|countryside": ("meadow", ""), "|galaxy": ("space", ""),
    "in|trees": ("forest", ""), "over|clouds": ("sky", "fly"), "above|clouds": ("sky", "fly"),
    "in|clouds": ("sky", "fly"), "on the|snow": ("snow", ""), "through the|snow": ("snow", ""),
    "|fields": ("meadow", ""), "in|orbit": ("space", "fly"), "|cliff": ("mountains", ""),
    "|city street": ("city", ""), "|snow": ("snow", ""), "on|mars": ("space", "stand"),
}  # fmt: skip
_TRAITS = (
    *(
        ("storm", "weather", "storm"),
        ("thunder", "weather", "storm"),
        ("raining", "weather", "rain"),
    ),
    *(
        ("rainstorm", "weather", "rain"),
        ("blizzard", "weather", "snow"),
        ("dusk", "time", "sunset"),
    ),
    *(("snowing", "weather", "snow"), ("daylight", "time", "day"), ("evening", "time", "sunset")),
    *(("dawn", "time", "dawn"), ("morning", "time", "dawn"), ("night", "time", "night")),
    *(("midnight", "time", "night"), ("moonlight", "time", "night"), ("day", "time", "day")),
    *(("starry", "time", "night"), ("winter", "season", "winter"), ("spring", "season", "spring")),
    *(
        ("autumn", "season", "autumn"),
        ("under moon", "time", "night"),
        ("snowfall", "weather", "snow"),
    ),
    *(
        ("under clouds", "weather", "cloudy"),
        ("twilight", "time", "sunset"),
        ("sunrise", "time", "dawn"),
    ),
    *(("sunset", "time", "sunset"), ("sunlight", "time", "day"), ("sunshine", "time", "day")),
    *(
        ("with stars", "time", "night"),
        ("with moon", "time", "night"),
        ("moonrise", "time", "night"),
    ),
)


@dataclass(frozen=True)
class Meaning:
    """What a phrase means.

    kind: "thing", "plural" of a thing, "place" (a noun), "at" (with a preposition), "trait", "over" (a trait before the
        name of a place, otherwise perhaps a thing), "colour", "size", "number", "relation",
        "style", "kind", "background"
    value: the thing's singular name, the place, the trait's name, …
    more: how things are at a place; the value of a trait
    """

    kind: str
    value: Any
    more: str = ""


@dataclass(frozen=True)
class Match:
    """A phrase of the table in a sentence.

    length: number of words
    within: words that stood in a slot
    """

    meaning: Meaning
    length: int
    within: tuple[str, ...] = ()


@dataclass
class Phrases:
    """The table of phrases.

    patterns: by their first word; each is a tuple of words and slots with its meanings
    adjectives: words that can stand in a slot, with their traits
    sky: the same for adjectives of the sky
    """

    patterns: dict[str, dict[tuple[str, ...], list[Meaning]]] = field(default_factory=dict)
    adjectives: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    sky: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def build(cls, table: dict[str, Any], styles: dict[str, str]) -> Phrases:
        """Compile the table of `draft.json`; styles: the style of each name or synonym.

        Raises ValueError if the table is invalid.
        """
        phrases = cls()
        phrases._add_things(_strings(table, "plurals"))
        phrases._add_places(_mapping(table, "places"))
        phrases._add_traits(_mapping(table, "traits"))
        groups = {"colour": _COLOURS, "size": _SIZES, "number": _NUMBERS, "relation": _RELATIONS}
        groups |= {"kind": _KINDS, "style": styles | _STYLED, "background": {"background": ""}}
        for kind, group in groups.items():
            for text, value in group.items():
                phrases._add(text, Meaning(kind, value))
        return phrases

    def _add(self, text: str, meaning: Meaning) -> None:
        pattern = tuple(words_of(text)[0])
        while pattern[:1] == (SLOT,):  # adjectives in front are phrases of their own
            pattern = pattern[1:]
        if pattern:
            self.patterns.setdefault(pattern[0], {}).setdefault(pattern, []).append(meaning)

    def _add_things(self, plurals: dict[str, str]) -> None:
        names = {
            name for thing in all_things() for name in (thing.name, thing.spoken, *thing.aliases)
        }
        for name in sorted(names):
            self._add(name, Meaning("thing", name))
        for plural, name in plurals.items():
            if name not in names:
                raise ValueError(f"no thing is called {name!r}")
            self._add(plural, Meaning("plural", name))

    def _add_places(self, places: dict[str, Any]) -> None:
        for name, words in places.items():
            if name not in NAMES:
                raise ValueError(f"no place is called {name!r}")
            for noun in _texts(words, "nouns"):
                self._add(noun, Meaning("place", name))
            for how in ("at", "afloat", "fly", "swim"):
                for text in _texts(words, how):
                    self._add(text, Meaning("at", name, "" if how == "at" else how))
                    self._add(text.partition("|")[2], Meaning("place", name))  # "farmland"
            self.adjectives |= dict.fromkeys(_texts(words, "adjectives"))
        for text, (name, how) in _PLACES.items():
            kind = "place" if text.startswith("|") else "at"
            self._add(text, Meaning(kind, name, how))

    def _add_traits(self, groups: dict[str, Any]) -> None:
        rows = {name: _rows(groups, name) for name in ("adjectives", "sky", "phrases", "over")}
        self.sky |= {text: (trait, value) for text, trait, value in rows["sky"]}
        for text, trait, value in (*rows["adjectives"], *rows["phrases"], *_TRAITS):
            self._add(text, Meaning("trait", trait, value))
        for text, trait, value in rows["over"]:
            self._add(text, Meaning("over", trait, value))
        self.adjectives |= {text: (trait, value) for text, trait, value in rows["adjectives"]}
        self.adjectives |= dict.fromkeys((*_COLOURS, *_SIZES))

    def matches(self, words: list[str], start: int) -> list[Match]:
        """The phrases that begin at a word, the longest first."""
        found = []
        for pattern, meanings in self.patterns.get(words[start], {}).items():
            fit = self._fit(pattern, words, start)
            if fit is not None:
                end, within = fit
                found += [Match(meaning, end - start, within) for meaning in meanings]
        return sorted(found, key=lambda match: (-match.length, len(match.within)))

    def _fit(
        self, pattern: tuple[str, ...], words: list[str], start: int
    ) -> tuple[int, tuple[str, ...]] | None:
        """The end of a pattern in the sentence, and the words in its slots; None without a match."""
        at, within = start, []
        for i, part in enumerate(pattern):
            if part == SLOT:
                after = pattern[i + 1]
                while at < len(words) and words[at] != after and self._fits_slot(words[at]):
                    within.append(words[at])
                    at += 1
            elif at < len(words) and words[at] == part:
                at += 1
            else:
                return None
        return at, tuple(within)

    def _fits_slot(self, word: str) -> bool:
        return word in self.adjectives or word in self.sky


def words_of(text: str) -> tuple[list[str], list[bool]]:
    """The words and punctuation marks without articles, and whether each follows an article."""
    words, articles, article = [], [], False
    for word in _WORD.findall(text.lower().replace("’", "'")):
        if word in _ARTICLES:
            article = True
            continue
        words.append(word)
        articles.append(article)
        article = False
    return words, articles


def _mapping(table: Any, name: str) -> dict[str, Any]:
    found = table.get(name) if isinstance(table, dict) else None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"{name!r} must map names")
    return found


def _strings(table: Any, name: str) -> dict[str, str]:
    found = _mapping(table, name)
    if not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"{name!r} must map strings to strings")
    return found


def _texts(words: Any, name: str) -> list[str]:
    found = words.get(name) if isinstance(words, dict) else None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name!r} of a place must be a list of strings")
    return found


def _rows(groups: Any, name: str) -> list[tuple[str, str, str]]:
    found = groups.get(name)
    if not isinstance(found, list):
        raise ValueError(f"{name!r} must be a list")
    for row in found:
        if not (isinstance(row, list) and len(row) == 3 and isinstance(row[0], str)):
            raise ValueError(f"{row!r} must be a phrase, a trait and its value")
        if row[2] not in _VALUES.get(row[1], ()):
            raise ValueError(f"{row!r} has no trait of a place")
    return [tuple(row) for row in found]
