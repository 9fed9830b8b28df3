"""Images as tensors: conversion to bytes, and cropping to a size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def to_bytes(x: Tensor) -> Tensor:
    """Images [B, 3, H, W] in [0,1] to uint8 [B, H, W, 3], on the same device."""
    scaled = x.detach().mul(255).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous()


def fitted(x: Tensor, width: int, height: int) -> Tensor:
    """The largest centre crop of an image [1, C, H, W] with this aspect, at `width` x `height`."""
    scale = max(width / x.shape[-1], height / x.shape[-2])
    size = max(height, round(x.shape[-2] * scale)), max(width, round(x.shape[-1] * scale))
    x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return x[..., top : top + height, left : left + width]
