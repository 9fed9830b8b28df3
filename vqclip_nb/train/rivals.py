"""Paintings in progress that the critic must learn to rank below decoded drawings.

A critic that never saw what its own gradient paints is content with a blob of the right colours.
So a pool of paintings is kept going with the critic as it is now, as a run of the package would,
and each is compared with a decoded scene of the same caption: contrastive divergence with a
persistent chain (Tieleman, ICML 2008; for pictures Du & Mordatch, 1903.08689), the critic's
similarity being the negative energy. Both sides come from the same decoder, a `sketch` of the
VQGAN's, through the same crop, so that nothing but what they show tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import cutouts
from vqclip_nb.core.losses import great_circle
from vqclip_nb.models.vqgan import VQGAN, clamp_with_grad
from vqclip_nb.train.scenes import Composer, Plan
from vqclip_nb.train.sketch import Sketch


@dataclass
class Painting:
    """One chain: z [1, C, h, w], its optimizer, and the scene [3, S, S] that it rivals.

    plan: how the scene was drawn, to draw it anew, and what it shows
    """

    z: Tensor
    optimizer: torch.optim.Optimizer
    scene: Tensor
    plan: Plan
    age: int = 0


class Rivals:
    """A pool of paintings, each of its own age, from random codes to `steps` iterations.

    settings: `pool`, `batch`, `steps`, `redrawn`, `learning_rate`, `cutn`, `noise_factor`, `size`
    """

    def __init__(self, settings: dict, vqgan: VQGAN, sketch: Sketch, composer: Composer) -> None:
        self.settings, self.vqgan, self.sketch = settings, vqgan, sketch
        self.composer, self.generator = composer, composer.generator
        self.pool = self._begun(settings["pool"])

    def chosen(self) -> list[Painting]:
        """`batch` different paintings of the pool; those that were finished are begun anew."""
        order = torch.randperm(len(self.pool), generator=self.generator)
        places = order[: self.settings["batch"]].tolist()
        old = [place for place in places if self.pool[place].age >= self.settings["steps"]]
        for place, painting in zip(old, self._begun(len(old)), strict=True):
            self.pool[place] = painting
        chosen = [self.pool[place] for place in places]
        self._redraw(chosen[: self.settings["redrawn"]])
        return chosen

    def _redraw(self, paintings: list[Painting]) -> None:
        """Other scenes of the same captions: one that stayed would soon be known by heart."""
        x = self.composer.redrawn([p.plan for p in paintings], self.settings["size"])
        for painting, scene in zip(paintings, self._decoded(x)[0], strict=True):
            painting.scene = scene

    def paint(self, paintings: list[Painting], text: Tensor, embed) -> tuple[Tensor, Tensor]:
        """One iteration of each painting; a crop [n, 3, s, s] of each scene and each painting.

        text: unit embeddings [n, E] of the captions; embed: crops to unit embeddings. The crops
        are those of the paintings before this step, which is what the step was judged by.
        """
        n, cutn = len(paintings), self.settings["cutn"]
        z_q, _ = self.vqgan.quantize(torch.cat([painting.z for painting in paintings]))
        x = clamp_with_grad(self.sketch(z_q))
        draws = cutouts.draw(
            [self.generator] * n, cutn, 64, tuple(x.shape[-2:]), self.settings["noise_factor"]
        )
        crops = cutouts.apply(x, draws)
        great_circle(embed(crops), text.repeat_interleave(cutn, 0)).mul(1 / cutn).sum().backward()
        for painting in paintings:
            painting.optimizer.step()
            painting.optimizer.zero_grad()
            self.vqgan.clamp_to_box(painting.z)
            painting.age += 1
        scenes = cutouts.apply(torch.stack([p.scene for p in paintings]), draws)
        return scenes[::cutn].clamp(0, 1), crops.detach()[::cutn].clamp(0, 1)

    @torch.no_grad()
    def _begun(self, number: int) -> list[Painting]:
        """New paintings of new captions, at random codes."""
        if number == 0:
            return []
        plans = self.composer.plans(number)
        scenes, codes = self._decoded(self.composer.drawn(plans, self.settings["size"]))
        codes = torch.randint(len(self.vqgan.codebook), codes.shape, generator=self.generator)
        starts = F.embedding(codes.to(self.vqgan.device), self.vqgan.codebook).permute(0, 3, 1, 2)
        paintings = []
        for start, *rest in zip(starts, scenes, plans, strict=True):
            z = start[None].contiguous().requires_grad_()
            optimizer = torch.optim.AdamW([z], self.settings["learning_rate"], weight_decay=0)
            paintings.append(Painting(z, optimizer, *rest))
        return paintings

    @torch.no_grad()
    def _decoded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the pair makes of scenes [n, 3, 2S, 2S]: sketches [n, 3, S, S], codes [n, h, w]."""
        z_q, codes = self.vqgan.quantize(self.vqgan.encode(x))
        return self.sketch(z_q).clamp(0, 1), codes
