"""The VQGANs of other projects, stated without taming's modules and without this package.

Files have the names and the shapes of the published ones, at any width, with random weights. The
networks are written as plain functions of the weights, found by their published names.
"""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = dict[str, Tensor]

# ---- files -----------------------------------------------------------------------------------


def _conv(name: str, inputs: int, outputs: int, kernel: int) -> Weights:
    weight = torch.randn(outputs, inputs, kernel, kernel) / (inputs * kernel**2) ** 0.5
    return {f"{name}.weight": weight, f"{name}.bias": 0.1 * torch.randn(outputs)}


def _norm(name: str, channels: int) -> Weights:
    weight, bias = 1 + 0.1 * torch.randn(channels), 0.1 * torch.randn(channels)
    return {f"{name}.weight": weight, f"{name}.bias": bias}


def _block(name: str, inputs: int, outputs: int) -> Weights:
    made = _norm(f"{name}.norm1", inputs) | _conv(f"{name}.conv1", inputs, outputs, 3)
    made |= _norm(f"{name}.norm2", outputs) | _conv(f"{name}.conv2", outputs, outputs, 3)
    shortcut = _conv(f"{name}.nin_shortcut", inputs, outputs, 1)
    return made if inputs == outputs else made | shortcut


def _attention(name: str, channels: int) -> Weights:
    made = _norm(f"{name}.norm", channels)
    for part in ("q", "k", "v", "proj_out"):
        made |= _conv(f"{name}.{part}", channels, channels, 1)
    return made


def _ends(network: str, inputs: int, first: int, last: int, outputs: int) -> Weights:
    made = _conv(f"{network}.conv_in", inputs, first, 3) | _norm(f"{network}.norm_out", last)
    return made | _conv(f"{network}.conv_out", last, outputs, 3)


def _middle(network: str, channels: int, names: tuple[str, str, str]) -> Weights:
    first, attention, second = (f"{network}.mid.{name}" for name in names)
    made = _block(first, channels, channels) | _attention(attention, channels)
    return made | _block(second, channels, channels)


def llamagen_weights(mult: list[int], *, ch: int, z: int, width: int, codes: int) -> Weights:
    """The state dict of LlamaGen's VQModel (tokenizer/tokenizer_image/vq_model.py)."""
    sides, last = [ch * m for m in mult], len(mult) - 1
    made = _ends("encoder", 3, ch, sides[-1], z) | _ends("decoder", z, sides[-1], sides[0], 3)
    for network in ("encoder", "decoder"):
        made |= _middle(network, sides[-1], ("0", "1", "2"))
    below = ch
    for level, channels in enumerate(sides):
        name = f"encoder.conv_blocks.{level}"
        made |= _level(name, below, channels, 2, attends=level == last)
        if level < last:
            made |= _conv(f"{name}.downsample.conv", channels, channels, 3)
        below = channels
    for level, channels in enumerate(reversed(sides)):
        name = f"decoder.conv_blocks.{level}"
        made |= _level(name, below, channels, 3, attends=level == 0)
        if level < last:
            made |= _conv(f"{name}.upsample.conv", channels, channels, 3)
        below = channels
    made |= {"quantize.embedding.weight": torch.randn(codes, width)}  # not of length 1
    made |= {"quantize.codebook_used": torch.zeros(65536)}
    return made | _conv("quant_conv", z, width, 1) | _conv("post_quant_conv", width, z, 1)


def _level(name: str, inputs: int, channels: int, blocks: int, *, attends: bool) -> Weights:
    made = {}
    for number in range(blocks):
        made |= _block(f"{name}.res.{number}", inputs if number == 0 else channels, channels)
        if attends:
            made |= _attention(f"{name}.attn.{number}", channels)
    return made


def taming_weights(
    mult: list[int], *, ch: int, z: int, width: int, codes: int, blocks: int, attends: bool
) -> Weights:
    """The state dict of taming's VQModel, as IBQ and latent diffusion keep it.

    blocks: residual blocks in each level of the encoder, one less than in the decoder
    attends: whether the coarsest level has attention; the middle always has
    """
    sides, last = [ch * m for m in mult], len(mult) - 1
    made = _ends("encoder", 3, ch, sides[-1], z) | _ends("decoder", z, sides[-1], sides[0], 3)
    for network in ("encoder", "decoder"):
        made |= _middle(network, sides[-1], ("block_1", "attn_1", "block_2"))
    for level in range(last + 1):
        here = attends and level == last
        finer, coarser = sides[max(level - 1, 0)] if level else ch, sides[min(level + 1, last)]
        down, up = f"encoder.down.{level}", f"decoder.up.{level}"
        made |= _level(down, finer, sides[level], blocks, attends=here)
        made |= _level(up, coarser, sides[level], blocks + 1, attends=here)
        if level < last:
            made |= _conv(f"{down}.downsample.conv", sides[level], sides[level], 3)
        if level > 0:
            made |= _conv(f"{up}.upsample.conv", sides[level], sides[level], 3)
    made = {name.replace(".res.", ".block."): tensor for name, tensor in made.items()}
    made |= {"quantize.embedding.weight": torch.randn(codes, width)}
    return made | _conv("quant_conv", z, width, 1) | _conv("post_quant_conv", width, z, 1)


def discriminator_weights(width: int = 8) -> Weights:
    """A PatchGAN discriminator of three layers (pix2pix), under the names of taming's loss."""
    sides, made = [3, width, 2 * width, 4 * width, 8 * width, 1], {}
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sides)):
        place = 0 if number == 0 else 3 * number - 1  # convolution, batch norm, leaky ReLU
        made |= _conv(f"loss.discriminator.main.{place}", inputs, outputs, 4)
        if 0 < number < 4:
            del made[f"loss.discriminator.main.{place}.bias"]
            norm = f"loss.discriminator.main.{place + 1}"
            made |= _norm(norm, outputs)
            made |= {f"{norm}.running_mean": torch.zeros(outputs)}
            made |= {f"{norm}.running_var": torch.ones(outputs)}
    return made


def with_average(weights: Weights) -> tuple[Weights, Weights]:
    """A file with LitEma's copy of other weights beside its own, and those other weights."""
    average = {name: tensor + 0.05 * torch.randn_like(tensor) for name, tensor in weights.items()}
    shadow = {f"model_ema.{name.replace('.', '')}": tensor for name, tensor in average.items()}
    extra = {"model_ema.decay": torch.tensor(0.999), "model_ema.num_updates": torch.tensor(-1)}
    return weights | shadow | extra, average


# ---- networks --------------------------------------------------------------------------------


class Published:
    """A VQGAN's functions, from its weights; pictures are in [-1, 1].

    Levels and blocks are those that the weights name.
    """

    def __init__(self, weights: Weights) -> None:
        self.w = weights
        self.llamagen = "encoder.conv_blocks.0.res.0.conv1.weight" in weights

    def encode(self, x: Tensor) -> Tensor:
        """What the quantizer gets, for pictures [B, 3, H, W]."""
        h = self._conv("encoder.conv_in", x, padding=1)
        places = range(self._count("encoder.conv_blocks" if self.llamagen else "encoder.down"))
        for level in places:
            name = f"encoder.{'conv_blocks' if self.llamagen else 'down'}.{level}"
            h = self._blocks(name, h)
            if level < places[-1]:
                h = self._conv(f"{name}.downsample.conv", F.pad(h, (0, 1, 0, 1)), stride=2)
        h = self._conv(
            "encoder.conv_out", self._end("encoder", self._middle("encoder", h)), padding=1
        )
        return self._conv("quant_conv", h)

    def decode(self, z_q: Tensor) -> Tensor:
        """The pictures of codes [B, C, h, w]."""
        h = self._conv("decoder.conv_in", self._conv("post_quant_conv", z_q), padding=1)
        h = self._middle("decoder", h)
        count = self._count("decoder.conv_blocks" if self.llamagen else "decoder.up")
        for step in range(count):
            level = f"conv_blocks.{step}" if self.llamagen else f"up.{count - 1 - step}"
            h = self._blocks(f"decoder.{level}", h)
            if step < count - 1:
                h = h.repeat_interleave(2, -1).repeat_interleave(2, -2)
                h = self._conv(f"decoder.{level}.upsample.conv", h, padding=1)
        return self._conv("decoder.conv_out", self._end("decoder", h), padding=1)

    def _count(self, prefix: str) -> int:
        places = prefix.count(".") + 1
        return len({n.split(".")[places] for n in self.w if n.startswith(f"{prefix}.")})

    def _blocks(self, name: str, h: Tensor) -> Tensor:
        for number in itertools.count():
            block = f"{name}.{'res' if self.llamagen else 'block'}.{number}"
            if f"{block}.conv1.weight" not in self.w:
                return h
            h = self._block(block, h)
            if f"{name}.attn.{number}.q.weight" in self.w:
                h = self._attention(f"{name}.attn.{number}", h)

    def _middle(self, network: str, h: Tensor) -> Tensor:
        names = ("0", "1", "2") if self.llamagen else ("block_1", "attn_1", "block_2")
        h = self._block(f"{network}.mid.{names[0]}", h)
        h = self._attention(f"{network}.mid.{names[1]}", h)
        return self._block(f"{network}.mid.{names[2]}", h)

    def _end(self, network: str, h: Tensor) -> Tensor:
        h = self._norm(f"{network}.norm_out", h)
        return h * h.sigmoid()

    def _block(self, name: str, x: Tensor) -> Tensor:
        h = x
        for number in (1, 2):
            h = self._norm(f"{name}.norm{number}", h)
            h = self._conv(f"{name}.conv{number}", h * h.sigmoid(), padding=1)
        shortcut = f"{name}.nin_shortcut"
        return h + (self._conv(shortcut, x) if f"{shortcut}.weight" in self.w else x)

    def _attention(self, name: str, x: Tensor) -> Tensor:
        h = self._norm(f"{name}.norm", x)
        q, k, v = (self._conv(f"{name}.{part}", h).flatten(2) for part in "qkv")  # (B, C, hw)
        share = (q.transpose(1, 2) @ k / k.shape[1] ** 0.5).softmax(-1)  # (B, hw, hw)
        h = (v @ share.transpose(1, 2)).view_as(x)
        return x + self._conv(f"{name}.proj_out", h)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        grouped = x.unflatten(1, (32, -1))  # (B, 32, C / 32, h, w)
        mean = grouped.mean((2, 3, 4), keepdim=True)
        var = grouped.var((2, 3, 4), correction=0, keepdim=True)
        x = ((grouped - mean) / (var + 1e-6).sqrt()).flatten(1, 2)
        return x * self.w[f"{name}.weight"][:, None, None] + self.w[f"{name}.bias"][:, None, None]

    def _conv(self, name: str, x: Tensor, **geometry: int) -> Tensor:
        return F.conv2d(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"], **geometry)
