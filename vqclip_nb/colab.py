"""What Google Colab offers beyond a notebook: a person's Drive, and downloads by the page."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_DRIVE = Path("/content/drive")  # where Colab's users expect theirs
_PATIENCE = 10.0  # seconds for an answer of a page that may have none


def on_colab() -> bool:
    """Whether this is a machine of Colab's, whatever page is connected to it."""
    return "google.colab" in sys.modules


def drive_folder(name: str = "vqclip_nb") -> Path:
    """A folder of one's Google Drive, made and connected on Colab, to give as `out`.

    Whatever a run writes is in Drive as soon as it is written, and there when the machine is gone.
    Raises ValueError elsewhere than on Colab, and where Drive is refused or nobody answers.
    """
    try:
        from google.colab import drive
    except ImportError:
        raise ValueError(
            "Google Drive can be connected on Colab only: give `out` a folder that is kept in step."
        ) from None
    mine = _DRIVE / "MyDrive"
    if not mine.is_dir():
        print(f"Colab asks for your Google Drive: the folder {name} is made there.")
        _mount(drive.mount)
    folder = mine / name
    folder.mkdir(exist_ok=True)
    return folder


def _mount(mount) -> None:
    instead = "allow it and try again, or keep the pictures on this machine, in `runs`."
    # set by Colab's own page, where a person may take their time; VS Code may never answer
    seconds = None if "COLAB_NOTEBOOK_ID" in os.environ else _PATIENCE
    try:
        with _answered_within(seconds):
            mount(str(_DRIVE))
    except _NoAnswer:
        raise ValueError(
            f"Google Drive did not answer within {_PATIENCE:.0f} s: open the notebook in Colab's "
            "own page, or in VS Code switch on the setting colab.driveMounting."
        ) from None
    except Exception as error:  # Colab has no class of its own for a refusal
        raise ValueError(f"Google Drive was not opened ({error}): {instead}") from error


class _NoAnswer(BaseException):
    """The time is up."""


@contextlib.contextmanager
def _answered_within(seconds: float | None) -> Iterator[None]:
    """Raise `_NoAnswer` in the block when the time is up; only the main thread can be woken so."""
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
    """Let Colab's page save a file on the person's own machine."""
    from google.colab import files

    files.download(str(file))
