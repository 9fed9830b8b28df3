"""Forty-eight things, drawn by two artists, which the lessons show to the embedded CLIP.

It was trained on the drawings of one artist (Fluent Emoji), but not on those of the other
(Twemoji); `tiny/LICENSES.md` names both. `vqclip_nb.train.lesson_drawings` writes the files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vqclip_nb.storage.images import load_picture
from vqclip_nb.train.lesson_drawings import COLUMNS, NAMES, SEEN, SIDE, UNSEEN

_FOLDER = Path(__file__).parents[1] / "models" / "tiny"


@dataclass(frozen=True)
class Drawings:
    """names: what each drawing shows, e.g. "fox"; seen, unseen: [48, 3, 64, 64] in [0,1], on white."""

    names: list[str]
    seen: Tensor
    unseen: Tensor


def load_drawings() -> Drawings:
    """Load the drawings that come with the embedded models."""
    names = json.loads((_FOLDER / NAMES).read_text(encoding="utf-8"))
    return Drawings(names, _cut(_FOLDER / SEEN), _cut(_FOLDER / UNSEEN))


def _cut(sheet: Path) -> Tensor:
    """Cut a sheet into its drawings, row by row."""
    x = load_picture(str(sheet))[0]  # (3, rows * S, columns * S)
    x = x.unflatten(2, (COLUMNS, SIDE)).unflatten(1, (-1, SIDE))  # (3, rows, S, columns, S)
    return x.permute(1, 3, 0, 2, 4).reshape(-1, 3, SIDE, SIDE)
