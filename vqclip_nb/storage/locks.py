"""One process at a time writes to a folder.

The operating system holds the lock, so that the end of a process releases it, a crash included.
"""

from __future__ import annotations

import inspect
import weakref
from pathlib import Path

from filelock import FileLock, Timeout

_OPTIONS = {"thread_local": False}  # the thread that ends a run may be another
if "fallback_to_soft" in inspect.signature(FileLock.__init__).parameters:  # filelock 4
    _OPTIONS["fallback_to_soft"] = False  # a crash does not release a soft lock
_of_this_process: weakref.WeakValueDictionary[Path, FileLock] = weakref.WeakValueDictionary()


class FolderLock:
    """Keeps other processes from writing to a folder, from `acquire` to `release`.

    Within a process all locks of a folder are one. Where the file system has no locks, as a mounted
    Google Drive, it does nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._release: weakref.finalize | None = None

    def acquire(self) -> None:
        """Raises ValueError if another process has the lock; does nothing if this one has it."""
        if self._release is not None and self._release.alive:
            return
        key = self.folder.resolve()
        lock = _of_this_process.get(key) or FileLock(key / ".lock", **_OPTIONS)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(
                f"Another process paints in {self.folder}: wait until it ends, or stop it."
            ) from None
        except (NotImplementedError, OSError):  # no locks there, or nothing can be written
            return
        _of_this_process[key] = lock
        self._release = weakref.finalize(self, lock.release)

    def release(self) -> None:
        """Let other processes write there; does nothing without the lock."""
        if self._release is not None:
            self._release()
