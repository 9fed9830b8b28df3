"""One iteration on the device: judge the picture, move the latent, see what has become of it.

All that is new in an iteration, chance and weights, comes in as tensors, and all that it tells goes
out as one. In between nobody asks the device for a number and nothing is copied from elsewhere, so
that a GPU can record it once and play it again and again (`graphs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vqclip_nb.core import latents
from vqclip_nb.core.canvas import Canvas
from vqclip_nb.core.cutouts import Cuts, draw_cuts
from vqclip_nb.core.losses import Scene, Weights, objective
from vqclip_nb.core.targets import Story, Target
from vqclip_nb.models.loading import Models
from vqclip_nb.storage.images import to_bytes


@dataclass(frozen=True)
class Inputs:
    """What is new in an iteration.

    targets: for each critic; drafts: [P, B, C, h, w] or None; weights: of all terms
    cuts: where the crops lie; gumbel: numbers [B, h, w, K] of the quantiser of that name, or None
    """

    targets: tuple[Target, ...]
    drafts: Tensor | None
    weights: Weights
    cuts: Cuts
    gumbel: Tensor | None


class Step:
    """What an iteration computes, of one canvas.

    names: of the parts of the loss that the last call of `judge` told
    """

    def __init__(self, models: Models, canvas: Canvas) -> None:
        self.models, self.canvas = models, canvas
        self.names: tuple[str, ...] = ()

    def inputs(self, iteration: int, targets: list[Target], story: Story) -> Inputs:
        """Draw what is new in an iteration, counted from 1."""
        canvas, vqgan, settings = self.canvas, self.models.vqgan, self.canvas.settings
        height, width = canvas.z.shape[-2:]
        streams, gumbel = self.streams(iteration), None
        if settings.quantizer == "gumbel":
            gumbel = latents.gumbel_noise(streams, height, width, len(vqgan.codebook))
        cuts = self.cuts(streams, (height * vqgan.factor, width * vqgan.factor))
        drafted = [draft is not None for draft in canvas.drafts]
        weights = Weights.at(iteration, settings, targets[0], story.shares(iteration), drafted)
        return Inputs(tuple(targets), canvas.stacked, weights, cuts, gumbel)

    def streams(self, iteration: int) -> list[torch.Generator]:
        """The random numbers of each picture in an iteration."""
        seed, batch = self.canvas.settings.seed, self.canvas.settings.batch_size
        return [latents.stream(seed, item, iteration) for item in range(batch)]

    def cuts(self, streams: list[torch.Generator], shape: tuple[int, int]) -> Cuts:
        """Draw where the crops of pictures of `shape` (H, W) lie."""
        sizes = [perceptor.input_size for perceptor in self.models.perceptors]
        return draw_cuts(self.canvas.settings, streams, shape, sizes, self.models.device)

    def embeddings(self, x: Tensor, cuts: Cuts) -> list[Tensor]:
        """What each critic makes of the crops of the pictures x [B, 3, H, W]: [B*n, E] each."""
        crops = {size: cuts.of(x, size) for size in cuts.draws}
        return [
            self.canvas.thrift.encode(perceptor, crops[perceptor.input_size])
            for perceptor in self.models.perceptors
        ]

    def judge(self, inputs: Inputs) -> Tensor:
        """Judge the picture and move its latent; not, if what should move it is no number.

        Gives the parts of the loss, the mean cosine to the goals, and the gradient's largest
        number, [len(names) + 2].
        """
        canvas, settings = self.canvas, self.canvas.settings
        z_q, x = canvas.judged(inputs.gumbel)
        pairs = list(zip(self.embeddings(x, inputs.cuts), inputs.targets, strict=True))
        scene = Scene(x, canvas.z, z_q, canvas.start, inputs.drafts)
        parts, similarity = objective(
            self.models.vqgan, settings.distance, pairs, inputs.weights, scene
        )
        # times the batch size: each picture is moved as it would be alone
        loss = sum(parts.values()) * settings.batch_size
        (gradient,) = torch.autograd.grad(loss, canvas.z)
        self.names = tuple(parts)
        told = torch.stack([*parts.values(), similarity, gradient.abs().amax()]).detach()
        canvas.move(gradient, told.isfinite().all())
        return told

    def see(self) -> Tensor:
        """The current pictures as they are shown, uint8 [B, H, W, 3]."""
        return to_bytes(self.canvas.shown())
