"""A picture becomes a batch of crops, so that CLIP judges it from many sides at once.

The random numbers are drawn apart from their use: `apply(x, draws)` is a pure function, which
makes a run repeatable and lets a test work with draws of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb import peer_cutouts
from vqclip_nb.augment import AUGMENTS, Chances
from vqclip_nb.grammar import parse_augments
from vqclip_nb.peer_cutouts import PeerDraws
from vqclip_nb.settings import Settings


@dataclass(frozen=True)
class Draws:
    """Random numbers for n crops of each of B pictures, item by item: the first axis is B*n.

    theta: [B*n, 2, 3] maps a crop's coordinates to its picture's, both in [-1,1]
    gain: [B*n, 3, 1, 1] brightness of each channel, around 1
    noise: [B*n, 3, S, S] what is added to the crop
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
) -> Draws:
    """Draw `cutn` crops of `size` x `size` for each generator's picture of `shape` (H, W).

    A crop is a square whose side is 0.8 to 1.1 of the picture's shorter side, a little turned,
    mirrored half of the time. noise_factor: the seed's; each crop's noise has a standard deviation
    drawn between 0 and it. tile: crops lie anywhere, also across an edge.
    """
    theta, gain, noise = [], [], []
    for generator in generators:

        def uniform(low: float, high: float, generator=generator) -> Tensor:
            return low + (high - low) * torch.rand(cutn, generator=generator)

        theta.append(_crop_maps(uniform, generator, cutn, shape, tile))
        gain.append(1 + 0.1 * torch.randn(cutn, 3, 1, 1, generator=generator))
        sigma = noise_factor * uniform(0, 1).view(-1, 1, 1, 1)
        noise.append(sigma * torch.randn(cutn, 3, size, size, generator=generator))
    return Draws(torch.cat(theta), torch.cat(gain), torch.cat(noise))


class Cutter:
    """The crops of one iteration, by the settings' method, for critics of any input size.

    streams: the generators of the batch's items; shape: (H, W) of the pictures
    Crops are the same for all critics, but for their noise.
    """

    def __init__(
        self, settings: Settings, streams: list[torch.Generator], shape: tuple[int, int]
    ) -> None:
        self.settings, self.streams, self.shape = settings, streams, shape
        self._first: Draws | list[PeerDraws] | None = None
        self._changes: list[tuple] = []

    def cut(self, x: Tensor, size: int) -> Tensor:
        """Crops [B*n, 3, size, size] of the pictures x [B, 3, H, W]."""
        if self._first is None:
            draws = self._first = self._drawn(size)
            self._changes = self._drawn_changes()
        else:
            draws = self._at(size)
        if isinstance(draws, Draws):
            crops = apply(x, draws, tile=self.settings.tile)
        else:
            crops = torch.cat(
                [peer_cutouts.apply(item[None], each) for item, each in zip(x, draws, strict=True)]
            )
        if not self._changes:
            return crops
        parts = []
        for own, changes in zip(crops.chunk(len(x)), self._changes, strict=True):
            for change in changes:
                own = change.apply(own)
            parts.append(own)
        return torch.cat(parts)

    def _drawn(self, size: int) -> Draws | list[PeerDraws]:
        """Where the crops are, and their noise."""
        s = self.settings
        if s.cut_method == "studio":
            return draw(self.streams, s.cutn, size, self.shape, s.noise_factor, tile=s.tile)
        return [
            peer_cutouts.draw(
                s.cut_method, stream, s.cutn, size, self.shape, s.cut_pow, s.noise_factor
            )
            for stream in self.streams
        ]

    def _drawn_changes(self) -> list[tuple]:
        """What the chosen augmentations do to the crops of each item; empty if none is chosen."""
        wanted = parse_augments(self.settings.augment)
        return [
            tuple(
                AUGMENTS[name](Chances(stream, self.settings.cutn), strength)
                for name, strength in wanted
            )
            for stream in self.streams
            if wanted
        ]

    def _at(self, size: int) -> Draws | list[PeerDraws]:
        """The first critic's draws, with noise of another size."""
        noise = [
            peer_cutouts.draw_noise(stream, self.settings.cutn, size, self.settings.noise_factor)
            for stream in self.streams
        ]
        if isinstance(self._first, Draws):
            return replace(self._first, noise=torch.cat(noise))
        return [each.at(own) for each, own in zip(self._first, noise, strict=True)]


def _crop_maps(
    uniform, generator: torch.Generator, cutn: int, shape: tuple[int, int], tile: bool
) -> Tensor:
    height, width = shape
    side = min(height, width)
    scale = uniform(0.8, 1.1)
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
    """Crops [B*n, 3, S, S] of the pictures x [B, 3, H, W]: one sampling, colour gain, noise.

    Where a crop shrinks the picture by two or more, it is sampled from a smaller copy of it.
    tile: beyond an edge a crop sees the opposite one instead of a mirror
    """
    if tile:  # half a picture more on each side, so that coordinates shrink to a half
        height, width = x.shape[-2:]
        x = F.pad(x, (width // 2, width // 2, height // 2, height // 2), mode="circular")
        draws = replace(draws, theta=draws.theta / 2)
    size = draws.noise.shape[-1]
    cuts = [
        _sample(picture[None], theta, size)
        for picture, theta in zip(x, draws.theta.chunk(len(x)), strict=True)
    ]
    return torch.cat(cuts) * draws.gain.to(x.device) + draws.noise.to(x.device)


def _sample(x: Tensor, theta: Tensor, size: int) -> Tensor:
    """Crops [n, 3, size, size] of one picture [1, 3, H, W], each from the copy that fits it.

    The crops of a copy are sampled as one tall picture: none is copied n times, and the backward
    pass adds up in a fixed order (indexing would add up in any), so that runs are repeatable.
    """
    height, width = x.shape[-2:]
    # how many of the picture's pixels lie between two of the crop's, along its own axes
    axes = theta[:, :, :2] * torch.tensor([width, height]).view(1, 2, 1)
    levels = (axes.norm(dim=1).amax(1) / size).clamp_min(1).log2().floor().long()  # (n,)
    parts, places = [], []
    for level in range(int(levels.max()) + 1):
        chosen = (levels == level).nonzero()[:, 0]
        if len(chosen):
            shape = [len(chosen), 3, size, size]
            grid = F.affine_grid(theta[chosen].to(x.device), shape, align_corners=False)
            tall = F.grid_sample(
                x, grid.view(1, -1, size, 2), padding_mode="reflection", align_corners=False
            )  # (1, 3, n*S, S)
            parts.append(tall.view(3, -1, size, size).transpose(0, 1))
            places.append(chosen)
        x = F.avg_pool2d(x, 2)
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts).index_select(0, torch.cat(places).argsort().to(x.device))
