"""The objective: named terms, each already weighted, whose sum is minimised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.prompts import Goal, Target
from vqclip_nb.settings import Settings
from vqclip_nb.vqgan import VQGAN


def great_circle(emb: Tensor, goal: Tensor) -> Tensor:
    """Half the squared angle between unit vectors, [n, E] and [1, E] to [n].

    As in Crowson's notebooks: 2 arcsin(|a - b| / 2)^2.
    """
    return (emb - goal).norm(dim=-1).div(2).arcsin().square().mul(2)


def negative_cosine(emb: Tensor, goal: Tensor) -> Tensor:
    """The seed's distance of unit vectors, [n, E] and [1, E] to [n]."""
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
    drafts: the latents that `draft_weight` pulls to, each with its share
    iteration: from 1
    """

    x: Tensor
    z: Tensor
    z_q: Tensor
    start: Tensor
    drafts: Sequence[tuple[float, Tensor]] = ()
    iteration: int = 1


def objective(
    vqgan: VQGAN,
    settings: Settings,
    pairs: list[tuple[Tensor, Target]],
    shares: dict[int, float],
    scene: Scene,
) -> tuple[dict[str, Tensor], Tensor]:
    """The named parts of the loss, and the mean cosine to what is aimed at.

    pairs: for each critic its embeddings of the crops [B*n, E] and its target
    shares: how much each phrase of the story counts now, see `prompts.Story`
    """
    distance, similarity = 0.0, 0.0
    measure = DISTANCES[settings.distance]
    for emb, target in pairs:
        unit = F.normalize(emb, dim=-1)
        for phrase, share in shares.items():
            goals = target.phrases[phrase]
            distance = distance + share * sum(_pull(unit, goal, measure) for goal in goals)
            similarity = similarity + share * _nearness(unit, goals)
        for goal in target.exclude:
            distance = distance - settings.exclude_weight * _pull(unit, goal, measure)
    parts = {"clip": distance / len(pairs)}
    parts |= _of_the_latent(vqgan, settings, scene)
    if settings.tv_weight:
        parts["tv"] = settings.tv_weight * total_variation(scene.x)
    if settings.gan_weight:
        parts["gan"] = -settings.gan_weight * vqgan.discriminate(scene.x).mean()
    return parts, similarity / len(pairs)


def _pull(unit: Tensor, goal: Goal, measure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """|w| times the mean distance, with w's sign; below `stop` its value counts, not its gradient.

    As in Crowson's notebooks, whose `stop` is compared with the distance of w's sign.
    """
    signed = measure(unit, goal.emb) * (1 if goal.weight >= 0 else -1)
    bounded = signed.clamp_min(goal.stop)
    return abs(goal.weight) * (bounded + (signed - bounded).detach()).mean()


def _nearness(unit: Tensor, goals: list[Goal]) -> Tensor:
    """Mean cosine to the goals, by their weights; to those to go away from only if all are such."""
    wanted = [goal for goal in goals if goal.weight > 0] or goals
    total = sum(abs(goal.weight) for goal in wanted) or 1.0
    cosines = [(unit @ goal.emb.T).mean() * abs(goal.weight) for goal in wanted]
    return sum(cosines) / total


def _of_the_latent(vqgan: VQGAN, settings: Settings, scene: Scene) -> dict[str, Tensor]:
    """The terms that look at z alone."""
    parts, z = {}, scene.z
    if settings.vq_weight:
        # stop-gradient on the codes: the latent comes to them (1711.00937, eq. 3, last term)
        parts["vq"] = settings.vq_weight * F.mse_loss(z, scene.z_q.detach())
    if settings.draft_weight and scene.drafts:
        # in units of the codebook's variance, so that a weight means the same for every VQGAN
        away = sum(share * F.mse_loss(z, draft) for share, draft in scene.drafts)
        parts["draft"] = settings.draft_weight * away / vqgan.codebook.var()
    if settings.init_weight:
        parts["init"] = settings.init_weight * F.mse_loss(z, scene.start)
    if settings.zero_weight:
        # as in nerdyrodent, whose first iteration is number 0: w / (2 (2 i + 1))
        fading = settings.zero_weight / (2 * (2 * (scene.iteration - 1) + 1))
        parts["zero"] = fading * z.square().mean()
    return parts


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down and across (Mahendran & Vedaldi,
    1412.0035, with beta 2)."""
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
