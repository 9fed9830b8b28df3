"""Write the drawings of the lessons: the same things by two artists.

CLIP was trained on one set, but not on the other. The things are a random sample, without
cherry-picking, of those that are in both sets and have a plain name.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.pictures import as_png
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.artwork import Artwork

COUNT, COLUMNS, SIDE = 48, 8, 64  # drawings, drawings per row, pixels per side
NAMES, SEEN, UNSEEN = "drawings.json", "drawings_seen.png", "drawings_unseen.png"
_PLAIN = 1.0  # least `Artwork.weights` of things with a plain name


def write_drawings(seen: Artwork, unseen: Artwork, folder: Path, seed: int = 0) -> None:
    """Write two sheets of `COUNT` drawings each, and their names, to `folder`."""
    first, second = _drawing_of(seen), _drawing_of(unseen)
    weights = dict(zip(seen.names, seen.weights.tolist(), strict=True))
    both = sorted(name for name in first if name in second and weights[name] >= _PLAIN)
    order = torch.randperm(len(both), generator=torch.Generator().manual_seed(seed))
    names = [both[index] for index in order[:COUNT].tolist()]
    write_file(folder / NAMES, json.dumps(names).encode())
    for file, drawings in ((SEEN, first), (UNSEEN, second)):
        write_file(folder / file, _sheet(torch.stack([drawings[name] for name in names])))


def _drawing_of(artwork: Artwork) -> dict[str, Tensor]:
    """The first drawing of each thing, uint8 [4, size, size], by name."""
    named = [artwork.names[concept] for concept in artwork.concept.tolist()]
    found: dict[str, Tensor] = {}
    for name, drawing in zip(named, artwork.drawings, strict=True):
        found.setdefault(name, drawing)
    return found


def _sheet(drawings: Tensor) -> bytes:
    """Drawings, uint8 [n, 4, size, size], as one PNG, on white with a margin of a sixteenth."""
    x = drawings.float() / 255
    x = x[:, :3] * x[:, 3:] + 1 - x[:, 3:]
    margin = x.shape[-1] // 16
    x = F.pad(x, [margin] * 4, value=1.0)
    x = F.interpolate(x, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
    rows = x.unflatten(0, (-1, COLUMNS)).permute(0, 3, 1, 4, 2)  # (rows, S, columns, S, 3)
    pixels = (rows.reshape(-1, COLUMNS * SIDE, 3) * 255).round().byte().numpy()
    return as_png(Image.fromarray(pixels), None)
