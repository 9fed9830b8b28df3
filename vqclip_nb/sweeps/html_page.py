"""Many pictures in one self-contained HTML file: a class's runs, or a sweep's.

Names, sentences and files are untrusted: text is escaped, pictures are re-encoded from their
pixels, zips are read in memory within limits, and a file that cannot be read is reported and
left out. A page ends at a number of pictures, of bytes and of seconds, whatever it is made from.
"""

from __future__ import annotations

import hashlib
import html
import lzma
import math
import os
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from string import Template
from typing import IO, Any

from PIL import Image

from vqclip_nb.pictures import data_url, open_picture, portable, provenance_in, read_limited
from vqclip_nb.settings import Settings, change_in_words
from vqclip_nb.storage.files import write_file

_SIDE = 256  # pixels of a picture on the page, at most
_HEAVY = 48 * 2**10  # bytes of a PNG; larger ones become JPEGs
_MOST_PIXELS = 4096 * 4096  # the largest picture that `Settings` allows
_MOST_MEMBERS = 1000  # pictures of one zip
# what is read for one page
_MOST_PICTURES = 2000
_MOST_BYTES = 2**30
_MOST_SECONDS = 60.0
_MOST_TEXT = 4 * 2**20  # bytes of a picture's settings
_LONGEST = 500  # letters of a text on the page

_RUN = re.compile(r"\d{8}-\d{6}(-.*)?")  # a run's name: its time, then its prompt
# what zipfile and its decompressors raise for a broken archive
_BROKEN = (OSError, ValueError, EOFError, RuntimeError, struct.error)
_BROKEN += (zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Figure:
    """One picture of a page, with its caption.

    title: whose it is, or what distinguishes it
    settings: names and values of `Settings` without local paths, see `pictures.portable`
    iterations: how many it was painted for, if known
    score: decides the order of a page
    """

    picture: Image.Image
    title: str
    prompt: str
    settings: dict[str, Any] = field(default_factory=dict)
    iterations: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class Tally:
    """How a class answered a question.

    counts: how many chose each of the choices; right: one of them
    """

    question: str
    right: str
    counts: dict[str, int]


def collect(folders: Iterable[str | Path]) -> tuple[list[Figure], list[str]]:
    """The pictures with settings in the folders and their zips, and a sentence for each problem.

    A figure's title is the pupil: the first folder, or zip, between the given folder and the
    picture. Folders named "runs" or like a run are skipped; if none is left, it is the given
    folder's own name. Sorted by pupil, then by the name of the run. A picture that a pupil has
    twice, as a run and as its zip, appears once.

    Raises ValueError if one of the folders does not exist.
    """
    found: dict[tuple[str, str], tuple[str, Figure] | None] = {}
    problems: list[str] = []
    room = _Room()
    roots = [Path(folder) for folder in folders]
    for root in roots:
        if not root.is_dir():
            raise ValueError(f"{root} is not a folder: name the folder that holds the runs.")
    pictures = ((root, *each) for root in roots for each in _pictures(root, problems))
    for root, place, data, beside in pictures:
        if full := room.full_with(len(data) + len(beside)):
            problems.append(_left_out(f"{root / place}, with all that follows it,", full))
            break
        pupil = _pupil(root, place)
        key = pupil, hashlib.sha256(data).hexdigest()
        if key in found:
            continue
        try:
            figure = _figure_of(data, pupil, beside)
        except Exception as error:  # a stranger's file can raise anything
            problems.append(_left_out(root / place, error))
            continue
        found[key] = figure and (str(place), figure)
    shown = [each for each in found.values() if each]
    ordered = sorted(shown, key=lambda each: (each[1].title.casefold(), each[0]))
    return [figure for _, figure in ordered], problems


class _Room:
    """What may still be read for a page."""

    def __init__(self) -> None:
        self._pictures, self._bytes = 0, 0
        self._ends = time.monotonic() + _MOST_SECONDS

    def full_with(self, size: int) -> str:
        """Why the page has no room for a picture of `size` bytes; empty if it has."""
        self._pictures, self._bytes = self._pictures + 1, self._bytes + size
        for full, limit in (
            (self._pictures > _MOST_PICTURES, f"{_MOST_PICTURES} pictures"),
            (self._bytes > _MOST_BYTES, f"{_MOST_BYTES // 2**20} MiB"),
            (time.monotonic() > self._ends, f"{_MOST_SECONDS:.0f} seconds"),
        ):
            if full:
                return f"a page takes {limit} at most, so make several."
        return ""


def write_page(
    file: str | Path,
    figures: Sequence[Figure],
    title: str,
    most: int | None = None,
    tallies: Sequence[Tally] = (),
) -> None:
    """Write the first `most` pictures as one HTML file without scripts and external parts.

    If they have scores, the best come first. Below them is how a class answered, if it did.

    Raises ValueError if there is nothing to show.
    """
    if not figures and not tallies:
        raise ValueError("A page needs at least one picture.")
    if any(figure.score is not None for figure in figures):
        figures = sorted(figures, key=lambda f: math.inf if f.score is None else -f.score)
    figures = figures[:most]
    page = _PAGE.substitute(
        title=_escaped(title),
        count=f"{len(figures)} picture{'s' * (len(figures) != 1)}",
        figures="\n".join(map(_as_html, figures)),
        answers=_answers(tallies) if tallies else "",
    )
    write_file(Path(file), page.encode())


def _pictures(root: Path, problems: list[str]) -> Iterator[tuple[PurePath, bytes, bytes]]:
    """The path below `root`, the content and the settings.json, if any, of each picture."""

    def report(error: OSError) -> None:
        problems.append(_left_out(error.filename, error))

    for path, folders, names in os.walk(root, onerror=report):
        here, is_run = Path(path), {"picture.png", "settings.json"} <= set(names)
        folders[:] = [] if is_run else [name for name in folders if not name.startswith(".")]
        for name in ["picture.png"] if is_run else names:
            file = here / name
            if name.startswith(".") or file.is_symlink() or not file.is_file():
                continue
            place = file.relative_to(root)
            try:
                if name.lower().endswith(".png"):
                    settings = here / "settings.json"
                    known = is_run and settings.is_file() and not settings.is_symlink()
                    beside = _read(settings.open("rb"), _MOST_TEXT) if known else b""
                    yield place, _read(file.open("rb")), beside
                elif name.lower().endswith(".zip"):
                    with zipfile.ZipFile(file) as archive:
                        for member, data, beside in _members(archive, file, problems):
                            yield place.with_suffix("") / member, data, beside
            except _BROKEN as error:
                problems.append(_left_out(file, error))


def _members(
    archive: zipfile.ZipFile, file: Path, problems: list[str]
) -> Iterator[tuple[PurePath, bytes, bytes]]:
    """The runs in a zip, read in memory: nothing is unpacked, so that no name can lead elsewhere."""
    members = {info.filename.replace("\\", "/"): info for info in archive.infolist()}
    names = [name for name in members if name.rpartition("/")[2] == "picture.png"]
    if not names:
        raise ValueError("it has no picture.png.")
    if len(names) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(names)} pictures, more than the allowed {_MOST_MEMBERS}.")
    for name in names:
        beside = members.get(name.removesuffix("picture.png") + "settings.json")
        try:
            settings = _read(archive.open(beside), _MOST_TEXT) if beside else b""
            yield PurePosixPath(name.lstrip("/")), _read(archive.open(members[name])), settings
        except _BROKEN as error:
            problems.append(_left_out(file / name.lstrip("/"), error))


def _read(file: IO[bytes], most: int | None = None) -> bytes:
    with file:
        return read_limited(file, "it", most)


def _pupil(root: Path, place: PurePath) -> str:
    """The first folder on the path to a picture that may be a pupil's."""
    for name in (*place.parent.parts, *reversed(root.resolve().parts)):
        if name.lower() not in ("runs", "..") and not _RUN.fullmatch(name):
            return name
    return str(root)


def _figure_of(data: bytes, pupil: str, beside: bytes) -> Figure | None:
    """A picture with the settings that it, or else the file beside it, carries; None without any.

    Raises ValueError if either cannot be read.
    """
    image = open_picture(data, "it", most_pixels=_MOST_PIXELS, formats=["PNG"])
    text = provenance_in(image) or beside
    if not text:
        return None
    if len(text) > _MOST_TEXT:
        raise ValueError(f"its settings have more than the allowed {_MOST_TEXT // 2**20} MiB.")
    plan, record = Settings.from_provenance(text, "the record of its settings")
    shared = portable(plan.to_dict())
    values = shared["settings"] | {"updates": shared["updates"]}
    small = image if image.mode == "RGB" else image.convert("RGB")  # one copy less of a large one
    small.thumbnail((_SIDE, _SIDE))
    iterations = record.get("iteration")
    counted = iterations if type(iterations) is int else None
    return Figure(small, pupil, values["prompt"], values, counted)


def _left_out(place: str | Path, error: object) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return _plain(f"{place} was left out: {reason}")


def _as_html(figure: Figure) -> str:
    image = figure.picture.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    rows = _unusual(figure.settings)
    hover = "; ".join(f"{name}: {value}" for name, value in rows)
    details = "".join(f"<dt>{_escaped(n)}</dt><dd>{_escaped(v)}</dd>" for n, v in rows)
    if details:
        details = f"<details><summary>settings</summary><dl>{details}</dl></details>"
    return (
        f'<figure><img src="{data_url(image, _HEAVY)}" width="{image.width}" height="{image.height}" '
        f'alt="{_escaped(figure.prompt)}" title="{_escaped(hover)}" loading="lazy">'
        f"<figcaption><strong>{_escaped(figure.title)}</strong> {_escaped(figure.prompt)}"
        f"<small>{_escaped(_facts(figure))}</small>{details}</figcaption></figure>"
    )


def _answers(tallies: Sequence[Tally]) -> str:
    return f"<section><h2>What we guessed</h2>{''.join(map(_tallied, tallies))}</section>"


def _tallied(tally: Tally) -> str:
    """A question and a bar for each choice; the right one is in bold."""
    most, rows = max(1, *tally.counts.values()), []
    for choice, count in tally.counts.items():
        name = _escaped(choice)
        name = f"<strong>{name} ✓</strong>" if choice == tally.right else name
        bar = f'<i style="width:{100 * count / most:.0f}%"></i>'
        rows.append(f"<tr><th>{name}</th><td>{count}</td><td>{bar}</td></tr>")
    return f"<h3>{_escaped(tally.question)}</h3><table>{''.join(rows)}</table>"


def _facts(figure: Figure) -> str:
    """Score, seed and iterations, if known."""
    facts = []
    if figure.score is not None:
        facts.append(f"score {figure.score:.3f}")
    if figure.settings.get("seed") is not None:
        facts.append(f"seed {figure.settings['seed']}")
    iterations = figure.iterations or figure.settings.get("total_iter")
    if iterations is not None:
        facts.append(f"{iterations} iterations")
    return ", ".join(facts)


def _unusual(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """The settings that differ from the defaults, in words, without those that the page shows."""
    usual = Settings().to_dict() | {"updates": []}
    rows = []
    for name, value in settings.items():
        if name in ("prompt", "seed", "total_iter", "updates") or value == usual.get(name):
            continue
        listed = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        rows.append((name, listed))
    return rows + [("live", change_in_words(update)) for update in settings.get("updates", ())]


def _plain(text: str) -> str:
    """The text on one line, shortened, with only printable characters."""
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
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
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
table { width: min(100%, 40rem) }
th { width: 40%; text-align: left; font-weight: normal }
td:last-child { width: 50% }
td i { display: block; height: .8rem; background: currentColor; opacity: .6 }
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
$answers
<footer><p>painted with vqclip_nb</p></footer>
</body>
</html>
""")
