"""Download model files: mirrors in order, resume, checksum.

A file gets its final name only when it is complete and its checksum matches.
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
from platformdirs import user_cache_path
from tqdm import tqdm

from vqclip_nb.storage.files import write_file

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two chunks
_RETRIES = 3  # after a broken connection
_SLOWEST = 10_000  # bytes per second; a mirror that stays below it for
_PATIENCE = 60.0  # … this many seconds is abandoned
_SPARE = 2**26  # bytes of disk space to leave free


class FetchError(OSError):
    """A file could not be downloaded; the message says why and where to put it by hand."""


class _TryNextError(Exception):
    """This mirror failed; the message says why."""


@dataclass(frozen=True)
class Download:
    """A file to download.

    path: the destination
    urls: mirrors, in order: https URLs or Google Drive file pages
    sha256: expected checksum; if empty, that of the first download is recorded and required later
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


def fetch(file: Download) -> str:
    """Download and verify the file unless it exists; returns its checksum.

    Raises FetchError, whose message names every mirror that failed.
    """
    file.path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.path):
        wanted = file.sha256 or _recorded(file.path)
        if file.path.exists():
            return _verify_existing(file, wanted)
        _unverified(file.path).unlink(missing_ok=True)  # left by a process that died
        _check_disk_space(file, file.size - _partial_size(file.path))
        reasons = []
        for url in file.urls:
            try:
                found = _fetch_verified(file, url, wanted)
            except _TryNextError as error:
                reasons.append(f"{urllib.parse.urlsplit(url).hostname}: {error}")
                continue
            if not file.sha256:
                _record(file.path, found)
            return found
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


def _verify_existing(file: Download, wanted: str) -> str:
    found = sha256_of(file.path)
    if wanted and found != wanted:
        raise FetchError(
            f"{file.path} has the checksum {found[:12]}…, expected {wanted[:12]}…: "
            "delete it to download it again."
        )
    if not wanted:
        _record(file.path, found)
    return found


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
            os.replace(_unverified(file.path), file.path)
            return found
        _unverified(file.path).unlink()
        if last or not resumed:
            raise _TryNextError(f"it serves a different file (checksum {found[:12]}…)")
    raise AssertionError("unreachable")


class _NoRangesError(Exception):
    """The server does not support range requests."""


def _fetch(file: Download, url: str) -> str:
    """Download to the unverified file; returns its checksum."""
    import gdown  # takes half a second to import
    import requests

    hasher = hashlib.sha256()
    options = {"unit": "B", "unit_scale": True, "leave": False, "mininterval": 0.5}
    with tqdm(total=file.size or None, desc=file.path.name, **options) as bar:
        try:
            gdown.download(
                url,
                str(_unverified(file.path)),
                quiet=True,
                use_cookies=False,
                resume=True,
                hasher=hasher,
                timeout=_TIMEOUT,
                retries=_RETRIES,
                progress=_watch(file, bar),
            )
        except (requests.RequestException, gdown.exceptions.DownloadError, KeyError) as error:
            # gdown has no exception class for this; KeyError: a Drive page without a content type
            if "byte range" in str(error):
                raise _NoRangesError("it cannot resume a download") from error
            raise _TryNextError(_reason(error)) from error
        except OSError as error:
            raise FetchError(
                f"{file.path} could not be written ({error.strerror}): free disk space, or set "
                "VQCLIP_CACHE to another folder; the partial download will resume."
            ) from error
    return hasher.hexdigest()


def _watch(file: Download, bar: tqdm) -> Callable[[int, int | None], None]:
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


def _reason(error: Exception) -> str:
    """Why a mirror failed, in a few words."""
    import requests

    reason = error.__cause__ or error  # gdown wraps the exceptions of requests
    if isinstance(reason, requests.HTTPError):
        return f"it answers {reason.response.status_code}"
    if isinstance(reason, requests.Timeout):
        return "it does not answer in time"
    if isinstance(reason, requests.exceptions.SSLError):
        return "its certificate is invalid"
    if isinstance(reason, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(reason, requests.ConnectionError):
        slow = "timed out" in str(reason)
        return "it does not answer in time" if slow else "it cannot be reached"
    if "incomplete" in str(reason):
        return "the connection broke"
    return "it does not serve the file"


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
    return path.with_name(path.name + ".unchecked")


def _partials(path: Path) -> list[Path]:
    """Partial downloads, under the names that gdown gives them."""
    return [p for p in path.parent.glob(f"{_unverified(path).name}*.part") if p.is_file()]


def _partial_size(path: Path) -> int:
    return sum(p.stat().st_size for p in _partials(path))


def _delete_partial(path: Path) -> None:
    for partial in _partials(path):
        partial.unlink()


def _recorded(path: Path) -> str:
    """The checksum recorded at the first download, or an empty string."""
    book = path.with_name("recorded.json")
    return json.loads(book.read_text()).get(path.name, "") if book.exists() else ""


def _record(path: Path, sha256: str) -> None:
    book = path.with_name("recorded.json")
    known = json.loads(book.read_text()) if book.exists() else {}
    write_file(book, json.dumps(known | {path.name: sha256}, indent=2).encode())
