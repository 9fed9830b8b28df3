"""Read untrusted files: regular files of a size that is looked at first, and JSON within limits."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import IO, Any

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_DEPTH = 64  # of JSON; ours has 5
_DIGITS = 400  # of a number in JSON; more are no number that a computer uses
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def open_file(path: str | Path) -> IO[bytes]:
    """Open a regular file to read; a pipe, device, socket or folder would wait, or have no end.

    Raises ValueError with the reason, as the end of a sentence that names the file.
    """
    try:
        path = Path(path).expanduser()
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            # another file may have taken the name since: not waiting for it, and looking again
            number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
            file = os.fdopen(number, "rb")
            mode = os.fstat(number).st_mode
            if stat.S_ISREG(mode):
                return file
            file.close()
    except (OSError, RuntimeError, ValueError) as error:  # also ~nobody, and a null character
        raise ValueError(_reason(error)) from None
    raise ValueError(f"it is {_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file")


def read_file(path: str | Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises ValueError with the reason, as the end of a sentence that names the file.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise ValueError(f"it is larger than the allowed {in_bytes(most)}")
        return read_stream(file, most)


def read_stream(file: IO[bytes], most: int) -> bytes:
    """The content of an open file or a server's answer of at most `most` bytes.

    Whatever size a server or an archive claims, no more than that is read. Raises ValueError with
    the reason, as the end of a sentence.
    """
    data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than the allowed {in_bytes(most)}")
    return data


def in_bytes(size: int) -> str:
    """A size in words: "64 MiB"."""
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"


def parse_json(text: str | bytes) -> Any:
    """The value of untrusted JSON within limits of depth and digits.

    Raises ValueError with the reason, as the end of a sentence.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        _check_depth(text)
        return json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise ValueError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).rstrip(".")


def _check_depth(text: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > _DEPTH:
            raise ValueError(f"it is nested deeper than {_DEPTH} levels")


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"it has the number {digits[:20]}, which is too large")
    return value


def _refused(name: str) -> float:
    raise ValueError(f"it has {name}, which is not a number of JSON")


_BINARY = getattr(os, "O_BINARY", 0)  # Windows
