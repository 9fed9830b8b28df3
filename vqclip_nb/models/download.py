"""Files of others, fetched: from one mirror after the other, resumed, checked before they get a name.

A file has its name only when it is whole and its checksum is right; until then it is a `.part`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from vqclip_nb.storage.files import write_file

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two pieces
_RETRIES = 3  # of a connection that broke
_SLOWEST = 10_000  # bytes a second, over
_PATIENCE = 60.0  # … so many seconds
_SPARE = 2**26  # bytes that are left free on the disk


class FetchError(OSError):
    """A file could not be fetched; the sentence says why and where to put it by hand."""


class _TryNextError(Exception):
    """This mirror is given up; the words say why."""


@dataclass(frozen=True)
class Download:
    """A file that can be fetched.

    path: where it goes
    urls: the mirrors, in order; https, or a file's page on Google Drive
    sha256: its checksum; empty where none is known, then the first one seen is recorded
    size: its bytes, about; 0 where unknown
    room: bytes that will be needed beside it
    """

    path: Path
    urls: Sequence[str]
    sha256: str = ""
    size: int = 0
    room: int = 0


def fetch(file: Download) -> str:
    """Bring the file, whole and checked, to its path, unless it lies there; its checksum.

    Raises FetchError with one sentence, in which every mirror is named.
    """
    file.path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file.path):
        wanted = file.sha256 or _recorded(file.path)
        if file.path.exists():
            return _laid_by_hand(file, wanted)
        _unnamed(file.path).unlink(missing_ok=True)  # of a process that died before it checked
        _want_room(file, file.size - _partial_size(file.path))
        reasons = []
        for url in file.urls:
            try:
                found = _checked(file, url, wanted)
            except _TryNextError as error:
                reasons.append(f"{urllib.parse.urlsplit(url).hostname}: {error}")
                continue
            if not file.sha256:
                _record(file.path, found)
            return found
    raise FetchError(_sorry(file, reasons))


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """A second process waits here for the first one's file."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire()
    except NotImplementedError:  # a file system without locks: two would both fetch it
        yield
        return
    try:
        yield
    finally:
        lock.release()


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _laid_by_hand(file: Download, wanted: str) -> str:
    found = sha256_of(file.path)
    if wanted and found != wanted:
        raise FetchError(
            f"{file.path} has the checksum {found[:12]}… where {wanted[:12]}… is right: "
            "delete it, and it is fetched anew."
        )
    if not wanted:
        _record(file.path, found)
    return found


def _checked(file: Download, url: str, wanted: str) -> str:
    """Fetch from one mirror; the checksum. What was begun is gone on with, or begun again once."""
    for last in (False, True):
        resumed = _partial_size(file.path) > 0
        if not wanted and resumed:
            _forget_partial(file.path)  # no checksum would tell two files that were joined
        try:
            found = _downloaded(file, url)
        except _NoRangesError as error:
            _forget_partial(file.path)
            if last:
                raise _TryNextError(str(error)) from error
            continue
        if not wanted or found == wanted:
            os.replace(_unnamed(file.path), file.path)
            return found
        _unnamed(file.path).unlink()
        if last or not resumed:
            raise _TryNextError(f"it serves another file (checksum {found[:12]}…)")
    raise AssertionError("unreachable")


class _NoRangesError(Exception):
    """The server does not go on in the middle of a file."""


def _downloaded(file: Download, url: str) -> str:
    """Fetch to the unnamed file; its checksum."""
    import gdown  # takes half a second, which only a fetch should cost
    import requests

    hasher = hashlib.sha256()
    options = {"unit": "B", "unit_scale": True, "leave": False, "mininterval": 0.5}
    with tqdm(total=file.size or None, desc=file.path.name, **options) as bar:
        try:
            gdown.download(
                url,
                str(_unnamed(file.path)),
                quiet=True,
                use_cookies=False,
                resume=True,
                hasher=hasher,
                timeout=_TIMEOUT,
                retries=_RETRIES,
                progress=_watch(file, bar),
            )
        except (requests.RequestException, gdown.exceptions.DownloadError, KeyError) as error:
            # gdown has no class of its own for this; KeyError: a page of Drive without a type
            if "byte range" in str(error):
                raise _NoRangesError("it does not go on in the middle of a file") from error
            raise _TryNextError(_said(error)) from error
        except OSError as error:
            raise FetchError(
                f"{file.path} could not be written ({error.strerror}): make room, or set "
                "VQCLIP_CACHE to another folder; what was fetched is kept and gone on with."
            ) from error
    return hasher.hexdigest()


def _watch(file: Download, bar: tqdm) -> Callable[[int, int | None], None]:
    """Moves the bar; gives a mirror up that is too slow, and all where the disk is too small."""
    began, at_first = time.monotonic(), 0

    def progress(so_far: int, total: int | None) -> None:
        nonlocal began, at_first
        if total and bar.total != total:
            bar.total = total
            _want_room(file, total - so_far)
        bar.update(so_far - bar.n)
        if time.monotonic() - began > _PATIENCE:
            if so_far - at_first < _SLOWEST * _PATIENCE:
                raise _TryNextError(f"it sends less than {_SLOWEST // 1000} kB a second")
            began, at_first = time.monotonic(), so_far

    return progress


def _said(error: Exception) -> str:
    """Why a mirror failed, in few words."""
    import requests

    reason = error.__cause__ or error  # gdown's own errors often stand for one of requests
    if isinstance(reason, requests.HTTPError):
        return f"it answers {reason.response.status_code}"
    if isinstance(reason, requests.Timeout):
        return "it does not answer in time"
    if isinstance(reason, requests.exceptions.SSLError):
        return "its certificate is wrong"
    if isinstance(reason, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(reason, requests.ConnectionError):
        slow = "timed out" in str(reason)
        return "it does not answer in time" if slow else "it cannot be reached"
    if "incomplete" in str(reason):
        return "the connection broke"
    return "it does not give the file"


def _sorry(file: Download, reasons: list[str]) -> str:
    cut_off = all(reason.endswith("cannot be reached") for reason in reasons)
    why = "no mirror can be reached, is this machine online?" if cut_off else "; ".join(reasons)
    size = f" ({file.size / 1e6:,.0f} MB)" if file.size else ""
    kept = " What was fetched is kept and gone on with." if _partial_size(file.path) else ""
    return (
        f"{file.path.name}{size} could not be fetched: {why or 'no mirror is known'}. "
        f"Try again later, or put the file at {file.path} by hand.{kept}"
    )


def _want_room(file: Download, missing: int) -> None:
    """Raise FetchError where the disk has less than what is missing and what comes after it."""
    needed, free = missing + file.room + _SPARE, shutil.disk_usage(file.path.parent).free
    if needed > free:
        raise FetchError(
            f"{file.path.name} needs {needed / 1e6:,.0f} MB in {file.path.parent}, which has "
            f"{free / 1e6:,.0f} MB free: make room, or set VQCLIP_CACHE to another folder."
        )


def _unnamed(path: Path) -> Path:
    return path.with_name(path.name + ".unchecked")


def _partials(path: Path) -> list[Path]:
    """What gdown calls a download that it has begun."""
    return [p for p in path.parent.glob(f"{_unnamed(path).name}*.part") if p.is_file()]


def _partial_size(path: Path) -> int:
    return sum(p.stat().st_size for p in _partials(path))


def _forget_partial(path: Path) -> None:
    for partial in _partials(path):
        partial.unlink()


def _recorded(path: Path) -> str:
    """The checksum that the file had when it was first fetched, or empty."""
    book = path.with_name("recorded.json")
    return json.loads(book.read_text()).get(path.name, "") if book.exists() else ""


def _record(path: Path, sha256: str) -> None:
    book = path.with_name("recorded.json")
    known = json.loads(book.read_text()) if book.exists() else {}
    write_file(book, json.dumps(known | {path.name: sha256}, indent=2).encode())
