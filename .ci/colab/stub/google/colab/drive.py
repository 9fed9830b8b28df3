"""Google Drive: a folder that COLAB_DRIVE names; without it, the person refuses.

COLAB_DRIVE=silent: a page that never answers, as VS Code's may be.
"""

import contextlib
import os
import time
from pathlib import Path


def mount(mountpoint: str, force_remount: bool = False, timeout_ms: int = 120_000) -> None:
    """Show the folder at the mount point, or raise as Colab does where permission was not given."""
    place, folder = Path(mountpoint), os.environ.get("COLAB_DRIVE")
    if (place / "MyDrive").is_dir():
        print(f"Drive already mounted at {mountpoint}; to attempt to forcibly remount, call ...")
        return
    while folder == "silent":
        with contextlib.suppress(Exception):  # as Colab's reader of answers
            time.sleep(0.025)
    if not folder:
        raise ValueError("mount failed: credential propagation was unsuccessful")
    place.mkdir(parents=True, exist_ok=True)
    (place / "MyDrive").symlink_to(folder)
    print(f"Mounted at {mountpoint}")
