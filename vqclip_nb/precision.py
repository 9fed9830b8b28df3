"""Painting in half precision, with nothing out of range.

bfloat16 has float32's range and an eighth of a byte's worth of digits; float16, which older GPUs
have to do with (Colab's T4), has more digits and ends at 65,504. A VQGAN's decoder, trained in
float32, runs over that end, and the gradient of a picture's pixels vanishes at the other one. Three
measures keep float16 in range; in exact arithmetic they change nothing:

- Every reader of the decoder's residual stream normalises it (GroupNorm), so the stream's scale is
  free: whatever writes to it is scaled down by a power of two, and the readers' epsilon by its
  square. So is what a block's first convolution gives to its second norm.
- Attention's products are computed in float32 (`frozen.py`).
- The gradient is scaled up on its way through a network, by a power of two that is read off
  itself, and down again behind it: loss scaling (Micikevicius et al., arXiv 1710.03740) without a
  step that is ever skipped, and without asking the GPU for a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, ResnetBlock, Upsample
from torch import Tensor, nn

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
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
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def through(network: Callable[[Tensor], Tensor], x: Tensor, dtype: torch.dtype) -> Tensor:
    """network(x), computed in `dtype`, from float32 to float32, as is its gradient."""
    if dtype == torch.float32:
        return network(x)
    if dtype != torch.float16:
        return network(x.to(dtype)).float()
    if not (x.requires_grad and torch.is_grad_enabled()):
        return network(x.to(dtype)).float()
    scale = torch.ones((), device=x.device)

    def louder(grad: Tensor) -> Tensor:
        """Its largest number becomes about 1; `scale` is told by how much."""
        largest = grad.abs().amax().clamp(2.0**-120, 2.0**120)
        scale.copy_(torch.exp2(-largest.log2().ceil()))
        return grad * scale

    x = x.view_as(x)  # a hook on the caller's own tensor would stay there
    x.register_hook(lambda grad: grad / scale)
    y = network(x.to(dtype)).float()
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
