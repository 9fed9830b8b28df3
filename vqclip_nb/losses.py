"""The objective: named terms, each already weighted, whose sum is minimised."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.prompts import Target
from vqclip_nb.settings import Settings
from vqclip_nb.vqgan import VQGAN


def great_circle(emb: Tensor, target: Tensor) -> Tensor:
    """Half the squared angle between unit vectors, [n, E] and [1, E] to [n].

    As in Crowson's notebooks: 2 arcsin(|a - b| / 2)^2.
    """
    return (emb - target).norm(dim=-1).div(2).arcsin().square().mul(2)


def objective(
    vqgan: VQGAN,
    settings: Settings,
    pairs: list[tuple[Tensor, Target]],
    x: Tensor,
    z: Tensor,
    z_q: Tensor,
    draft: Tensor | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """The named parts of the loss, and the mean cosine to the target.

    pairs: for each critic its embeddings of the crops [B*n, E] and its target
    x, z, z_q: the pictures, the latent and its codes
    draft: the latent that `draft_weight` pulls to, of z's shape
    """
    distance, similarity = 0.0, 0.0
    for emb, target in pairs:
        unit = F.normalize(emb, dim=-1)
        distance = distance + great_circle(unit, target.include).mean()
        similarity = similarity + (unit @ target.include.T).mean()
        if target.exclude is not None:
            away = great_circle(unit, target.exclude).mean()
            distance = distance - settings.exclude_weight * away
    parts = {"clip": distance / len(pairs)}
    if settings.vq_weight:
        # stop-gradient on the codes: the latent comes to them (1711.00937, eq. 3, last term)
        parts["vq"] = settings.vq_weight * F.mse_loss(z, z_q.detach())
    if settings.draft_weight and draft is not None:
        # in units of the codebook's variance, so that a weight means the same for every VQGAN
        parts["draft"] = settings.draft_weight * F.mse_loss(z, draft) / vqgan.codebook.var()
    if settings.gan_weight:
        parts["gan"] = -settings.gan_weight * vqgan.discriminate(x).mean()
    return parts, similarity / len(pairs)
