"""Google Colab's own features: Google Drive and downloads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_DRIVE = Path("/content/drive")  # where Colab's users mount it
_PATIENCE = 10.0  # seconds to wait for a page that may not answer


def on_colab() -> bool:
    """Whether this kernel runs on Colab, opened in Colab's page or in VS Code."""
    return "google.colab" in sys.modules and not on_kaggle()


def on_kaggle() -> bool:
    """Whether this kernel runs on Kaggle, whose image also contains Colab's module."""
    return "KAGGLE_KERNEL_RUN_TYPE" in os.environ


def drive_folder(name: str = "vqclip_nb") -> Path:
    """Mount Google Drive on Colab and return a folder in it, for `out`.

    Files appear in Drive as soon as they are written, and outlive the machine.
    Raises ValueError outside Colab, and if Drive is refused or does not answer.
    """
    try:
        from google.colab import drive
    except ImportError:
        raise ValueError(
            "Google Drive can be connected on Colab only: set `out` to a synchronised folder."
        ) from None
    mine = _DRIVE / "MyDrive"
    if not mine.is_dir():
        print(f"Colab will ask for access to your Google Drive, to create the folder {name} there.")
        _mount(drive.mount)
    folder = mine / name
    folder.mkdir(exist_ok=True)
    return folder


def _mount(mount: Callable[[str], None]) -> None:
    """Mount Drive; turn every failure into a ValueError with one sentence."""
    # Colab's own page sets this, and people there may take their time; VS Code may never answer
    seconds = None if "COLAB_NOTEBOOK_ID" in os.environ else _PATIENCE
    try:
        with _answered_within(seconds):
            mount(str(_DRIVE))
    except _NoAnswer:
        raise ValueError(
            f"Google Drive did not answer within {_PATIENCE:.0f} s: open the notebook in Colab's "
            "own page, or in VS Code switch on the setting colab.driveMounting."
        ) from None
    except Exception as error:  # Colab raises several classes for a refusal
        raise ValueError(
            f"Google Drive was not opened ({error}): allow it and try again, or keep the pictures "
            "on this machine, in `runs`."
        ) from error


class _NoAnswer(BaseException):
    """The time is up. Not an Exception, because Colab's message loop swallows those."""


@contextlib.contextmanager
def _answered_within(seconds: float | None) -> Iterator[None]:
    """Raise `_NoAnswer` in the block after so many seconds, in the main thread only."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def wake(*_: object) -> None:
        raise _NoAnswer

    before = signal.signal(signal.SIGALRM, wake)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def download(file: Path) -> None:
    """Let Colab's page download a file."""
    from google.colab import files

    files.download(str(file))
