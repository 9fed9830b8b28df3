"""The loop of VQGAN+CLIP: `Loop.step` is one iteration, in reading order.

    z -quantize-> z_q -decode-> x -crop-> crops -encode-> emb -objective-> loss
    gradient to z alone -> optimizer step -> z clamped to the codebook's box

The same function paints, is recorded as a CUDA graph, is rehearsed on the meta device for its
memory, and is read in lesson 12. So whatever is random or changes comes in as tensors (`Inputs`),
whatever is measured goes out as tensors (`StepOutput`), and nothing in between waits for the GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import latents
from vqclip_nb.core.compute import Compute
from vqclip_nb.core.cutouts import Cuts, draw_cuts
from vqclip_nb.core.images import fitted, squashed, to_bytes
from vqclip_nb.core.latent_state import LatentState
from vqclip_nb.core.losses import Observation, Weights, objective
from vqclip_nb.core.mask import Mask
from vqclip_nb.core.optimizers import set_rate
from vqclip_nb.core.targets import Story, Target
from vqclip_nb.models.draft.drafting import draft_latents
from vqclip_nb.settings import Settings

if TYPE_CHECKING:
    from vqclip_nb.models.loading import Models  # which reads files

_DETERMINISTIC = ("straight_through", "none")  # quantizers whose picture is the one that is shown
_DRAFTED = ("prompt", "extras", "w1", "w2")  # live settings that the drafts depend on


@dataclass(frozen=True)
class Inputs:
    """What is new in one iteration.

    targets: one for each perceptor
    drafts: latents [P, B, C, h, w] that `draft_weight` pulls to, one for each phrase; or None
    weights: of every term of the loss
    cuts: where the crops lie
    gumbel: noise [B, h, w, K] for the quantizer of that name; or None
    """

    targets: tuple[Target, ...]
    drafts: Tensor | None
    weights: Weights
    cuts: Cuts
    gumbel: Tensor | None


@dataclass(frozen=True)
class StepOutput:
    """What one iteration measured: scalars on the device.

    parts: each weighted term of the loss by name; their sum is the loss
    similarity: mean cosine between the crops' embeddings and the target, in [-1, 1]
    gradient: largest magnitude in the gradient of z
    """

    parts: dict[str, Tensor]
    similarity: Tensor
    gradient: Tensor

    def stacked(self) -> Tensor:
        """All of them as one tensor, so that reading them waits for the device once."""
        return torch.stack([*self.parts.values(), self.similarity, self.gradient])

    def numbers(self) -> tuple[dict[str, float], float, float]:
        """Parts, similarity and gradient on the host."""
        *parts, similarity, gradient = self.stacked().tolist()
        return dict(zip(self.parts, parts, strict=True)), similarity, gradient


@dataclass(frozen=True)
class Start:
    """What a painting begins with instead of random codes.

    picture: an image [1, 3, H, W] in [0,1]; latents: another run's [N, C, h, w]
    mask: an image [1, 3, H, W], white where to paint; it needs `picture`
    """

    picture: Tensor | None = None
    latents: Tensor | None = None
    mask: Tensor | None = None


class Loop:
    """One latent, the networks that judge its picture, and the settings of the next iteration."""

    def __init__(
        self,
        models: Models,
        settings: Settings,
        start: Start | None = None,
        *,
        saved: dict[str, Tensor] | None = None,
        compute: Compute | None = None,
    ) -> None:
        """Begin as the settings and `start` say, or continue from `saved`, made by `tensors`.

        If `saved` has no mask, it is that of `start`.
        """
        self.models, self.settings, self.compute = models, settings, compute or Compute()
        self.halvings = settings.coarse_steps if settings.coarse else 0
        self.mask = None
        if saved is None:
            self._make_drafts()
            self._begin(start or Start())
        else:
            self._restore(saved, start or Start())
            self._make_drafts()
        self.forget()

    def step(self, inputs: Inputs) -> StepOutput:
        """One iteration: compare the picture with the prompt and move the latent.

        The latent stays where it is if the loss or its gradient is not finite.
        """
        settings, vqgan, latent = self.settings, self.models.vqgan, self.latent
        z_q, x = self.picture(inputs.gumbel)  # quantize, decode: (B, C, h, w), (B, 3, H, W)
        crops = self.crop(x, inputs.cuts)  # for each perceptor (B * cutn, 3, S, S)
        embs = self.encode(crops)  # for each perceptor (B * cutn, E)
        seen = Observation(x, latent.z, z_q, latent.start, inputs.drafts)
        pairs = list(zip(embs, inputs.targets, strict=True))
        parts, similarity = objective(vqgan, settings.distance, pairs, inputs.weights, seen)
        # times the batch size: each picture moves as it would alone
        loss = sum(parts.values()) * settings.batch_size
        (gradient,) = torch.autograd.grad(loss, latent.z)  # (B, C, h, w); the networks are frozen
        parts = {name: part.detach() for name, part in parts.items()}
        output = StepOutput(parts, similarity.detach(), gradient.abs().amax())
        finite = output.stacked().isfinite().all()
        # optimizer step, then back into the codebook's box and the mask
        confine = vqgan.confine if settings.clamp else None
        free = self.mask and self.mask.free_codes(*self.codes)
        latent.move(gradient, finite, confine=confine, free=free)
        self.forget()
        return output

    def picture(self, gumbel: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z_q [B, C, h, w] and its picture [B, 3, H, W], with their graph.

        A picture is both shown after one iteration and judged by the next: it is decoded once.
        """
        if self.settings.quantizer not in _DETERMINISTIC:
            return self._quantize_and_decode(gumbel)
        if self._decoded is None:
            self._decoded = self._quantize_and_decode()
        return self._decoded

    def crop(self, x: Tensor, cuts: Cuts) -> list[Tensor]:
        """For each perceptor the crops [B * cutn, 3, S, S] of pictures [B, 3, H, W]."""
        crops = {size: cuts.of(x, size) for size in cuts.draws}
        return [crops[perceptor.input_size] for perceptor in self.models.perceptors]

    def encode(self, crops: list[Tensor]) -> list[Tensor]:
        """For each perceptor the embeddings [B * cutn, E] of its crops."""
        perceptors = self.models.perceptors
        return [self.compute.encode(*pair) for pair in zip(perceptors, crops, strict=True)]

    def inputs(self, iteration: int, targets: list[Target], story: Story) -> Inputs:
        """Draw the inputs of an iteration, counted from 1."""
        vqgan, settings = self.models.vqgan, self.settings
        height, width = self.codes
        streams, gumbel = self.streams(iteration), None
        if settings.quantizer == "gumbel":
            gumbel = latents.gumbel_noise(streams, height, width, len(vqgan.codebook))
        cuts = self.draw_cuts(streams, (height * vqgan.factor, width * vqgan.factor))
        drafted = [draft is not None for draft in self.drafts]
        weights = Weights.at(iteration, settings, targets[0], story.shares(iteration), drafted)
        return Inputs(tuple(targets), self.stacked_drafts, weights, cuts, gumbel)

    def streams(self, iteration: int) -> list[torch.Generator]:
        """The random numbers of each batch item in an iteration; 0: the start."""
        seed, batch = self.settings.seed, self.settings.batch_size
        return [latents.stream(seed, item, iteration) for item in range(batch)]

    def draw_cuts(self, streams: list[torch.Generator], shape: tuple[int, int]) -> Cuts:
        """Draw where the crops of pictures of `shape` (H, W) lie."""
        sizes = [perceptor.input_size for perceptor in self.models.perceptors]
        return draw_cuts(self.settings, streams, shape, sizes, self.models.device)

    def pixels(self) -> Tensor:
        """The current pictures as they are shown, uint8 [B, H, W, 3]."""
        return to_bytes(self.shown())

    def shown(self) -> Tensor:
        """The pictures that are shown and kept, [B, 3, H, W] at full size: decode(quantize(z))."""
        settings = self.settings
        if self.latent.average is None and settings.quantizer in _DETERMINISTIC:
            x = self.picture()[1].detach()
        else:
            with torch.no_grad():
                z = self.latent.shown()
                z_q = z if settings.quantizer == "none" else self.models.vqgan.quantize(z)[0]
                x = self._decode(z_q)
        width, height = settings.im_shape
        if x.shape[-2:] != (height, width):
            x = F.interpolate(x, (height, width), mode="bicubic").clamp(0, 1)
        return x

    @property
    def codes(self) -> tuple[int, int]:
        """Height and width of the latent in codes, halved `halvings` times."""
        return latents.size_of(self.settings.im_shape, self.models.vqgan.factor, self.halvings)

    def update(self, settings: Settings) -> None:
        """Use these settings from the next iteration on."""
        before, self.settings = self.settings, settings
        if any(getattr(settings, name) != getattr(before, name) for name in _DRAFTED):
            self._make_drafts()

    def set_rate(self, iteration: int) -> None:
        """Set the learning rate of an iteration, counted from 1."""
        set_rate(self.latent.optimizer, self.settings, iteration)

    def grow_if_due(self, iteration: int) -> None:
        """Double the latent's sides after the last iteration of a coarse size."""
        settings, size = self.settings, self.codes
        while self.halvings and iteration >= self._last_at_this_size():
            self.halvings -= 1
        if self.codes != size:
            self.latent = self.latent.resized(settings, *self.codes)
            self._make_drafts()
            self.forget()

    def _last_at_this_size(self) -> int:
        settings = self.settings
        share = 1 - (self.halvings - 1) / settings.coarse_steps
        return round(share * settings.coarse * settings.total_iter)

    def decoded(self) -> tuple[Tensor, Tensor] | None:
        """The last z_q and picture without their graph, if they are still kept."""
        return self._decoded and tuple(tensor.detach() for tensor in self._decoded)

    def forget(self, instead: tuple[Tensor, Tensor] | None = None) -> None:
        """Release the graph of the last picture, which is decoded again when it is needed.

        instead: z_q and picture to use until then
        """
        self._decoded = instead

    def tensors(self) -> dict[str, Tensor]:
        """Everything that it takes to continue exactly."""
        tensors = self.latent.tensors()
        if self.mask is not None:
            tensors |= {"kept": self.mask.kept, "paint": self.mask.paint}
        return tensors

    def _begin(self, start: Start) -> None:
        settings, vqgan = self.settings, self.models.vqgan
        notebook = settings.picture_method == "notebook"
        self._take_mask(start)
        height, width = self.codes
        if start.latents is not None:
            z = latents.from_latents(start.latents, settings.batch_size, height, width)
        elif start.picture is not None:
            x = self._fitted(start.picture, width * vqgan.factor, height * vqgan.factor)
            z = vqgan.encode(x.to(vqgan.device))
            z = vqgan.quantize(z)[0] if notebook else z
            z = z.repeat(settings.batch_size, 1, 1, 1)
        elif settings.start == "draft" and settings.draft_weight and self.drafts[0] is not None:
            z = self.drafts[0]
        else:
            common = settings.start, settings.seed, settings.batch_size
            z = latents.begin(vqgan, *common, height, width)
        self.latent = LatentState(settings, vqgan.normalized(z.to(vqgan.device)))

    def _take_mask(self, start: Start) -> None:
        if start.mask is not None:
            device, shape = self.models.vqgan.device, self.settings.im_shape
            kept = self._fitted(start.picture, *shape).to(device)
            paint = self._fitted(start.mask, *shape).mean(1, keepdim=True)  # (1, 1, H, W)
            self.mask = Mask(paint.to(device), kept)

    def _fitted(self, x: Tensor, width: int, height: int) -> Tensor:
        """A picture at this size, as `picture_method` says."""
        fit = squashed if self.settings.picture_method == "notebook" else fitted
        return fit(x, width, height)

    def _restore(self, saved: dict[str, Tensor], start: Start) -> None:
        device = self.models.vqgan.device
        self.latent = LatentState.restore(self.settings, saved, device)
        self._take_mask(start)
        if "paint" in saved:
            self.mask = Mask(saved["paint"].to(device), saved["kept"].to(device))
        sizes = range(self.settings.coarse_steps + 1)
        for self.halvings in sizes:
            if self.codes == tuple(self.latent.z.shape[-2:]):
                break

    def _make_drafts(self) -> None:
        """For each phrase its draft or None; stacked, with zeros for None, if there is any."""
        models, streams = self.models, self.streams(0)
        self.drafts = draft_latents(
            models.draft, models.vqgan, models.perceptors[0], self.settings, streams, *self.codes
        )
        channels, device = models.vqgan.codebook.shape[1], models.vqgan.device
        zeros = torch.zeros(self.settings.batch_size, channels, *self.codes, device=device)
        stacked = torch.stack([zeros if draft is None else draft for draft in self.drafts])
        self.stacked_drafts = stacked if any(d is not None for d in self.drafts) else None

    def _quantize_and_decode(self, gumbel: Tensor | None = None) -> tuple[Tensor, Tensor]:
        settings = self.settings
        z_q = latents.quantize(
            self.models.vqgan, settings.quantizer, self.latent.z, settings.temperature, gumbel
        )
        return z_q, self._decode(z_q)

    def _decode(self, z_q: Tensor) -> Tensor:
        x = self.compute.decode(self.models.vqgan, z_q, tile=self.settings.tile)
        return x if self.mask is None else self.mask.compose(x)
