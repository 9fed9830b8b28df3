"""What the optimizer moves: a latent, how it starts, how it becomes codes, the box it stays in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.models.draft import Chance, Draft, thumbnail
from vqclip_nb.models.vqgan import VQGAN


def stream(seed: int, item: int, iteration: int) -> torch.Generator:
    """The random numbers of one batch item in one iteration (0: the start), on the CPU.

    They depend on nothing else: an item gets what it would get alone, a resumed run what it would
    have got undisturbed, and every device the same.
    """
    return torch.Generator().manual_seed((seed + item) * 1_000_003 + iteration)


def begin(vqgan: VQGAN, start: str, seed: int, batch: int, height: int, width: int) -> Tensor:
    """A latent [batch, C, height, width] to begin with.

    start: `codes`, independent, uniformly drawn ones; `sine`, the seed's sin(0.5 n) of normal
    numbers; `pixels` and `gradients`, encoded pictures of coloured noise, fine and coarse
    """
    items = [
        _STARTS[start](vqgan, stream(seed, item, 0), height, width)[None] for item in range(batch)
    ]
    return torch.cat(items).contiguous()


def _codes(vqgan: VQGAN, generator: torch.Generator, height: int, width: int) -> Tensor:
    indices = torch.randint(len(vqgan.codebook), (height, width), generator=generator)
    return F.embedding(indices.to(vqgan.device), vqgan.codebook).permute(2, 0, 1)


def _sine(vqgan: VQGAN, generator: torch.Generator, height: int, width: int) -> Tensor:
    channels = vqgan.codebook.shape[1]
    return (0.5 * torch.randn(channels, height, width, generator=generator)).sin().to(vqgan.device)


def _pixels(vqgan: VQGAN, generator: torch.Generator, height: int, width: int) -> Tensor:
    size = 1, 3, height * vqgan.factor, width * vqgan.factor
    return vqgan.encode(torch.rand(size, generator=generator).to(vqgan.device))[0]


def _gradients(vqgan: VQGAN, generator: torch.Generator, height: int, width: int) -> Tensor:
    """Colours that flow into each other: noise on a grid of 4 x 4, interpolated."""
    cells = torch.rand(1, 3, 4, 4, generator=generator)
    size = height * vqgan.factor, width * vqgan.factor
    x = F.interpolate(cells, size, mode="bicubic", align_corners=True).clamp(0, 1)
    return vqgan.encode(x.to(vqgan.device))[0]


_STARTS = {"codes": _codes, "sine": _sine, "pixels": _pixels, "gradients": _gradients}


def discretise(
    vqgan: VQGAN, quantizer: str, z: Tensor, temperature: float, noise: Tensor | None = None
) -> Tensor:
    """What is decoded of a latent z [B, C, h, w].

    quantizer: `straight_through`, the nearest codes; `none`, z itself; `softmax`, a mean of all
    codes by their nearness; `gumbel`, one code each, drawn by its nearness with a relaxed gradient
    (Jang et al., 1611.01144)
    noise: Gumbel numbers [B, h, w, K] of the draw
    """
    if quantizer == "none":
        return z
    if quantizer == "straight_through":
        return vqgan.quantize(z)[0]
    flat = z.permute(0, 2, 3, 1)  # (B, h, w, C)
    codebook = vqgan.codebook
    nearness = 2 * flat @ codebook.T - codebook.square().sum(1)  # -|z - c|^2 + |z|^2
    logits = nearness / (temperature * codebook.var() * codebook.shape[1])
    if quantizer == "gumbel":
        logits = logits + noise
    share = logits.softmax(-1)
    if quantizer == "gumbel":
        drawn = F.one_hot(share.argmax(-1), len(codebook)).to(share)
        share = drawn + share - share.detach()
    return (share @ codebook).permute(0, 3, 1, 2)


def gumbel_noise(generators: list[torch.Generator], height: int, width: int, codes: int) -> Tensor:
    """Gumbel numbers [B, height, width, codes], for each item from its own generator."""
    uniform = torch.stack([torch.rand(height, width, codes, generator=g) for g in generators])
    return -(-uniform.clamp(1e-20, 1 - 1e-7).log()).log()


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
