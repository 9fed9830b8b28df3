"""How things move between two frames of a film, by matching small windows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SIDE = 96  # pixels of the shorter side at which windows are matched
_REACH = 6  # pixels at that size that a thing may move in a frame
_WINDOW = 9
_STILL = 2e-3  # cost of a pixel of motion, so that plain areas stay where they are


def motion(before: Tensor, after: Tensor) -> Tensor:
    """Where each pixel of `after` was in `before`, relative to its place: [1, 2, H, W], in pixels.

    before, after: frames [1, 3, H, W] in [0,1]

    The first channel is to the right, the second down. Each window of `after` is compared with all
    places nearby in `before`; the one with the smallest mean absolute difference counts.
    """
    height, width = after.shape[-2:]
    scale = min(1.0, _SIDE / min(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    old, new = (F.interpolate(x, size, mode="area") for x in (before, after))
    around = F.pad(old, [_REACH] * 4, "replicate")
    shifts = [(x, y) for y in range(2 * _REACH + 1) for x in range(2 * _REACH + 1)]
    costs = []
    for x, y in shifts:
        difference = (around[..., y : y + size[0], x : x + size[1]] - new).abs().mean(1, True)
        mean = F.avg_pool2d(difference, _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
        costs.append(mean + _STILL * ((x - _REACH) ** 2 + (y - _REACH) ** 2) ** 0.5)
    chosen = torch.cat(costs, 1).argmin(1)  # (1, h, w)
    found = torch.tensor(shifts, dtype=after.dtype, device=after.device)[chosen] - _REACH
    found = F.avg_pool2d(found.permute(0, 3, 1, 2), 3, 1, 1, count_include_pad=False)
    large = F.interpolate(found, (height, width), mode="bilinear", align_corners=False)
    return large * torch.tensor([width / size[1], height / size[0]]).to(large).view(1, 2, 1, 1)


def follow(x: Tensor, moved: Tensor) -> Tensor:
    """An earlier frame [1, C, H, W], or what belongs to it, carried along by a `motion`."""
    height, width = x.shape[-2:]
    down, across = torch.meshgrid(
        torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij"
    )
    place = torch.stack([across, down])[None] + moved  # (1, 2, H, W)
    sides = torch.tensor([width, height]).to(place).view(1, 2, 1, 1)
    grid = ((2 * place + 1) / sides - 1).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, "bilinear", "border", False)
