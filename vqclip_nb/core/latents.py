"""Latents: the random numbers of an iteration, how a latent begins, and how it becomes codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.settings import specs


def stream(seed: int, item: int, iteration: int) -> torch.Generator:
    """A CPU generator for one batch item in one iteration (0: the start).

    It depends on nothing else, so that an item gets the numbers that it would get alone, a resumed
    run those of an uninterrupted one, and every device the same.
    """
    return torch.Generator().manual_seed((seed + item) * 1_000_003 + iteration)


def size_of(im_shape: tuple[int, int], factor: int, halvings: int = 0) -> tuple[int, int]:
    """Height and width in codes of a latent for pictures of `im_shape`, halved so many times.

    No side gets shorter than that of the smallest picture; a discriminator sees nothing in less.
    """
    least = max(1, int(specs()["im_shape"].minimum) // factor)
    width, height = (max(least, side // factor >> halvings) for side in im_shape)
    return height, width


def begin(vqgan: VQGAN, start: str, seed: int, batch: int, height: int, width: int) -> Tensor:
    """A latent [batch, C, height, width] to begin with.

    start: `codes`, sampled uniformly from the codebook, also if there is no `draft`; `sine`, the
        seed's sin(0.5 n) with n normally distributed; `pixels` and `gradients`, encoded pictures of
        fine and coarse noise
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
    """Smooth colours: noise on a grid of 4 x 4, interpolated."""
    cells = torch.rand(1, 3, 4, 4, generator=generator)
    size = height * vqgan.factor, width * vqgan.factor
    x = F.interpolate(cells, size, mode="bicubic", align_corners=True).clamp(0, 1)
    return vqgan.encode(x.to(vqgan.device))[0]


def from_latents(z: Tensor, batch: int, height: int, width: int) -> Tensor:
    """Another run's latents [N, C, h, w] as [batch, C, height, width]: resized, then repeated."""
    if z.shape[-2:] != (height, width):
        z = F.interpolate(z.float(), (height, width), mode="bicubic")
    return z[torch.arange(batch) % len(z)]


_STARTS = {
    "codes": _codes,
    "draft": _codes,
    "sine": _sine,
    "pixels": _pixels,
    "gradients": _gradients,
}


def quantize(
    vqgan: VQGAN, quantizer: str, z: Tensor, temperature: float, noise: Tensor | None = None
) -> Tensor:
    """The z_q [B, C, h, w] that is decoded for a latent z [B, C, h, w].

    quantizer: `straight_through`, the nearest codes; `none`, z itself; `softmax`, the mean of all
        codes weighted by a softmax of their negative squared distances; `gumbel`, one code sampled
        from that softmax with a relaxed gradient (Jang et al., 1611.01144)
    noise: Gumbel noise [B, h, w, K] for the sample
    """
    if quantizer == "none":
        return z
    if quantizer == "straight_through":
        return vqgan.quantize(z)[0]
    codebook = vqgan.codebook
    logits = -vqgan.distances(z) / (temperature * codebook.var() * codebook.shape[1])
    if quantizer == "gumbel":
        logits = logits + noise
    share = logits.softmax(-1)
    if quantizer == "gumbel":
        drawn = F.one_hot(share.argmax(-1), len(codebook)).to(share)
        share = drawn + share - share.detach()
    return (share @ codebook).permute(0, 3, 1, 2)


def gumbel_noise(generators: list[torch.Generator], height: int, width: int, codes: int) -> Tensor:
    """Gumbel noise [B, height, width, codes]; each item draws from its own generator."""
    uniform = torch.stack([torch.rand(height, width, codes, generator=g) for g in generators])
    return -(-uniform.clamp(1e-20, 1 - 1e-7).log()).log()
