"""Writes the memory of the draft: drawings and places as codes of the VQGAN.

No training: the VQGAN encodes what it can decode again. It must be done once more whenever the
VQGAN changes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from vqclip_nb.models.draft.memory import HOWS, MASK, decoded, pack_masks
from vqclip_nb.models.draft.paint import resized
from vqclip_nb.models.draft.place import NAMES, Ground, Place, possible
from vqclip_nb.models.draft.things import all_things
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.compositions.drawings import Drawings
from vqclip_nb.train.compositions.nouns import plural
from vqclip_nb.train.places import draw_place, phrase_table

_MARGIN = 2  # of a drawing in its square, in cells of the mask
_MOST = 3  # drawings of a thing
_ASPECT = 1.5  # of a place
_CHUNK = 8  # pictures encoded at a time


def write_draft(
    folder: Path, vqgan: VQGAN, drawings: Drawings, *, side: int = 128, height: int = 256
) -> None:
    """Write `draft.safetensors` and `draft.json` for this VQGAN.

    side: of the square that a drawing is encoded in, in pixels
    height: of a place in pixels; it is 1.5 times as wide

    Both are rounded down to multiples of the VQGAN's factor.
    """
    side, height = (length // vqgan.factor * vqgan.factor for length in (side, height))
    every = sorted(drawing for each in drawings.of.values() for drawing in each)
    squares = [square(drawings.picture(drawing), side) for drawing in tqdm(every, "drawings")]
    codes = _encoded(vqgan, [picture for picture, _ in squares])
    errors = dict(zip(every, _errors(vqgan, codes, squares), strict=True))
    chosen = [d for thing in sorted(drawings.of) for d in _chosen(drawings, thing, errors)]
    rows = [every.index(drawing) for drawing in chosen]
    size = round(_ASPECT * height / vqgan.factor) * vqgan.factor, height
    places = [(place, draw_place(place, size, rng)) for place, rng in tqdm(_variants(), "places")]
    tensors = {
        "codes": codes[rows],
        "masks": pack_masks(np.stack([squares[row][1] for row in rows])),
        "silhouettes": torch.from_numpy(drawings.silhouette[chosen].astype(np.uint8)),
        "place_codes": _encoded(vqgan, [ground.without_things() for _, ground in places]),
        "regions": torch.tensor([_regions(ground) for _, ground in places]).half(),
        "light": torch.tensor([(*g.light, g.shadow) for _, g in places]).half(),
    }
    write_file(folder / "draft.safetensors", save(tensors))
    things = [all_things()[int(drawings.thing[drawing])] for drawing in chosen]
    table = {
        "drawings": [f"{thing.part} {thing.name}" for thing in things],
        "places_in_memory": [list(vars(place).values()) for place, _ in places],
        "plurals": _plurals(),
        **phrase_table(),
    }
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    write_file(folder / "draft.json", text.encode())


def _errors(
    vqgan: VQGAN, codes: Tensor, squares: list[tuple[np.ndarray, np.ndarray]]
) -> list[float]:
    """How far each decoded drawing is from the original: mean difference in its mask."""
    errors = []
    for start in tqdm(range(0, len(codes), _CHUNK), "decoding"):
        pictures = decoded(vqgan, codes[start : start + _CHUNK].long())
        for picture, (wanted, mask) in zip(pictures, squares[start:], strict=False):
            inside = _opacity(mask, len(picture))
            difference = np.abs(picture.astype(np.float32) - wanted).mean(-1)
            errors.append(float((difference * inside).sum() / max(inside.sum(), 1)))
    return errors


def _opacity(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask as opacity in [0,1], [side, side]."""
    image = Image.fromarray(mask).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) / 255


def _chosen(drawings: Drawings, thing: int, errors: dict[int, float]) -> list[int]:
    """Up to three drawings: the best one, then others in other colours.

    A good drawing is like the others of the thing, is no shadow, and the VQGAN reproduces it well.
    Icons and emoji are drawn to be told at a glance, so that clip art is a makeshift.
    """
    every = list(drawings.of[thing])
    each = [drawing for drawing in every if drawings.source[drawing] != "openclipart"] or every
    number = min(_MOST, (len(each) + 2) // 2)
    small = np.stack([_thumbnail(drawings.picture(drawing)) for drawing in each])  # (n, 16, 16, 4)
    flat = small.reshape(len(each), -1)
    unlike = np.abs(flat[:, None] - flat[None]).mean(-1).sum(0)  # (n,)
    wrong = np.array([errors[drawing] for drawing in each])
    poor = unlike / max(unlike.mean(), 1e-6) + wrong / wrong.mean() + 3 * _shadows(small)
    chosen = [int(poor.argmin())]
    good = np.argsort(poor)[: max(number, round(0.6 * len(each)))].tolist()
    means = small[..., :3].sum((1, 2)) / small[..., 3:].sum((1, 2))  # (n, 3)
    while len(chosen) < number:
        left = [i for i in good if i not in chosen]
        apart = [np.abs(means[i] - means[chosen]).sum(-1).min() for i in left]
        chosen.append(left[int(np.argmax(apart))])
    return [each[i] for i in chosen]


def _shadows(small: np.ndarray) -> np.ndarray:
    """Whether drawings, premultiplied [n, 16, 16, 4], are black all over: [n]."""
    brightest = small[..., :3].max(-1)  # (n, 16, 16)
    total = small[..., 3].sum((1, 2))
    return (brightest * (brightest > 0.25 * small[..., 3])).sum((1, 2)) < 0.1 * total


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    return resized(picture, 16, 16, False).astype(np.float32) / 255


def square(picture: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A drawing in the middle of a square that its colours fill, and its mask.

    picture: uint8 [h, w, 4], premultiplied

    Returns uint8 [side, side, 3] and uint8 [MASK, MASK]. With a plain ground, the codes would mix
    its colour into the edges of the thing.
    """
    height, width = picture.shape[:2]
    longer = MASK - 2 * _MARGIN
    scale = longer / max(height, width)
    cells = [max(2 * round(length * scale / 2), 2) for length in (width, height)]
    pixels = [round(cell * side / MASK) for cell in cells]
    rgba = np.zeros((side, side, 4), np.float32)
    left, top = ((side - length) // 2 for length in pixels)
    rgba[top : top + pixels[1], left : left + pixels[0]] = resized(picture, *pixels, False)
    mask = np.zeros((MASK, MASK), np.uint8)
    left, top = ((MASK - length) // 2 for length in cells)
    alpha = Image.fromarray(np.ascontiguousarray(picture[..., 3]))
    inner = np.asarray(alpha.resize(tuple(cells), Image.Resampling.BOX))
    mask[top : top + cells[1], left : left + cells[0]] = inner
    return np.clip(_filled(rgba), 0, 255).astype(np.uint8), mask


def _filled(rgba: np.ndarray) -> np.ndarray:
    """Extend the colours over what is transparent: float32 [s, s, 3].

    Implements push-pull interpolation (Gortler et al., "The Lumigraph", 1996).
    """
    side = len(rgba)
    if side == 1 or side % 2:
        total = rgba.reshape(-1, 4).sum(0)
        return np.broadcast_to(total[:3] / max(total[3] / 255, 1e-3), (side, side, 3))
    half = rgba.reshape(side // 2, 2, side // 2, 2, 4).sum((1, 3))
    half *= np.minimum(1, 255 / np.maximum(half[..., 3:], 1e-3))  # opacity saturates
    behind = _filled(half).repeat(2, 0).repeat(2, 1)
    return rgba[..., :3] + behind * (1 - np.minimum(rgba[..., 3:] / 255, 1))


def _variants() -> list[tuple[Place, random.Random]]:
    """Each possible place, and random choices for its picture; several of what is usual."""
    return [
        (place, random.Random(f"{place} {variant}"))
        for name in NAMES
        for place in possible(name)
        for variant in range(_number(place))
    ]


def _number(place: Place) -> int:
    if len(possible(place.name)) < 10:
        return 3
    return 2 if place.weather == "clear" and place.season is None else 1


def _regions(ground: Ground) -> list[list[float]]:
    regions = (getattr(ground, how) for how in HOWS)
    return [list(vars(r).values()) if r else [float("nan")] * 6 for r in regions]


def _encoded(vqgan: VQGAN, pictures: list[np.ndarray]) -> Tensor:
    """Codes [N, h, w], uint16, of pictures, uint8 [H, W, 3] each."""
    codes = []
    with torch.no_grad():
        for chunk in tqdm(list(_chunks(pictures)), "encoding"):
            x = torch.from_numpy(np.stack(chunk)).permute(0, 3, 1, 2).float() / 255  # (n, 3, H, W)
            _, indices = vqgan.quantize(vqgan.encode(x.to(vqgan.device)))  # (n, h, w)
            codes.append(indices.cpu().to(torch.uint16))
    return torch.cat(codes)


def _chunks(pictures: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(pictures), _CHUNK):
        yield pictures[start : start + _CHUNK]


def _plurals() -> dict[str, str]:
    """The plural of each name of a thing that has one, with the name."""
    names = {name for thing in all_things() for name in (thing.name, thing.spoken, *thing.aliases)}
    return {plural(name): name for name in sorted(names) if plural(name) != name}
