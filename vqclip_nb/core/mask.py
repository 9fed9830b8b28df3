"""Inpainting: the loop paints where the mask is white; elsewhere the initial image shows."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

_PAINTED = 0.02  # a code is free to move if a pixel under it is painted more than this


@dataclass(frozen=True)
class Mask:
    """Where to paint.

    paint: [1, 1, H, W] in [0,1]; 1 is painted, 0 keeps the initial image
    kept: the initial image [1, 3, H, W] in [0,1]
    """

    paint: Tensor
    kept: Tensor

    def compose(self, x: Tensor) -> Tensor:
        """Pictures [B, 3, h, w] of any size over the initial image."""
        size, paint, kept = tuple(x.shape[-2:]), self.paint, self.kept
        if paint.shape[-2:] != size:
            paint, kept = (F.interpolate(each, size, mode="area") for each in (paint, kept))
        return paint * x + (1 - paint) * kept

    def free_codes(self, height: int, width: int) -> Tensor:
        """[1, 1, height, width], true for codes that may move."""
        return F.adaptive_max_pool2d(self.paint, (height, width)) > _PAINTED
