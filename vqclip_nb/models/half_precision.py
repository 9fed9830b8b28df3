"""Painting in half precision, with nothing out of range.

bfloat16 has float32's range and an eighth of a byte's worth of digits; float16, which older GPUs
have to do with (Colab's T4), has more digits and ends at 65,504. A VQGAN's decoder, trained in
float32, runs over that end, and the gradient of a picture's pixels vanishes at the other one. Three
measures keep float16 in range; in exact arithmetic they change nothing:

- Every reader of the decoder's residual stream normalises it (GroupNorm), so the stream's scale is
  free: whatever writes to it is scaled down by a power of two, and the readers' epsilon by its
  square. So is what a block's first convolution gives to its second norm.
- Attention's products are computed in float32 (`frozen.py`).
- The gradient is scaled up on its way through a network, by powers of two that are read off
  itself, and down again behind it: loss scaling (Micikevicius et al., arXiv 1710.03740) without a
  step that is ever skipped, and without asking the GPU for a number.

In both formats CLIP's normalisations stay in float32 (`cast`). CLIP's own LayerNorm converts its
input to float32, which fails if its weights are halves.
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
_LARGEST = 2.0**8  # of an activation: as far from float16's end as latents may yet surprise


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format for a setting: auto, fp32, bf16 or fp16.

    auto: bf16 on a GPU that computes in it, else fp16 on a GPU; fp32 elsewhere

    Raises ValueError for another name.
    """
    if name not in ("auto", *PRECISIONS):
        raise ValueError(f"precision is {name!r}: allowed is auto, {', '.join(PRECISIONS)}.")
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
    """network(x), computed in `dtype`, from float32 to float32, as is its gradient.

    stages: consecutive parts of the network; float16's gradient is rescaled at the end of each,
        because each stage of a convolutional tower spreads it over more pixels
    """
    if dtype == torch.float32:
        return network(x)
    if dtype != torch.float16:
        return network(x.to(dtype)).float()
    if not (x.requires_grad and torch.is_grad_enabled()):
        return network(x.to(dtype)).float()
    scale = torch.ones((), device=x.device)

    def louder(grad: Tensor) -> Tensor:
        """Scale the gradient so that its maximum is about 1; `scale` accumulates the factors."""
        largest = grad.abs().amax().float().clamp(*_SCALED[grad.dtype])
        power = torch.exp2(-largest.log2().ceil())
        scale.mul_(power)
        return grad * power.to(grad.dtype)

    def scaled(module: nn.Module, given: tuple, y: Tensor) -> None:
        y.register_hook(louder)

    x = x.view_as(x)  # a hook on the caller's own tensor would stay there
    x.register_hook(lambda grad: grad / scale)
    hooks = [stage.register_forward_hook(scaled) for stage in stages]
    try:
        y = network(x.to(dtype)).float()
    finally:
        for hook in hooks:
            hook.remove()
    y.register_hook(louder)
    return y


@torch.no_grad()
def keep_in_range(decoder: Decoder, h: Tensor) -> None:
    """Scale a float32 decoder's weights so that what it computes of h and its like fits float16.

    h: latents [B, z_channels, h, w] as the decoder gets them, e.g. of random codes
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
            if hasattr(block, name):  # its input is scaled already
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
    """The largest magnitude on the stream, and in each block before its second norm."""
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
    """What brings the largest magnitude below `_LARGEST`, without rounding; 1 if it is there."""
    return 2.0 ** min(0, math.floor(math.log2(_LARGEST / max(largest, 1.0))))


def _scale(layer: nn.Conv2d, share: float) -> None:
    layer.weight.mul_(share)
    layer.bias.mul_(share)
