"""What the draft remembers: drawings and places as codes of the VQGAN.

As in retrieval-augmented synthesis (Blattmann et al., arXiv 2204.11824), a picture is put together
from remembered examples. They are stored as codes, a fiftieth of their pixels' size, and the VQGAN's
decoder draws them. A drawing also has a mask, because codes have no transparency.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb.models.draft.place import Ground, Place, Region, check
from vqclip_nb.models.draft.things import all_things
from vqclip_nb.models.vqgan import VQGAN

MASK = 64  # side of a mask
HOWS = ("stand", "afloat", "fly", "swim")  # the regions of a place, in the order of the file
_LEVELS = 3  # of opacity, above 0
_LOWEST = 0.75  # height of a place that a wide picture shows at least
_MOST = 20_000  # drawings or places in a file
_LONGEST_SIDE = 64  # of a drawing or place, in codes
_SHAPES = {"codes": 3, "silhouettes": 1, "masks": 1, "place_codes": 3, "regions": 3, "light": 2}


@dataclass(frozen=True)
class Memory:
    """Remembered drawings and places.

    codes: [N, s, s] of each drawing, in the middle of a square that its colours fill
    masks: uint8 [N, MASK, MASK], opacity
    things: of each drawing, its thing's index in `all_things()`
    silhouettes: of each drawing, whether it has a single colour, which may be changed
    places: of each remembered place, what it is; some are there twice
    place_codes: [M, h, w]
    regions: [M, 4, 6], the fields of the regions in the order of `HOWS`, NaN for no region
    light: [M, 4], factors of red, green and blue, and how dark shadows are
    """

    codes: Tensor
    masks: np.ndarray
    things: tuple[int, ...]
    silhouettes: tuple[bool, ...]
    places: tuple[Place, ...]
    place_codes: Tensor
    regions: np.ndarray
    light: np.ndarray

    @classmethod
    def unpack(
        cls, tensors: dict[str, Tensor], drawings: list[str], places: list[list], codes: int
    ) -> Memory:
        """Build a memory from the tensors of `draft.safetensors` and the names of `draft.json`.

        drawings: of each drawing the part and the name of its thing, "whole dog"
        places: of each place its name, time, weather and season
        codes: size of the VQGAN's codebook

        Raises ValueError if something is missing, has another shape or is out of range.
        """
        for name, dimensions in _SHAPES.items():
            if name not in tensors or tensors[name].ndim != dimensions:
                raise ValueError(f"{name!r} is missing or has not {dimensions} dimensions")
        number, there = len(drawings), len(places)
        lengths = [len(tensors[n]) for n in ("codes", "silhouettes", "place_codes", "regions")]
        if lengths != [number, number, there, there] or not 0 < max(number, there) <= _MOST:
            raise ValueError("the numbers of drawings or places differ")
        if tensors["regions"].shape[1:] != (4, 6) or tensors["light"].shape != (there, 4):
            raise ValueError("the regions or the light of the places have another shape")
        if tensors["regions"].isinf().any() or tensors["light"].isnan().any():
            raise ValueError("the regions or the light of the places have values that are no share")
        for name in ("codes", "place_codes"):
            if max(tensors[name].shape[1:]) > _LONGEST_SIDE or tensors[name].is_floating_point():
                raise ValueError(f"{name!r} has another type, or sides longer than {_LONGEST_SIDE}")
            if tensors[name].numel() == 0:
                continue
            if tensors[name].long().max() >= codes or tensors[name].long().min() < 0:
                raise ValueError(f"{name!r} holds codes that the VQGAN does not have")
        return cls(
            tensors["codes"].long(),
            _unpack_masks(tensors["masks"], number),
            _things_named(drawings),
            tuple(tensors["silhouettes"].bool().tolist()),
            tuple(_place(fields) for fields in places),
            tensors["place_codes"].long(),
            tensors["regions"].float().numpy(),
            tensors["light"].float().clamp(0, 1).numpy(),
        )

    @cached_property
    def of(self) -> Mapping[int, tuple[int, ...]]:
        """The drawings of each thing."""
        return _indices_of(self.things)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Width and height [N, 2] of each drawing, in cells of its mask."""
        return np.array([self.alpha(drawing).shape[::-1] for drawing in range(len(self.masks))])

    @cached_property
    def of_place(self) -> Mapping[Place, tuple[int, ...]]:
        """The indices of each place in the memory."""
        return _indices_of(self.places)

    def _box(self, drawing: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is not transparent, in cells of the mask."""
        seen = self.masks[drawing] > 0
        (top, bottom), (left, right) = (
            np.flatnonzero(seen.any(axis))[[0, -1]] if seen.any() else (0, MASK - 1)
            for axis in (1, 0)
        )
        return int(left), int(top), int(right) + 1, int(bottom) + 1

    def alpha(self, drawing: int) -> np.ndarray:
        """The opacity of a drawing without its margins: uint8 [h, w], in cells of the mask."""
        left, top, right, bottom = self._box(drawing)
        return self.masks[drawing, top:bottom, left:right]

    def draw_things(self, vqgan: VQGAN, drawings: list[int]) -> dict[int, Image.Image]:
        """Decode drawings in one batch: RGB pictures without the margins, by drawing."""
        each = sorted(set(drawings))
        if not each:
            return {}
        pictures = decoded(vqgan, self.codes[each])
        cell = pictures.shape[1] / MASK
        return {
            drawing: Image.fromarray(picture).crop(
                tuple(round(edge * cell) for edge in self._box(drawing))
            )
            for drawing, picture in zip(each, pictures, strict=True)
        }

    def draw_place(
        self, vqgan: VQGAN, index: int, size: tuple[int, int], how: str, rng: random.Random
    ) -> Ground:
        """Decode a place for a picture of (width, height) pixels.

        how: the region that must be in the picture, one of `HOWS`

        A narrow picture shows a part of it, and a wide one less of the sky; beyond an aspect of
        2:1, its mirror image continues at the sides.
        """
        codes, aspect = self.place_codes[index], size[0] / size[1]
        rows, columns = codes.shape
        across = min(aspect * rows, columns)  # what is shown, in codes
        shown = math.ceil(across)
        start = self._start(index, shown / columns, how, rng)
        picture = decoded(vqgan, codes[None, :, start : start + shown])[0]
        high = min(max(columns / rows / aspect, _LOWEST), 1.0) if shown == columns else 1.0
        top = 0.65 * (1 - high)
        view = View(start / columns, top, across / columns, high, rng.random() < 0.5)
        image = _fitted(picture, view, across / shown, size)
        regions = (self.region(index, each) for each in HOWS)
        red, green, blue, shadow = self.light[index].tolist()
        return Ground(image, None, 0.5, *(view.of(r) for r in regions), (red, green, blue), shadow)

    def _start(self, index: int, share: float, how: str, rng: random.Random) -> int:
        """The first column of codes to show, so that most of a region is in the picture."""
        columns = self.place_codes.shape[2]
        starts = range(columns - math.ceil(share * columns) + 1)
        region = self.region(index, how) or Region(0.0, 1.0, 0.0, 1.0)
        seen = [
            min(region.right, start / columns + share) - max(region.left, start / columns)
            for start in starts
        ]
        return rng.choice([s for s in starts if seen[s] >= max(seen) - 0.01])

    def region(self, index: int, how: str) -> Region | None:
        """Where things stand, float, fly or swim in a remembered place; None if nowhere."""
        fields = self.regions[index, HOWS.index(how)]
        return None if np.isnan(fields).any() else Region(*fields.tolist())


@dataclass(frozen=True)
class View:
    """The part of a remembered place that is shown, in shares of its width and height."""

    left: float
    top: float
    width: float
    height: float
    mirror: bool

    def of(self, region: Region | None) -> Region | None:
        """A region in shares of what is shown; None if it is outside."""
        if region is None:
            return None
        left, right = ((x - self.left) / self.width for x in (region.left, region.right))
        left, right = min(max(left, 0.0), 1.0), min(max(right, 0.0), 1.0)
        if self.mirror:
            left, right = 1 - right, 1 - left
        top, bottom = ((y - self.top) / self.height for y in (region.top, region.bottom))
        top, bottom = min(max(top, 0.0), 0.98), min(max(bottom, 0.0), 0.99)
        if right - left < 0.05 or bottom <= top:
            return None
        return replace(region, left=left, right=right, top=top, bottom=bottom)


def _indices_of(values: Sequence[Hashable]) -> dict:
    """The indices of each value."""
    found: dict[Hashable, tuple[int, ...]] = {}
    for index, value in enumerate(values):
        found[value] = (*found.get(value, ()), index)
    return found


def _fitted(picture: np.ndarray, view: View, share: float, size: tuple[int, int]) -> np.ndarray:
    """A decoded picture cropped to the view and scaled: uint8 [H, W, 3].

    share: of the picture's width that is in the view
    """
    width, height = size
    rows, columns = picture.shape[:2]
    box = (0, view.top * rows, share * columns, (view.top + view.height) * rows)
    inner = min(width, round((box[2] - box[0]) / (box[3] - box[1]) * height))
    image = Image.fromarray(picture).resize((inner, height), Image.Resampling.BICUBIC, box)
    pixels = np.asarray(image)[:, ::-1] if view.mirror else np.asarray(image)
    side = width - inner
    return np.pad(pixels, ((0, 0), (side // 2, side - side // 2), (0, 0)), "symmetric")


def decoded(vqgan: VQGAN, codes: Tensor) -> np.ndarray:
    """Decode codes [n, h, w] to pictures, uint8 [n, h*f, w*f, 3]."""
    with torch.no_grad():
        z = vqgan.codebook[codes.to(vqgan.device)].permute(0, 3, 1, 2)  # (n, C, h, w)
        x = vqgan.decode(z.contiguous()).permute(0, 2, 3, 1)  # (n, H, W, 3)
        return (x * 255).round().to(torch.uint8).cpu().numpy()


def pack_masks(masks: np.ndarray) -> Tensor:
    """Compress masks, uint8 [N, MASK, MASK], to bytes; four levels of opacity remain."""
    levels = np.rint(masks.astype(np.float32) * (_LEVELS / 255)).astype(np.uint8)
    quarters = levels.reshape(len(masks), MASK, MASK // 4, 4)
    packed = (quarters << np.array([0, 2, 4, 6], np.uint8)).sum(-1).astype(np.uint8)
    return torch.frombuffer(bytearray(zlib.compress(packed.tobytes(), 9)), dtype=torch.uint8)


def _unpack_masks(data: Tensor, number: int) -> np.ndarray:
    size = number * MASK * MASK // 4
    unpacker = zlib.decompressobj()
    try:
        packed = unpacker.decompress(data.to(torch.uint8).numpy().tobytes(), size + 1)
    except zlib.error as error:
        raise ValueError(f"the masks cannot be decompressed: {error}") from error
    if len(packed) != size:
        raise ValueError("the masks are not those of the drawings")
    quarters = np.frombuffer(packed, np.uint8).reshape(number, MASK, MASK // 4, 1)
    levels = quarters >> np.array([0, 2, 4, 6], np.uint8) & _LEVELS
    return (levels.reshape(number, MASK, MASK) * (255 // _LEVELS)).astype(np.uint8)


def _things_named(drawings: list[str]) -> tuple[int, ...]:
    index = {f"{thing.part} {thing.name}": i for i, thing in enumerate(all_things())}
    if unknown := [name for name in drawings if name not in index]:
        raise ValueError(f"there is no thing {unknown[0]!r}")
    return tuple(index[name] for name in drawings)


def _place(fields: list) -> Place:
    if not isinstance(fields, list) or len(fields) != 4:
        raise ValueError(f"{fields!r} is no place with time, weather and season")
    place = Place(*fields)
    check(place)
    return place
