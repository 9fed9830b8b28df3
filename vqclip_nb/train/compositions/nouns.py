"""Grammar of the things' names: plurals, numbers and articles."""

from __future__ import annotations

from functools import cache

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


@cache
def is_plural(words: str) -> bool:
    """Whether a noun phrase has no singular: "glasses", "socks"."""
    last = words.split(" of ")[0].split()[-1]  # a bunch of flowers is one bunch
    return last.endswith("s") and bool(_grammar().singular_noun(last)) and last not in _SINGULAR


@cache
def plural(words: str) -> str:
    """The plural of a noun phrase: "glasses of milk"; unchanged if it has no singular."""
    return words if is_plural(words) else _grammar().plural_noun(words)


@cache
def counted(words: str, number: int) -> str:
    """With a number: "two dogs"."""
    return f"{_NUMBERS[number]} {plural(words)}"


@cache
def with_article(words: str) -> str:
    """With "a" or "an"; unchanged if it has no singular."""
    return words if is_plural(words) else _grammar().a(words)


_SINGULAR = {
    "bus",
    "cactus",
    "lotus",
    "hibiscus",
    "walrus",
    "rhinoceros",
    "octopus",
    "moai",
    "minibus",
    "hippopotamus",
}
_SINGULAR |= {
    "narcissus",
    "compass",
    "fez",
    "stegosaurus",
    "glass",
    "dress",
    "grass",
    "triceratops",
}
_SINGULAR |= {
    "venus",
    "mars",
    "cutlass",
    "brass",
    "hibiscus",
    "plesiosaurus",
    "trolleybus",
    "abacus",
}
_SINGULAR |= {"mantis", "iris", "pegasus", "lens", "cross", "boss", "princess", "businesswoman"}


@cache
def _grammar():
    import inflect  # from the extra `train`

    engine = inflect.engine()
    engine.defnoun("triceratops", "triceratops")
    return engine
