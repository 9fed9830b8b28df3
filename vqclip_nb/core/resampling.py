"""Crops of many sizes by two matrix products.

Cutting, filtering and resizing a square is linear along each axis: a crop is A_y x A_x^T, with
matrices that depend on the square alone. So all crops are one batched product, and so is their
gradient, instead of a chain of small kernels for each crop.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOBES = 2  # of the Lanczos window
_CUBIC = -0.75  # torch's bicubic coefficient


def crops(x: Tensor, boxes: Tensor, size: int, longest: int, *, smooth: bool) -> Tensor:
    """Crops [n, 3, size, size] of one picture [1, 3, H, W].

    boxes: left, top and side [n, 3] in pixels; outside the picture is black
    longest: upper limit of the sides
    smooth: if a crop shrinks, a Lanczos filter (a = 2) with mirrored borders, then bicubic; else
        bilinear; both with aligned corners
    """
    left, top, side = boxes.unbind(1)
    across = matrices(left, side, size, x.shape[-1], longest, smooth=smooth)  # (n, S, W)
    down = matrices(top, side, size, x.shape[-2], longest, smooth=smooth)  # (n, S, H)
    n, channels = len(boxes), x.shape[1]
    rows = down.flatten(0, 1) @ x[0]  # (3, n * S, W)
    cut = rows.view(channels, n, size, -1) @ across.mT  # (3, n, S, S)
    return cut.transpose(0, 1)


def matrices(
    start: Tensor, side: Tensor, size: int, length: int, longest: int, *, smooth: bool
) -> Tensor:
    """Matrices [n, size, length] that resample n segments of a line of `length` pixels.

    start, side: first pixel and number of pixels [n] of each segment; none is longer than `longest`
    """
    step = (side - 1) / max(1, size - 1)
    at = torch.arange(size, device=side.device) * step[:, None]  # (n, S), along the stretch
    whole = at.floor()
    places, weights = _neighbours(whole, at - whole, smooth)  # (n, S, taps)
    last = (side - 1).view(-1, 1, 1)
    places = places.clamp(min=torch.zeros_like(last), max=last)
    if smooth:
        reach = math.ceil(_LOBES * max(1, longest / size))
        taps = _filters(size / side, reach)  # (n, 2 * reach + 1)
        offsets = torch.arange(-reach, reach + 1, device=side.device)
        places = _mirrored((places[..., None] + offsets).flatten(2), last)
        weights = (weights[..., None] * taps[:, None, None]).flatten(2)
    places = places + start.view(-1, 1, 1)
    seen = (places >= 0) & (places < length)
    dense = weights.new_zeros(len(side), size, length)
    return dense.scatter_add_(2, places.clamp(0, length - 1), weights * seen)


def _neighbours(whole: Tensor, part: Tensor, smooth: bool) -> tuple[Tensor, Tensor]:
    """The pixels around each sample, and their weights."""
    offsets = torch.arange(-1 if smooth else 0, 3 if smooth else 2, device=whole.device)
    away = (part[..., None] - offsets).abs()
    places = whole[..., None].long() + offsets
    if not smooth:
        return places, 1 - away
    near = ((_CUBIC + 2) * away - (_CUBIC + 3)) * away**2 + 1
    far = ((_CUBIC * away - 5 * _CUBIC) * away + 8 * _CUBIC) * away - 4 * _CUBIC
    return places, torch.where(away <= 1, near, far)


def _filters(ratio: Tensor, reach: int) -> Tensor:
    """Lanczos taps [n, 2 reach + 1], each summing to 1, for lines scaled by `ratio` [n].

    Lines that do not shrink are not filtered.
    """
    at = torch.arange(-reach, reach + 1, device=ratio.device) * ratio.clamp(max=1)[:, None]
    taps = torch.where(at.abs() < _LOBES, at.sinc() * (at / _LOBES).sinc(), torch.zeros_like(at))
    taps = torch.where(ratio[:, None] < 1, taps, (at == 0).to(taps))
    return taps / taps.sum(1, keepdim=True)


def _mirrored(places: Tensor, last: Tensor) -> Tensor:
    """Positions reflected at the first and the last pixel."""
    places = places.abs()
    return torch.where(places > last, 2 * last - places, places)
