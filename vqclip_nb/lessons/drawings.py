"""Forty-eight things, drawn by two artists: what the lessons show to the embedded critic.

It has learned from the drawings of the one (Fluent Emoji) and has never seen those of the other
(Twemoji); `tiny/LICENSES.md` names both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vqclip_nb.storage.images import load_picture

COUNT, COLUMNS, SIDE = 48, 8, 64
NAMES, SEEN, UNSEEN = "drawings.json", "drawings_seen.png", "drawings_unseen.png"
_FOLDER = Path(__file__).parents[1] / "models" / "tiny"


@dataclass(frozen=True)
class Drawings:
    """names: what each shows, e.g. "fox"; seen, unseen: [48, 3, 64, 64] in [0,1], on white."""

    names: list[str]
    seen: Tensor
    unseen: Tensor


def load_drawings() -> Drawings:
    """The drawings that come with the embedded pair."""
    names = json.loads((_FOLDER / NAMES).read_text(encoding="utf-8"))
    return Drawings(names, _cut(_FOLDER / SEEN), _cut(_FOLDER / UNSEEN))


def _cut(sheet: Path) -> Tensor:
    """The drawings of a sheet, row by row."""
    x = load_picture(str(sheet))[0]  # (3, rows * S, columns * S)
    x = x.unflatten(2, (COLUMNS, SIDE)).unflatten(1, (-1, SIDE))  # (3, rows, S, columns, S)
    return x.permute(1, 3, 0, 2, 4).reshape(-1, 3, SIDE, SIDE)
