"""Verdicts of the checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

RIGHT, NEAR, WRONG, OPEN = "right", "near", "wrong", "open"


class Verdict(NamedTuple):
    """A mark, and a hint that does not reveal the solution."""

    mark: str
    hint: str = ""


def check_number(answer: float, expected: float, tolerance: float, hint: str) -> Verdict:
    """Right within the tolerance, near within ten times the tolerance."""
    off = abs(float(answer) - expected)
    if off <= tolerance:
        return Verdict(RIGHT)
    if off <= 10 * tolerance:
        return Verdict(
            NEAR, f"close, but a little too {'large' if answer > expected else 'small'}."
        )
    return Verdict(WRONG, hint)


def check_choice(answer: str, expected: str, allowed: Iterable[str], hint: str) -> Verdict:
    """Right if the answer is the expected one of the allowed words."""
    allowed, word = list(allowed), str(answer).strip().lower()
    if word not in allowed:
        return Verdict(WRONG, f"answer with one of: {', '.join(allowed)}.")
    return Verdict(RIGHT) if word == expected else Verdict(WRONG, hint)
