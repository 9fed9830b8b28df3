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
class Scene:
    """What an iteration judges.

    x: pictures [B, 3, H, W] in [0,1]; z: the latent [B, C, h, w]; z_q: its codes
    start: the latent that the run began with
    drafts: the latents [P, B, C, h, w] that `draft_weight` pulls to, one a phrase; None: to none
    """

    x: Tensor
    z: Tensor
    z_q: Tensor
    start: Tensor
    drafts: Tensor | None = None


@dataclass(frozen=True)
class Weights:
    """How much everything counts in one iteration.

    Tensors, so that a computation that was recorded once can be given others.

    goals: of each goal's distance [G], below 0 where to keep away from it
    wanted: of each goal's cosine [G] in the similarity that is told; they add up to 1
    terms: of each further term that counts at all, by its name
    drafts: of each phrase's draft [P]
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
        """Those of an iteration, counted from 1.

        shares: how much each phrase of the story counts now, see `prompts.Story`
        drafted: for each phrase whether there is a draft of it
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
    """Each goal's part in the similarity: within a phrase by the weights of the goals to come near
    to; of those to go away from only if all are such."""
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
    scene: Scene,
) -> tuple[dict[str, Tensor], Tensor]:
    """The named parts of the loss, and the mean cosine to what is aimed at.

    distance: one of `DISTANCES`
    pairs: for each critic its embeddings of the crops [B*n, E] and its target
    """
    away, near = [], []
    for emb, target in pairs:
        unit = F.normalize(emb, dim=-1)
        away.append(weights.goals @ _distances(unit, target, DISTANCES[distance]))
        near.append(weights.wanted @ (unit @ target.goals.T).mean(0))
    terms = {
        "clip": lambda: sum(away) / len(pairs),
        # stop-gradient on the codes: the latent comes to them (1711.00937, eq. 3, last term)
        "vq": lambda: F.mse_loss(scene.z, scene.z_q.detach()),
        # in units of the codebook's variance, so that a weight means the same for every VQGAN
        "draft": lambda: weights.drafts @ _gaps(scene.z, scene.drafts) / vqgan.variance,
        "init": lambda: F.mse_loss(scene.z, scene.start),
        "zero": lambda: scene.z.square().mean(),
        "tv": lambda: total_variation(scene.x),
        "gan": lambda: -vqgan.discriminate(scene.x).mean(),
    }
    parts = {"clip": terms["clip"]()}
    parts |= {name: weight * terms[name]() for name, weight in weights.terms.items()}
    return parts, sum(near) / len(pairs)


def _distances(unit: Tensor, target: Target, measure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The mean distances [G] of unit vectors [n, E] to the goals, with the sign of their weights;
    below `stop` a goal's counts, but not its gradient.

    As in Crowson's notebooks, whose `stop` is compared with the distance of w's sign.
    """
    sign = torch.where(target.weights < 0, -1.0, 1.0)
    signed = measure(unit[:, None], target.goals) * sign  # (n, G)
    bounded = torch.maximum(signed, target.stops)
    return (bounded + (signed - bounded).detach()).mean(0)


def _gaps(z: Tensor, drafts: Tensor) -> Tensor:
    """The mean squared distance of z to each of the latents [P, B, C, h, w]."""
    return (z - drafts).square().flatten(1).mean(1)


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down and across (Mahendran & Vedaldi,
    1412.0035, with beta 2)."""
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
