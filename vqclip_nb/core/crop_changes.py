"""What augmentations do to crops: pure functions of crops [n, 3, S, S] in [0,1].

Each object holds the numbers that were drawn for n crops; the same object serves crops of any side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Warp:
    """A projective map of the frame: matrix [n, 3, 3] from output to input coordinates, in [-1,1];
    padding and mode as `grid_sample` has them."""

    matrix: Tensor
    padding: str = "zeros"
    mode: str = "bilinear"

    def apply(self, x: Tensor) -> Tensor:
        """One sampling."""
        ys, xs = _places(x)
        across, down, shift = self.matrix[..., None, None].unbind(2)  # (n, 3, 1, 1) each
        seen = torch.addcmul(down * ys + shift, across, xs)  # (n, 3, H, W), homogeneous
        return _sampled(x, seen[:, :2] / seen[:, 2:], self.padding, self.mode)


@dataclass(frozen=True)
class Bend:
    """Each pixel is taken from a place beside it: offsets [n, 2, S, S] across and down, where the
    frame is 2 wide; black outside."""

    offsets: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """One bilinear sampling."""
        offsets, size = self.offsets, x.shape[-2:]
        if offsets.shape[-2:] != size:
            offsets = F.interpolate(offsets, size, mode="bilinear", align_corners=False)
        ys, xs = _places(x)
        seen = offsets + torch.stack(torch.broadcast_tensors(xs, ys))
        return _sampled(x, seen.expand(len(x), -1, -1, -1))


@dataclass(frozen=True)
class Jitter:
    """Colour: brightness, contrast, saturation and hue in turns, each [n]; chosen: which crops.

    In torchvision's formulas and in this order. The first three steps commute except where they
    clamp.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    chosen: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Each step clamps to [0,1]."""
        brightness, contrast, saturation, hue = (
            factor.view(-1, 1, 1, 1)
            for factor in (self.brightness, self.contrast, self.saturation, self.hue)
        )
        y = (x.clamp(0, 1) * brightness).clamp(0, 1)
        mean = _grey(y).mean((2, 3), keepdim=True)
        y = (mean + (y - mean) * contrast).clamp(0, 1)
        grey = _grey(y)
        y = (grey + (y - grey) * saturation).clamp(0, 1)
        return _if(self.chosen, _turned(y, hue).clamp(0, 1), x)


@dataclass(frozen=True)
class Sharpness:
    """Blends with a 3 x 3 blur: factor [n], 0 the blur, 1 the crop, above 1 sharper; chosen: which
    crops."""

    factor: Tensor
    chosen: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Clamped to [0,1]; a border of one pixel stays."""
        y = x.clamp(0, 1)
        # the kernel of Pillow's SMOOTH: 5 in the middle, 1 around it, over 13
        blurred = (9 * F.avg_pool2d(y, 3, 1) + 4 * y[..., 1:-1, 1:-1]) / 13
        inside = F.pad(blurred - y[..., 1:-1, 1:-1], (1, 1, 1, 1))
        return _if(self.chosen, (y + (1 - self.factor.view(-1, 1, 1, 1)) * inside).clamp(0, 1), x)


@dataclass(frozen=True)
class Erase:
    """Black rectangles: left, top, right, bottom [n, 4] as shares of the frame."""

    box: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Blacks out pixels whose centre lies inside."""
        ys, xs = ((place + 1) / 2 for place in _places(x))
        left, top, right, bottom = self.box.view(-1, 4, 1, 1, 1).unbind(1)
        inside = (xs >= left) & (xs < right) & (ys >= top) & (ys < bottom)
        return x * (~inside).to(x.dtype)


@dataclass(frozen=True)
class Speckle:
    """Adds noise [n, 3, S, S], of which smaller crops use a corner."""

    noise: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Not clamped."""
        return x + self.noise[..., : x.shape[-2], : x.shape[-1]]


def _places(x: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels' centres down [H, 1] and across [W], in [-1,1]."""
    height, width = x.shape[-2:]
    ys = (torch.arange(height, device=x.device).view(-1, 1) * 2 + 1) / height - 1
    xs = (torch.arange(width, device=x.device) * 2 + 1) / width - 1
    return ys, xs


def _sampled(x: Tensor, seen: Tensor, padding: str = "zeros", mode: str = "bilinear") -> Tensor:
    """x [n, 3, H, W] at the places `seen` [n, 2, H, W]."""
    grid = seen.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=False)


def _if(chosen: Tensor, changed: Tensor, x: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, 1, 1, 1), changed, x)


def _grey(x: Tensor) -> Tensor:
    red, green, blue = x.split(1, 1)
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def _turned(x: Tensor, hue: Tensor) -> Tensor:
    """Hues turned by `hue` [n, 1, 1, 1] turns; value and chroma stay (HSV; Smith 1978)."""
    red, green, blue = x.split(1, 1)
    value = x.amax(1, keepdim=True)
    chroma = value - x.amin(1, keepdim=True)
    divisor = torch.where(chroma == 0, 1, chroma)  # grey has no hue, and needs a finite gradient
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    channels = []
    for start in (5, 3, 1):  # in sixths of a turn: where red, green and blue begin to fall
        fall = (start + sector + 6 * hue).remainder(6)
        channels.append(value - chroma * torch.minimum(fall, 4 - fall).clamp(0, 1))
    return torch.cat(channels, 1)
