"""Styles of the draft: a small network that restyles a thumbnail, and its random inputs.

The position of a pane of glass and the shade of a tile are random. A deterministic network would
paint their mean, which looks like neither; so it takes them as inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TILES = 16  # along the shorter side; at 128 pixels one per code of the VQGAN
LEADING = 0.016  # width of the lead between panes, in the unit of `Grain.between`
_PANES = 48  # in a square picture
_CHANNELS = 10  # of `Grain.maps`


@dataclass(frozen=True)
class Grain:
    """The random inputs of n styled pictures of size H x W.

    strength: [n, 1, 1, 1] in [0,1]; hue: [n, 3, 1, 1], maximum 1
    tiles: [n, 1, H, W], one standard normal value per tile
    blotches: [n, 1, H, W], smooth noise around 0, mostly within 0.3
    pane: [n, H, W], index of the pane of each pixel
    between: [n, 1, H, W], distance to the second nearest pane's centre minus that to the nearest,
        in units of the shorter side
    """

    strength: Tensor
    hue: Tensor
    tiles: Tensor
    blotches: Tensor
    pane: Tensor
    between: Tensor

    @classmethod
    def draw(
        cls, number: int, height: int, width: int, generator: torch.Generator, device: torch.device
    ) -> Grain:
        """Draw the inputs of `number` pictures; the generator is on the CPU."""
        side = min(height, width)

        def noise(cells: int, mode: str) -> Tensor:
            grid = [max(1, round(cells * length / side)) for length in (height, width)]
            drawn = torch.randn(number, 1, *grid, generator=generator)
            return F.interpolate(drawn.to(device), (height, width), mode=mode)

        strength = torch.rand(number, 1, 1, 1, generator=generator).to(device)
        hue = torch.rand(number, 3, 1, 1, generator=generator).to(device)
        blotches = noise(6, "bicubic") * 0.12 + noise(20, "bicubic") * 0.06
        pane, between = _panes(number, height, width, generator, device)
        return cls(
            strength, hue / hue.amax(1, True), noise(TILES, "nearest"), blotches, pane, between
        )

    def pane_means(self, x: Tensor) -> Tensor:
        """Fill each pane of pictures [n, 3, H, W] with its mean colour."""
        flat = x.flatten(2)  # (n, 3, H*W)
        index = self.pane.flatten(1)[:, None].expand_as(flat)
        number = int(self.pane.max()) + 1
        total = x.new_zeros(len(x), 3, number).scatter_add_(2, index, flat)
        count = x.new_zeros(len(x), 3, number).scatter_add_(2, index, torch.ones_like(flat))
        return (total / count.clamp_min(1)).gather(2, index).view_as(x)

    def maps(self, x: Tensor) -> Tensor:
        """Input maps [n, 10, H, W] of the filter, for pictures x [n, 3, H, W]."""
        constant = torch.cat([self.strength, self.hue], 1).expand(-1, -1, *x.shape[-2:])
        between = (1 - self.between / (2 * LEADING)).clamp_min(0)  # 0.5 where the leading ends
        parts = [constant, self.tiles, self.blotches * 5, between, self.pane_means(x)]
        return torch.cat(parts, 1)


def _panes(
    number: int, height: int, width: int, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Voronoi cells of random points: `pane` and `between` of a `Grain`."""
    side = min(height, width)
    extent = torch.tensor([height / side, width / side])
    panes = round(_PANES * extent.prod().item())
    centres = torch.rand(number, panes, 2, generator=generator) * extent
    axes = [(torch.arange(length, device=device) + 0.5) / side for length in (height, width)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).view(1, -1, 2)
    nearest = torch.cdist(points.expand(number, -1, -1), centres.to(device)).topk(2, largest=False)
    between = nearest.values[..., 1] - nearest.values[..., 0]
    shape = number, height, width
    return nearest.indices[..., 0].view(shape), between.view(number, 1, height, width)


class Filter(nn.Module):
    """Convolutions that restyle a picture, conditioned on the words of a style.

    Input: the picture, coarser copies of it, a learned texture repeated per tile, and the grain. The
    words scale and shift the features (FiLM: Perez et al., arXiv 1709.07871).
    """

    def __init__(self, words: int) -> None:
        super().__init__()
        hidden, texture, tile = 32, 8, 8
        self.texture = nn.Parameter(torch.randn(1, texture, tile, tile))
        self.first = _conv(3 * 4 + texture + _CHANNELS, hidden)
        self.second = _conv(hidden, hidden, dilation=2)
        self.third = _conv(hidden, hidden)
        self.last = nn.Conv2d(hidden + 12, 3, 1)
        self.steer = nn.Linear(words, 6 * hidden)

    def forward(self, x: Tensor, words: Tensor, grain: Tensor) -> Tensor:
        """Restyle pictures [n, 3, H, W], whose sides are multiples of 8.

        words: [n, W], sums of word vectors; grain: [n, 10, H, W], from `Grain.maps`
        """
        size = tuple(x.shape[-2:])
        coarser = [F.interpolate(F.avg_pool2d(x, k), size, mode="nearest") for k in (2, 4, 8)]
        grid = self.texture.repeat(len(x), 1, size[0] // 8, size[1] // 8)
        seen = torch.cat([x, *coarser], 1) * 2 - 1
        y = torch.cat([seen, grid, grain], 1)
        steered = self.steer(words)[..., None, None].chunk(3, 1)
        for layer, steer in zip((self.first, self.second, self.third), steered, strict=True):
            scale, shift = steer.chunk(2, 1)
            y = F.silu(layer(y) * (1 + scale) + shift)
        return self.last(torch.cat([y, seen], 1)) + 0.5


def _conv(channels: int, out: int, dilation: int = 1) -> nn.Conv2d:
    """3 x 3 convolution, same size, replicate padding."""
    mode = "replicate"
    return nn.Conv2d(channels, out, 3, padding=dilation, dilation=dilation, padding_mode=mode)
