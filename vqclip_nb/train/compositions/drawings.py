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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from vqclip_nb.models.draft.things import all_things
from vqclip_nb.train.artwork import emoji_concepts

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


@dataclass(frozen=True)
class Drawings:
    """Drawings of things.

    pictures: uint8 [N, SIDE, SIDE, 4], RGBA, premultiplied, centred; the longer side is SIDE
    sizes: int [N, 2], width and height of what is not transparent
    thing: int [N], index in `all_things()`
    silhouette: bool [N], of a single colour, which may be changed
    """

    pictures: np.ndarray
    sizes: np.ndarray
    thing: np.ndarray
    silhouette: np.ndarray

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


_ARRAYS = ("pictures", "sizes", "silhouette")


def load_drawings(
    cache: Path, group: str, *, openclipart: Path, packages: Path, emoji: dict[str, Path]
) -> Drawings:
    """The drawings of artist group "a" or "b", read from the file `cache` or drawn into it.

    openclipart: folder of the SVG files of Debian's `openclipart-svg`
    packages: folder with the npm packages, e.g. `node_modules`
    emoji: folder of each emoji package of this group, by name, and of "emojibase-data"
    """
    if group not in ("a", "b"):
        raise ValueError(f"group is {group!r}; it must be 'a' or 'b'")
    if not cache.exists():
        rows = chain(_drawn_table(group, openclipart, packages), _drawn_emoji(emoji))
        _gathered(list(tqdm(rows, "drawing"))).save(cache)
    return Drawings.load(cache)


def _gathered(rows: list[tuple[int, np.ndarray, bool]]) -> Drawings:
    pictures = np.zeros((len(rows), SIDE, SIDE, 4), np.uint8)
    sizes = np.zeros((len(rows), 2), np.int64)
    for i, (_, picture, _) in enumerate(rows):
        height, width = picture.shape[:2]
        left, top = (SIDE - width) // 2, (SIDE - height) // 2
        pictures[i, top : top + height, left : left + width] = picture
        sizes[i] = width, height
    thing = np.array([row[0] for row in rows])
    return Drawings(pictures, sizes, thing, np.array([row[2] for row in rows]))


def _drawn_table(
    group: str, openclipart: Path, packages: Path
) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Thing, picture and whether it is a silhouette, for the rows of `drawings.csv`."""
    index = {(thing.name, thing.part): i for i, thing in enumerate(all_things())}
    sets: dict[str, dict] = {}
    with open(Path(__file__).parents[1] / "drawings.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["artist_group"] == group]
    for row in rows:
        source, part = row["source"], _PARTS.get(row["category"], "whole")
        if source == "openclipart":
            image = _render(svg_path=str(openclipart / row["file"]), dpi=96, width=2 * SIDE)
        else:
            package = source.rsplit("@", 1)[0]
            if package not in sets:
                sets[package] = json.loads((packages / package / "icons.json").read_text())
            image = _icon(sets[package], row["file"], package)
        picture = trimmed(image)
        if picture is not None:
            yield index[row["name"], part], picture, "game-icons" in source


def _drawn_emoji(emoji: dict[str, Path]) -> Iterator[tuple[int, np.ndarray, bool]]:
    """The same for the emoji that `things.csv` names."""
    if not emoji:
        return
    names = {name: i for i, thing in enumerate(all_things()) for name in thing.emoji}
    codes = _hexcodes(emoji["emojibase-data"])
    letters = {_letters(name): code for code, name in codes.items()}
    for package, folder in emoji.items():
        if package == "emojibase-data":
            continue
        heads = _heads_of(package)
        icons = json.loads((folder / "icons.json").read_text())
        listed = json.loads((folder / "chars.json").read_text())
        if not listed:
            listed = {letters.get(_letters(icon)): icon for icon in icons["icons"]}
        for code, icon in listed.items():
            thing = names.get(codes.get((code or "").upper().replace("-FE0F", "")))
            if thing is not None and icon in icons["icons"] and not _is_head(thing, heads):
                picture = trimmed(_icon(icons, icon, package))
                if picture is not None:
                    yield thing, picture, False


def _heads_of(package: str) -> set[str]:
    if "fxemoji" in package:
        return _FX_HEADS
    return _HEADS if "twemoji" in package or "emojione" in package else set()


def _is_head(thing: int, heads: set[str]) -> bool:
    return all_things()[thing].part == "whole" and all_things()[thing].name in heads


def _hexcodes(folder: Path) -> dict[str, str]:
    return {code: name for code, (name, _, _) in emoji_concepts(folder).items()}


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
