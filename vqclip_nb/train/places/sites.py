"""The regions that a painter of a place returns."""

from __future__ import annotations

from dataclasses import dataclass

from vqclip_nb.models.draft.place import Region


@dataclass(frozen=True)
class Sites:
    """What a painter of a place says of its regions."""

    horizon: float
    stand: Region | None = None
    afloat: Region | None = None
    fly: Region | None = None
    swim: Region | None = None


def ground_region(
    top: float, bottom: float, horizon: float, left: float = 0.0, right: float = 1.0
) -> Region:
    """A region on the ground in perspective: sizes are as the distances below the horizon."""
    front = 0.97 - horizon
    sizes = [max((y - horizon) / front, 0.12) for y in (top, bottom)]
    return Region(left, right, top, bottom, *sizes)


def air_region(skyline: float) -> Region:
    return Region(0.0, 1.0, 0.04, max(skyline - 0.05, 0.12), 0.7, 0.5)
