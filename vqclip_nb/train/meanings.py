"""What known names mean in WordNet, and which of them a sense is closest to.

The similarity of a sense to a known name, in [0,1], is

- if the sense is a kind of what the name means: 0.95, less 0.03 for each step between them;
- otherwise the mean of Lin's similarity in WordNet (Lin, "An information-theoretic definition of
  similarity", 1998) and of the cosine between sentence embeddings of the two definitions, less 15 %.

Both are reduced for senses that are rarely meant.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vqclip_nb.train.wordnet import Sense, WordNet

Embed = Callable[[list[str]], np.ndarray]  # sentences to unit vectors [n, E]

_MOST_SENSES = 6  # of a word that are considered
_RARE = 0.15  # exponent of a sense's frequency
_NAMES = ("person", "plant", "animal", "communication", "group", "cognition")  # "Van Gogh" is none
_SEEN = ("animal", "artifact", "body", "food", "object", "person", "plant", "substance", "location")
_SEEN += ("phenomenon", "time", "event", "group", "shape", "top", "possession")


@dataclass(frozen=True)
class Meaning:
    """A sense and the known phrase that shows it, and everything below it in WordNet.

    typical: whether other senses may be similar to it; otherwise it only stands for its kinds
    """

    sense: Sense
    phrase: str
    typical: bool


class Meanings:
    """The meanings that can be shown; the first of several with the same sense is used."""

    def __init__(self, wordnet: WordNet, meanings: Iterable[Meaning], embed: Embed) -> None:
        self._wordnet, self._embed = wordnet, embed
        self._embedded: dict[str, np.ndarray] = {}  # by definition
        self._shown: dict[tuple[str, int], str] = {}
        typical = {}
        for meaning in meanings:
            self._shown.setdefault(meaning.sense.id, meaning.phrase)
            if meaning.typical:
                typical.setdefault(meaning.sense.id, meaning.phrase)
        self._typical = list(typical.items())
        self._below: dict[tuple[str, int], list[int]] = defaultdict(list)
        for i, (key, _) in enumerate(self._typical):
            for above in wordnet.above(wordnet.sense[key]):
                self._below[above].append(i)
        self._information = np.array([self._content[key] for key, _ in self._typical])
        self._vectors = embed([self._defined(p, wordnet.sense[k]) for k, p in self._typical])

    def closest(self, word: str) -> tuple[str, float] | None:
        """The phrase closest to a noun, and the similarity; None if the noun has no sense."""
        best = None
        for sense, meant in self._senses(word):
            phrase, similarity = self._kind(sense) or self._similar(word, sense)
            if best is None or similarity * meant > best[1]:
                best = phrase, similarity * meant
        return best

    def prepare(self, words: Sequence[str]) -> None:
        """Embed what `closest` needs for some nouns at once, which is faster."""
        definitions = {
            self._defined(word, sense)
            for word in words
            for sense, _ in self._senses(word)
            if sense.field in _SEEN and not self._kind(sense)
        }
        if new := sorted(definitions.difference(self._embedded)):
            self._embedded.update(zip(new, self._embed(new), strict=True))

    def _senses(self, word: str) -> Iterator[tuple[Sense, float]]:
        """The senses of a noun, and a factor in [0,1] that is lower for those rarely meant."""
        senses = self._wordnet.senses(word, "n")
        senses = [(s, n) for s, n in senses if not (s.is_name and s.field in _NAMES)]
        total = sum(count for _, count in senses)
        for order, (sense, count) in enumerate(senses[:_MOST_SENSES]):
            yield sense, (count / total) ** _RARE * 0.99**order

    def _kind(self, sense: Sense) -> tuple[str, float] | None:
        """The nearest more general sense that is shown, if there is one."""
        for above, steps in self._wordnet.above(sense).items():
            if above in self._shown:
                return self._shown[above], max(0.95 - 0.03 * steps, 0.6)
        return None

    def _similar(self, word: str, sense: Sense) -> tuple[str, float]:
        """The most similar typical meaning, of senses that can be seen."""
        if sense.field not in _SEEN:
            return "", 0.0
        common = np.zeros(len(self._typical))  # information in the most special general sense
        for above in self._wordnet.above(sense):
            if below := self._below.get(above):
                common[below] = np.maximum(common[below], self._content[above])
        lin = 2 * common / (self._content[sense.id] + self._information)
        self.prepare([word])
        cosine = self._vectors @ self._embedded[self._defined(word, sense)]
        similarity = 0.85 * (lin + cosine) / 2
        best = int(similarity.argmax())
        return self._typical[best][1], float(similarity[best])

    @cached_property
    def _content(self) -> dict[tuple[str, int], float]:
        """The information content of each noun sense, in nats, from the frequencies of WordNet."""
        counts: dict[tuple[str, int], float] = defaultdict(float)
        for sense in self._wordnet.sense.values():
            if sense.id[0] == "n":
                count = sum(self._wordnet.frequency(word, sense) for word in sense.words)
                for above in self._wordnet.above(sense):
                    counts[above] += count
        total = max(counts.values())
        return {key: math.log(total / count) for key, count in counts.items()}

    @staticmethod
    def _defined(word: str, sense: Sense) -> str:
        return f"{word}: {sense.gloss}"
