"""Options of a film: their defaults, their help and what is allowed, said once for every form."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


def option(default: Any, told: str, allowed: tuple) -> Any:
    """A field of `Options`: its default, its help, the values or the range that are allowed."""
    return field(default=default, metadata={"help": told, "allowed": allowed})


@dataclass(frozen=True)
class Options:
    """Checked fields; ValueError with one sentence where a value is not allowed."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value, allowed = getattr(self, each.name), each.metadata["allowed"]
            if each.type in ("float", "int"):
                rule = f"{allowed[0]} to {allowed[1]}"
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if not number or not allowed[0] <= value <= allowed[1]:
                    raise ValueError(f"{each.name} is {value!r}: allowed is {rule}.")
                if each.type == "int" and int(value) != value:
                    raise ValueError(
                        f"{each.name} is {value!r}: allowed are whole numbers, {rule}."
                    )
                object.__setattr__(self, each.name, int(value) if each.type == "int" else value)
            elif value not in allowed:
                rule = " or ".join(map(str, allowed))
                raise ValueError(f"{each.name} is {value!r}: allowed is {rule}.")
