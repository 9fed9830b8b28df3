"""Image tensors as pixels and pictures, and sheets of many pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
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


def contact_sheet(
    images: Sequence[Image.Image],
    captions: Sequence[str] | None = None,
    *,
    columns: int = 6,
    gap: int = 8,
) -> Image.Image:
    """Pictures of one size in rows of `columns`, each with its caption below, on white."""
    if not images:
        raise ValueError("A contact sheet needs at least one picture.")
    width, height = images[0].size
    font = ImageFont.load_default(max(11, width // 11))
    lines = [_wrapped(caption, font, width) for caption in captions or []]
    line_height = sum(font.getmetrics()) + 1
    text_height = max((len(text) for text in lines), default=0) * line_height
    rows = -(-len(images) // columns)
    cell = (width + gap, height + text_height + gap)
    sheet = Image.new("RGB", (columns * cell[0] + gap, rows * cell[1] + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        x, y = gap + index % columns * cell[0], gap + index // columns * cell[1]
        sheet.paste(image, (x, y))
        for number, line in enumerate(lines[index] if lines else []):
            pen.text((x, y + height + number * line_height), line, fill="black", font=font)
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines that fit the width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
