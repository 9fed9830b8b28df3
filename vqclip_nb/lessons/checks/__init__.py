"""Checks of the exercises: an answer is right, near, halfway or wrong.

A right answer is told why; the hints to the others never reveal the solution. The checks of lesson
NN are in the module lesson_NN; `check` finds them by the exercise's number.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from importlib import import_module

from vqclip_nb.lessons.checks.verdicts import (
    HALFWAY,
    NEAR,
    OPEN,
    RIGHT,
    WRONG,
    AnotherKindError,
    Verdict,
)

__all__ = ["HALFWAY", "NEAR", "OPEN", "RIGHT", "WRONG", "Verdict"]
__all__ += ["check", "exercise_numbers", "grade"]

_LESSONS = ("10", "11", "12", "13")
_NOTHING = {"RESUME", "NOP", "POP_TOP", "COPY_FREE_VARS", "LOAD_CONST"}
_NOTHING |= {"RETURN_CONST", "RETURN_VALUE"}  # what Python compiles dots, `pass` or None to


def check(number: str, answer: object) -> None:
    """Print whether the answer to an exercise, e.g. "10.2", is right; never raises."""
    verdict = grade(number, answer)
    print(f"{_text(number)} {verdict.mark}{': ' * bool(verdict.hint)}{verdict.hint}")


def grade(number: str, answer: object) -> Verdict:
    """The verdict that `check` prints; never raises, whatever the answer is."""
    number = _text(number)
    checks = _checks(number.partition(".")[0])
    if number not in checks:
        known = ", ".join(checks) or "none"
        return Verdict(WRONG, f"there is no such exercise; the exercises of this lesson: {known}.")
    if answer is None or answer is ...:
        return Verdict(OPEN, "replace the dots with your answer.")
    checked = checks[number]
    try:
        if inspect.signature(checked).parameters["answer"].annotation == "Callable":
            answer = _watched(answer)
        return checked(answer)
    except _UnwrittenError:
        return Verdict(OPEN, "your function does not return a value yet.")
    except _ForgottenError:
        return Verdict(HALFWAY, "your function returns nothing: begin its last line with `return`.")
    except AnotherKindError as error:
        return Verdict(WRONG, str(error))
    except (Exception, SystemExit) as error:  # an answer can be anything, and so can its errors
        said = f"{type(error).__name__}: {_text(error)}"
        return Verdict(WRONG, f"your answer raises an error ({said[:200]}).")


def exercise_numbers(lesson: str) -> list[str]:
    """The numbers of a lesson's exercises, e.g. of lesson "10"."""
    return list(_checks(lesson))


class _UnwrittenError(Exception):
    """The body of the function still consists of dots."""


class _ForgottenError(Exception):
    """The function does something, and returns nothing."""


def _watched(function: Callable) -> Callable:
    """Wrap a pupil's function so that what pupils often forget has an error of its own."""
    if not callable(function):
        raise AnotherKindError("answer with your function: its name, without brackets.")

    def called(*arguments: object) -> object:
        if not _takes(function, arguments):
            count = len(arguments)
            raise AnotherKindError(f"your function should take {count} inputs, as in the exercise.")
        result = function(*arguments)
        if result is None or result is ...:
            raise _UnwrittenError if _is_unwritten(function) else _ForgottenError
        return result

    return called


def _takes(function: Callable, arguments: tuple) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # some functions of Python's own have no signature
        pass
    return True


def _is_unwritten(function: Callable) -> bool:
    """Whether the body is dots, `pass`, a text or a constant, and so does nothing."""
    code = getattr(function, "__code__", None)
    return code is None or all(step.opname in _NOTHING for step in dis.get_instructions(code))


def _text(anything: object) -> str:
    """A text of it in one line, even if its own `str` fails."""
    try:
        return " ".join(str(anything).split())
    except Exception:
        return type(anything).__name__


def _checks(lesson: str) -> dict:
    if lesson not in _LESSONS:
        return {}
    return import_module(f"vqclip_nb.lessons.checks.lesson_{lesson}").CHECKS
