"""Painting in less memory: what is done, one step after the other, when an iteration does not fit.

First CLIP reads the crops in pieces and computes each piece's activations again for its gradient
(gradient checkpointing: Chen et al., arXiv 1604.06174), which gives the same gradient; then the
decoder does so too, block by block; then both compute in bfloat16, if the device supports it and
the models are in float32.
"""

from __future__ import annotations

import contextlib
import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.half_precision import computes_bf16
from vqclip_nb.models.vqgan import AGAIN, VQGAN

LEVELS = (
    "everything at once",
    "crops in four pieces",
    "crops one by one",
    "the decoder in pieces too",
    "bfloat16 too",
)


# Messages of torch, cuBLAS and cuDNN for a lack of memory. cuBLAS is "not initialized" if its
# workspace does not fit; cuDNN finds no algorithm or engine if none fits.
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "alloc_failed",
    "allocation_failed",
    "cublas_status_not_initialized",
    "unable to find a valid cudnn algorithm",
    "unable to find an engine",
)


class Thrift:
    """How an iteration is computed; `spare` makes it take less memory.

    device, dtype: of the models
    level: index of `LEVELS`; last: the highest that applies to them
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        halves = dtype == torch.float32 and computes_bf16(device)
        self.level, self.last = 0, len(LEVELS) - (1 if halves else 2)

    def spare(self) -> bool:
        """Take the next step; False if there is none."""
        if self.level == self.last:
            return False
        self.level += 1
        return True

    def encode(self, perceptor: Perceptor, crops: Tensor) -> Tensor:
        """Embeddings [n, E] of crops [n, 3, S, S]."""
        if self.level == 0:
            return perceptor.encode_image(crops)
        size = math.ceil(len(crops) / 4) if self.level == 1 else 1
        with self._precision(crops.device):
            parts = [
                checkpoint(perceptor.encode_image, part, **AGAIN) for part in crops.split(size)
            ]
        return torch.cat(parts).float()

    def decode(self, vqgan: VQGAN, z_q: Tensor, *, tile: bool) -> Tensor:
        """Pictures [B, 3, H, W] in [0,1] of codes [B, C, h, w]."""
        with self._precision(z_q.device):
            return vqgan.decode(z_q, tile=tile, recompute=self.level >= 3).float()

    def _precision(self, device: torch.device) -> contextlib.AbstractContextManager:
        if self.level < 4:
            return contextlib.nullcontext()
        return torch.autocast(device.type, torch.bfloat16)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch found no memory, on whatever device."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(said in text for said in _NO_MEMORY)
