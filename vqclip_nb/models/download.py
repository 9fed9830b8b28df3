"""Download model files: mirrors in order, resume, checksum.

A file gets its final name only when it is complete, its checksum matches and it could be read.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import shutil
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from platformdirs import user_cache_path
from tqdm import tqdm

from vqclip_nb.models.hub import HubError, fetch_from_hub, parse_address
from vqclip_nb.storage.files import write_file
from vqclip_nb.untrusted.addresses import AddressError, AddressStatusError, checked, failure, opened
from vqclip_nb.untrusted.files import parse_json, read_file
from vqclip_nb.untrusted.text import reason_of, shown

T = TypeVar("T")
Progress = Callable[[int, int | None], None]  # called with the bytes so far and in all

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two chunks
_RETRIES = 3  # after a broken connection
_SLOWEST = 10_000  # bytes per second; a mirror that stays below it for
_PATIENCE = 60.0  # … this many seconds is abandoned
_SPARE = 2**26  # bytes of disk space to leave free
_CHUNK = 2**19  # bytes
_LARGEST = 2**34  # bytes of a file of unknown size
_LARGEST_BOOK = 2**20  # bytes of recorded.json
_DRIVES = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
_HANDSHAKE = 600.0  # seconds, in addition to those that the slowest mirror needs for the file


class FetchError(OSError):
    """A file could not be downloaded; the message says why and where to put it by hand."""


class _TryNextError(Exception):
    """This mirror failed; the message says why."""


@dataclass(frozen=True)
class Download:
    """A file to download.

    path: the destination
    urls: mirrors, in order: https URLs, of the Hugging Face Hub too, or Google Drive file pages
    sha256: expected checksum; if empty, that of the first download that could be read is recorded
        and required later
    size: approximate size in bytes; 0 if unknown
    room: further bytes of disk space that will be needed beside it
    """

    path: Path
    urls: Sequence[str]
    sha256: str = ""
    size: int = 0
    room: int = 0


def cache_folder() -> Path:
    """The cache of official models: VQCLIP_CACHE, or the platform's cache folder.

    On Colab, `os.environ["VQCLIP_CACHE"] = str(vq.drive_folder("models"))` keeps them in Google
    Drive for the next session.
    """
    chosen = os.environ.get("VQCLIP_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("vqclip_nb")


def is_offline(asked: bool) -> bool:
    """Whether downloads are forbidden, by the argument or by HF_HUB_OFFLINE."""
    return asked or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def fetch(file: Download, read: Callable[[Path], T]) -> tuple[str, T]:
    """Download, verify and read the file unless it exists; returns its checksum and what was read.

    read: reads a file, or raises ValueError: then the next mirror is tried, and the checksum of
        what a mirror served instead is not recorded

    Raises FetchError, whose message names every mirror that failed, or what `read` raises for a file
    that exists.
    """
    file.path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.path):
        wanted = file.sha256 or recorded(file.path)
        if file.path.exists():
            return _read_existing(file, wanted, read)
        _unverified(file.path).unlink(missing_ok=True)  # left by a process that died
        _check_disk_space(file, file.size - _partial_size(file.path))
        reasons = []
        for url in file.urls:
            try:
                found = _fetch_verified(file, url, wanted)
                content = _read_new(file, read)
            except _TryNextError as error:
                reasons.append(f"{_host_of(url)}: {error}")
                continue
            if not file.sha256:
                record(file.path, found)
            if _hub_folder(file.path).exists():
                shutil.rmtree(_hub_folder(file.path), ignore_errors=True)
            return found, content
    raise FetchError(_failure_message(file, reasons))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait while another process downloads the same file."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire()
    except NotImplementedError:  # no locks on this file system: both processes download it
        yield
        return
    try:
        yield
    finally:
        lock.release()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read_new(file: Download, read: Callable[[Path], T]) -> T:
    """Read what was downloaded, and give it its name; delete it if it cannot be read."""
    try:
        content = read(_unverified(file.path))
    except ValueError as error:
        _unverified(file.path).unlink()
        raise _TryNextError(f"it serves a file that is no model ({reason_of(error)})") from error
    os.replace(_unverified(file.path), file.path)
    return content


def _host_of(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(url).hostname or shown(url)
    return shown(url)


def _read_existing(file: Download, wanted: str, read: Callable[[Path], T]) -> tuple[str, T]:
    found = sha256_of(file.path)
    if wanted and found != wanted:
        raise FetchError(
            f"{file.path} has the checksum {found[:12]}…, expected {wanted[:12]}…: "
            "delete it to download it again."
        )
    content = read(file.path)
    if not wanted:
        record(file.path, found)
    return found, content


def _fetch_verified(file: Download, url: str, wanted: str) -> str:
    """Download from one mirror, resuming a partial download or restarting once; the checksum."""
    for last in (False, True):
        resumed = _partial_size(file.path) > 0
        if not wanted and resumed:
            _delete_partial(file.path)  # without a checksum, a mix of two files goes unnoticed
        try:
            found = _fetch(file, url)
        except _NoRangesError as error:
            _delete_partial(file.path)
            if last:
                raise _TryNextError(str(error)) from error
            continue
        if not wanted or found == wanted:
            return found
        _unverified(file.path).unlink()
        if last or not resumed:
            raise _TryNextError(f"it serves a different file (checksum {found[:12]}…)")
    raise AssertionError("unreachable")


class _NoRangesError(Exception):
    """The server does not support range requests."""


def _fetch(file: Download, url: str) -> str:
    """Download to the unverified file; returns its checksum."""
    on_hub = parse_address(url)
    return _fetch_from_hub(file, on_hub) if on_hub else _fetch_over_https(file, url)


def _fetch_from_hub(file: Download, on_hub: dict[str, str]) -> str:
    folder = _hub_folder(file.path)
    try:
        os.replace(fetch_from_hub(**on_hub, folder=folder), _unverified(file.path))
    except HubError as error:
        raise _TryNextError(str(error)) from error
    except OSError as error:
        raise _unwritable(file, error) from error
    return sha256_of(_unverified(file.path))


def _fetch_over_https(file: Download, url: str) -> str:
    options = {"unit": "B", "unit_scale": True, "leave": False, "mininterval": 0.5}
    with tqdm(total=file.size or None, desc=file.path.name, **options) as bar:
        try:
            url = checked(url, secure=True)
            on_drive = urllib.parse.urlsplit(url).hostname in _DRIVES
            (_fetch_from_drive if on_drive else _fetch_from_web)(file, url, _watch(file, bar))
        except AddressError as error:
            raise _TryNextError(str(error)) from error
    return sha256_of(_unverified(file.path))


def _fetch_from_web(file: Download, url: str, progress: Progress) -> None:
    """Download, going on after a broken connection where the file stands."""
    for last in (*(False,) * _RETRIES, True):
        try:
            return _fetch_rest(file, url, progress)
        except AddressStatusError as error:
            if last or error.code < 500:
                raise _TryNextError(failure(error)) from error
        except (AddressError, FetchError):
            raise
        except (OSError, ValueError, http.client.HTTPException) as error:
            if last:
                raise _TryNextError(failure(error)) from error
        time.sleep(random.uniform(0, 1))
    raise AssertionError("unreachable")


def _fetch_rest(file: Download, url: str, progress: Progress) -> None:
    """Download what is missing of the unverified file, and give it its name when it is whole."""
    partial = file.path.with_name(f"{_unverified(file.path).name}.part")
    begun = _partial_size(file.path)
    headers = {"Range": f"bytes={begun}-"} if begun else {}
    most = 2 * file.size + _SPARE if file.size else _LARGEST
    limits = {"seconds": _HANDSHAKE + most / _SLOWEST, "answer_within": _TIMEOUT[1]}
    with opened(url, **limits, headers=headers, secure=True) as (answer, _):
        begun = begun if answer.status == 206 and _starts_at(answer, begun) else 0
        total = begun + answer.length if answer.length is not None else None
        if (total or 0) > most:
            raise _TryNextError(f"it serves a file of {total / 1e6:,.0f} MB")
        progress(begun, total)
        with _written(file, partial, begun) as write:
            for chunk in iter(lambda: answer.read1(_CHUNK), b""):
                begun += write(chunk)
                if begun > most:
                    raise _TryNextError(f"it serves more than {most / 1e6:,.0f} MB")
                progress(begun, total)
        if answer.length:  # announced, and never came
            raise ConnectionError
    partial.replace(_unverified(file.path))


def _starts_at(answer: http.client.HTTPResponse, begun: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {begun}-")


@contextlib.contextmanager
def _written(file: Download, partial: Path, begun: int) -> Iterator[Callable[[bytes], int]]:
    """A function that appends to the partial file; FetchError if that fails."""

    def write(chunk: bytes) -> int:
        try:
            return opened_file.write(chunk)
        except OSError as error:
            raise _unwritable(file, error) from error

    try:
        opened_file = partial.open("r+b" if begun else "wb")
        opened_file.seek(begun)
    except OSError as error:
        raise _unwritable(file, error) from error
    try:
        yield write
    finally:
        opened_file.close()


def _unwritable(file: Download, error: OSError) -> FetchError:
    return FetchError(
        f"{file.path} could not be written ({error.strerror}): free disk space, or set "
        "VQCLIP_CACHE to another folder; the partial download will resume."
    )


def _fetch_from_drive(file: Download, url: str, progress: Progress) -> None:
    """Download from Google Drive, whose pages gdown knows."""
    import gdown  # takes half a second to import
    import requests

    try:
        gdown.download(
            url,
            str(_unverified(file.path)),
            quiet=True,
            use_cookies=False,
            resume=True,
            timeout=_TIMEOUT,
            retries=_RETRIES,
            progress=progress,
        )
    except (requests.RequestException, gdown.exceptions.DownloadError, KeyError) as error:
        # gdown has no exception class for this; KeyError: a page without a content type
        if "byte range" in str(error):
            raise _NoRangesError("it cannot resume a download") from error
        raise _TryNextError("it does not serve the file") from error
    except OSError as error:
        raise _unwritable(file, error) from error


def _watch(file: Download, bar: tqdm) -> Progress:
    """A callback that moves the bar; it raises if the mirror is too slow or the disk too small."""
    began, at_first = time.monotonic(), 0

    def progress(so_far: int, total: int | None) -> None:
        nonlocal began, at_first
        if total and bar.total != total:
            bar.total = total
            _check_disk_space(file, total - so_far)
        bar.update(so_far - bar.n)
        if time.monotonic() - began > _PATIENCE:
            if so_far - at_first < _SLOWEST * _PATIENCE:
                raise _TryNextError(f"it sends less than {_SLOWEST // 1000} kB per second")
            began, at_first = time.monotonic(), so_far

    return progress


def _failure_message(file: Download, reasons: list[str]) -> str:
    unreachable = all(reason.endswith("cannot be reached") for reason in reasons)
    why = "no mirror can be reached, is this machine online?" if unreachable else "; ".join(reasons)
    size = f" ({file.size / 1e6:,.0f} MB)" if file.size else ""
    partial = " The partial download will resume." if _partial_size(file.path) else ""
    return (
        f"{file.path.name}{size} could not be downloaded: {why or 'no mirror is known'}. "
        f"Try again later, or put the file at {file.path} by hand.{partial}"
    )


def _check_disk_space(file: Download, missing: int) -> None:
    """Raise FetchError if the disk lacks space for the missing bytes and `file.room`."""
    needed, free = missing + file.room + _SPARE, shutil.disk_usage(file.path.parent).free
    if needed > free:
        raise FetchError(
            f"{file.path.name} needs {needed / 1e6:,.0f} MB in {file.path.parent}, which has "
            f"{free / 1e6:,.0f} MB free: free disk space, or set VQCLIP_CACHE to another folder."
        )


def _unverified(path: Path) -> Path:
    return path.with_name(f"unchecked-{path.name}")  # its suffix says how to read it


def _hub_folder(path: Path) -> Path:
    """Where the Hub's client keeps the file while it downloads it."""
    return path.with_name(path.name + ".hub")


def _partials(path: Path) -> list[Path]:
    """Partial downloads, under the names that gdown gives them."""
    return [p for p in path.parent.glob(f"{_unverified(path).name}*.part") if p.is_file()]


def _partial_size(path: Path) -> int:
    return sum(p.stat().st_size for p in _partials(path))


def _delete_partial(path: Path) -> None:
    for partial in _partials(path):
        partial.unlink()


def recorded(path: Path) -> str:
    """The checksum recorded for a file, or an empty string."""
    return _book(path).get(path.name, "")


def record(path: Path, sha256: str) -> None:
    """Record the checksum of a file beside it; an empty one is forgotten."""
    known = _book(path) | {path.name: sha256}
    kept = {name: each for name, each in known.items() if each}
    write_file(_book_of(path), json.dumps(kept, indent=2).encode())


def _book_of(path: Path) -> Path:
    return path.with_name("recorded.json")


def _book(path: Path) -> dict[str, str]:
    book = _book_of(path)
    if not book.exists():
        return {}
    try:
        known = parse_json(read_file(book, _LARGEST_BOOK))
        if isinstance(known, dict) and all(isinstance(each, str) for each in known.values()):
            return known
        reason = "expected names and checksums"
    except ValueError as error:
        reason = str(error)
    raise FetchError(f"{book} cannot be read: {reason}; delete it to record the checksums again.")
