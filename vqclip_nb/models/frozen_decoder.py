"""A decoder whose weights stay as they are, computed for the gradient of its input alone.

Whoever trains a network must keep what each layer got. Here nobody does: the gradient of a frozen
convolution's input takes its weights only, and that of swish only what it got. So of the eight
activations that a residual block of taming's keeps, four are left; the numbers are the same.
"""

from __future__ import annotations

import torch
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, ResnetBlock
from torch import Tensor, nn
from torch.nn import functional as F

_INPUT_ALONE = (True, False, False)  # of the gradients of input, weights and bias


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, layer: nn.Conv2d, padding: tuple[int, int]) -> Tensor:
        ctx.layer, ctx.padding, ctx.shape = layer, padding, x.shape
        return F.conv2d(
            x, layer.weight, layer.bias, layer.stride, padding, layer.dilation, layer.groups
        )

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        layer, unread = ctx.layer, grad  # in place of the input, of which only the shape counts
        if grad.shape != ctx.shape:
            unread = grad.new_empty(1).expand(ctx.shape)
        geometry = layer.stride, ctx.padding, layer.dilation, False, (0, 0), layer.groups
        weight = layer.weight.to(grad.dtype)  # another one under autocast
        wanted, _, _ = torch.ops.aten.convolution_backward(
            grad, unread, weight, None, *geometry, _INPUT_ALONE
        )
        return wanted, None, None


class FrozenConv(nn.Conv2d):
    """A convolution that keeps nothing of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """As torch's, whose padding mode may be zeros or circular."""
        if self.padding_mode == "zeros":
            return _Convolution.apply(x, self, self.padding)
        x = F.pad(x, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return _Convolution.apply(x, self, (0, 0))


class FrozenBlock(ResnetBlock):
    """taming's residual block, without a time step."""

    def forward(self, x: Tensor, _: None = None) -> Tensor:
        """Pictures [B, C, h, w] to [B, C', h, w]."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        if self.in_channels != self.out_channels:
            x = self.conv_shortcut(x) if self.use_conv_shortcut else self.nin_shortcut(x)
        return x + h


class FrozenAttention(AttnBlock):
    """taming's attention, by torch's fused kernel; its products are computed in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Every place of x [B, C, h, w] looks at every other."""
        h = self.norm(x)
        size = h.shape[-2:]
        q, k, v = (f(h).flatten(2).mT.float()[:, None] for f in (self.q, self.k, self.v))
        seen = F.scaled_dot_product_attention(q, k, v)[:, 0]  # (B, h * w, C)
        return x + self.proj_out(seen.mT.unflatten(2, size).to(x.dtype))


class FrozenDecoder(Decoder):
    """taming's decoder, without a time step."""

    def forward(self, z: Tensor) -> Tensor:
        """Widened codes [B, C, h, w] to pictures [B, 3, h*f, w*f]."""
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
    """Let a decoder keep no more than the gradient of its input takes; returns it."""
    return _exchanged(decoder.requires_grad_(False), _FROZEN)


def thaw(decoder: Decoder) -> Decoder:
    """Undo `freeze`: taming's own modules, as they were published; returns it."""
    return _exchanged(decoder, {frozen: plain for plain, frozen in _FROZEN.items()})


def _exchanged(decoder: Decoder, classes: dict[type, type]) -> Decoder:
    for module in decoder.modules():
        module.__class__ = classes.get(type(module), type(module))
    return decoder
