"""Random augmentations of a batch of crops, drawn apart from their use.

Each is named after the augmentation of kornia (0.9) that the public notebooks use, and draws what
that one draws. The function draws; the object it returns, of `crop_changes`, is a pure function of
the crops.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.crop_changes import Bend, Erase, Jitter, Sharpness, Speckle, Warp

_CPU = torch.device("cpu")
_TRIES = 10  # sizes that `crop` draws to find one that fits


@dataclass(frozen=True)
class Chances:
    """Random numbers for the n crops, `size` pixels wide, of one picture.

    device: of numbers that are drawn for each pixel
    """

    generator: torch.Generator
    n: int
    size: int
    device: torch.device = _CPU

    def uniform(self, low: float, high: float, *more: int) -> Tensor:
        """[n, ...] uniform numbers."""
        return low + (high - low) * torch.rand(self.n, *more, generator=self.generator)

    def coin(self, chance: float) -> Tensor:
        """[n] booleans, true with probability `chance`."""
        return torch.rand(self.n, generator=self.generator) < chance

    def common(self, chance: float) -> Tensor:
        """[n] booleans, all true with probability `chance`."""
        return (torch.rand(1, generator=self.generator) < chance).expand(self.n)


def on_device(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """A generator for a number for each pixel: a GPU draws them itself, seeded by `generator`."""
    if device.type != "cuda":
        return generator
    seed = torch.randint(2**62, (), generator=generator)
    return torch.Generator(device).manual_seed(int(seed))


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
    """Sheared by up to `shear` degrees, rotated by up to `degrees`, then moved up or down by up to
    `translate` of the side.

    Not moved sideways: kornia reads one number as the range (0, `translate`) of the two axes.
    """
    angle, slant = (torch.deg2rad(draw.uniform(-most, most)) for most in (degrees, shear))
    down = draw.uniform(-2 * translate, 2 * translate)
    matrix = placed(angle, torch.zeros(draw.n), down, slant)
    return Warp(_chosen(draw, chance, matrix), padding)


def rotate(draw: Chances, degrees: float, chance: float = 0.7) -> Warp:
    """Rotated by up to `degrees`."""
    angle, zero = torch.deg2rad(draw.uniform(-degrees, degrees)), torch.zeros(draw.n)
    return Warp(_chosen(draw, chance, placed(angle, zero, zero)))


def perspective(draw: Chances, strength: float, chance: float = 0.7) -> Warp:
    """Shrunk into a quadrangle: each corner moves inwards by up to `strength` of the half side."""
    frame = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = frame * (1 - 1 / draw.size)  # centres of the corner pixels
    moved = corners - frame * strength * draw.uniform(0, 1, 4, 2)
    return Warp(_chosen(draw, chance, through(corners.expand(draw.n, -1, -1), moved)))


def crop(draw: Chances, smallest: float, chance: float = 0.5) -> Warp:
    """Cut to `smallest` to 1 of the area and resized; all crops or none.

    The ratio of width to height is 0.75 to 1.333.
    """
    size = draw.size
    area = draw.uniform(min(1.0, smallest), 1, _TRIES) * size**2
    ratio = draw.uniform(math.log(0.75), math.log(1.333), _TRIES).exp()
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()]).round()  # (2, n, tries)
    fits = ((sides >= 1) & (sides <= size)).all(0)
    first = fits.int().argmax(1).view(1, -1, 1).expand(2, -1, 1)
    sides = sides.gather(2, first)[..., 0]  # (2, n)
    sides = torch.where(fits.any(1), sides, size).T  # (n, 2)
    start = (draw.uniform(0, 1, 2) * (size - sides + 1)).floor()
    # the corner pixels' centres go to those of the cut
    scale = (sides - 1) / max(1, size - 1)
    shift = (2 * start + sides - size) / size
    matrix = _eye(draw.n)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :2, 2] = scale[:, 0], scale[:, 1], shift
    return Warp(torch.where(draw.common(chance).view(-1, 1, 1), matrix, _eye(draw.n)))


def elastic(draw: Chances, strength: float, chance: float = 0.7) -> Bend:
    """Rippled by smoothed noise, up to `strength` of the half side before it is smoothed.

    The filter is Gaussian, with a deviation of 32 pixels in a window of 63.
    """
    generator = on_device(draw.generator, draw.device)
    shape, place = (draw.n * 2, 1, draw.size, draw.size), generator.device
    noise = 2 * torch.rand(shape, generator=generator, device=place) - 1
    taps = (-(torch.arange(-31.0, 32.0, device=place) / 32).square() / 2).exp()
    taps = (taps / taps.sum()).view(1, 1, 1, -1)
    smooth = F.conv2d(F.conv2d(noise, taps, padding=(0, 31)), taps.mT, padding=(31, 0))
    chosen = (strength * draw.coin(chance)).view(-1, 1, 1, 1).to(place)
    return Bend(chosen * smooth.view(draw.n, 2, draw.size, draw.size))


def spline(draw: Chances, strength: float, chance: float = 0.7) -> Bend:
    """Bent like a thin plate that is held at its corners and in the middle; all crops alike.

    Each of the five points moves by up to `strength` of the half side, across and down.
    """
    held = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    moved = held + strength * (2 * torch.rand(5, 2, generator=draw.generator) - 1)
    line = (torch.arange(draw.size) * 2 + 1) / draw.size - 1
    places = torch.cartesian_prod(line, line).flip(1)  # (S * S, 2): across, down
    offsets = _thin_plate(moved, held, places) - places
    chosen = draw.common(chance)[:1].view(1, 1, 1, 1)
    return Bend(chosen * offsets.T.reshape(1, 2, draw.size, draw.size))


def jitter(draw: Chances, strength: float, chance: float = 0.7, *, light: bool = True) -> Jitter:
    """Brightness, contrast, saturation and hue, each by up to `strength`; hue in turns.

    light: whether brightness and contrast change too
    """
    span = strength if light else 0.0
    factors = [draw.uniform(max(0.0, 1 - most), 1 + most) for most in (span, span, strength)]
    return Jitter(*factors, draw.uniform(-strength, strength), draw.coin(chance))


def sharpness(draw: Chances, strength: float, chance: float = 0.5) -> Sharpness:
    """Blurred: what remains of the sharpness is 0 to `strength`; above 1 it sharpens."""
    return Sharpness(draw.uniform(0, strength), draw.coin(chance))


def sharpen(draw: Chances, strength: float, chance: float = 0.5) -> Sharpness:
    """Sharpened by `strength`; kornia has `sharpness` instead."""
    return Sharpness(torch.full((draw.n,), 1.0 + strength), draw.coin(chance))


def noise(draw: Chances, strength: float, chance: float = 0.5) -> Speckle:
    """Normally distributed noise with the deviation `strength`."""
    generator = on_device(draw.generator, draw.device)
    shape, place = (draw.n, 3, draw.size, draw.size), generator.device
    drawn = torch.randn(shape, generator=generator, device=place)
    return Speckle(drawn.mul_((strength * draw.coin(chance)).view(-1, 1, 1, 1).to(place)))


def erase(draw: Chances, strength: float, chance: float = 0.7) -> Erase:
    """One black rectangle for all crops: 0.1 to `strength` of the area, of whole pixels.

    Half of the time upright, by a ratio of up to 1 / 0.3 to 1, else lying, by 0.3 to 1.
    """
    area, ratio, upright, x, y, coin = torch.rand(6, generator=draw.generator).tolist()
    area = min(0.1, strength) + max(0.0, strength - 0.1) * area
    ratio = 1 + (1 / 0.3 - 1) * ratio if upright < 0.5 else 0.3 + 0.7 * ratio
    size = draw.size
    width, height = (
        min(size, max(1, round(size * side)))
        for side in ((area / ratio) ** 0.5, (area * ratio) ** 0.5)
    )
    left, top = int(x * (size - width + 1)), int(y * (size - height + 1))
    box = torch.tensor([left, top, left + width, top + height]) / size
    return Erase((box * (coin < chance)).repeat(draw.n, 1))


def placed(angle: Tensor, across: Tensor, down: Tensor, slant: Tensor | None = None) -> Tensor:
    """Matrices [n, 3, 3], for `Warp`, that shear, turn by `angle`, then move the frame.

    angle, slant: in radians [n]; across, down: [n], where the frame is 2 wide
    """
    cos, sin = angle.cos(), angle.sin()
    tan = torch.zeros_like(angle) if slant is None else slant.tan()
    matrix = _eye(len(angle))
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 0, 2] = cos, -sin - cos * tan, across
    matrix[:, 1, 0], matrix[:, 1, 1], matrix[:, 1, 2] = sin, cos - sin * tan, down
    return torch.linalg.inv(matrix)


def through(start: Tensor, end: Tensor) -> Tensor:
    """Projective maps [n, 3, 3] that take the four points `end` to `start`, both [n, 4, 2]."""
    (x, y), (u, v) = end.unbind(-1), start.unbind(-1)  # (n, 4) each
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows = [
        torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1),
        torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1),
    ]
    solved = torch.linalg.solve(torch.cat(rows, 1), torch.cat([u, v], 1))  # (n, 8)
    return torch.cat([solved, torch.ones(len(end), 1)], 1).view(-1, 3, 3)


def _thin_plate(points: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """The thin plate spline through `values` [k, 2] at `points` [k, 2], at `places` [m, 2].

    Bookstein 1989, with one deviation of kornia's: the radial functions are centred on the values.
    """

    def radial(at: Tensor) -> Tensor:
        squares = (at[:, None] - values).square().sum(-1)  # (m, k)
        return squares.xlogy(squares) / 2

    def linear(at: Tensor) -> Tensor:
        return torch.cat([torch.ones(len(at), 1), at], 1)  # (m, 3)

    k = len(points)
    system = torch.zeros(k + 3, k + 3)
    system[:k, :k], system[:k, k:], system[k:, :k] = (
        radial(points),
        linear(points),
        linear(points).T,
    )
    weights = torch.linalg.solve(system, torch.cat([values, torch.zeros(3, 2)]))
    return radial(places) @ weights[:k] + linear(places) @ weights[k:]


def _eye(n: int) -> Tensor:
    return torch.eye(3).repeat(n, 1, 1)


def _chosen(draw: Chances, chance: float, matrix: Tensor) -> Tensor:
    """The matrix for a share `chance` of the crops, the identity for the others."""
    return torch.where(draw.coin(chance).view(-1, 1, 1), matrix, _eye(draw.n))


AUGMENTS: dict[str, Callable[[Chances, float], object]] = {
    "flip": flip,
    "affine": affine,
    "rotate": rotate,
    "perspective": perspective,
    "crop": crop,
    "elastic": elastic,
    "spline": spline,
    "jitter": jitter,
    "sharpen": sharpen,
    "sharpness": sharpness,
    "noise": noise,
    "erase": erase,
}
