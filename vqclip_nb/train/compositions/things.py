"""The things of the compositions: what they are called, how large they are and where they may be.

`things.csv` lists them. A head or a bust is a thing of its own, because it must not stand on the
ground. The columns are the fields of `Thing`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WHERE = ("stand", "table", "afloat", "fly", "swim", "deep", "space")
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


@dataclass(frozen=True)
class Thing:
    """A thing that can be drawn.

    part: "whole", "head" or "bust"
    kind: a category of `drawings.csv`, e.g. "animal/land"
    size: metres, of its longer side
    where: some of `WHERE`: on the ground; on furniture or the ground; on, over or under the water;
        on the sea bed; in space. Empty: only on a plain background.
    worn: "head", "eyes", "neck" or "", where one wears it
    mass: without an article and a number: "bacon"
    aliases: other names; emoji: names of the emoji that show it
    """

    name: str
    part: str
    kind: str
    size: float
    where: tuple[str, ...]
    worn: str
    mass: bool
    aliases: tuple[str, ...]
    emoji: tuple[str, ...]

    @property
    def spoken(self) -> str:
        """The name without "face" or "head"."""
        return self.name.removesuffix(" face").removesuffix(" head") or self.name


@cache
def all_things() -> tuple[Thing, ...]:
    """The rows of `things.csv`; other modules refer to a thing by its index in this list."""
    with open(Path(__file__).with_name("things.csv"), encoding="utf-8", newline="") as file:
        return tuple(_thing(row) for row in csv.DictReader(file))


def _thing(row: dict[str, str]) -> Thing:
    def words(column: str, mark: str | None = "|") -> tuple[str, ...]:
        return tuple(word for word in row[column].split(mark) if word)

    where = words("where", None)
    if unknown := set(where).difference(WHERE):
        raise ValueError(f"things.csv: {row['name']} is at {unknown}, which is not one of {WHERE}")
    return Thing(
        row["name"],
        row["part"],
        row["kind"],
        float(row["size"]),
        where,
        row["worn"],
        row["number"] == "mass",
        words("aliases"),
        words("emoji"),
    )


@cache
def things_called(name: str) -> tuple[int, ...]:
    """The things with this name, spoken name or alias."""
    return tuple(
        i
        for i, thing in enumerate(all_things())
        if name in (thing.name, thing.spoken, *thing.aliases)
    )


def index_of(names: Iterable[str], part: str = "whole") -> list[int]:
    """The things with exactly these names; those that are not in the table are left out."""
    table = {(thing.name, thing.part): i for i, thing in enumerate(all_things())}
    return [table[name, part] for name in names if (name, part) in table]


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

    return inflect.engine()
