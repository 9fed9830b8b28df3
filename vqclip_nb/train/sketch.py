"""A small decoder distilled from the VQGAN's, for painting many rivals quickly.

The decoder is the most expensive part of an iteration. A few convolutions can imitate it closely
enough, as in the tiny autoencoders of latent diffusion models.
"""

from __future__ import annotations

import itertools
import math
import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.train.compositions import Cast, as_tensor, compose

_CHUNK = 8  # pictures decoded at a time


class Sketch(nn.Sequential):
    """Decodes codes [B, C, h, w] of a VQGAN to pictures of half size, [B, 3, h*f/2, w*f/2].

    channels: C; factor: f, a power of 2 from 4 on

    Half size suffices, because CLIP sees crops of that size at most.
    """

    def __init__(self, channels: int, factor: int, width: int = 64) -> None:
        doublings = int(math.log2(factor)) - 1
        widths = [max(width >> i, 12) for i in range(doublings + 1)]
        layers = [nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(8, width)]
        layers += [_Residual(width) for _ in range(3)]
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, 4 * after, 1), nn.PixelShuffle(2), _Residual(after)]
        super().__init__(*layers, nn.SiLU(), nn.Conv2d(widths[-1], 3, 3, padding=1))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(F.silu(x))


def train_sketch(settings: dict, vqgan: VQGAN, cast: Cast, generator: torch.Generator) -> Sketch:
    """Train a sketch to imitate the decoder, on codes of scenes, partly replaced by random ones.

    settings: the recipe's `[clip.rivals]`
    """
    sketching = settings["sketch"]
    z_q, x = decoded(sketching["pool"], vqgan, cast, settings["size"], generator)
    sketch = Sketch(z_q.shape[1], vqgan.factor).to(z_q.device)
    optimizer = torch.optim.Adam(sketch.parameters(), sketching["learning_rate"])
    bar = tqdm(range(sketching["steps"]), "sketch", mininterval=10)
    for step in bar:
        optimizer.param_groups[0]["lr"] = sketching["learning_rate"] * (1 - step / bar.total)
        chosen = torch.randint(len(z_q), (sketching["batch"],), generator=generator)
        loss = F.l1_loss(sketch(z_q[chosen]), x[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bar.set_postfix_str(f"l1 {loss.item():.4f}", refresh=False)
    return sketch.eval().requires_grad_(False)


@torch.no_grad()
def decoded(
    number: int, vqgan: VQGAN, cast: Cast, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Codes of scenes, half of them with random replacements, and their pictures at half size."""
    rng = random.Random(int(torch.randint(2**62, (), generator=generator)))
    latents, pictures = [], []
    for _ in tqdm(range(number // _CHUNK), "decoding", mininterval=10):
        x = as_tensor([compose(cast, rng, size)[0] for _ in range(_CHUNK)], vqgan.device)
        _, codes = vqgan.quantize(vqgan.encode(x))
        share = torch.rand(_CHUNK, 1, 1, generator=generator) * 2 - 1
        chosen = torch.rand(codes.shape, generator=generator) < share
        other = torch.randint(len(vqgan.codebook), codes.shape, generator=generator)
        codes = torch.where(chosen.to(codes.device), other.to(codes.device), codes)
        latents.append(F.embedding(codes, vqgan.codebook).permute(0, 3, 1, 2))
        pictures.append(F.avg_pool2d(vqgan.decode(latents[-1]), 2))
    return torch.cat(latents), torch.cat(pictures)
