"""Half precision without overflow or underflow.

bfloat16 has the range of float32 and fewer digits. float16, which older GPUs need (Colab's T4), has
more digits but a maximum of 65,504: the activations of a VQGAN decoder trained in float32 exceed it,
and the gradients of the pixels underflow. Three measures keep float16 in range; in exact arithmetic
they change nothing:

- Every reader of the decoder's residual stream normalises it first (GroupNorm), so the scale of the
  stream is arbitrary. Layers that write to it are scaled down by a power of two, and the epsilons of
  the readers by its square. The same applies between a block's first convolution and second norm.
- Attention is computed in float32 (frozen_decoder.py).
- The gradient is scaled up before its backward pass through a network, by powers of two computed
  from the gradient itself, and scaled down afterwards. This is loss scaling (Micikevicius et al.,
  arXiv 1710.03740) without skipped steps and without synchronising with the GPU.

In both formats CLIP's normalisation layers stay in float32 (`cast`). CLIP's own LayerNorm converts
its input to float32, which fails if its weights are in half precision.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, ResnetBlock, Upsample
from torch import Tensor, nn

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
# range of a gradient's maximum for which the factor that scales it to 1 is representable
_SCALED = {torch.float32: (2.0**-100, 2.0**100), torch.float16: (2.0**-14, 2.0**14)}
_LARGEST = 2.0**8  # activation; leaves a margin for latents other than the random ones tried


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The data type for auto, fp32, bf16 or fp16.

    auto: on a GPU bf16 if it is supported natively, else fp16; fp32 elsewhere

    Raises ValueError for any other name.
    """
    if name not in ("auto", *PRECISIONS):
        raise ValueError(f"precision must be one of auto, {', '.join(PRECISIONS)}, got {name!r}.")
    if name != "auto":
        return PRECISIONS[name]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if computes_bf16(device) else torch.float16


def computes_bf16(device: torch.device) -> bool:
    """Whether a device supports bfloat16 natively; Colab's T4 emulates it, except convolutions."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def cast(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Convert a network's weights to `dtype`, except those of its normalisations; returns it.

    Normalisations keep float32 weights, compute in float32 and return the type of their input
    (mixed-precision training: arXiv 1710.03740, section 3.3).
    """
    if dtype == torch.float32:
        return network.float()
    for module in network.modules():
        if isinstance(module, _NORMS):
            module.__class__ = _in_float32(type(module))
            module.float()
        else:
            module._apply(lambda t: t.to(dtype) if t.is_floating_point() else t, recurse=False)
    return network


@functools.cache
def _in_float32(norm: type[nn.Module]) -> type[nn.Module]:
    """A subclass that computes in float32 and returns the type of its input."""
    if getattr(norm, "in_float32", False):
        return norm

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return norm.forward(self, x.float()).to(x.dtype)

    return type(norm.__name__, (norm,), {"forward": forward, "in_float32": True})


def through(
    network: Callable[[Tensor], Tensor],
    x: Tensor,
    dtype: torch.dtype,
    stages: Sequence[nn.Module] = (),
) -> Tensor:
    """Compute network(x) and its gradient in `dtype`; inputs, outputs and gradients are float32.

    stages: consecutive parts of the network; a float16 gradient is rescaled after each, because
        each stage of a convolutional network spreads it over more pixels
    """
    if dtype == torch.float32:
        return network(x)
    if dtype != torch.float16:
        return network(x.to(dtype)).float()
    if not (x.requires_grad and torch.is_grad_enabled()):
        return network(x.to(dtype)).float()
    scale = torch.ones((), device=x.device)

    def scale_up(grad: Tensor) -> Tensor:
        """Scale the gradient so that its maximum is about 1; `scale` accumulates the factors."""
        largest = grad.abs().amax().float().clamp(*_SCALED[grad.dtype])
        power = torch.exp2(-largest.log2().ceil())
        scale.mul_(power)
        return grad * power.to(grad.dtype)

    def scale_output(module: nn.Module, inputs: tuple, y: Tensor) -> None:
        y.register_hook(scale_up)

    x = x.view_as(x)  # a hook on the caller's tensor would remain
    x.register_hook(lambda grad: grad / scale)
    hooks = [stage.register_forward_hook(scale_output) for stage in stages]
    try:
        y = network(x.to(dtype)).float()
    finally:
        for hook in hooks:
            hook.remove()
    y.register_hook(scale_up)
    return y


@torch.no_grad()
def keep_in_range(decoder: Decoder, h: Tensor) -> None:
    """Scale the weights of a float32 decoder so that its activations fit float16.

    h: representative inputs [B, z_channels, h, w] of the decoder, e.g. of random codes
    """
    blocks = [module for module in decoder.modules() if isinstance(module, ResnetBlock)]
    attentions = [module for module in decoder.modules() if isinstance(module, AttnBlock)]
    upsamples = [module for module in decoder.modules() if isinstance(module, Upsample)]
    stream, hidden = _largest(decoder, h, [decoder.conv_in, *blocks, *attentions, *upsamples])
    share = _power_of_two(stream)
    _scale(decoder.conv_in, share)
    for block in blocks:
        own = _power_of_two(hidden[block])
        _scale(block.conv1, own)
        block.norm2.eps *= own**2
        block.norm1.eps *= share**2
        _scale(block.conv2, share)
        for name in ("nin_shortcut", "conv_shortcut"):
            if hasattr(block, name):  # its input is already scaled
                getattr(block, name).bias.mul_(share)
    for attention in attentions:
        attention.norm.eps *= share**2
        _scale(attention.proj_out, share)
    for upsample in upsamples:
        if upsample.with_conv:
            upsample.conv.bias.mul_(share)
    decoder.norm_out.eps *= share**2


def _largest(
    decoder: Decoder, h: Tensor, writers: list[nn.Module]
) -> tuple[float, dict[nn.Module, float]]:
    """The largest magnitudes in the residual stream, and in each block before its second norm."""
    found: dict[nn.Module, float] = {}

    def note(module: nn.Module, _: tuple, y: Tensor) -> None:
        found[module] = max(found.get(module, 0.0), y.abs().amax().item())

    blocks = [module for module in writers if isinstance(module, ResnetBlock)]
    watched = [*writers, *(block.conv1 for block in blocks)]
    hooks = [module.register_forward_hook(note) for module in watched]
    try:
        decoder(h)
    finally:
        for hook in hooks:
            hook.remove()
    hidden = {block: found[block.conv1] for block in blocks}
    return max(found[module] for module in writers), hidden


def _power_of_two(largest: float) -> float:
    """The power of two that scales `largest` to at most `_LARGEST`; 1 if it is already below."""
    return 2.0 ** min(0, math.floor(math.log2(_LARGEST / max(largest, 1.0))))


def _scale(layer: nn.Conv2d, share: float) -> None:
    layer.weight.mul_(share)
    layer.bias.mul_(share)
