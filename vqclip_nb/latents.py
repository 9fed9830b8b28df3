"""What the optimizer moves: a latent, how it starts, and the box it stays in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.draft import Chance, Draft, thumbnail
from vqclip_nb.vqgan import VQGAN


def stream(seed: int, item: int, iteration: int) -> torch.Generator:
    """The random numbers of one batch item in one iteration (0: the start), on the CPU.

    They depend on nothing else: an item gets what it would get alone, a resumed run what it would
    have got undisturbed, and every device the same.
    """
    return torch.Generator().manual_seed((seed + item) * 1_000_003 + iteration)


def random_codes(vqgan: VQGAN, seed: int, batch: int, height: int, width: int) -> Tensor:
    """Independent, uniformly drawn codes as a latent [batch, C, height, width]."""
    indices = torch.stack(
        [
            torch.randint(len(vqgan.codebook), (height, width), generator=stream(seed, item, 0))
            for item in range(batch)
        ]
    )  # (B, h, w)
    codes = F.embedding(indices.to(vqgan.device), vqgan.codebook)
    return codes.permute(0, 3, 1, 2).contiguous()  # (B, C, h, w)


def drafted(
    vqgan: VQGAN, draft: Draft, tokens: Tensor, seed: int, batch: int, height: int, width: int
) -> Tensor | None:
    """Encoded thumbnails for a prompt's tokens [1, T], as a latent [batch, C, height, width].

    None where the draft knows nothing that the prompt speaks of. One at a time: convolutions of a
    batch may round otherwise than those of its items alone.
    """
    size = width * vqgan.factor, height * vqgan.factor
    items = []
    for item in range(batch):
        x = thumbnail(draft, tokens, Chance.draw(stream(seed, item, 0)), *size)
        if x is None:
            return None
        items.append(vqgan.encode(x))
    return torch.cat(items)


def clamp_to_box(vqgan: VQGAN, z: Tensor) -> None:
    """Keep each channel of z, in place, between its smallest and largest value in the codebook."""
    with torch.no_grad():
        z.copy_(z.clamp(vqgan.z_min, vqgan.z_max))
