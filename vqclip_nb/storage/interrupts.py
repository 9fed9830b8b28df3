"""End orderly when interrupted: by Ctrl-C, a stop button, a container's stop, a closed terminal.

An interrupt never splits a step or a file, and what was painted is saved; a second one ends that,
too. Python delivers interrupts to the main thread only, so in other threads nothing here applies.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# Launchers and shells pass on the Ctrl-C that the terminal has already sent to the whole group.
_SAME = 0.5  # seconds within which two interrupts are one


class _Painting:
    """Whether this process is in `orderly`, and when it was last interrupted there."""

    active = False
    interrupted: float | None = None


@contextmanager
def orderly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block by SystemExit, as Ctrl-C does by KeyboardInterrupt.

    The exit status is the shell's for that signal, 128 and its number. A signal that is ignored, as
    SIGHUP is under `nohup`, or that the program handles itself, keeps its meaning.
    """
    if _Painting.active or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        _Painting.interrupted = time.monotonic()
        if not callable(before[number]):
            raise SystemExit(128 + number)
        before[number](number, frame)

    before = _handle(end, also_default=True)
    _Painting.active, _Painting.interrupted = True, None
    try:
        yield
    finally:
        _Painting.active = False
        _restore(before)


@contextmanager
def held(*, saving: bool = False) -> Iterator[None]:
    """Delay an interrupt that arrives in the block until its end; a second one acts at once.

    saving: the block saves what was painted, perhaps because of an interrupt, which then counts as
        the first one
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not saving:
        _Painting.interrupted = None  # whoever caught it has gone on
    first = _Painting.interrupted
    delayed: list[tuple] = []

    def delay(number: int, frame: object) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            delayed.append((number, frame))
        elif time.monotonic() - first > _SAME:
            delayed.clear()
            before[number](number, frame)

    before = _handle(delay)
    try:
        yield
    finally:
        _restore(before)
        for number, frame in delayed:
            before[number](number, frame)


def _handle(handler: Callable, also_default: bool = False) -> dict[int, object]:
    """Install a handler in place of those that are functions, or also of the default; return them."""
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    replaced = {
        number: handles
        for number, handles in found.items()
        if callable(handles) or (also_default and handles is signal.SIG_DFL)
    }
    for number in replaced:
        signal.signal(number, handler)
    return replaced


def _restore(before: dict[int, object]) -> None:
    if threading.current_thread() is threading.main_thread():  # garbage is collected anywhere
        for number, handles in before.items():
            signal.signal(number, handles)
