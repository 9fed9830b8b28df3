"""Image tensors as pixels and pictures."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def to_bytes(x: Tensor) -> Tensor:
    """Images [B, 3, H, W] in [0,1] to uint8 [B, H, W, 3], on the same device."""
    scaled = x.detach().mul(255).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous()


def to_pixels(x: Tensor) -> np.ndarray:
    """Images [B, 3, H, W] in [0,1] to uint8 [B, H, W, 3]."""
    return to_bytes(x).cpu().numpy()


def as_images(x: Tensor) -> list[Image.Image]:
    """Images [B, 3, H, W] in [0,1] as PIL's."""
    return [Image.fromarray(item) for item in to_pixels(x)]


def fitted(x: Tensor, width: int, height: int) -> Tensor:
    """The image [1, C, H, W] at `width` x `height`: scaled to cover that, then cropped centrally."""
    scale = max(width / x.shape[-1], height / x.shape[-2])
    size = max(height, round(x.shape[-2] * scale)), max(width, round(x.shape[-1] * scale))
    x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return x[..., top : top + height, left : left + width]
