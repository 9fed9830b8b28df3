"""VQGAN, built from the modules of taming-transformers: pictures to codes and back.

VQGAN: Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis",
arXiv 2012.09841. Key names are those of the published checkpoints, so that the embedded model,
official files and users' checkpoints are loaded by the same code.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from functools import partial

import torch
from taming.modules.diffusionmodules.model import (
    AttnBlock,
    Decoder,
    Encoder,
    ResnetBlock,
    Upsample,
)
from taming.modules.discriminator.model import NLayerDiscriminator
from taming.modules.vqvae.quantize import GumbelQuantize, VectorQuantizer2
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vqclip_nb.models.frozen_decoder import freeze
from vqclip_nb.models.half_precision import keep_in_range, through

# arguments of `checkpoint`; a frozen network draws no random numbers
AGAIN = {"use_reentrant": False, "preserve_rng_state": False}


class Network(nn.Module):
    """The trainable modules, under the names of taming's checkpoints.

    config: the `model.params` of a taming yaml: `ddconfig`, `embed_dim`, `n_embed` and, for the
        discriminator, `lossconfig.params`
    gumbel: whether a layer selects the codes (Jang et al., arXiv 1611.01144) instead of their
        distance

    `matching` in the config says which code replaces a latent: the one at the smallest `distance`
    (default); at the smallest `angle`, where codes and latents have length 1 (ViT-VQGAN,
    arXiv 2110.04627, section 3.2; LlamaGen, arXiv 2406.06525); or the one with the largest inner
    `product` (IBQ, arXiv 2412.02692).

    One key of `ddconfig` is ours: `norm_groups`, the number of groups of every GroupNorm (default:
    taming's 32). The published models have four channels per group at full resolution. A small model
    with 32 channels in 32 groups would normalise each channel separately, and could not represent
    the brightness or colour of a plain surface.
    """

    def __init__(self, config: dict, *, discriminator: bool, gumbel: bool = False) -> None:
        super().__init__()
        shape, width = config["ddconfig"], config["embed_dim"]
        with contextlib.redirect_stdout(io.StringIO()):  # taming's Decoder prints its shape
            self.encoder = Encoder(**shape)
            self.decoder = Decoder(**shape)
        for norm in (m for m in self.modules() if isinstance(m, nn.GroupNorm)):
            norm.num_groups = shape.get("norm_groups", norm.num_groups)
        if gumbel:
            self.quantize = GumbelQuantize(shape["z_channels"], width, config["n_embed"])
        else:
            self.quantize = VectorQuantizer2(config["n_embed"], width, beta=0.25)
        self.matching = config.get("matching", "distance")
        self.quant_conv = nn.Conv2d(shape["z_channels"], width, 1)
        self.post_quant_conv = nn.Conv2d(width, shape["z_channels"], 1)
        if discriminator:
            options = config.get("lossconfig", {}).get("params", {})
            self.loss = nn.Module()
            self.loss.discriminator = NLayerDiscriminator(
                input_nc=options.get("disc_in_channels", 3),
                ndf=options.get("disc_ndf", 64),
                n_layers=options.get("disc_num_layers", 3),
                use_actnorm=options.get("use_actnorm", False),
            )

    @property
    def codes(self) -> nn.Embedding:
        """The codebook's embedding; its attribute depends on the quantizer."""
        quantizer = self.quantize
        return quantizer.embed if isinstance(quantizer, GumbelQuantize) else quantizer.embedding


class VQGAN:
    """A frozen VQGAN: encodes pictures to latents, quantizes them and decodes codes to pictures."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval().requires_grad_(False)
        freeze(network.decoder).to(memory_format=torch.channels_last)  # faster convolutions
        network.codes.weight.data = self.normalized(network.codes.weight.data)  # [K, C]
        self.z_min = self.codebook.amin(0).view(1, -1, 1, 1)  # (1, C, 1, 1)
        self.z_max = self.codebook.amax(0).view(1, -1, 1, 1)
        self.variance = self.codebook.var()
        self.dtype = torch.float32

    def use(self, dtype: torch.dtype) -> VQGAN:
        """Decode in `dtype` from now on; returns itself."""
        network = self.network
        if dtype == torch.float16:
            generator = torch.Generator().manual_seed(0)
            indices = torch.randint(len(self.codebook), (2, 16, 16), generator=generator)
            z_q = self.codebook[indices.to(self.device)].permute(0, 3, 1, 2)  # (2, C, 16, 16)
            keep_in_range(network.decoder, network.post_quant_conv(z_q))
        network.decoder.to(dtype)
        network.post_quant_conv.to(dtype)
        self.dtype = dtype
        return self

    @property
    def codebook(self) -> Tensor:
        """The K codes, [K, C]."""
        return self.network.codes.weight

    @property
    def _matching(self) -> str:
        return self.network.matching

    @property
    def _is_gumbel(self) -> bool:
        return isinstance(self.network.quantize, GumbelQuantize)

    @property
    def factor(self) -> int:
        """Pixels per code along each side: f = 2 ** (resolutions - 1)."""
        return 2 ** (self.network.decoder.num_resolutions - 1)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.codebook.device

    @property
    def has_discriminator(self) -> bool:
        """Whether the checkpoint contains its discriminator."""
        return hasattr(self.network, "loss")

    def drawable(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height rounded down to multiples of `factor`, with a warning if that changes."""
        width, height = (side // self.factor * self.factor for side in size)
        if (width, height) != size:
            warnings.warn(
                f"im_shape {size} is not a multiple of {self.factor}: painting {(width, height)}.",
                stacklevel=4,
            )
        return width, height

    def encode(self, x: Tensor) -> Tensor:
        """Encode pictures [B, 3, H, W] in [0,1] to continuous latents [B, C, H/f, W/f].

        The encoder of a Gumbel VQGAN scores each code instead; the latent is then the code with the
        highest score.
        """
        h = self.network.quant_conv(self.network.encoder(2 * x - 1))
        if self._is_gumbel:
            indices = self.network.quantize.proj(h).argmax(1)  # (B, h, w)
            return F.embedding(indices, self.codebook).permute(0, 3, 1, 2)
        return self.normalized(h)

    def quantize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Replace latents [B, C, h, w] by the nearest codes; also returns the indices [B, h, w].

        Straight-through: the gradient with respect to the codes is passed to z unchanged (van den
        Oord et al., arXiv 1711.00937, section 3.2).
        """
        z = self.normalized(z)
        indices = self._nearest(z.detach())
        codes = F.embedding(indices, self.codebook).permute(0, 3, 1, 2)  # (B, C, h, w)
        return z + (codes - z).detach(), indices

    def _nearest(self, z: Tensor) -> Tensor:
        """The indices [B, h, w] of the codes nearest to latents [B, C, h, w].

        On a CPU a few latents at a time, whose distances to all codes stay in its cache: twice as
        fast as all at once for 32x32 latents and 8,192 codes, and no slower for less.
        """
        pieces = z.split(max(1, 128 // z.shape[-1]), dim=2) if z.device.type == "cpu" else [z]
        return torch.cat([self.distances(piece).argmin(-1) for piece in pieces], dim=1)

    def distances(self, z: Tensor) -> Tensor:
        """How far latents [B, C, h, w] are from each code, [B, h, w, K]; the nearest replaces them.

        |z - c|^2 without |z|^2, which is the same for every code; -2 z c for IBQ, whose codes are
        matched by their inner product with z.
        """
        z = self.normalized(z).permute(0, 2, 3, 1)  # (B, h, w, C)
        if self._matching == "product":
            return -2 * z @ self.codebook.T
        squares = self.codebook.square().sum(1)  # (K,)
        distances = torch.addmm(squares, z.flatten(0, 2), self.codebook.T, alpha=-2)
        return distances.view(*z.shape[:3], -1)  # (B, h, w, K)

    def normalized(self, z: Tensor) -> Tensor:
        """Latents [B, C, h, w] as they are matched: of length 1 if the codes are, else unchanged."""
        return F.normalize(z, dim=1) if self._matching == "angle" else z

    def confine(self, z: Tensor) -> None:
        """Move z [B, C, h, w], in place, to where the codes are.

        Each channel is clamped to its range in the codebook; if the codes have length 1, each
        position is scaled to that length instead.
        """
        with torch.no_grad():
            if self._matching == "angle":
                z.copy_(self.normalized(z))
            else:
                z.clamp_(self.z_min, self.z_max)

    def decode(self, z_q: Tensor, *, tile: bool = False, recompute: bool = False) -> Tensor:
        """Decode codes [B, C, h, w] to pictures [B, 3, h*f, w*f] in [0,1].

        Blends of codes of length 1 are brought back to it, since the decoder never saw others.

        tile: make the picture tileable, by circular padding
        recompute: recompute each block's activations in the backward pass instead of storing them
        """
        decoder, widen = self.network.decoder, self.network.post_quant_conv
        with contextlib.ExitStack() as contexts:
            if recompute:
                contexts.enter_context(_recomputed(decoder, tile))
            if tile:
                contexts.enter_context(_circular_padding(decoder))
            y = through(lambda z: decoder(widen(z)), self.normalized(z_q), self.dtype)
        return clamp_with_grad((y + 1) / 2)

    def discriminate(self, x: Tensor) -> Tensor:
        """Realism scores [B, 1, h', w'] of patches of pictures [B, 3, H, W]; higher is more real."""
        if not self.has_discriminator:
            raise ValueError("This checkpoint has no discriminator: set gan_weight to 0.")
        return self.network.loss.discriminator(2 * x - 1)


@contextlib.contextmanager
def _circular_padding(network: nn.Module) -> Iterator[None]:
    """Pad convolutions with the opposite edge instead of zeros."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    try:
        for layer in layers:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer in layers:
            layer.padding_mode = "zeros"


@contextlib.contextmanager
def _recomputed(decoder: nn.Module, tile: bool) -> Iterator[None]:
    """Gradient checkpointing: the backward pass recomputes each block, with the same padding."""

    def again(block: nn.Module, *inputs: Tensor | None) -> Tensor:
        with _circular_padding(block) if tile else contextlib.nullcontext():
            return type(block).forward(block, *inputs)

    blocks = [b for b in decoder.modules() if isinstance(b, (ResnetBlock, AttnBlock, Upsample))]
    try:
        for block in blocks:
            block.forward = partial(checkpoint, partial(again, block), **AGAIN)
        yield
    finally:
        for block in blocks:
            del block.forward


class _ClampWithGrad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y.clamp(0, 1)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return grad * (grad * (y - y.clamp(0, 1)) >= 0)


def clamp_with_grad(y: Tensor) -> Tensor:
    """Clamp to [0,1]; outside, pass only gradients whose descent step leads back inside.

    With a plain clamp, saturated pixels would get no gradient and would stay saturated.
    """
    return _ClampWithGrad.apply(y)
