"""Rasterised drawings of the things, for the pair that paints or for the judge.

The drawings of `drawings.csv` and the emoji of the two sides, drawn once and kept in a file that
the caller names.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from vqclip_nb.models.draft.things import all_things
from vqclip_nb.train.sources import clip_art, emoji_names, npm_package

SIDE = 160  # pixels
_PARTS = {"animal/face": "head", "person/face": "head", "person/bust": "bust"}
_DISC = re.compile(r"<path[^>]*?/>")  # below each drawing of streamline-kameleon-color
# Emoji that are heads in these packages and whole animals in others. Those of Twemoji, Emoji One:
_HEADS = {"deer", "eagle", "gorilla", "zebra", "rhinoceros", "hedgehog", "wild boar"}
_HEADS |= {"fairy"}
# and those of Firefox OS
_FX_HEADS = _HEADS | {"cat", "dog", "mouse", "pig", "tiger", "rabbit", "leopard", "hamster"}
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'viewBox="{left} {top} {width} {height}" width="{wide}" height="{high}">{body}</svg>'
)


_Row = tuple[int, np.ndarray, bool, str]  # thing, picture, whether it is a silhouette, source


@dataclass(frozen=True)
class Drawings:
    """Drawings of things.

    thing: int [N], index in `all_things()`
    pictures: uint8 [N, SIDE, SIDE, 4], RGBA, premultiplied, centred; the longer side is SIDE
    sizes: int [N, 2], width and height of what is not transparent
    silhouette: bool [N], of a single colour, which may be changed
    source: str [N], "openclipart" or the name of the npm package
    """

    thing: np.ndarray
    pictures: np.ndarray
    sizes: np.ndarray
    silhouette: np.ndarray
    source: np.ndarray

    @cached_property
    def of(self) -> dict[int, tuple[int, ...]]:
        """The drawings of each thing; silhouettes only if there is nothing else."""
        every: dict[int, list[int]] = {}
        for drawing, thing in enumerate(self.thing.tolist()):
            every.setdefault(thing, []).append(drawing)
        coloured = {
            thing: tuple(i for i in drawings if not self.silhouette[i])
            for thing, drawings in every.items()
        }
        return {thing: coloured[thing] or tuple(every[thing]) for thing in every}

    def of_sources(self, sources: Sequence[str]) -> Drawings:
        """Only the drawings of these sources; ValueError if one of them has none."""
        if missing := sorted(set(sources).difference(self.source.tolist())):
            raise ValueError(
                f"no drawing is of {missing[0]!r}, only of {set(self.source.tolist())}"
            )
        chosen = np.isin(self.source, sources)
        return Drawings(self.thing[chosen], **{n: getattr(self, n)[chosen] for n in _ARRAYS})

    def picture(self, drawing: int) -> np.ndarray:
        """The drawing without its margins: uint8 [h, w, 4], premultiplied."""
        width, height = self.sizes[drawing].tolist()
        left, top = (SIDE - width) // 2, (SIDE - height) // 2
        return self.pictures[drawing, top : top + height, left : left + width]

    def alpha(self, drawing: int) -> np.ndarray:
        """The opacity of the drawing without its margins: uint8 [h, w]."""
        return self.picture(drawing)[..., 3]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with open(part, "wb") as file:
            names = [f"{all_things()[i].part} {all_things()[i].name}" for i in self.thing]
            arrays = {name: getattr(self, name) for name in _ARRAYS}
            np.savez_compressed(file, names=names, **arrays)
        os.replace(part, path)

    @staticmethod
    def load(path: Path) -> Drawings:
        """Raises ValueError if the file names a thing that is not in the table."""
        index = {f"{thing.part} {thing.name}": i for i, thing in enumerate(all_things())}
        with np.load(path) as file:
            names = file["names"].tolist()
            if unknown := sorted(set(names).difference(index)):
                raise ValueError(f"{path} is out of date, delete it: no thing is {unknown[0]!r}")
            thing = np.array([index[name] for name in names])
            return Drawings(thing=thing, **{name: file[name] for name in _ARRAYS})


_ARRAYS = ("pictures", "sizes", "silhouette", "source")


def load_drawings(folder: Path, group: str, emoji: list[str], names: str) -> Drawings:
    """The drawings of artist group "a" or "b", read from a file in `folder` or drawn into it.

    emoji: npm packages of emoji, e.g. "@iconify-json/noto@1.2.9"
    names: the npm package with the names of the emoji, "emojibase-data@17.0.0"

    Downloads what is not in `folder`.
    """
    if group not in ("a", "b"):
        raise ValueError(f"group is {group!r}; it must be 'a' or 'b'")
    file = folder / f"drawings_{group}.npz"
    if not file.exists():
        rows = chain(_drawn_table(group, folder), _drawn_emoji(emoji, names, folder))
        _gathered(list(tqdm(rows, "drawing", mininterval=10))).save(file)
    return Drawings.load(file)


def _gathered(rows: list[_Row]) -> Drawings:
    pictures = np.zeros((len(rows), SIDE, SIDE, 4), np.uint8)
    sizes = np.zeros((len(rows), 2), np.int64)
    for i, (_, picture, *_) in enumerate(rows):
        height, width = picture.shape[:2]
        left, top = (SIDE - width) // 2, (SIDE - height) // 2
        pictures[i, top : top + height, left : left + width] = picture
        sizes[i] = width, height
    things, silhouette, sources = (np.array([row[i] for row in rows]) for i in (0, 2, 3))
    return Drawings(things, pictures, sizes, silhouette, sources)


def _drawn_table(group: str, cache: Path) -> Iterator[_Row]:
    """The rows of `drawings.csv`."""
    index = {(thing.name, thing.part): i for i, thing in enumerate(all_things())}
    sets: dict[str, dict] = {}
    with open(Path(__file__).parents[1] / "drawings.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["artist_group"] == group]
    for row in rows:
        source, part = row["source"], _PARTS.get(row["category"], "whole")
        if source == "openclipart":
            path = str(clip_art(cache) / row["file"])
            image = _render(svg_path=path, dpi=96, width=2 * SIDE)
        else:
            if source not in sets:
                icons = npm_package(source, cache) / "icons.json"
                sets[source] = json.loads(icons.read_text(encoding="utf-8"))
            image = _icon(sets[source], row["file"], source)
        picture = trimmed(image)
        if picture is not None:
            yield (
                index[row["name"], part],
                picture,
                "game-icons" in source,
                _without_version(source),
            )


def _drawn_emoji(packages: list[str], names: str, cache: Path) -> Iterator[_Row]:
    """The emoji that `things.csv` names."""
    if not packages:
        return
    things = {name: i for i, thing in enumerate(all_things()) for name in thing.emoji}
    called = emoji_names(npm_package(names, cache))
    letters = {_letters(name): code for code, name in called.items()}
    for package in packages:
        heads, folder = _heads_of(package), npm_package(package, cache)
        icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        listed = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
        if not listed:
            listed = {letters.get(_letters(icon)): icon for icon in icons["icons"]}
        for code, icon in listed.items():
            thing = things.get(called.get((code or "").upper().replace("-FE0F", "")))
            if thing is not None and icon in icons["icons"] and not _is_head(thing, heads):
                picture = trimmed(_icon(icons, icon, package))
                if picture is not None:
                    yield thing, picture, False, _without_version(package)


def _without_version(source: str) -> str:
    return source.rsplit("@", 1)[0] if source.startswith("@") else source


def _heads_of(package: str) -> set[str]:
    if "fxemoji" in package:
        return _FX_HEADS
    return _HEADS if "twemoji" in package or "emojione" in package else set()


def _is_head(thing: int, heads: set[str]) -> bool:
    return all_things()[thing].part == "whole" and all_things()[thing].name in heads


def _letters(name: str) -> str:
    return "".join(c for c in name if c.isalnum())


def _icon(icons: dict, name: str, package: str) -> Image.Image:
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    body = icon["body"].replace("currentColor", "#808080")
    if "kameleon" in package:
        body = _DISC.sub("", body, count=1)
    scale = 2 * SIDE / max(width, height)
    svg = _SVG.format(
        left=icon.get("left", 0),
        top=icon.get("top", 0),
        width=width,
        height=height,
        wide=width * scale,
        high=height * scale,
        body=body,
    )
    image = _render(svg_string=svg)
    return _without_shadow(image) if "streamline-emojis" in package else image


def _render(**source) -> Image.Image:
    import resvg_py  # from the extra `train`

    png = bytes(resvg_py.svg_to_bytes(skip_system_fonts=True, **source))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def _without_shadow(image: Image.Image) -> Image.Image:
    """Without the grey oval below the thing: grey pixels in the lowest eighth of the picture."""
    pixels = np.array(image)
    low = pixels[round(len(pixels) * 0.84) :]
    rgb = low[..., :3].astype(int)
    grey = (np.ptp(rgb, axis=-1) < 26) & (rgb.mean(-1) > 150) & (rgb.mean(-1) < 240)
    low[grey] = 0
    return Image.fromarray(pixels)


def trimmed(image: Image.Image) -> np.ndarray | None:
    """An RGBA image cropped to what is visible, longer side SIDE, premultiplied; None if empty."""
    rows, columns = (np.nonzero(np.asarray(image)[..., 3].max(axis) > 12)[0] for axis in (1, 0))
    if len(rows) == 0:
        return None
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    image = image.crop(tuple(int(edge) for edge in box))
    scale = SIDE / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).astype(np.uint16)
    pixels[..., :3] = (pixels[..., :3] * pixels[..., 3:] + 127) // 255
    return pixels.astype(np.uint8)
