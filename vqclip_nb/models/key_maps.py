"""Names of weights: those of other projects' VQGANs in taming's words.

The networks of LlamaGen and IBQ are taming's; only the names in their files differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

AVERAGE = "model_ema."  # prefix of a moving average of the weights, whose names have no dots

_BLOCK = re.compile(r"(encoder|decoder)\.conv_blocks\.(\d+)\.(res|attn|downsample|upsample)\.(.+)")
_MIDDLE = re.compile(r"(encoder|decoder)\.mid\.([012])\.(.+)")
_MIDDLE_PARTS = ("block_1", "attn_1", "block_2")


def averaged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The moving average of the weights where the file has one, else the weights themselves.

    LitEma of latent diffusion, which IBQ uses, keeps it under `model_ema.`, e.g. as
    `model_ema.decoderconv_inweight`. IBQ's published figures are those of the average.
    """
    return {
        name: tensors.get(AVERAGE + name.replace(".", ""), tensor)
        for name, tensor in tensors.items()
        if not name.startswith(AVERAGE)
    }


def taming_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under taming's names, whether they have these or LlamaGen's.

    LlamaGen numbers the decoder's levels in the order of its computation, from the coarsest;
    taming, like the encoder's, from the finest.
    """
    levels = {int(m[2]) for name in tensors if (m := _BLOCK.match(name)) and m[1] == "decoder"}
    return {_taming_name(name, max(levels, default=0)): tensor for name, tensor in tensors.items()}


def _taming_name(name: str, last_level: int) -> str:
    if middle := _MIDDLE.match(name):
        network, number, rest = middle.groups()
        return f"{network}.mid.{_MIDDLE_PARTS[int(number)]}.{rest}"
    block = _BLOCK.match(name)
    if block is None:
        return name
    network, level, part, rest = block.groups()
    part = "block" if part == "res" else part
    if network == "encoder":
        return f"encoder.down.{level}.{part}.{rest}"
    return f"decoder.up.{last_level - int(level)}.{part}.{rest}"
