"""Files that are written whole or not at all, and how their paths are told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def from_here(path: Path) -> Path:
    """The path as a person in the current folder writes it: relative if it lies below."""
    with contextlib.suppress(OSError, ValueError):  # there is no current folder; it lies elsewhere
        return path.relative_to(Path.cwd())
    return path


def write_file(path: Path, data: bytes) -> None:
    """Write the whole file, or leave the former one; OSError names the file and the reason."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # as when the folder does not exist
            part.unlink()
        reason = error.strerror or str(error)
        raise OSError(
            f"{path} could not be written ({reason}); what was painted before is kept."
        ) from error
