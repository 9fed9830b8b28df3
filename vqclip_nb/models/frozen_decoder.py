"""A frozen decoder that stores only the activations its input gradient needs.

Training stores the input of every layer. With frozen weights, the input gradient of a convolution
needs only the weights, and that of swish only its input. A residual block stores four activations
instead of taming's eight; outputs and gradients are the same.
"""

from __future__ import annotations

import torch
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, ResnetBlock
from torch import Tensor, nn
from torch.nn import functional as F

_INPUT_ONLY = (True, False, False)  # which gradients to compute: input, weight, bias


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, layer: nn.Conv2d, padding: tuple[int, int]) -> Tensor:
        ctx.layer, ctx.padding, ctx.shape = layer, padding, x.shape
        return F.conv2d(
            x, layer.weight, layer.bias, layer.stride, padding, layer.dilation, layer.groups
        )

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        layer, x = ctx.layer, grad  # stands in for the input, of which only the shape is used
        if grad.shape != ctx.shape:
            x = grad.new_empty(1).expand(ctx.shape)
        geometry = layer.stride, ctx.padding, layer.dilation, False, (0, 0), layer.groups
        weight = layer.weight.to(grad.dtype)  # the types differ under autocast
        input_grad, _, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, *geometry, _INPUT_ONLY
        )
        return input_grad, None, None


class FrozenConv(nn.Conv2d):
    """A convolution that does not store its input."""

    def forward(self, x: Tensor) -> Tensor:
        """Same as nn.Conv2d, with padding mode zeros or circular."""
        if self.padding_mode == "zeros":
            return _Convolution.apply(x, self, self.padding)
        x = F.pad(x, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return _Convolution.apply(x, self, (0, 0))


class FrozenBlock(ResnetBlock):
    """taming's residual block, without time embedding."""

    def forward(self, x: Tensor, _: None = None) -> Tensor:
        """Map features [B, C, h, w] to [B, C', h, w]."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        if self.in_channels != self.out_channels:
            x = self.conv_shortcut(x) if self.use_conv_shortcut else self.nin_shortcut(x)
        return x + h


class FrozenAttention(AttnBlock):
    """taming's attention with torch's fused kernel, computed in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Self-attention over the positions of x [B, C, h, w]."""
        h = self.norm(x)
        size = h.shape[-2:]
        q, k, v = (f(h).flatten(2).mT.float()[:, None] for f in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v)[:, 0]  # (B, h * w, C)
        return x + self.proj_out(attended.mT.unflatten(2, size).to(x.dtype))


class FrozenDecoder(Decoder):
    """taming's decoder, without time embedding."""

    def forward(self, z: Tensor) -> Tensor:
        """Decode the output of `post_quant_conv` [B, C, h, w] to pictures [B, 3, h*f, w*f]."""
        h = self.mid.block_2(self.mid.attn_1(self.mid.block_1(self.conv_in(z))))
        for level in reversed(self.up):
            for number, block in enumerate(level.block):
                h = block(h)
                if level.attn:
                    h = level.attn[number](h)
            if level is not self.up[0]:
                h = level.upsample(h)
        return h if self.give_pre_end else self.conv_out(F.silu(self.norm_out(h)))


_FROZEN = {
    Decoder: FrozenDecoder,
    ResnetBlock: FrozenBlock,
    AttnBlock: FrozenAttention,
    nn.Conv2d: FrozenConv,
}


def freeze(decoder: Decoder) -> Decoder:
    """Convert taming's modules to frozen ones in place; returns the decoder."""
    return _convert(decoder.requires_grad_(False), _FROZEN)


def thaw(decoder: Decoder) -> Decoder:
    """Undo `freeze`: convert back to taming's modules in place; returns the decoder."""
    return _convert(decoder, {frozen: plain for plain, frozen in _FROZEN.items()})


def _convert(decoder: Decoder, classes: dict[type, type]) -> Decoder:
    for module in decoder.modules():
        module.__class__ = classes.get(type(module), type(module))
    return decoder
