"""The objective: named terms, each already weighted, whose sum is minimised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.targets import Target
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.settings import Settings


def great_circle(emb: Tensor, goal: Tensor) -> Tensor:
    """Half the squared angle between unit vectors, along their last axis.

    As in Crowson's notebooks: 2 arcsin(|a - b| / 2)^2.
    """
    return (emb - goal).norm(dim=-1).div(2).arcsin().square().mul(2)


def negative_cosine(emb: Tensor, goal: Tensor) -> Tensor:
    """The seed's distance of unit vectors, along their last axis."""
    return -(emb * goal).sum(-1)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "great_circle": great_circle,
    "cosine": negative_cosine,
}


@dataclass(frozen=True)
class Observation:
    """What the terms of the loss are computed from, beside the crops' embeddings.

    x: pictures [B, 3, H, W] in [0,1]; z: the latent [B, C, h, w]; z_q: its codes
    start: the latent that the run began with
    drafts: latents [P, B, C, h, w] that `draft_weight` pulls to, one for each phrase; or None
    """

    x: Tensor
    z: Tensor
    z_q: Tensor
    start: Tensor
    drafts: Tensor | None = None


@dataclass(frozen=True)
class Weights:
    """The weights of one iteration: tensors, so that a recorded iteration can be given new ones.

    goals: weights of the goals' distances [G]; negative pushes away from a goal
    wanted: weights of the goals' cosines [G] in the reported similarity; they sum to 1
    terms: weights of the other terms by name; a term that is missing is not computed
    drafts: weights of the phrases' drafts [P]
    """

    goals: Tensor
    wanted: Tensor
    terms: dict[str, Tensor]
    drafts: Tensor

    @classmethod
    def at(
        cls,
        iteration: int,
        settings: Settings,
        target: Target,
        shares: dict[int, float],
        drafted: Sequence[bool] = (),
    ) -> Weights:
        """The weights of an iteration, counted from 1.

        shares: share of each phrase of the story in this iteration, see `Story.shares`
        drafted: for each phrase whether it has a draft
        """
        goals = [
            -settings.exclude_weight * abs(weight)
            if phrase is None
            else shares.get(phrase, 0.0) * abs(weight)
            for weight, phrase in zip(target.weights.tolist(), target.phrases, strict=True)
        ]
        drafts = [shares.get(phrase, 0.0) * there for phrase, there in enumerate(drafted)]
        terms = {name: getattr(settings, f"{name}_weight") for name in _TERMS}
        if not any(drafted):
            terms["draft"] = 0.0
        terms["init"] /= 2  # as in Crowson's notebooks
        # as in nerdyrodent, whose first iteration is number 0: w / (2 (2 i + 1))
        terms["zero"] /= 2 * (2 * (iteration - 1) + 1)
        return cls(
            torch.tensor(goals),
            torch.tensor(_wanted(target, shares)),
            {name: torch.tensor(float(weight)) for name, weight in terms.items() if weight},
            torch.tensor(drafts),
        )


_TERMS = ("vq", "draft", "init", "zero", "tv", "gan")


def _wanted(target: Target, shares: dict[int, float]) -> list[float]:
    """Each goal's share in the similarity: in a phrase the positive goals by their weights.

    Negative goals count only in a phrase that has no positive one.
    """
    weights, found = target.weights.tolist(), [0.0] * len(target.phrases)
    for phrase, share in shares.items():
        own = [number for number, of in enumerate(target.phrases) if of == phrase]
        chosen = [number for number in own if weights[number] > 0] or own
        total = sum(abs(weights[number]) for number in chosen) or 1.0
        for number in chosen:
            found[number] = share * abs(weights[number]) / total
    return found


def objective(
    vqgan: VQGAN,
    distance: str,
    pairs: list[tuple[Tensor, Target]],
    weights: Weights,
    seen: Observation,
) -> tuple[dict[str, Tensor], Tensor]:
    """The weighted terms of the loss by name, and the mean cosine to the target.

    distance: one of `DISTANCES`
    pairs: for each perceptor the embeddings of the crops [B*n, E] and the target
    """
    away, near = [], []
    for emb, target in pairs:
        unit = F.normalize(emb, dim=-1)
        away.append(weights.goals @ _distances(unit, target, DISTANCES[distance]))
        near.append(weights.wanted @ (unit @ target.goals.T).mean(0))
    terms = {
        "clip": lambda: sum(away) / len(pairs),
        # commitment, with a stop-gradient on the codes (1711.00937, eq. 3, last term)
        "vq": lambda: F.mse_loss(seen.z, seen.z_q.detach()),
        # relative to the codebook's variance, so that a weight means the same for every VQGAN
        "draft": lambda: weights.drafts @ _gaps(seen.z, seen.drafts) / vqgan.variance,
        "init": lambda: F.mse_loss(seen.z, seen.start),
        "zero": lambda: seen.z.square().mean(),
        "tv": lambda: total_variation(seen.x),
        "gan": lambda: -vqgan.discriminate(seen.x).mean(),
    }
    parts = {"clip": terms["clip"]()}
    parts |= {name: weight * terms[name]() for name, weight in weights.terms.items()}
    return parts, sum(near) / len(pairs)


def _distances(unit: Tensor, target: Target, measure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Mean distances [G] of unit vectors [n, E] to the goals, signed like their weights.

    Below a goal's `stop` its value still counts but its gradient is zero, as in Crowson's
    notebooks, which compare `stop` with the signed distance.
    """
    sign = torch.where(target.weights < 0, -1.0, 1.0)
    signed = measure(unit[:, None], target.goals) * sign  # (n, G)
    bounded = torch.maximum(signed, target.stops)
    return (bounded + (signed - bounded).detach()).mean(0)


def _gaps(z: Tensor, drafts: Tensor) -> Tensor:
    """Mean squared differences [P] of z [B, C, h, w] and each of the drafts [P, B, C, h, w]."""
    return (z - drafts).square().flatten(1).mean(1)


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down and across (Mahendran & Vedaldi,
    1412.0035, with beta 2)."""
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
