"""Augmentations of a batch of crops: drawn first, then applied as pure functions of the crops.

Each is named after the augmentation of kornia that the public notebooks use. A function such as
`affine` draws the random numbers; the object it returns applies them to crops [n, 3, S, S] in [0,1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)
# YIQ, in which hue is an angle and saturation a length (NTSC, 1953)
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


@dataclass(frozen=True)
class Warp:
    """A projective map of the crop's frame: matrix [n, 3, 3] from output to input coordinates, in
    [-1,1]; padding as `grid_sample` has it."""

    matrix: Tensor
    padding: str = "zeros"

    def apply(self, x: Tensor) -> Tensor:
        """One bilinear sampling."""
        height, width = x.shape[-2:]
        ys = (torch.arange(height, device=x.device).view(-1, 1) * 2 + 1) / height - 1
        xs = (torch.arange(width, device=x.device) * 2 + 1) / width - 1
        across, down, shift = self.matrix[..., None, None].unbind(2)  # (n, 3, 1, 1) each
        seen = torch.addcmul(down * ys + shift, across, xs)  # (n, 3, H, W), homogeneous
        grid = (seen[:, :2] / seen[:, 2:]).permute(0, 2, 3, 1)
        return F.grid_sample(x, grid, padding_mode=self.padding, align_corners=False)


@dataclass(frozen=True)
class Jitter:
    """Colour: matrix [n, 3, 3] on RGB, and contrast [n] about each crop's mean luminance."""

    matrix: Tensor
    contrast: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """One matrix product, since all of it is linear in the colours; clamped to [0,1]."""
        contrast = self.contrast.view(-1, 1, 1)
        red, green, blue = self.matrix.unbind(1)
        luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue  # (n, 3), of a colour of x
        mean = (luma * x.mean((2, 3))).sum(1).view(-1, 1, 1)
        y = torch.baddbmm((1 - contrast) * mean, contrast * self.matrix, x.flatten(2))
        return y.view_as(x).clamp(0, 1)


@dataclass(frozen=True)
class Sharpen:
    """Adds `amount` [n] times the difference from a 3 x 3 mean."""

    amount: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Clamped to [0,1]."""
        blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        return (x + self.amount.view(-1, 1, 1, 1) * (x - blurred)).clamp(0, 1)


@dataclass(frozen=True)
class Erase:
    """Black rectangles: left, top, right, bottom [n, 4] as shares of the frame."""

    box: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Blacks out pixels whose centre lies inside."""
        height, width = x.shape[-2:]
        ys = ((torch.arange(height, device=x.device) + 0.5) / height).view(1, 1, -1, 1)
        xs = ((torch.arange(width, device=x.device) + 0.5) / width).view(1, 1, 1, -1)
        left, top, right, bottom = self.box.view(-1, 4, 1, 1, 1).unbind(1)
        inside = (xs >= left) & (xs < right) & (ys >= top) & (ys < bottom)
        return x * (~inside).to(x.dtype)


@dataclass(frozen=True)
class Chances:
    """Random numbers for the n crops of one picture."""

    generator: torch.Generator
    n: int

    def uniform(self, low: float, high: float) -> Tensor:
        """[n] uniform numbers."""
        return low + (high - low) * torch.rand(self.n, generator=self.generator)

    def coin(self, chance: float) -> Tensor:
        """[n] booleans, true with probability `chance`."""
        return torch.rand(self.n, generator=self.generator) < chance


def _eye(n: int) -> Tensor:
    return torch.eye(3).repeat(n, 1, 1)


def flip(draw: Chances, strength: float, chance: float = 0.5) -> Warp:
    """Mirrored left to right with probability `chance * strength`."""
    matrix = _eye(draw.n)
    matrix[:, 0, 0] = torch.where(draw.coin(chance * strength), -1.0, 1.0)
    return Warp(matrix)


def affine(
    draw: Chances,
    degrees: float,
    chance: float = 0.7,
    *,
    translate: float = 0.1,
    shear: float = 0.0,
    padding: str = "zeros",
) -> Warp:
    """Rotated by up to `degrees`, moved by up to `translate` of the side, sheared by up to `shear`
    degrees."""
    angle = torch.deg2rad(draw.uniform(-degrees, degrees))
    slant = torch.deg2rad(draw.uniform(-shear, shear)).tan()
    cos, sin = angle.cos(), angle.sin()
    matrix = _eye(draw.n)
    matrix[:, 0, 0], matrix[:, 0, 1] = cos, cos * slant - sin
    matrix[:, 1, 0], matrix[:, 1, 1] = sin, sin * slant + cos
    matrix[:, 0, 2] = draw.uniform(-2 * translate, 2 * translate)
    matrix[:, 1, 2] = draw.uniform(-2 * translate, 2 * translate)
    return Warp(_chosen(draw, chance, matrix), padding)


def perspective(draw: Chances, strength: float, chance: float = 0.7) -> Warp:
    """Each corner moved inwards by up to `strength` of the half side."""
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    inwards = torch.rand(draw.n, 4, 2, generator=draw.generator) * strength * -corners
    return Warp(_chosen(draw, chance, _through(corners + inwards, corners)))


def jitter(
    draw: Chances,
    strength: float,
    chance: float = 0.7,
    *,
    light: bool = True,
) -> Jitter:
    """Brightness, contrast, saturation and hue, each by up to `strength`; hue in turns.

    light: whether brightness and contrast change too
    """
    span = strength if light else 0.0
    bright, contrast = draw.uniform(1 - span, 1 + span), draw.uniform(1 - span, 1 + span)
    saturation = draw.uniform(1 - strength, 1 + strength)
    turn = draw.uniform(-strength, strength) * 2 * math.pi
    yiq = torch.tensor(_YIQ)
    rotation = _eye(draw.n)
    rotation[:, 1, 1] = rotation[:, 2, 2] = turn.cos() * saturation
    rotation[:, 1, 2], rotation[:, 2, 1] = -turn.sin() * saturation, turn.sin() * saturation
    matrix = torch.linalg.inv(yiq) @ rotation @ yiq * bright.view(-1, 1, 1)
    chosen = draw.coin(chance)
    matrix = torch.where(chosen.view(-1, 1, 1), matrix, _eye(draw.n))
    return Jitter(matrix, torch.where(chosen, contrast, torch.ones(draw.n)))


def sharpen(draw: Chances, strength: float, chance: float = 0.5) -> Sharpen:
    """Sharpened by `strength`."""
    return Sharpen(strength * draw.coin(chance).float())


def erase(draw: Chances, strength: float, chance: float = 0.7) -> Erase:
    """One rectangle for all crops: 0.1 to `strength` of the area, aspect ratio 0.3 to 1 / 0.3."""
    area, ratio, x, y, coin = torch.rand(5, generator=draw.generator).tolist()
    area = 0.1 + max(0.0, strength - 0.1) * area
    stretch = math.exp((2 * ratio - 1) * math.log(1 / 0.3) / 2)
    width, height = min(1.0, area**0.5 * stretch), min(1.0, area**0.5 / stretch)
    left, top = x * (1 - width), y * (1 - height)
    box = torch.tensor([left, top, left + width, top + height]) if coin < chance else torch.zeros(4)
    return Erase(box.repeat(draw.n, 1))


def _chosen(draw: Chances, chance: float, matrix: Tensor) -> Tensor:
    """The matrix for a share `chance` of the crops, the identity for the others."""
    return torch.where(draw.coin(chance).view(-1, 1, 1), matrix, _eye(draw.n))


def _through(start: Tensor, end: Tensor) -> Tensor:
    """Projective maps [n, 3, 3] that take the four points `end` [4, 2] to `start` [n, 4, 2]."""
    n = len(start)
    x, y = end.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows = []
    for u, v in ((start[..., 0], None), (start[..., 1], True)):
        base = (zero, zero, zero, x, y, one) if v else (x, y, one, zero, zero, zero)
        left = torch.stack(base, -1).expand(n, 4, 6)
        right = -u[..., None] * torch.stack([x, y], -1)
        rows.append(torch.cat([left, right], -1))
    system = torch.cat(rows, 1)  # (n, 8, 8)
    wanted = torch.cat([start[..., 0], start[..., 1]], 1)
    solved = torch.linalg.solve(system, wanted)
    return torch.cat([solved, torch.ones(n, 1)], 1).view(n, 3, 3)


AUGMENTS: dict[str, Callable[[Chances, float], object]] = {
    "flip": flip,
    "affine": affine,
    "perspective": perspective,
    "jitter": jitter,
    "sharpen": sharpen,
    "erase": erase,
}
