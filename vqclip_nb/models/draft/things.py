"""The things that a picture can show: their names, their sizes and where they can be.

`things.csv` lists them; its columns are the fields of `Thing`. A head or a bust is a thing of its
own, because it must not stand on the ground.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WHERE = ("stand", "table", "afloat", "fly", "swim", "deep", "space")


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
