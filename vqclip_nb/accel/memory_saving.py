"""Less memory at the cost of time, in steps: the executor takes the next one if memory runs out.

Gradient checkpointing (Chen et al., arXiv 1604.06174) discards activations and computes them again
in the backward pass, with the same gradient: first for CLIP, in pieces of the batch of crops, then
for the decoder, block by block. Last, float32 models compute in bfloat16 where the device can.
"""

from __future__ import annotations

import contextlib
import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vqclip_nb.core.compute import Compute
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.half_precision import computes_bf16
from vqclip_nb.models.vqgan import AGAIN, VQGAN

LEVELS = (
    "everything at once",
    "crops in four pieces",
    "crops one by one",
    "decoder in pieces too",
    "in bfloat16 too",
)

# How torch, cuBLAS and cuDNN report a lack of memory. cuBLAS is "not initialized" if its workspace
# does not fit; cuDNN finds no algorithm or engine if none fits.
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "alloc_failed",
    "allocation_failed",
    "cublas_status_not_initialized",
    "unable to find a valid cudnn algorithm",
    "unable to find an engine",
)


class MemorySaving(Compute):
    """Calls the networks in a way that needs less memory each time `save_more` is called.

    device, dtype: of the models
    level: index of `LEVELS`; last: the highest that these models can use
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        can_halve = dtype == torch.float32 and computes_bf16(device)
        self.level, self.last = 0, len(LEVELS) - (1 if can_halve else 2)

    def save_more(self) -> bool:
        """Go to the next level; False if there is none."""
        if self.level == self.last:
            return False
        self.level += 1
        return True

    def encode(self, perceptor: Perceptor, crops: Tensor) -> Tensor:
        """Crops [n, 3, S, S] to embeddings [n, E]."""
        if self.level == 0:
            return perceptor.encode_image(crops)
        size = math.ceil(len(crops) / 4) if self.level == 1 else 1
        with self._precision(crops.device):
            parts = [
                checkpoint(perceptor.encode_image, part, **AGAIN) for part in crops.split(size)
            ]
        return torch.cat(parts).float()

    def decode(self, vqgan: VQGAN, z_q: Tensor, *, tile: bool) -> Tensor:
        """Codes [B, C, h, w] to pictures [B, 3, H, W] in [0,1]."""
        with self._precision(z_q.device):
            return vqgan.decode(z_q, tile=tile, recompute=self.level >= 3).float()

    def _precision(self, device: torch.device) -> contextlib.AbstractContextManager:
        if self.level < 4:
            return contextlib.nullcontext()
        return torch.autocast(device.type, torch.bfloat16)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch means a lack of memory, on any device."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(m in text for m in _OUT_OF_MEMORY)
