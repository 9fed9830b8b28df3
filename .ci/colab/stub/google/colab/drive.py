"""Google Drive: the folder that COLAB_DRIVE names; if it is empty, permission is refused.

COLAB_DRIVE=silent imitates a page that never answers, as VS Code's may.
"""

import contextlib
import os
import time
from pathlib import Path


def mount(mountpoint: str, force_remount: bool = False, timeout_ms: int = 120_000) -> None:
    """Link the folder at the mount point, or raise as Colab does without permission."""
    place, folder = Path(mountpoint), os.environ.get("COLAB_DRIVE")
    if (place / "MyDrive").is_dir():
        print(f"Drive already mounted at {mountpoint}; to attempt to forcibly remount, call ...")
        return
    while folder == "silent":
        with contextlib.suppress(Exception):  # as in Colab's message loop
            time.sleep(0.025)
    if not folder:
        raise ValueError("mount failed: credential propagation was unsuccessful")
    place.mkdir(parents=True, exist_ok=True)
    (place / "MyDrive").symlink_to(folder)
    print(f"Mounted at {mountpoint}")
