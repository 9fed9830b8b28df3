"""Read WordNet, a dictionary of the senses of English words and of their general terms.

Miller, "WordNet: a lexical database for English", 1995. Reads the files of WordNet 3.0, e.g. of
Debian's package `wordnet-base`: the formats are described in its manual page wndb(5WN).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_FILES = {"n": "noun", "v": "verb", "a": "adj"}
_TYPES = {"1": "n", "2": "v", "3": "a", "5": "a"}  # of a sense key
# Endings of inflected words, and what base forms have instead.
_SUFFIXES = {
    "n": "ses:s xes:x zes:z ches:ch shes:sh men:man ies:y s:",
    "v": "s: ies:y es:e es: ed:e ed: ing:e ing:",
    "a": "er: est: er:e est:e ier:y iest:y",
}


@dataclass(frozen=True)
class Sense:
    """A meaning that some words share.

    field: the name of its lexicographer file without the part of speech, e.g. "animal"
    words: in lower case unless they are names
    general: ids of its more general senses
    similar: ids of senses with a similar meaning, for adjectives
    """

    id: tuple[str, int]
    field: str
    words: tuple[str, ...]
    gloss: str
    general: tuple[tuple[str, int], ...]
    similar: tuple[tuple[str, int], ...]

    @property
    def is_name(self) -> bool:
        """Whether it is a proper name, e.g. of a city; "van Gogh" is one too."""
        return any(part[0].isupper() for part in self.words[0].split())


class WordNet:
    """The dictionary in a folder; raises OSError if a file of it is missing."""

    def __init__(self, folder: Path) -> None:
        self.sense: dict[tuple[str, int], Sense] = {}
        self._index: dict[tuple[str, str], tuple[int, ...]] = {}
        self._bases: dict[str, dict[str, str]] = {}
        for part, name in _FILES.items():
            for line in _lines(folder / f"data.{name}"):
                sense = _sense(line, part)
                self.sense[sense.id] = sense
            for line in _lines(folder / f"index.{name}"):
                word, _, count, *rest = line.split()
                offsets = rest[-int(count) :]
                self._index[part, word.replace("_", " ")] = tuple(map(int, offsets))
            pairs = (line.split()[:2] for line in _lines(folder / f"{name}.exc"))
            self._bases[part] = {form.replace("_", " "): base for form, base in pairs}
        self._counts = _counts(folder / "cntlist.rev")

    def senses(self, word: str, part: str) -> list[tuple[Sense, float]]:
        """The senses of a base form as noun "n", verb "v" or adjective "a", and their frequencies.

        A frequency is how often the sense is meant in WordNet's own texts, plus a half for senses
        that do not occur there.
        """
        return [
            (self.sense[part, offset], self._counts.get((word, part, number), 0) + 0.5)
            for number, offset in enumerate(self._index.get((part, word), ()), 1)
        ]

    def frequency(self, word: str, sense: Sense) -> float:
        """How often `word` means `sense`, as in `senses`; 0 if it does not."""
        senses = self.senses(word.lower(), sense.id[0])
        return next((count for each, count in senses if each is sense), 0.0)

    def base(self, word: str, part: str) -> str | None:
        """The base form of an inflected word, e.g. "geese" -> "goose"; None if it has no sense."""
        if (part, word) in self._index:
            return word
        irregular = self._bases[part].get(word, "").replace("_", " ")
        if (part, irregular) in self._index:
            return irregular
        for ending in _SUFFIXES[part].split():
            suffix, instead = ending.split(":")
            base = word.removesuffix(suffix) + instead
            if word.endswith(suffix) and (part, base) in self._index:
                return base
            short = base[:-1]  # "running" -> "run"
            if word.endswith(suffix) and base[-2:-1] == base[-1:] and (part, short) in self._index:
                return short
        return None

    def above(self, sense: Sense) -> dict[tuple[str, int], int]:
        """All more general senses, and how many steps up they are; the sense itself is 0 up."""
        steps, level = {sense.id: 0}, [sense.id]
        while level:
            higher = dict.fromkeys(up for each in level for up in self.sense[each].general)
            level = [up for up in higher if up not in steps]
            steps |= dict.fromkeys(level, max(steps.values()) + 1)
        return steps

    @cached_property
    def phrases(self) -> list[str]:
        """The nouns of two words, in alphabetical order."""
        return sorted(w for part, w in self._index if part == "n" and w.count(" ") == 1)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file without its licence, which is indented."""
    with open(path, encoding="utf-8") as file:
        yield from (line for line in file if not line.startswith("  "))


def _sense(line: str, part: str) -> Sense:
    data, _, gloss = line.partition(" | ")
    offset, field, _, count, *rest = data.split()
    words, (pointers, *rest) = rest[: 2 * int(count, 16) : 2], rest[2 * int(count, 16) :]
    links = defaultdict(list)
    for i in range(int(pointers)):
        symbol, target, kind, _ = rest[4 * i : 4 * i + 4]
        links[symbol].append(("a" if kind == "s" else kind, int(target)))
    return Sense(
        (part, int(offset)),
        _FIELDS[int(field)],
        tuple(word.replace("_", " ").split("(")[0] for word in words),  # "awake(p)"
        gloss.strip().split('; "')[0],
        tuple(links["@"] + links["@i"]),
        tuple(links["&"]),
    )


def _counts(path: Path) -> dict[tuple[str, str, int], int]:
    """By word, part of speech and number of the sense."""
    counts = {}
    for line in _lines(path):
        key, number, count = line.split()
        word, _, rest = key.rpartition("%")
        if rest[0] in _TYPES:
            counts[word.replace("_", " "), _TYPES[rest[0]], int(number)] = int(count)
    return counts


_LISTED = """all pert adverb top act animal artifact attribute body cognition communication event
feeling food group location motive object person phenomenon plant possession process quantity
relation shape state substance time body-care change cognition communication competition consumption
contact creation emotion motion perception possession social stative weather participle"""
_FIELDS = _LISTED.split()
