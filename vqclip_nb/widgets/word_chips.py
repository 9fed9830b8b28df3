"""Words while typing: complete the word that is typed, and swap those that CLIP does not know."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

import ipywidgets as widgets

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.prompt_syntax import parse_prompt

_MOST = 6  # chips
_SHORTEST = 2  # letters of a word that is completed
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_SEPARATOR = re.compile(r"[|^]")


def words_of(text: str) -> Iterator[re.Match]:
    """The words of a prompt, with their places: not those of weights, paths, addresses and noise."""
    start = 0
    for end in [*(found.start() for found in _SEPARATOR.finditer(text)), len(text)]:
        part, begins = text[start:end], start
        start = end + 1
        prompt = parse_prompt(part.strip())
        if prompt.kind == "text":
            begins += len(part) - len(part.lstrip())
            yield from _WORD.finditer(text, begins, begins + len(prompt.text))


def typed_word(before: str, now: str) -> re.Match | None:
    """The word of `now` in which the text was changed last, if the change ends with its end."""
    caret = len(now) - _same(before[::-1], now[::-1])
    if len(now) < len(before):  # deleted: "penguin" to "pen"
        caret = _same(before, now)
    return next((word for word in words_of(now) if word.end() == caret), None)


def completions(beginning: str, known: Sequence[str]) -> list[str]:
    """Known words that begin so, the shortest first.

    known: sorted, in lower case
    """
    beginning = beginning.lower()
    if len(beginning) < _SHORTEST:
        return []
    first = bisect.bisect_left(known, beginning)
    last = bisect.bisect_left(known, beginning + "\U0010ffff")
    found = [word for word in known[first:last] if word != beginning]
    return sorted(found, key=lambda word: (len(word), word))[:_MOST]


def swaps(text: str, perceptor: Perceptor) -> list[tuple[int, int, str]]:
    """For words that CLIP does not know: place and near word, by meaning or else by spelling."""
    sentence = " ".join(word[0] for word in words_of(text))
    near = {word: [instead] for word, instead in perceptor.replaced_words(sentence).items()}
    near |= perceptor.suggested_words(sentence)
    found = []
    for words, instead in near.items():
        pattern = r"[\W_]+".join(map(re.escape, words.split()))
        place = re.search(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE)
        found += [(*place.span(), word) for word in instead] if place else []
    return found[:_MOST]


class WordChips:
    """A row of suggestions; a click calls `put` with the text in which one of them stands.

    perceptor: the CLIP whose words are suggested; None: no suggestions
    """

    def __init__(self, put: Callable[[str], None]) -> None:
        self.perceptor: Perceptor | None = None
        self._known: list[str] = []
        self._put, self._texts = put, [""] * _MOST
        self._chips = [self._chip(number) for number in range(_MOST)]
        self.widget = widgets.HBox(self._chips)
        self.widget.add_class("vq-chips")

    def know(self, perceptor: Perceptor) -> None:
        """Suggest the words of this CLIP from now on."""
        plain = {word for word in perceptor.known_words() if word.isalpha() and word.islower()}
        # a word is completed before its plural is typed
        single = {word for word in plain if word[-1] != "s" or word[:-1] not in plain}
        self.perceptor, self._known = perceptor, sorted(single)

    def suggest(self, before: str, now: str) -> None:
        """Show what completes the word that was typed last, else near words of unknown ones."""
        if self.perceptor is None:
            return
        word = typed_word(before, now) if before != now else None
        ends = completions(word[0], self._known) if word else []
        offers = [(each, _swapped(now, *word.span(), each)) for each in ends]
        if not offers or word[0].lower() in self._known:
            offers = [
                (f"{now[start:end]} → {near}", _swapped(now, start, end, near))
                for start, end, near in swaps(now, self.perceptor)
            ] or offers
        self.offer(offers)

    def offer(self, offers: Sequence[tuple[str, str]]) -> None:
        """Show these labels, each with the text that a click puts."""
        for number, chip in enumerate(self._chips):
            label, self._texts[number] = offers[number] if number < len(offers) else ("", "")
            chip.description, chip.layout.display = label, None if label else "none"

    def _chip(self, number: int) -> widgets.Button:
        chip = widgets.Button(layout=widgets.Layout(display="none"))
        chip.add_class("vq-chip")
        chip.on_click(lambda _: self._texts[number] and self._put(self._texts[number]))
        return chip


def _same(one: str, other: str) -> int:
    """How many characters at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _swapped(text: str, start: int, end: int, word: str) -> str:
    """The text with another word in a place."""
    return text[:start] + word + text[end:]
