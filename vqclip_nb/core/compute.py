"""How the loop calls the two networks."""

from __future__ import annotations

from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.vqgan import VQGAN


class Compute:
    """The plain way; `accel.memory_saving` has one that needs less memory."""

    def decode(self, vqgan: VQGAN, z_q: Tensor, *, tile: bool) -> Tensor:
        """Codes [B, C, h, w] to pictures [B, 3, H, W] in [0,1]."""
        return vqgan.decode(z_q, tile=tile)

    def encode(self, perceptor: Perceptor, crops: Tensor) -> Tensor:
        """Crops [n, 3, S, S] to embeddings [n, E]."""
        return perceptor.encode_image(crops)
