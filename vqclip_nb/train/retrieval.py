"""Whether a CLIP finds the caption of a picture among many."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.train.towers import same_captions


def texts_of(perceptor: Perceptor, captions: Iterable[str]) -> Tensor:
    """Unit embeddings [n, E]."""
    return F.normalize(perceptor.encode_text(list(captions)), dim=1)


@torch.no_grad()
def pictures_of(perceptor: Perceptor, x: Tensor) -> Tensor:
    """Unit embeddings [n, E] of pictures [n, 3, H, W]."""
    return F.normalize(torch.cat([perceptor.encode_image(b) for b in x.split(50)]), dim=1)


def first(perceptor: Perceptor, x: Tensor, captions: list[str], among: int = 1) -> float:
    """Share of pictures whose caption, or an equal one, is among the `among` nearest captions."""
    best = (pictures_of(perceptor, x) @ texts_of(perceptor, captions).T).topk(among, 1).indices
    same = same_captions(captions, captions) > 0
    return same.gather(1, best).any(1).float().mean().item()
