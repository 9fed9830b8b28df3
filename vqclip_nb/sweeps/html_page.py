"""Many pictures in one HTML file that needs nothing else: a class's runs, or a sweep's.

Names, sentences and files come from strangers: text is escaped, pictures are painted anew from
their pixels, zips are read in memory within limits, and what cannot be read is named and left out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import lzma
import math
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from string import Template
from typing import IO, Any

from PIL import Image

from vqclip_nb.settings import Settings
from vqclip_nb.storage.metadata import KEY, portable
from vqclip_nb.storage.run_folder import write_file
from vqclip_nb.widgets.display import change_in_words

_SIDE = 256  # pixels of a picture on the page, at most
_HEAVY = 48 * 2**10  # bytes of a PNG; from there on a JPEG does
_LARGEST = 64 * 2**20  # bytes of a picture's file
_MOST_PIXELS = 4096 * 4096  # as large as `Settings` lets one paint
_MOST_MEMBERS = 1000  # pictures of one zip
_LONGEST = 500  # letters of a text on the page

_RUN = re.compile(r"\d{8}-\d{6}(-.*)?")  # a run's name: its time, then its prompt
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, struct.error, zlib.error)
_BROKEN += (lzma.LZMAError, zipfile.BadZipFile, Image.DecompressionBombError)
_BROKEN += (Image.DecompressionBombWarning,)


@dataclass(frozen=True)
class Entry:
    """One picture of a page, with what is said below it.

    title: whose it is, or what sets it apart
    settings: names and values of `Settings`, without local paths, as `metadata.portable` gives them
    iterations: how many it was painted for, where that is known
    score: pages with scores begin with the highest
    """

    picture: Image.Image
    title: str
    prompt: str
    settings: dict[str, Any] = field(default_factory=dict)
    iterations: int | None = None
    score: float | None = None


def collect(folders: Iterable[str | Path]) -> tuple[list[Entry], list[str]]:
    """The pictures with settings in the folders and in their zips, and what could not be read.

    An entry's title is the pupil: the first folder, or zip, below the given one on the way to the
    picture. Folders named "runs" or as a run is do not count; where none is left, the given
    folder's own name does. Sorted by pupil, then by the name of the run. A picture that a pupil
    has twice, as a run and as its zip, is taken once.

    Raises ValueError where one of the folders is none.
    """
    found: dict[tuple[str, str], tuple[str, Entry]] = {}
    problems: list[str] = []
    for root in map(Path, folders):
        if not root.is_dir():
            raise ValueError(f"{root} is no folder: give the folder that holds the runs.")
        for place, data, beside in _pictures(root, problems):
            pupil = _pupil(root, place)
            try:
                entry = _entry(data, pupil, beside)
            except _BROKEN as error:
                problems.append(_left_out(root / place, error))
                continue
            if entry is not None:
                found.setdefault((pupil, hashlib.sha256(data).hexdigest()), (str(place), entry))
    ordered = sorted(found.values(), key=lambda each: (each[1].title.casefold(), each[0]))
    return [entry for _, entry in ordered], problems


def write_page(file: str | Path, entries: Sequence[Entry], title: str) -> None:
    """Write the pictures as one HTML file, whole or not at all: no script, nothing from elsewhere.

    Raises ValueError where there is no picture.
    """
    if not entries:
        raise ValueError("A page needs at least one picture.")
    if any(entry.score is not None for entry in entries):
        entries = sorted(entries, key=lambda e: math.inf if e.score is None else -e.score)
    page = _PAGE.substitute(
        title=_escaped(title),
        count=f"{len(entries)} picture{'s' * (len(entries) > 1)}",
        figures="\n".join(map(_figure, entries)),
    )
    write_file(Path(file), page.encode())


def _pictures(root: Path, problems: list[str]) -> Iterator[tuple[PurePath, bytes, bytes]]:
    """Where below `root` each picture is, its file, and the settings.json beside it, if any."""

    def tell(error: OSError) -> None:
        problems.append(_left_out(error.filename, error.strerror))

    for path, folders, names in os.walk(root, onerror=tell):
        here, is_run = Path(path), {"picture.png", "settings.json"} <= set(names)
        folders[:] = [] if is_run else [name for name in folders if not name.startswith(".")]
        for name in ["picture.png"] if is_run else names:
            file = here / name
            if name.startswith(".") or file.is_symlink() or not file.is_file():
                continue
            place = file.relative_to(root)
            try:
                if name.lower().endswith(".png"):
                    beside = _read(here / "settings.json") if is_run else b""
                    yield place, _read(file), beside
                elif name.lower().endswith(".zip"):
                    with zipfile.ZipFile(file) as archive:
                        for member, data, beside in _members(archive, file, problems):
                            yield place.with_suffix("") / member, data, beside
            except _BROKEN as error:
                problems.append(_left_out(file, error))


def _members(
    archive: zipfile.ZipFile, file: Path, problems: list[str]
) -> Iterator[tuple[PurePath, bytes, bytes]]:
    """The runs in a zip, read in memory; their names are only looked at, nothing is unpacked."""
    members = {info.filename.replace("\\", "/"): info for info in archive.infolist()}
    names = [name for name in members if name.rpartition("/")[2] == "picture.png"]
    if not names:
        raise ValueError("it holds no picture.png.")
    if len(names) > _MOST_MEMBERS:
        raise ValueError(f"it holds {len(names)} pictures: allowed are {_MOST_MEMBERS}.")
    for name in names:
        beside = members.get(name.removesuffix("picture.png") + "settings.json")
        try:
            said = _unzipped(archive, beside) if beside else b""
            yield PurePosixPath(name.lstrip("/")), _unzipped(archive, members[name]), said
        except _BROKEN as error:
            problems.append(_left_out(file / name.lstrip("/"), error))


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        return _limited(file)


def _unzipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return _limited(file)


def _limited(file: IO[bytes]) -> bytes:
    """All of a file, but no more than a picture needs, whatever a zip says of its size."""
    data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 2**20} MiB.")
    return data


def _pupil(root: Path, place: PurePath) -> str:
    """The first folder on the way to a picture that may be a pupil's."""
    for name in (*place.parent.parts, *reversed(root.resolve().parts)):
        if name.lower() not in ("runs", "..") and not _RUN.fullmatch(name):
            return name
    return str(root)


def _entry(data: bytes, pupil: str, beside: bytes) -> Entry | None:
    """A picture and what it, or else the file beside it, says; None where nothing is said.

    Raises one of `_BROKEN` where either cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=["PNG"])
    if image.width * image.height > _MOST_PIXELS:
        raise ValueError(f"it has {image.width} × {image.height} pixels, more than are painted.")
    image.load()
    text = image.text.get(KEY) or beside
    if not text:
        return None
    try:
        said = json.loads(text)
        plan = Settings.from_dict(said["settings"] | {"updates": said["updates"]})
        iterations = said.get("iteration")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("its settings cannot be read.") from None
    told = portable(plan)
    values = told["settings"] | {"updates": told["updates"]}
    small = image.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    counted = iterations if type(iterations) is int else None
    return Entry(small, pupil, values["prompt"], values, counted)


def _left_out(place: str | Path, error: object) -> str:
    reason = getattr(error, "strerror", None) or error
    return _plain(f"{place} was left out: {reason}")


def _figure(entry: Entry) -> str:
    image, source = _inlined(entry.picture)
    rows = _unusual(entry.settings)
    hover = "; ".join(f"{name}: {value}" for name, value in rows)
    details = "".join(f"<dt>{_escaped(n)}</dt><dd>{_escaped(v)}</dd>" for n, v in rows)
    if details:
        details = f"<details><summary>settings</summary><dl>{details}</dl></details>"
    return (
        f'<figure><img src="{source}" width="{image.width}" height="{image.height}" '
        f'alt="{_escaped(entry.prompt)}" title="{_escaped(hover)}" loading="lazy">'
        f"<figcaption><strong>{_escaped(entry.title)}</strong> {_escaped(entry.prompt)}"
        f"<small>{_escaped(_facts(entry))}</small>{details}</figcaption></figure>"
    )


def _facts(entry: Entry) -> str:
    """Seed, iterations and score, as far as they are known."""
    facts = []
    if entry.score is not None:
        facts.append(f"score {entry.score:.3f}")
    if entry.settings.get("seed") is not None:
        facts.append(f"seed {entry.settings['seed']}")
    iterations = entry.iterations or entry.settings.get("total_iter")
    if iterations is not None:
        facts.append(f"{iterations} iterations")
    return ", ".join(facts)


def _unusual(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """The settings that are not as by default, in words, without those that the page says anyway."""
    usual = Settings().to_dict() | {"updates": []}
    rows = []
    for name, value in settings.items():
        if name in ("prompt", "seed", "total_iter", "updates") or value == usual.get(name):
            continue
        listed = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        rows.append((name, listed))
    return rows + [("live", change_in_words(update)) for update in settings.get("updates", ())]


def _inlined(picture: Image.Image) -> tuple[Image.Image, str]:
    """A picture of at most `_SIDE` pixels a side, and its address, which holds it whole."""
    image = picture.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    data, kind = io.BytesIO(), "png"
    image.save(data, "PNG")
    if data.tell() > _HEAVY:
        data, kind = io.BytesIO(), "jpeg"
        image.save(data, "JPEG", quality=90)
    return image, f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"


def _plain(text: str) -> str:
    """A text of one line, not too long, of which every character can be printed."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _escaped(text: str) -> str:
    return html.escape(_plain(text))


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.4 system-ui, sans-serif }
body { margin: 1.5rem; background: Canvas; color: CanvasText }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1.5rem 1rem }
figure { margin: 0; break-inside: avoid; overflow-wrap: anywhere }
img { width: 100%; height: auto }
strong, small, dt { display: block }
summary, small, dl { font-size: .85rem }
dt { font-weight: bold }
dd { margin: 0 }
@media print {
  body { margin: 0 }
  main { grid-template-columns: repeat(4, 1fr) }
  details { display: none }
}
</style>
</head>
<body>
<header><h1>$title</h1><p>$count</p></header>
<main>
$figures
</main>
<footer><p>painted with vqclip_nb</p></footer>
</body>
</html>
""")
