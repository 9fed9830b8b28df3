"""The words that a CLIP was trained on, and how a sentence with other words is read.

The embedded CLIP knows about two thousand words. A table gives the nearest known word or phrase of
frequent other words, so that "a red limousine at the seaside" is read as "a red car at the
seaside". `vqclip_nb.train.near_words` makes the table.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vqclip_nb.models.errors import WeightsError
from vqclip_nb.untrusted.files import parse_json, read_file
from vqclip_nb.untrusted.text import reason_of

_LARGEST = 2**20  # bytes of a file
_LONGEST = 60  # characters of a word or phrase
_MOST_WORDS = 3  # of a phrase in the table
_MOST_KNOWN = 50_000  # words of a file; the embedded one has two thousand
_WORD = re.compile(r"[^\W_](?:[\w'’-]*[^\W_])?")
# Emoji and pictographs, with what joins them to one; letters, digits and punctuation are not in it.
_EMOJI = re.compile(r"[\u2300-\u2bff\ufe0f\u200d\U0001f000-\U0001faff]+")
# Words of the names of emoji that say how the symbol is drawn, not what it shows.
_OF_SYMBOLS = re.compile(
    r"\b(?:face|symbol|sign|variation selector.*|zero width joiner|emoji modifier.*)\b"
)
_OF_OLD_SYMBOLS = re.compile(r"\b(?:black|white|heavy|medium)\b")  # black: filled
_MARKS = re.compile(r"[,.:;!?()]")

# Words that captions need no drawing for: never unknown, and dropped if CLIP does not know them.
_LISTED = """
a an the this that these those some any each every both either neither all another other
such no not own same so too very quite rather just only even also still yet already really
almost more most less least much many few and or but nor if then than as because while when
where which who whom whose what how why though although until unless since of in on at by for
with without from to into onto upon over under above below between among through across along
around about against before after behind beside besides beneath near next off out up down
inside outside within toward towards beyond via per during like is are was were be been being
am has have had having do does did doing done can could will would shall should may might must
let get gets getting got make makes making made go goes going i me my mine we us our ours you
your yours he him his she her hers it its they them their theirs one ones himself herself
itself themselves there here it's there's that's he's she's is's they're i'm isn't aren't
don't doesn't front left right side top bottom middle back there's who's what's let's
sitting sits sit standing stands stand lying lies lay laying posing placed located situated
seen shown showing depicting featuring containing called named full lot lots kind type sort
please want show draw create generate colour color colours colors highly extremely slightly
fully completely totally
"""
FUNCTION_WORDS = frozenset(_LISTED.split())
# Left hanging, these go with the unknown word behind them: "a cat with a zorblax" is "a cat".
_HANGING = FUNCTION_WORDS - {"many", "full"}
_PLURALS = (("man", "men"), ("fe", "ves"), ("f", "ves"), ("y", "ies"), ("", "es"), ("", "s"))


@dataclass
class Reading:
    """How a text is read.

    text: with known words only; the same text if it has no other
    replaced: what is read instead of a word, apart from other forms and spellings of a word
    unknown: the words without a near word, in their order
    """

    text: str
    replaced: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


class Words:
    """The known words, and known phrases that are near to other words.

    known: the words of the training captions
    near: for a word, or a phrase of two or three, in lower case: a phrase of known words and its
        similarity in [0,1]: 1 for the same word in another form or spelling, 0.9 to 0.95 for the
        same meaning, down to 0.55 for what is only of the same general kind

    Raises ValueError if a phrase in `near` has an unknown word.
    """

    def __init__(
        self, known: Iterable[str], near: Mapping[str, tuple[str, float]] | None = None
    ) -> None:
        self.known = frozenset(known)
        self._near: dict[str, tuple[str, float]] = {}
        for word, (phrase, similarity) in (near or {}).items():
            self.add(word, phrase, similarity)

    def add(self, word: str, phrase: str, similarity: float) -> None:
        """Read `word` as `phrase` from now on; raises ValueError if that has an unknown word.

        A phrase of known words is only replaced by a shorter one, so that no reading is endless.
        """
        instead, words = phrase.split(), word.split()
        if not instead or not all(w in self.known and _normal(w) == w for w in instead):
            raise ValueError(f"{phrase!r}, which is near {word!r}, is not known.")
        if len(instead) < len(words) or not self.known.issuperset(words):
            self._near[word] = phrase, similarity

    @classmethod
    def load(cls, file: Path) -> Words:
        """Read a `words.json`; raises WeightsError if it is not valid."""
        try:
            return cls(*_checked(parse_json(read_file(file, _LARGEST))))
        except ValueError as error:
            raise WeightsError(f"{file} is not a table of words: {reason_of(error)}.") from error

    def to_json(self) -> str:
        """The text of a `words.json`, with sorted words."""
        table = {"known": sorted(self.known), "near": dict(sorted(self._near.items()))}
        text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
        return text.replace('],"', '],\n"')

    def read(self, text: str) -> Reading:
        """Replace or drop what is not known; an emoji is read as what it shows."""
        if _EMOJI.search(text):
            text = " ".join(_EMOJI.sub(self._shown_by, text).split())
        reading = self._read_once(text)
        while True:  # ends, because a second replacement shortens the text
            again = self._read_once(reading.text)
            if again.text == reading.text:
                return reading
            reading = Reading(again.text, reading.replaced | again.replaced, reading.unknown)

    def similar_spelling(self, word: str) -> list[str]:
        """Up to three known words that are spelled like an unknown one."""
        return difflib.get_close_matches(word, sorted(self.known), cutoff=0.7)

    def _shown_by(self, emoji: re.Match) -> str:
        """The known words of an emoji's name in Unicode, e.g. "penguin"; a space if it has none."""
        names = []
        for symbol in emoji[0]:
            name = _OF_SYMBOLS.sub(" ", unicodedata.name(symbol, "").lower())
            names.append(_OF_OLD_SYMBOLS.sub(" ", name) if symbol < "\u2c00" else name)
        reading = self._read_once(" ".join(names))
        return " " if reading.unknown else f" {reading.text} "

    def _read_once(self, text: str) -> Reading:
        reading, pieces = Reading(text), []
        for piece, words in self._pieces(text):
            phrase, similarity = self._lookup(words) or ("", 1.0) if words else (piece, 1.0)
            pieces.append(phrase)
            if phrase and similarity < 1:
                reading.replaced[" ".join(words)] = phrase
            elif not phrase and words[0] not in FUNCTION_WORDS:
                pieces[-1] = None
                reading.unknown.append(" ".join(words))
        joined = _joined(pieces)
        if joined != " ".join(text.lower().split()):
            reading.text = joined
        return reading

    def _pieces(self, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The marks of a text, and its words or phrases as typed and in normal form."""
        spans = list(self._spans(text))
        at = end = 0
        while at < len(spans):
            start, _ = spans[at]
            yield from ((mark, ()) for mark in _MARKS.findall(text[end:start]))
            for count in range(_MOST_WORDS, 0, -1):
                group = spans[at : at + count]
                between = (text[a[1] : b[0]] for a, b in itertools.pairwise(group))
                words = tuple(_normal(text[a:b]) for a, b in group)
                if count == 1 or (all(map(_is_space, between)) and self._lookup(words)):
                    break
            end = group[-1][1]
            yield text[start:end], words
            at += len(group)
        yield from ((mark, ()) for mark in _MARKS.findall(text[end:]))

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the words are; what a hyphen joins is one word only if the table has it."""
        for match in _WORD.finditer(text):
            word = _normal(match[0])
            if "-" not in word or self._lookup((word,)):
                yield match.span()
                continue
            for part in re.finditer(r"[^-]+", match[0]):
                yield match.start() + part.start(), match.start() + part.end()

    def _lookup(self, words: tuple[str, ...]) -> tuple[str, float] | None:
        """The known phrase for a word or a phrase, and the similarity."""
        word = " ".join(words)
        if len(words) == 1 and word in self.known:
            return word, 1.0
        if word in FUNCTION_WORDS:
            return None
        if word in self._near:
            return self._near[word]
        if "-" in word:
            return self._lookup((word.replace("-", ""),))
        owner = re.sub(r"'s?$", "", word)
        if owner != word:
            return self._lookup((*words[:-1], owner.split()[-1])) if owner else None
        for one, many in _PLURALS:
            single = word.removesuffix(many) + one
            if word.endswith(many) and len(single) > 2:
                if len(words) == 1 and single in self.known:
                    return single, 1.0
                if single in self._near:
                    phrase, similarity = self._near[single]
                    return self._plural(phrase), similarity
        return None

    def _plural(self, phrase: str) -> str:
        """The plural of a phrase if it is known, else the phrase."""
        *before, noun = phrase.split()
        for one, many in _PLURALS:
            plural = noun.removesuffix(one) + many
            if noun.endswith(one) and plural in self.known:
                return " ".join([*before, plural])
        return phrase


def _normal(word: str) -> str:
    """Lower case, without accents, with straight apostrophes."""
    letters = unicodedata.normalize("NFKD", word.lower())
    kept = "".join(c for c in letters if not unicodedata.combining(c))
    return kept.replace("’", "'")


def _is_space(text: str) -> bool:
    return text.strip() in ("", "-")


def _joined(pieces: list[str | None]) -> str:
    """The pieces as a text, without unknown words, None, and the function words before them."""
    kept: list[str] = []
    for i, piece in enumerate(pieces):
        after = next((p for p in pieces[i + 1 :] if p != ""), ".")
        hangs = after is not None and (_MARKS.match(after) or after in _HANGING)
        if piece is None and hangs:
            while kept and kept[-1] in _HANGING:
                kept.pop()
        elif piece and not (_MARKS.match(piece) and (not kept or _MARKS.match(kept[-1]))):
            kept.append(piece)
    while kept and (kept[-1] == "," or kept[0] in ("and", "or", "of")):
        kept.pop(-1 if kept[-1] == "," else 0)
    text = re.sub(r" (?=[,.:;!?)])|(?<=\() ", "", " ".join(kept))
    return re.sub(r"\b(an?) (?=(\w))", lambda m: "an " if m[2] in "aeiou" else "a ", text)


def _checked(table: object) -> tuple[list[str], dict[str, tuple[str, float]]]:
    """The known words and the near ones of a file; raises ValueError if they are of other types."""
    if not isinstance(table, dict) or set(table) != {"known", "near"}:
        raise ValueError("expected an object with `known` and `near`")
    known, near = table["known"], table["near"]
    if not isinstance(known, list) or len(known) > _MOST_KNOWN or not all(map(_is_phrase, known)):
        raise ValueError("`known` is not a list of words")
    if not isinstance(near, dict) or not all(map(_is_phrase, near)):
        raise ValueError("`near` is not an object with words as keys")
    for word, value in near.items():
        pair = isinstance(value, list) and len(value) == 2 and _is_phrase(value[0])
        if not pair or type(value[1]) not in (int, float) or not 0 <= value[1] <= 1:
            raise ValueError(f"`near` has {word!r} without a phrase and a similarity in [0,1]")
    return known, {word: (phrase, float(number)) for word, (phrase, number) in near.items()}


def _is_phrase(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST
