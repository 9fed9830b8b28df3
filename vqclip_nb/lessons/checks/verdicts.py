"""What a check can say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

RIGHT, NEAR, WRONG, OPEN = "right", "near", "wrong", "open"


class Verdict(NamedTuple):
    """A mark, and a hint that does not give the answer."""

    mark: str
    hint: str = ""


def of_number(answer: float, expected: float, tolerance: float, hint: str) -> Verdict:
    """Right within the tolerance, near within ten times it; the hint says what to look at."""
    off = abs(float(answer) - expected)
    if off <= tolerance:
        return Verdict(RIGHT)
    if off <= 10 * tolerance:
        return Verdict(NEAR, f"close, a little too {'large' if answer > expected else 'small'}.")
    return Verdict(WRONG, hint)


def of_choice(answer: str, expected: str, allowed: Iterable[str], hint: str) -> Verdict:
    """Right where one of the allowed words is the expected one."""
    allowed, said = list(allowed), str(answer).strip().lower()
    if said not in allowed:
        return Verdict(WRONG, f"say one of {', '.join(allowed)}.")
    return Verdict(RIGHT) if said == expected else Verdict(WRONG, hint)
