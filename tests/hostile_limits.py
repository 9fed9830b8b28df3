"""What every hostile case must keep: seconds, memory, one sentence, and nothing run."""

import contextlib
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

SECONDS = 10  # of computing; a case that waits gets six times as many
MEMORY = 1_500_000_000  # bytes, beyond what the tests themselves hold
_LONGEST = 1500  # characters of a refusal, paths included
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen")
_RUNS += ("os.startfile", "webbrowser.open", "ctypes.dlopen", "shutil.rmtree")

_armed: list[list[str]] = []


def _watch(event: str, arguments: tuple) -> None:
    if _armed and event in _RUNS:
        _armed[-1].append(f"{event} {arguments!r}")


sys.addaudithook(_watch)


@contextlib.contextmanager
def within_limits() -> Iterator[None]:
    """Fails if the block computes or waits too long, takes too much memory, or runs something."""
    before, ran = _reset_peak(), []
    former = {
        number: signal.signal(number, _too_long) for number in (signal.SIGPROF, signal.SIGALRM)
    }
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 6 * SECONDS)
    _armed.append(ran)
    try:
        yield
    finally:
        _armed.pop()
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        for number, handler in former.items():
            signal.signal(number, handler)
    assert _peak() - before <= MEMORY
    assert not ran, ran


@contextlib.contextmanager
def refused(match: str = "", *, error: type[Exception] = ValueError) -> Iterator[None]:
    """`within_limits`, and the block must end in an error whose text is one sentence."""
    said = None
    with within_limits():
        try:
            yield
        except error as reason:
            said = str(reason)
    assert said is not None, "it was not refused"
    assert re.search(match, said), said
    assert_sentence(said)


@contextlib.contextmanager
def read_or_refused() -> Iterator[None]:
    """`within_limits`; the block may end in a ValueError whose text is one short line."""
    said = ""
    with within_limits():
        try:
            yield
        except ValueError as reason:
            said = str(reason)
    assert said == "" or said.isprintable(), ascii(said)
    assert len(said) <= _LONGEST


def assert_sentence(said: str) -> None:
    """One line, readable, shortened, with a full stop."""
    assert said.isprintable(), ascii(said)
    assert len(said) <= _LONGEST, said
    assert said.endswith("."), said
    assert "Traceback" not in said
    assert " object at 0x" not in said


def _too_long(*_: object) -> None:
    raise AssertionError("it takes too long")


def _reset_peak() -> int:
    """Forget the peak of the memory, where the system can; the memory now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    found = re.search(rf"{name}:\s*(\d+) kB", status.read_text())
    return 1024 * int(found[1]) if found else 0
