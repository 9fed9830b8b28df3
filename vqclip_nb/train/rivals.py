"""Rivals: paintings that CLIP must learn to rank below real scenes (hard negatives).

A CLIP that has never seen pictures optimised for it scores a blob of the right colours high. So a
pool of paintings is optimised for the current CLIP, as a run would do, and each is compared with a
scene of the same caption. This is persistent contrastive divergence (Tieleman, ICML 2008; for
pictures Du & Mordatch, 1903.08689), with CLIP's similarity as the negative energy. Both pictures
come from the same decoder, a `sketch` of the VQGAN's, and through the same crop, so that they differ
only in what they show.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import cutouts
from vqclip_nb.core.losses import great_circle
from vqclip_nb.models.vqgan import VQGAN, clamp_with_grad
from vqclip_nb.train.compositions import Cast, Composition, as_tensor, compose
from vqclip_nb.train.sketch import Sketch


@dataclass
class Painting:
    """A painting in progress: z [1, C, h, w], its optimizer, and its scene [3, S, S].

    composition: what the scene shows
    age: iterations so far
    """

    z: Tensor
    optimizer: torch.optim.Optimizer
    scene: Tensor
    composition: Composition
    age: int = 0


class Rivals:
    """A pool of paintings of different ages, from random codes to `steps` iterations.

    settings: `pool`, `batch`, `steps`, `learning_rate`, `cutn`, `noise_factor`, `size`
    """

    def __init__(
        self, settings: dict, vqgan: VQGAN, sketch: Sketch, cast: Cast, generator: torch.Generator
    ) -> None:
        self.settings, self.vqgan, self.sketch = settings, vqgan, sketch
        self.cast, self.generator = cast, generator
        self.pool = self._new_paintings(settings["pool"])

    def chosen(self) -> list[Painting]:
        """Sample `batch` paintings of the pool, after replacing finished ones by new ones."""
        order = torch.randperm(len(self.pool), generator=self.generator)
        indices = order[: self.settings["batch"]].tolist()
        old = [i for i in indices if self.pool[i].age >= self.settings["steps"]]
        for i, painting in zip(old, self._new_paintings(len(old)), strict=True):
            self.pool[i] = painting
        return [self.pool[i] for i in indices]

    def paint(
        self, paintings: list[Painting], text: Tensor, embed, size: int
    ) -> tuple[Tensor, Tensor]:
        """Run one iteration of each painting; returns crops [n, 3, s, s] of scenes and paintings.

        text: unit embeddings [n, E] of the captions; embed: maps crops to unit embeddings
        size: s, side of the crops in pixels

        The crops show the paintings before this step.
        """
        n, cutn = len(paintings), self.settings["cutn"]
        z_q, _ = self.vqgan.quantize(torch.cat([painting.z for painting in paintings]))
        x = clamp_with_grad(self.sketch(z_q))
        draws = cutouts.draw(
            [self.generator] * n, cutn, size, tuple(x.shape[-2:]), self.settings["noise_factor"]
        )
        crops = cutouts.apply(x, draws)
        great_circle(embed(crops), text.repeat_interleave(cutn, 0)).mul(1 / cutn).sum().backward()
        for painting in paintings:
            painting.optimizer.step()
            painting.optimizer.zero_grad()
            self.vqgan.confine(painting.z)
            painting.age += 1
        scenes = cutouts.apply(torch.stack([p.scene for p in paintings]), draws)
        return scenes[::cutn].clamp(0, 1), crops.detach()[::cutn].clamp(0, 1)

    @torch.no_grad()
    def _new_paintings(self, number: int) -> list[Painting]:
        """New paintings of new captions, initialised with random codes."""
        if number == 0:
            return []
        rng = random.Random(int(torch.randint(2**62, (), generator=self.generator)))
        drawn = [compose(self.cast, rng, self.settings["size"])[:2] for _ in range(number)]
        x = as_tensor([image for image, _ in drawn], self.vqgan.device)
        scenes, codes = self._decoded(x)
        codes = torch.randint(len(self.vqgan.codebook), codes.shape, generator=self.generator)
        starts = F.embedding(codes.to(self.vqgan.device), self.vqgan.codebook).permute(0, 3, 1, 2)
        paintings = []
        for start, scene, (_, composition) in zip(starts, scenes, drawn, strict=True):
            z = start[None].contiguous().requires_grad_()
            optimizer = torch.optim.AdamW([z], self.settings["learning_rate"], weight_decay=0)
            paintings.append(Painting(z, optimizer, scene, composition))
        return paintings

    @torch.no_grad()
    def _decoded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruct scenes [n, 3, 2S, 2S]: sketches [n, 3, S, S] and codes [n, h, w]."""
        coded = [self.vqgan.quantize(self.vqgan.encode(each)) for each in x.split(8)]
        latents, codes = zip(*coded, strict=True)
        return self.sketch(torch.cat(latents)).clamp(0, 1), torch.cat(codes)
