"""Checks of the exercises: an answer is right, near or wrong; hints never reveal the solution.

The checks of lesson NN are in the module lesson_NN; `check` finds them by the exercise's number.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from vqclip_nb.lessons.checks.verdicts import NEAR, OPEN, RIGHT, WRONG, Verdict

__all__ = ["NEAR", "OPEN", "RIGHT", "WRONG", "Verdict", "check", "exercise_numbers", "grade"]

_LESSONS = ("10", "11", "12", "13")


def check(number: str, answer: object) -> None:
    """Print whether the answer to an exercise, e.g. "10.2", is right; never raises."""
    verdict = grade(number, answer)
    print(f"{number} {verdict.mark}{': ' * bool(verdict.hint)}{verdict.hint}")


def grade(number: str, answer: object) -> Verdict:
    """The verdict that `check` prints; never raises, whatever the answer is."""
    checks = _checks(number.partition(".")[0])
    if number not in checks:
        known = ", ".join(checks) or "none"
        return Verdict(WRONG, f"there is no such exercise; the exercises of this lesson: {known}.")
    if answer is None or answer is ...:
        return Verdict(OPEN, "replace the dots with your answer.")
    try:
        return checks[number](_watched(answer) if callable(answer) else answer)
    except _UnwrittenError:
        return Verdict(OPEN, "your function does not return a value yet.")
    except Exception as error:  # an answer can be anything, and so can its errors
        return Verdict(WRONG, f"the answer raises an error ({type(error).__name__}: {error}).")


def exercise_numbers(lesson: str) -> list[str]:
    """The numbers of a lesson's exercises, e.g. of lesson "10"."""
    return list(_checks(lesson))


class _UnwrittenError(Exception):
    """The body of the function still consists of dots."""


def _watched(function: Callable) -> Callable:
    """Wrap the function so that it raises _UnwrittenError if it returns nothing."""

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
