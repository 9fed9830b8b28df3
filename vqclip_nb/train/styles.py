"""Styles that a prompt's extras can ask for: filters over a whole picture, named in its caption.

Each takes pictures [B, 3, S, S] in [0,1] and a generator of random numbers, and gives pictures of
the same shape. Sizes are shares of S, so that a style looks alike at every size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601


def _luminance(x: Tensor) -> Tensor:
    return (x * x.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _uniform(x: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """One random number for each picture, [B, 1, 1, 1]."""
    return low + (high - low) * torch.rand(len(x), 1, 1, 1, generator=generator).to(x.device)


def _smooth(x: Tensor, radius: int) -> Tensor:
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, 1)


def _edges(x: Tensor) -> Tensor:
    """How fast each channel changes, [B, 3, S, S], about 0 to 1."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]).square()
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]).square()
    return (across + down).sqrt()


def _cells(x: Tensor, cells: int) -> Tensor:
    """The mean colour of each of cells x cells squares."""
    return F.interpolate(F.adaptive_avg_pool2d(x, cells), size=x.shape[-2:], mode="nearest")


def _noise(x: Tensor, cells: int, generator: torch.Generator) -> Tensor:
    """Smooth random numbers around 0, [B, 1, S, S]."""
    coarse = torch.randn(len(x), 1, cells, cells, generator=generator).to(x.device)
    return F.interpolate(coarse, size=x.shape[-2:], mode="bicubic", align_corners=False)


def pixel_art(x: Tensor, generator: torch.Generator) -> Tensor:
    """Sixteen big pixels a side, of few tones."""
    return (_cells(x, 16) * 5).round() / 5


def line_drawing(x: Tensor, generator: torch.Generator) -> Tensor:
    """Dark lines where colours change, on white paper."""
    lines = _smooth(_edges(x).amax(1, keepdim=True), max(1, x.shape[-1] // 96))
    ink = (lines * _uniform(x, 2.5, 4.0, generator)).clamp(0, 1)
    return (0.98 - 0.9 * ink).expand_as(x)


def black_and_white(x: Tensor, generator: torch.Generator) -> Tensor:
    """Greys with some more contrast."""
    grey = _luminance(x)
    return ((grey - 0.5) * _uniform(x, 1.1, 1.4, generator) + 0.5).clamp(0, 1).expand_as(x)


def sepia(x: Tensor, generator: torch.Generator) -> Tensor:
    """Brown tones of an old photograph."""
    grey = _luminance(x) * 0.9 + 0.06
    tone = x.new_tensor([1.08, 0.88, 0.62]).view(1, 3, 1, 1)
    return (grey * tone).clamp(0, 1)


def watercolour(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pale washes with darker rims, uneven on white paper."""
    wash = _smooth(_smooth(x, max(1, x.shape[-1] // 64)), max(1, x.shape[-1] // 64))
    blotches = _noise(x, 6, generator) * 0.12 + _noise(x, 20, generator) * 0.06
    pale = 1 - (1 - wash) * (0.62 + blotches).clamp(0.25, 0.95)
    rims = _smooth(_edges(wash).amax(1, keepdim=True), 1) * 0.9
    return (pale - rims * (1.05 - wash)).clamp(0, 1)


def neon(x: Tensor, generator: torch.Generator) -> Tensor:
    """Glowing contours in the picture's own hues on near black."""
    lines = _edges(x).amax(1, keepdim=True)
    hue = x - x.amin(1, keepdim=True)
    hue = hue / hue.amax(1, keepdim=True).clamp_min(0.08)
    grey = hue.amax(1, keepdim=True) < 0.5  # a picture without hue glows in one drawn at random
    drawn = torch.rand(len(x), 3, 1, 1, generator=generator).to(x.device)
    hue = torch.where(grey, drawn / drawn.amax(1, keepdim=True), hue)
    light = (lines * 3).clamp(0, 1) * _smooth(hue, 1)
    glow = _smooth(light, max(1, x.shape[-1] // 24))
    return (0.03 + light + 0.8 * glow).clamp(0, 1)


def mosaic(x: Tensor, generator: torch.Generator) -> Tensor:
    """Square tiles of one colour, each a little off, with joints between them."""
    cells, size = 16, x.shape[-1]  # as the codes of a picture of 128x128: a tile each
    tiles = _cells(x, cells)
    offset = torch.randn(len(x), 1, cells, cells, generator=generator).to(x.device) * 0.07
    tiles = tiles + F.interpolate(offset, size=(size, size), mode="nearest")
    place = torch.arange(size, device=x.device) * cells / size % 1 * size / cells
    joint = place < size / 100
    joints = (joint[:, None] | joint[None, :])[None, None]
    return torch.where(joints, tiles * 0.5 + 0.35, tiles).clamp(0, 1)


def stained_glass(x: Tensor, generator: torch.Generator) -> Tensor:
    """Irregular panes of strong colour, leaded in black, also along the contours."""
    size, panes = x.shape[-1], 48
    seeds = torch.rand(len(x), panes, 2, generator=generator).to(x.device)  # (B, P, 2)
    axis = (torch.arange(size, device=x.device) + 0.5) / size
    points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).view(1, -1, 2)
    nearest = torch.cdist(points.expand(len(x), -1, -1), seeds).topk(2, largest=False)
    owner = nearest.indices[..., 0]  # (B, S*S)
    flat = x.flatten(2)  # (B, 3, S*S)
    index = owner[:, None].expand_as(flat)
    total = torch.zeros(len(x), 3, panes, device=x.device).scatter_add_(2, index, flat)
    count = torch.zeros(len(x), 1, panes, device=x.device)
    count.scatter_add_(2, owner[:, None], torch.ones_like(flat[:, :1]))
    colours = (total / count.clamp_min(1)).gather(2, index).view_as(x) * 0.35 + x * 0.65
    grey = _luminance(colours)
    strong = (grey + (colours - grey) * 1.6).clamp(0, 1)
    between = (nearest.values[..., 1] - nearest.values[..., 0]).view(len(x), 1, size, size)
    leading = (between < 0.016) | (_edges(x).amax(1, keepdim=True) > 0.3)
    return torch.where(leading, torch.full_like(x, 0.05), strong)


STYLES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "pixel art": pixel_art,
    "line drawing": line_drawing,
    "black and white": black_and_white,
    "sepia": sepia,
    "watercolour": watercolour,
    "neon": neon,
    "mosaic": mosaic,
    "stained glass": stained_glass,
}
COLOURLESS = {"line drawing", "black and white", "sepia", "neon"}  # named colours are not seen
