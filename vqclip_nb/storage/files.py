"""Files: written whole or not at all, fetched within limits."""

from __future__ import annotations

import contextlib
import http.client
import os
import urllib.request
from pathlib import Path

from vqclip_nb.pictures import read_limited

_SECONDS = 20  # to wait for an answer


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


def fetch(url: str) -> bytes:
    """The content of a small file on the web; ValueError if it cannot be fetched or is too large."""
    request = urllib.request.Request(url, headers={"User-Agent": "vqclip_nb"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return read_limited(answer, "it")
    except (ValueError, OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)).rstrip(".")
        raise ValueError(f"{url} could not be fetched: {reason}.") from None
