"""Random inputs of the styles of the emoji scenes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TILES = 16  # along the shorter side; at 128 pixels one per code of the VQGAN
LEADING = 0.016  # width of the lead between panes, in the unit of `Grain.between`
_PANES = 48  # in a square picture


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
