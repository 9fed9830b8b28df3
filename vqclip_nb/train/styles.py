"""The styles of the training scenes: filters for whole pictures, mentioned in their captions.

Each filter maps pictures [B, 3, S, S] in [0,1] and their random `Grain` to pictures of the same
shape. Sizes are proportional to S, so that a style looks the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.train.grain import LEADING, TILES, Grain

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601


def _luminance(x: Tensor) -> Tensor:
    return (x * x.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _smooth(x: Tensor, radius: int) -> Tensor:
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, 1)


def _edges(x: Tensor) -> Tensor:
    """Gradient magnitude of each channel, [B, 3, S, S], about 0 to 1."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]).square()
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]).square()
    return (across + down).sqrt()


def _cells(x: Tensor, cells: int) -> Tensor:
    """Average the picture in cells x cells squares."""
    return F.interpolate(F.adaptive_avg_pool2d(x, cells), size=x.shape[-2:], mode="nearest")


def pixel_art(x: Tensor, grain: Grain) -> Tensor:
    """Sixteen large pixels per side, with few tones."""
    return (_cells(x, 16) * 5).round() / 5


def line_drawing(x: Tensor, grain: Grain) -> Tensor:
    """Dark lines at edges, on white paper."""
    lines = _smooth(_edges(x).amax(1, keepdim=True), max(1, x.shape[-1] // 96))
    ink = (lines * (2.5 + 1.5 * grain.strength)).clamp(0, 1)
    return (0.98 - 0.9 * ink).expand_as(x)


def black_and_white(x: Tensor, grain: Grain) -> Tensor:
    """Greyscale with increased contrast."""
    grey = _luminance(x)
    return ((grey - 0.5) * (1.1 + 0.3 * grain.strength) + 0.5).clamp(0, 1).expand_as(x)


def sepia(x: Tensor, grain: Grain) -> Tensor:
    """Brown tones of an old photograph."""
    grey = _luminance(x) * 0.9 + 0.06
    tone = x.new_tensor([1.08, 0.88, 0.62]).view(1, 3, 1, 1)
    return (grey * tone).clamp(0, 1)


def watercolour(x: Tensor, grain: Grain) -> Tensor:
    """Pale washes with darker rims, uneven on white paper."""
    wash = _smooth(_smooth(x, max(1, x.shape[-1] // 64)), max(1, x.shape[-1] // 64))
    pale = 1 - (1 - wash) * (0.62 + grain.blotches).clamp(0.25, 0.95)
    rims = _smooth(_edges(wash).amax(1, keepdim=True), 1) * 0.9
    return (pale - rims * (1.05 - wash)).clamp(0, 1)


def neon(x: Tensor, grain: Grain) -> Tensor:
    """Glowing contours in the picture's hues, on near black."""
    lines = _edges(x).amax(1, keepdim=True)
    hue = x - x.amin(1, keepdim=True)
    hue = hue / hue.amax(1, keepdim=True).clamp_min(0.08)
    grey = hue.amax(1, keepdim=True) < 0.5  # grey areas get a random hue
    hue = torch.where(grey, grain.hue, hue)
    light = (lines * 3).clamp(0, 1) * _smooth(hue, 1)
    glow = _smooth(light, max(1, x.shape[-1] // 24))
    return (0.03 + light + 0.8 * glow).clamp(0, 1)


def mosaic(x: Tensor, grain: Grain) -> Tensor:
    """Square tiles in slightly varied colours, with joints between them."""
    size = x.shape[-1]
    tiles = _cells(x, TILES) + 0.07 * grain.tiles
    place = torch.arange(size, device=x.device) % (size / TILES)
    joint = place < size / 100
    joints = (joint[:, None] | joint[None, :])[None, None]
    return torch.where(joints, tiles * 0.5 + 0.35, tiles).clamp(0, 1)


def stained_glass(x: Tensor, grain: Grain) -> Tensor:
    """Irregular panes of saturated colour, with black lead between them and along contours."""
    colours = grain.pane_means(x) * 0.35 + x * 0.65
    grey = _luminance(colours)
    strong = (grey + (colours - grey) * 1.6).clamp(0, 1)
    leading = (grain.between < LEADING) | (_edges(x).amax(1, keepdim=True) > 0.3)
    return torch.where(leading, torch.full_like(x, 0.05), strong)


STYLES: dict[str, Callable[[Tensor, Grain], Tensor]] = {
    "pixel art": pixel_art,
    "line drawing": line_drawing,
    "black and white": black_and_white,
    "sepia": sepia,
    "watercolour": watercolour,
    "neon": neon,
    "mosaic": mosaic,
    "stained glass": stained_glass,
}
COLOURLESS = {"line drawing", "black and white", "sepia", "neon"}  # hide the colours in a caption
