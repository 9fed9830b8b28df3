"""Cutouts: a batch of random crops of the picture, for CLIP to judge.

The random numbers are drawn apart from their use: `apply(x, draws)` is a pure function, so that a
run is repeatable, an iteration can be recorded, and a test can use draws of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import notebook_cutouts
from vqclip_nb.core.augmentations import Chances
from vqclip_nb.core.notebook_cutouts import PeerDraws, draw_noise
from vqclip_nb.prompt_syntax import parse_augments
from vqclip_nb.settings import Settings

_CPU = torch.device("cpu")
_LARGEST = 1.1  # a crop's largest side, relative to the picture's shorter side


@dataclass(frozen=True)
class Draws:
    """Random numbers for n crops of each of B pictures, item by item: the first axis is B*n.

    theta: [B*n, 2, 3] maps a crop's coordinates to its picture's, both in [-1,1]
    gain: [B*n, 3, 1, 1] brightness of each channel, around 1
    noise: [B*n, 3, S, S] added to the crop
    """

    theta: Tensor
    gain: Tensor
    noise: Tensor


def draw(
    generators: list[torch.Generator],
    cutn: int,
    size: int,
    shape: tuple[int, int],
    noise_factor: float,
    *,
    tile: bool = False,
    device: torch.device = _CPU,
) -> Draws:
    """Draw `cutn` crops of `size` x `size` for each generator's picture of `shape` (H, W).

    A crop is a square whose side is 0.8 to 1.1 of the picture's shorter side, slightly rotated, and
    mirrored half of the time.
    noise_factor: upper limit of the standard deviation of a crop's noise, which is drawn uniformly
    tile: crops may cross an edge; device: of the noise
    """
    theta, gain, noise = [], [], []
    for generator in generators:

        def uniform(low: float, high: float, generator=generator) -> Tensor:
            return low + (high - low) * torch.rand(cutn, generator=generator)

        theta.append(_crop_maps(uniform, generator, cutn, shape, tile))
        gain.append(1 + 0.1 * torch.randn(cutn, 3, 1, 1, generator=generator))
        noise.append(draw_noise(generator, cutn, size, noise_factor, device))
    return Draws(torch.cat(theta), torch.cat(gain), torch.cat(noise))


@dataclass(frozen=True)
class Cuts:
    """The crops of one iteration: the same for all perceptors, except for their noise.

    draws: by a perceptor's input size; a tuple with one entry for each picture if the method is one
        of the public notebooks'
    changes: the additional augmentations of each picture's crops
    """

    draws: dict[int, Draws | tuple[PeerDraws, ...]]
    changes: tuple[tuple, ...]
    tile: bool

    def of(self, x: Tensor, size: int) -> Tensor:
        """Crops [B*n, 3, size, size] of the pictures x [B, 3, H, W]."""
        draws = self.draws[size]
        if isinstance(draws, Draws):
            crops = apply(x, draws, tile=self.tile)
        else:
            crops = torch.cat(
                [
                    notebook_cutouts.apply(item[None], each)
                    for item, each in zip(x, draws, strict=True)
                ]
            )
        if not self.changes:
            return crops
        parts = []
        for own, changes in zip(crops.chunk(len(x)), self.changes, strict=True):
            for change in changes:
                own = change.apply(own)
            parts.append(own)
        return torch.cat(parts)


def draw_cuts(
    settings: Settings,
    streams: list[torch.Generator],
    shape: tuple[int, int],
    sizes: Iterable[int],
    device: torch.device = _CPU,
) -> Cuts:
    """Draw the crops of pictures of `shape` (H, W), each picture's from its own stream.

    sizes: the perceptors' input sizes; device: of the noise
    """
    s, augments = settings, parse_augments(settings.augment)
    first, *others = sorted(set(sizes), reverse=True)  # smaller crops can do with part of the noise
    if s.cut_method == "studio":
        common = s.cutn, first, shape, s.noise_factor
        drawn = draw(streams, *common, tile=s.tile, device=device)
    else:
        common = s.cutn, first, shape, s.cut_pow, s.noise_factor, device, augments
        drawn = tuple(notebook_cutouts.draw(s.cut_method, stream, *common) for stream in streams)
    after = s.cut_method == "studio" or not augments.replace
    changes = tuple(
        notebook_cutouts.drawn(augments, Chances(stream, s.cutn, first, device), s.cut_method)
        for stream in streams
        if after and augments.wanted
    )
    draws = {first: drawn}
    for size in others:
        noise = [draw_noise(stream, s.cutn, size, s.noise_factor, device) for stream in streams]
        draws[size] = _at(drawn, noise)
    return Cuts(draws, changes, s.tile)


def _at(drawn: Draws | tuple[PeerDraws, ...], noise: list[Tensor]) -> Draws | tuple[PeerDraws, ...]:
    """The same crops with other noise, for a perceptor of another input size."""
    if isinstance(drawn, Draws):
        return replace(drawn, noise=torch.cat(noise))
    return tuple(replace(each, noise=own) for each, own in zip(drawn, noise, strict=True))


def _crop_maps(
    uniform, generator: torch.Generator, cutn: int, shape: tuple[int, int], tile: bool
) -> Tensor:
    height, width = shape
    side = min(height, width)
    scale = uniform(0.8, _LARGEST)
    angle = torch.randn(cutn, generator=generator) * math.radians(7)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    half_x, half_y = scale * side / width, scale * side / height  # in the picture's coordinates
    # anywhere inside, and up to a tenth of the side beyond the edge
    room_x = (1 - half_x).clamp_min(0) + 0.1 * side / width
    room_y = (1 - half_y).clamp_min(0) + 0.1 * side / height
    x = uniform(-1, 1) * (1.0 if tile else room_x)
    y = uniform(-1, 1) * (1.0 if tile else room_y)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([half_x * cos * mirror, -half_x * sin, x], 1),
        torch.stack([half_y * sin * mirror, half_y * cos, y], 1),
    ]
    return torch.stack(rows, 1)  # (n, 2, 3)


def apply(x: Tensor, draws: Draws, *, tile: bool = False) -> Tensor:
    """Crops [B*n, 3, S, S] of the pictures x [B, 3, H, W]: sample once, scale colours, add noise.

    A crop that shrinks the picture by two or more is sampled from a smaller copy (a mipmap).
    tile: beyond an edge a crop shows the opposite edge instead of a mirror image
    """
    theta = draws.theta
    if tile:  # half a picture more on each side, so that coordinates shrink to a half
        height, width = x.shape[-2:]
        x = F.pad(x, (width // 2, width // 2, height // 2, height // 2), mode="circular")
        theta = theta / 2
    return _sample(x, theta, draws.noise.shape[-1]) * draws.gain + draws.noise


def _sample(x: Tensor, theta: Tensor, size: int) -> Tensor:
    """Crops [B*n, 3, size, size], each from the mipmap level that fits it, mirrored at the edges.

    All levels of a picture lie in one tall sheet and all its crops form one tall picture. So
    nothing is copied n times, nothing waits for the device to know a crop's level, and the backward
    pass adds up in a fixed order (with indexing the order would vary), so that runs repeat exactly.
    """
    batch, _, height, width = x.shape
    copies = [x]
    for _ in range(int(math.log2(max(1.0, _LARGEST * max(height, width) / size)))):
        copies.append(F.avg_pool2d(copies[-1], 2))
    sheet = torch.cat([F.pad(copy, (0, width - copy.shape[-1])) for copy in copies], 2)
    level = _levels(theta, size, height, width).clamp(max=len(copies) - 1)
    w, h, top = _looked_up(level, [copy.shape for copy in copies])  # (B*n, 1, 1) each
    grid = F.affine_grid(theta, [len(theta), 3, size, size], align_corners=False)
    across = _mirrored((grid[..., 0] + 1) * w / 2, w)  # in pixels from the level's corner
    down = top + _mirrored((grid[..., 1] + 1) * h / 2, h)
    places = torch.stack([across * (2 / width), down * (2 / sheet.shape[2])], -1) - 1
    places = places.view(batch, -1, size, 2)  # (B, n*S, S, 2)
    tall = F.grid_sample(sheet, places, padding_mode="border", align_corners=False)
    return tall.view(batch, 3, -1, size, size).transpose(1, 2).flatten(0, 1)


def _levels(theta: Tensor, size: int, height: int, width: int) -> Tensor:
    """The mipmap level of each crop [n]: how often to halve the picture so that a pixel of it is
    about as long as one of the crop's, along the crop's longer axis."""
    across, down = theta[:, 0, :2] * width, theta[:, 1, :2] * height
    longest = (across.square() + down.square()).amax(1).sqrt() / size
    return longest.clamp_min(1).log2().floor()


def _looked_up(level: Tensor, shapes: list[torch.Size]) -> tuple[Tensor, Tensor, Tensor]:
    """Width, height and first row in the sheet of each crop's level [n], as [n, 1, 1]."""
    (width, height, top), row = (torch.zeros_like(level) for _ in range(3)), 0
    for number, shape in enumerate(shapes):
        here = (level == number).to(level)
        width, height, top = width + here * shape[3], height + here * shape[2], top + here * row
        row += shape[2]
    return tuple(each.view(-1, 1, 1) for each in (width, height, top))


def _mirrored(place: Tensor, length: Tensor) -> Tensor:
    """Positions on a line of `length` pixels, reflected at its ends, half a pixel inside at least."""
    inside = length - (place.remainder(2 * length) - length).abs()
    return torch.minimum(inside.clamp_min(0.5), length - 0.5)
