"""Verdicts of the checks, and how answers of any kind are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

RIGHT, NEAR, HALFWAY, WRONG, OPEN = "right", "near", "halfway", "wrong", "open"


class Verdict(NamedTuple):
    """A mark, and why the answer is right, or a hint that does not reveal the solution."""

    mark: str
    hint: str = ""


class AnotherKindError(Exception):
    """An answer of another kind than the exercise asks for; the text says which it should be."""


def number(answer: object) -> float:
    """An answer as a number; a text such as "3,328" is read too.

    Raises AnotherKindError.
    """
    if isinstance(answer, str):
        answer = answer.replace(",", "").strip()
    try:
        found = float(answer)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise AnotherKindError("answer with a number, e.g. 42.") from None
    if not math.isfinite(found):
        raise AnotherKindError("answer with a number, e.g. 42.")
    return found


def values(answer: object) -> Tensor:
    """What a function returned, as a float32 tensor of any shape.

    Raises AnotherKindError.
    """
    try:
        return torch.as_tensor(answer).detach().float()
    except (TypeError, ValueError, RuntimeError):
        raise AnotherKindError("your function should return a tensor of numbers.") from None


def check_number(
    answer: object,
    expected: float,
    why: str,
    hint: str,
    tolerance: float = 0.5,
    steps: Mapping[float, str] | None = None,
) -> Verdict:
    """Right within the tolerance, near within ten times the tolerance.

    why: said if it is right
    hint: said if it is wrong
    steps: intermediate results, which are halfway, and what is said to them
    """
    found = number(answer)
    for step, said in (steps or {}).items():
        if abs(found - step) <= 1e-3 * max(1, abs(step)):
            return Verdict(HALFWAY, said)
    off = abs(found - expected)
    if off <= tolerance:
        return Verdict(RIGHT, why)
    if off <= 10 * tolerance:
        return Verdict(NEAR, f"close, but a little too {'large' if found > expected else 'small'}.")
    return Verdict(WRONG, hint)


def check_choice(
    answer: object, expected: str, allowed: Iterable[str], why: str, hint: str
) -> Verdict:
    """Right if the answer is the expected one of the allowed words."""
    allowed, word = list(allowed), str(answer).strip().strip("\"'").lower()
    if word not in allowed:
        raise AnotherKindError(f"answer with one of: {', '.join(allowed)}.")
    return Verdict(RIGHT, why) if word == expected else Verdict(WRONG, hint)
