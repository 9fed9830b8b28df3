"""Where drawings and words come from: packages of npm and Debian, unpacked into a cache folder.

Licences: `models/tiny/LICENSES.md`. Both clients verify the checksum of what they download.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

# Emoji of faces are kept if `things.csv` names them; clocks would need a reading of the time.
_CLOCK_FACES = ("o’clock", "o'clock", "thirty")


def npm_package(package: str, cache: Path) -> Path:
    """The folder of the npm package `name@version`, downloaded unless it is in the cache."""
    target = cache / package.replace("/", "-").replace("@", "_")
    if not target.exists():
        npm = _program("npm", f"{package} cannot be downloaded without npm: install Node.js.")
        packed = _output(
            [npm, "pack", package, "--silent", "--pack-destination", str(cache)], cache
        )
        archive = cache / packed.splitlines()[-1]
        part = target.with_name(target.name + ".part")
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")  # "data" refuses paths that leave the folder
        part.rename(target)
        archive.unlink()
    return target / "package"


def clip_art(cache: Path) -> Path:
    """The folder of Open Clip Art's SVG files."""
    return debian_package("openclipart-svg", cache) / "usr" / "share" / "openclipart" / "svg"


def debian_package(name: str, cache: Path) -> Path:
    """The folder of a Debian package's files, downloaded unless it is in the cache."""
    target = cache / name
    if not target.exists():
        need = f"{name} needs apt-get and dpkg-deb: unpack the Debian package to {target}."
        apt, dpkg = _program("apt-get", need), _program("dpkg-deb", need)
        _output([apt, "download", name], cache)
        archive = next(cache.glob(f"{name}_*.deb"))
        part = target.with_name(target.name + ".part")
        _output([dpkg, "--extract", str(archive), str(part)], cache)
        part.rename(target)
        archive.unlink()
    return target


def emoji_names(emojibase: Path) -> dict[str, str]:
    """The name of each emoji, by its hexcode without the variation selector FE0F.

    emojibase: folder of the npm package `emojibase-data`
    """
    names = {}
    for entry in json.loads((emojibase / "en" / "data.json").read_text(encoding="utf-8")):
        kept = (c if c.isalnum() or c in " -’'" else " " for c in entry["label"].lower())
        name = " ".join("".join(kept).split())
        if not any(word in name for word in _CLOCK_FACES):
            names[entry["hexcode"].upper().replace("-FE0F", "")] = name
    return names


def _program(name: str, message: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(message)
    return path


def _output(command: list[str], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return done.stdout.strip()
