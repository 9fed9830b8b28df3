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
        box = self.codebook
        self.z_min = box.amin(0).view(1, -1, 1, 1)  # (1, C, 1, 1)
        self.z_max = box.amax(0).view(1, -1, 1, 1)
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
        return h

    def quantize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Replace latents [B, C, h, w] by the nearest codes; also returns the indices [B, h, w].

        Straight-through: the gradient with respect to the codes is passed to z unchanged (van den
        Oord et al., arXiv 1711.00937, section 3.2).
        """
        flat = z.detach().permute(0, 2, 3, 1)  # (B, h, w, C)
        # |z - c|^2 without |z|^2, which is the same for every code
        distance = self.codebook.square().sum(1) - 2 * flat @ self.codebook.T  # (B, h, w, K)
        indices = distance.min(-1).indices  # three times as fast as argmin on a CPU
        codes = F.embedding(indices, self.codebook).permute(0, 3, 1, 2)  # (B, C, h, w)
        return z + (codes - z).detach(), indices

    def clamp_to_box(self, z: Tensor) -> None:
        """Clamp each channel of z [B, C, h, w], in place, to its range in the codebook."""
        with torch.no_grad():
            z.copy_(z.clamp(self.z_min, self.z_max))

    def decode(self, z_q: Tensor, *, tile: bool = False, recompute: bool = False) -> Tensor:
        """Decode codes [B, C, h, w] to pictures [B, 3, h*f, w*f] in [0,1].

        tile: make the picture tileable, by circular padding
        recompute: recompute each block's activations in the backward pass instead of storing them
        """
        decoder, widen = self.network.decoder, self.network.post_quant_conv
        with contextlib.ExitStack() as contexts:
            if recompute:
                contexts.enter_context(_recomputed(decoder, tile))
            if tile:
                contexts.enter_context(_circular_padding(decoder))
            y = through(lambda z: decoder(widen(z)), z_q, self.dtype)
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
