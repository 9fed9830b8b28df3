"""The picture in progress: its latent, what of it may change, and how it is shown."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel.memory_saving import Thrift
from vqclip_nb.core import latents, optimizers
from vqclip_nb.core.targets import LoadPicture, words_to_draw
from vqclip_nb.models.draft import joined
from vqclip_nb.models.loading import Models
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.prompt_syntax import parse_prompts
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import fitted

_SHOWN_AS_JUDGED = ("straight_through", "none")  # quantisers that draw nothing by chance
_WHOLLY = 0.5  # w2 / w1 from which on a draft shows all that the extras say


class Canvas:
    """A latent that an optimizer moves, within its box, its mask and its size.

    z: the leaf [B, C, h, w]; start: what it began as; average: its moving average, or None
    drafts: for each phrase of the story the latent that `draft_weight` pulls to, or None; stacked:
        all of them as one [P, B, C, h, w], nought for None, or None if there is none
    """

    def __init__(
        self,
        models: Models,
        settings: Settings,
        load_picture: LoadPicture,
        state: dict[str, Tensor] | None = None,
    ) -> None:
        """Begin as the settings say, or go on from what `state` gave."""
        self.models, self.vqgan, self.settings = models, models.vqgan, settings
        self.thrift = Thrift(models.device, self.vqgan.dtype)
        self._load_picture = load_picture
        self.coarse = settings.coarse > 0
        self.kept: Tensor | None = None  # the init image, where a mask keeps parts of it
        self.paint: Tensor | None = None  # 1 where the mask is white, [1, 1, H, W]
        if state is not None:
            self._load(state)
            return
        if settings.mask:
            size = settings.im_shape
            self.kept = fitted(self._load_picture(settings.init_image), *size).to(self.vqgan.device)
            mask = fitted(self._load_picture(settings.mask), *size).mean(1, keepdim=True)
            self.paint = mask.to(self.vqgan.device)
        self._begin(self._first_latent())

    @property
    def codes(self) -> tuple[int, int]:
        """Codes down and across, of the size that is painted now."""
        width, height = (side // self.vqgan.factor for side in self.settings.im_shape)
        return (max(1, height // 2), max(1, width // 2)) if self.coarse else (height, width)

    def update(self, settings: Settings) -> None:
        """Take up live changes."""
        redraw = any(
            getattr(settings, name) != getattr(self.settings, name)
            for name in ("prompt", "extras", "w1", "w2")
        )
        self.settings = settings
        if redraw:
            self._draft()

    def judged(self, gumbel: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z_q and the picture x [B, 3, H, W] with their graph: what an iteration judges.

        gumbel: numbers [B, h, w, K] of the quantiser of that name
        """
        if self.settings.quantizer in _SHOWN_AS_JUDGED:
            return self._decoded_once()
        z_q = latents.discretise(
            self.vqgan, self.settings.quantizer, self.z, self.settings.temperature, gumbel
        )
        return z_q, self._composed(self._decoded(z_q))

    def shown(self) -> Tensor:
        """The picture as it is shown and kept, at full size: of the average, where there is one."""
        if self.average is None and self.settings.quantizer in _SHOWN_AS_JUDGED:
            x = self._decoded_once()[1].detach()
        else:
            with torch.no_grad():
                z = self.latent()
                z_q = z if self.settings.quantizer == "none" else self.vqgan.quantize(z)[0]
                x = self._composed(self._decoded(z_q))
        width, height = self.settings.im_shape
        if x.shape[-2:] != (height, width):
            x = F.interpolate(x, (height, width), mode="bicubic").clamp(0, 1)
        return x

    def latent(self) -> Tensor:
        """The latent of what is shown."""
        return (self.z if self.average is None else self.average).detach()

    def set_rate(self, iteration: int) -> None:
        """Give the optimizer the learning rate of an iteration, counted from 1."""
        optimizers.set_rate(self.optimizer, self.settings, iteration)

    def move(self, gradient: Tensor, good: Tensor) -> None:
        """One step of the optimizer along the gradient, then back into the box and the mask.

        good: a truth; if it is none, the latent stays where it is
        """
        before = self.z.detach().clone()
        self.z.grad = torch.where(good, gradient, 0.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            if self.settings.clamp:
                latents.clamp_to_box(self.vqgan, self.z)
            if self.paint is not None:
                self.z.copy_(torch.where(self._painted_codes(), self.z, self.start))
            self.z.copy_(torch.where(good, self.z, before))
            if self.average is not None:
                self.average.lerp_(self.z, 1 - self.settings.ema)
        self.forget()

    def grow_if_due(self, iteration: int) -> None:
        """Go from half the size to the whole after the last coarse iteration."""
        if self.coarse and iteration >= round(self.settings.coarse * self.settings.total_iter):
            self._grow()

    def decoded(self) -> tuple[Tensor, Tensor] | None:
        """Codes and picture of the last decoding, without their graph, if they are kept."""
        return self._forward and tuple(tensor.detach() for tensor in self._forward)

    def forget(self, instead: tuple[Tensor, Tensor] | None = None) -> None:
        """Give the memory of the graph back; the picture is decoded again when it is needed.

        instead: codes and picture, of a decoding without a graph
        """
        self._forward = instead

    def state(self) -> dict[str, Tensor]:
        """Everything that it takes to go on from here."""
        state = {"z": self.z, "start": self.start}
        optional = {"average": self.average, "kept": self.kept, "paint": self.paint}
        state |= {name: value for name, value in optional.items() if value is not None}
        memory = optimizers.state_of(self.optimizer, self.z)
        return state | {f"optimizer.{name}": value for name, value in memory.items()}

    def _load(self, state: dict[str, Tensor]) -> None:
        here = {name: value.to(self.vqgan.device) for name, value in state.items()}
        self.kept, self.paint = here.get("kept"), here.get("paint")
        width, height = (side // self.vqgan.factor for side in self.settings.im_shape)
        self.coarse = tuple(here["z"].shape[-2:]) != (height, width)
        self._begin(here["z"], here["start"], here.get("average"))
        prefix = "optimizer."
        memory = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        optimizers.restore(self.optimizer, self.z, memory)

    def _begin(self, z: Tensor, start: Tensor | None = None, average: Tensor | None = None) -> None:
        """Start, or go on, with z as the leaf; without them, it is its own start and average."""
        self.z = z.detach().clone().requires_grad_()
        self.start = z.detach().clone() if start is None else start
        if self.settings.ema and average is None:
            average = z.detach().clone()
        self.average = average
        self.optimizer = optimizers.make_optimizer(self.settings, self.z)
        self._draft()
        self.forget()

    def _first_latent(self) -> Tensor:
        settings = self.settings
        source = settings.init_image
        if not source:
            return latents.begin(
                self.vqgan, settings.start, settings.seed, settings.batch_size, *self.codes
            )
        path = Path(source).expanduser()
        if path.is_dir():
            path = path / "state.safetensors"
        if path.suffix == ".safetensors":
            return self._another_runs(path)
        height, width = self.codes
        size = width * self.vqgan.factor, height * self.vqgan.factor
        x = fitted(self._load_picture(source), *size).to(self.vqgan.device)
        return self.vqgan.encode(x).repeat(settings.batch_size, 1, 1, 1)

    def _another_runs(self, path: Path) -> Tensor:
        """The latents of another run, for this one's size and number of pictures."""
        if not path.is_file():
            raise ValueError(f"init_image is {str(path)!r}: there is no such file.")
        z = read_tensors(path).get("z")
        channels = self.vqgan.codebook.shape[1]
        if z is None or z.ndim != 4 or z.shape[1] != channels:
            raise ValueError(
                f"{path} holds no latents of {self.models.name}, which have {channels} channels."
            )
        if z.shape[-2:] != self.codes:
            z = F.interpolate(z.float(), self.codes, mode="bicubic")
        z = z[torch.arange(self.settings.batch_size) % len(z)]
        return z.to(self.vqgan.device)

    def _grow(self) -> None:
        """From half the size to the whole, with a new optimizer."""
        self.coarse = False
        average = self.average
        if average is not None:
            average = F.interpolate(average, self.codes, mode="bicubic")
        self._begin(F.interpolate(self.z.detach(), self.codes, mode="bicubic"), average=average)

    def _decoded_once(self) -> tuple[Tensor, Tensor]:
        """The picture of z with its graph: shown after a step, judged by the next."""
        if self._forward is None:
            z_q = self.z if self.settings.quantizer == "none" else self.vqgan.quantize(self.z)[0]
            x = self._decoded(z_q)
            self._forward = z_q, self._composed(x)
        return self._forward

    def _decoded(self, z_q: Tensor) -> Tensor:
        return self.thrift.decode(self.vqgan, z_q, tile=self.settings.tile)

    def _composed(self, x: Tensor) -> Tensor:
        """The painted parts over those that the mask keeps."""
        if self.paint is None:
            return x
        size = tuple(x.shape[-2:])
        paint, kept = self.paint, self.kept
        if paint.shape[-2:] != size:
            paint, kept = (F.interpolate(each, size, mode="area") for each in (paint, kept))
        return paint * x + (1 - paint) * kept

    def _painted_codes(self) -> Tensor:
        """[1, 1, h, w], true for codes any pixel of which is painted."""
        return F.adaptive_max_pool2d(self.paint, self.codes) > 0.02

    def _draft(self) -> None:
        self.drafts = self._drafted()
        there = [draft for draft in self.drafts if draft is not None]
        nothing = torch.zeros_like(self.z.detach())
        drafts = [nothing if draft is None else draft for draft in self.drafts]
        self.stacked = torch.stack(drafts) if there else None

    def _drafted(self) -> list[Tensor | None]:
        """The draft of each phrase of the story, with as much of the extras as w2 asks for."""
        settings = self.settings
        phrases = words_to_draw(settings)
        if self.models.draft is None:
            return [None] * len(phrases)
        extras = [p.text for p in parse_prompts(settings.extras) if p.kind == "text"]
        share = 0.0
        if extras and settings.w2 > 0:
            share = min(1.0, settings.w2 / (_WHOLLY * settings.w1)) if settings.w1 > 0 else 1.0
        drafts = []
        for phrase in phrases if settings.w1 > 0 else [""] * len(phrases):
            alone = self._draft_of([phrase]) if share < 1 else None
            together = self._draft_of([phrase, *extras]) if share > 0 else None
            if alone is not None and together is not None:
                together = alone.lerp(together, share)
            drafts.append(alone if together is None else together)
        return drafts

    def _draft_of(self, texts: list[str]) -> Tensor | None:
        """The draft of what the texts say together, within the codebook's box."""
        critic, settings = self.models.perceptors[0], self.settings
        known = [critic.known_part(text) for text in texts]
        tokens = joined(critic.tokenize(known).to(self.models.device))
        batch = settings.seed, settings.batch_size
        z = latents.drafted(self.vqgan, self.models.draft, tokens, *batch, *self.codes)
        if z is not None:
            latents.clamp_to_box(self.vqgan, z)
        return z
