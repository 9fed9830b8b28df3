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

from vqclip_nb.models.draft.things import all_things
from vqclip_nb.pictures import as_png
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.compositions import Drawings

COUNT, COLUMNS, SIDE = 48, 8, 64  # drawings, drawings per row, pixels per side
NAMES, SEEN, UNSEEN = "drawings.json", "drawings_seen.png", "drawings_unseen.png"
_SEEN, _UNSEEN = "@iconify-json/fluent-emoji-flat", "@iconify-json/twemoji"


def write_drawings(seen: Drawings, unseen: Drawings, folder: Path, seed: int = 0) -> None:
    """Write two sheets of `COUNT` drawings each, and their names, to `folder`."""
    first, second = _drawing_of(seen, _SEEN), _drawing_of(unseen, _UNSEEN)
    both = sorted(name for name in first if name in second and " " not in name)
    order = torch.randperm(len(both), generator=torch.Generator().manual_seed(seed))
    names = [both[index] for index in order[:COUNT].tolist()]
    write_file(folder / NAMES, json.dumps(names).encode())
    for file, drawings in ((SEEN, first), (UNSEEN, second)):
        write_file(folder / file, _sheet(torch.stack([drawings[name] for name in names])))


def _drawing_of(drawings: Drawings, source: str) -> dict[str, Tensor]:
    """The drawing of each thing by one artist, premultiplied uint8 [4, S, S], by name."""
    found: dict[str, Tensor] = {}
    chosen = drawings.of_sources([source])
    for thing, picture in zip(chosen.thing.tolist(), chosen.pictures, strict=True):
        if all_things()[thing].part == "whole":
            found[all_things()[thing].name] = torch.from_numpy(picture).permute(2, 0, 1)
    return found


def _sheet(drawings: Tensor) -> bytes:
    """Drawings [n, 4, S, S], premultiplied, as one PNG, on white with a margin of a sixteenth."""
    x = drawings.float() / 255
    x = x[:, :3] + 1 - x[:, 3:]
    margin = x.shape[-1] // 16
    x = F.pad(x, [margin] * 4, value=1.0)
    x = F.interpolate(x, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
    rows = x.unflatten(0, (-1, COLUMNS)).permute(0, 3, 1, 4, 2)  # (rows, S, columns, S, 3)
    pixels = (rows.reshape(-1, COLUMNS * SIDE, 3) * 255).round().byte().numpy()
    return as_png(Image.fromarray(pixels), None)
