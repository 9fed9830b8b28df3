"""Exercises that check themselves: told is what is right, near or wrong, never the answer.

The checks of a lesson are in the module of its name; `check` finds them by the exercise's number.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from vqclip_nb.lessons.checks.verdicts import NEAR, OPEN, RIGHT, WRONG, Verdict

__all__ = ["NEAR", "OPEN", "RIGHT", "WRONG", "Verdict", "check", "judged", "numbers"]

_LESSONS = ("10", "11", "12", "13")


def check(number: str, answer: object) -> None:
    """Print whether the answer to an exercise, e.g. "10.2", is right; never raises."""
    verdict = judged(number, answer)
    print(f"{number} {verdict.mark}{': ' * bool(verdict.hint)}{verdict.hint}")


def judged(number: str, answer: object) -> Verdict:
    """What `check` prints, as a mark and a hint; whatever the answer is, it does not raise."""
    checks = _checks(number.partition(".")[0])
    if number not in checks:
        return Verdict(WRONG, f"there is no such exercise: {', '.join(checks) or 'none'} are.")
    if answer is None or answer is ...:
        return Verdict(OPEN, "put your answer in the place of the dots.")
    try:
        return checks[number](_watched(answer) if callable(answer) else answer)
    except _UnwrittenError:
        return Verdict(OPEN, "your function gives nothing back yet.")
    except Exception as error:  # of the answer: of any kind, since it is anything
        return Verdict(WRONG, f"it cannot be used ({type(error).__name__}: {error}).")


def numbers(lesson: str) -> list[str]:
    """The exercises of a lesson, e.g. of "10"."""
    return list(_checks(lesson))


class _UnwrittenError(Exception):
    """A function's body is still the dots."""


def _watched(function: Callable) -> Callable:
    """The function; where it gives nothing back, it tells."""

    def called(*arguments: object, **named: object) -> object:
        result = function(*arguments, **named)
        if result is None or result is ...:
            raise _UnwrittenError
        return result

    return called


def _checks(lesson: str) -> dict:
    if lesson not in _LESSONS:
        return {}
    return import_module(f"vqclip_nb.lessons.checks.lesson_{lesson}").CHECKS
