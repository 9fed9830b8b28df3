"""Standard streams that may be closed, or read by nobody."""

from __future__ import annotations

import contextlib
import os
import sys


def say(message: object, of: str = "vqclip: ") -> None:
    """Print a sentence on standard error, if anybody reads that."""
    with contextlib.suppress(OSError):
        print(f"{of}{message}", file=sys.stderr, flush=True)


def open_streams() -> None:
    """Replace closed standard streams, and let them print what their encoding lacks.

    Without them the next files that are opened would become standard output and error.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest free number: its own
            setattr(sys, name, os.fdopen(nowhere, "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
