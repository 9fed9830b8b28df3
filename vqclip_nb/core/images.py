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
    """The image [1, C, H, W] at `width` x `height`: cropped centrally to that aspect, then scaled.

    Scaled first, a line of pixels would need gigabytes.
    """
    scale = max(width / x.shape[-1], height / x.shape[-2])
    w, h = (
        min(side, max(1, round(wanted / scale)))
        for side, wanted in ((x.shape[-1], width), (x.shape[-2], height))
    )
    top, left = (x.shape[-2] - h) // 2, (x.shape[-1] - w) // 2
    x = x[..., top : top + h, left : left + w]
    size = height, width
    return F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def squashed(x: Tensor, width: int, height: int) -> Tensor:
    """The image [1, 3, H, W] at `width` x `height`, out of proportion if it has another; Lanczos."""
    image = as_images(x)[0].resize((width, height), Image.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def within_area(x: Tensor, width: int, height: int) -> Tensor:
    """The image [1, 3, H, W] in proportion, at most as many pixels as `width` x `height`; Lanczos."""
    ratio = x.shape[-1] / x.shape[-2]
    area = min(x.shape[-1] * x.shape[-2], width * height)
    across, down = (max(1, round(side)) for side in ((area * ratio) ** 0.5, (area / ratio) ** 0.5))
    return squashed(x, across, down)
