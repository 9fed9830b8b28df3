"""The generator: a VQGAN that turns a latent into a picture, built from taming's own modules.

VQGAN: Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis",
arXiv 2012.09841. Key names are those of the published checkpoints, so that the embedded model, the
official files and a checkpoint of one's own take the same road.
"""

from __future__ import annotations

import contextlib
import io
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

# how activations are computed again for their gradient; a frozen network draws nothing by chance
AGAIN = {"use_reentrant": False, "preserve_rng_state": False}


class Network(nn.Module):
    """The trainable parts, under the names that taming's checkpoints give them.

    config: the `model.params` of a taming yaml: `ddconfig`, `embed_dim`, `n_embed` and, for the
    discriminator, `lossconfig.params`.
    gumbel: whether the codes are chosen by a layer of their own (Jang et al., arXiv 1611.01144)
    instead of by their distance

    One key of `ddconfig` is ours: `norm_groups`, the number of groups of every GroupNorm (taming's
    32 where it is missing). The published models have four channels a group at full resolution;
    a slim one with 32 channels and 32 groups would normalise each channel alone, and could not
    say how bright or what colour a plain surface is.
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
        """The codebook, whose place depends on how the codes are chosen."""
        quantizer = self.quantize
        return quantizer.embed if isinstance(quantizer, GumbelQuantize) else quantizer.embedding


class VQGAN:
    """A frozen generator: pictures to latents, latents to codes, codes to pictures."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval().requires_grad_(False)
        # convolutions are quicker over pixels whose channels lie side by side
        freeze(network.decoder).to(memory_format=torch.channels_last)
        box = self.codebook
        self.z_min = box.amin(0).view(1, -1, 1, 1)  # (1, C, 1, 1)
        self.z_max = box.amax(0).view(1, -1, 1, 1)
        self.variance = self.codebook.var()
        self.dtype = torch.float32

    def use(self, dtype: torch.dtype) -> VQGAN:
        """Decode in this number format from now on; returns itself."""
        network = self.network
        if dtype == torch.float16:
            chance = torch.Generator().manual_seed(0)
            places = torch.randint(len(self.codebook), (2, 16, 16), generator=chance)
            z_q = self.codebook[places.to(self.device)].permute(0, 3, 1, 2)
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
    def _chooses(self) -> bool:
        return isinstance(self.network.quantize, GumbelQuantize)

    @property
    def factor(self) -> int:
        """Pixels a code along each side: f = 2 ** (resolutions - 1)."""
        return 2 ** (self.network.decoder.num_resolutions - 1)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.codebook.device

    @property
    def has_discriminator(self) -> bool:
        """Whether the checkpoint brought its discriminator along."""
        return hasattr(self.network, "loss")

    def encode(self, x: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [0,1] to continuous latents [B, C, H/f, W/f].

        A Gumbel VQGAN's encoder gives no latent but a score for each code: its latent is the code
        with the highest one.
        """
        h = self.network.quant_conv(self.network.encoder(2 * x - 1))
        if self._chooses:
            indices = self.network.quantize.proj(h).argmax(1)  # (B, h, w)
            return F.embedding(indices, self.codebook).permute(0, 3, 1, 2)
        return h

    def quantize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [B, C, h, w] to the nearest codes, in z's shape, and their indices [B, h, w].

        The gradient of the codes goes to z unchanged (straight-through; van den Oord et al.,
        1711.00937, section 3.2).
        """
        flat = z.detach().permute(0, 2, 3, 1)  # (B, h, w, C)
        # |z - c|^2 without |z|^2, which is the same for every code
        distance = self.codebook.square().sum(1) - 2 * flat @ self.codebook.T  # (B, h, w, K)
        indices = distance.min(-1).indices  # on a CPU three times as fast as argmin
        codes = F.embedding(indices, self.codebook).permute(0, 3, 1, 2)  # (B, C, h, w)
        return z + (codes - z).detach(), indices

    def clamp_to_box(self, z: Tensor) -> None:
        """Clamp each channel of z [B, C, h, w], in place, to its range in the codebook."""
        with torch.no_grad():
            z.copy_(z.clamp(self.z_min, self.z_max))

    def decode(self, z_q: Tensor, *, tile: bool = False, recompute: bool = False) -> Tensor:
        """Codes [B, C, h, w] to pictures [B, 3, h*f, w*f] in [0,1].

        tile: whether the right edge should go on at the left one, and the lower at the upper
        recompute: compute each block again for its gradient instead of keeping what it computed
        """
        decoder, widen = self.network.decoder, self.network.post_quant_conv
        with contextlib.ExitStack() as during:
            if recompute:
                during.enter_context(_recomputed(decoder, tile))
            if tile:
                during.enter_context(_around_the_edges(decoder))
            y = through(lambda z: decoder(widen(z)), z_q, self.dtype)
        return clamp_with_grad((y + 1) / 2)

    def discriminate(self, x: Tensor) -> Tensor:
        """Realism of each patch of the pictures [B, 3, H, W]: [B, 1, h', w'], higher is realer."""
        if not self.has_discriminator:
            raise ValueError("This checkpoint has no discriminator: set gan_weight to 0.")
        return self.network.loss.discriminator(2 * x - 1)


@contextlib.contextmanager
def _around_the_edges(network: nn.Module) -> Iterator[None]:
    """Convolutions see the opposite edge beyond an edge, instead of zeros."""
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
    """Blocks keep no activations; the backward pass computes them again, in the same way."""

    def again(block: nn.Module, *inputs: Tensor | None) -> Tensor:
        with _around_the_edges(block) if tile else contextlib.nullcontext():
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
    """Clamp to [0,1]; outside, only a gradient whose descent step leads back inside passes.

    A plain clamp would give saturated pixels no gradient, and they would stay saturated for ever.
    """
    return _ClampWithGrad.apply(y)
