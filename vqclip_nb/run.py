"""The loop: a latent is decoded, judged and moved, again and again.

    z -quantize-> z_q -decode-> x -crops-> CLIP -> loss; backward to z alone; one optimizer step.

`Run` iterates and yields; whoever iterates shows, prints or stops. Nothing here does.
"""

from __future__ import annotations

import platform
import random
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb import cutouts, latents, prompts
from vqclip_nb.canvas import Canvas
from vqclip_nb.folder import RunFolder
from vqclip_nb.losses import Scene, objective
from vqclip_nb.models import Models, find_files, load_models, pick_device, release_memory
from vqclip_nb.pictures import kept_picture, load_picture
from vqclip_nb.settings import Settings, specs


@dataclass(frozen=True)
class Iterate:
    """The state of a run after one iteration.

    i, total: this iteration, counted from 1, and the last one
    loss, parts, similarity: of the picture that this iteration judged, before its step
    seconds: painting time so far
    shown: whether this is one of the steps that are kept
    """

    i: int
    total: int
    loss: float
    parts: dict[str, float]
    similarity: float
    seconds: float
    shown: bool
    run: Run

    def images(self) -> list[Image.Image]:
        """The pictures after this iteration's step, while the run has not gone on."""
        if self.run.i != self.i:
            raise ValueError(f"The run is at iteration {self.run.i}, past {self.i}: ask in time.")
        return self.run.images()


@dataclass(frozen=True)
class Result:
    """What a run leaves: pictures, latents [B, C, h, w], one dict an iteration, the folder."""

    images: list[Image.Image]
    latents: Tensor
    history: list[dict]
    folder: Path


class Run:
    """Paints while it is iterated; can be changed, extended, saved and resumed.

    settings: what to paint and how
    models: a loaded pair; by default the one that the settings name
    out: where the run's new folder goes

    Raises ValueError before any model is loaded where something is wrong.
    """

    def __init__(
        self, settings: Settings, *, models: Models | None = None, out: str | Path = "runs"
    ) -> None:
        if models is None:
            find_files(settings.models, settings.clip)
            pick_device(settings.device)
        if settings.seed is None:
            settings = settings.replace(seed=random.SystemRandom().randrange(2**32))
        folder = RunFolder.create(out, settings)
        try:
            self._begin(settings, models, folder)
        except BaseException:  # an interrupt too leaves no empty folder
            folder.discard()
            raise
        self.save()

    @classmethod
    def resume(cls, folder: str | Path, *, models: Models | None = None) -> Run:
        """Go on with the run of `folder`, exactly where its state was last saved."""
        files = RunFolder(Path(folder))
        tensors, header = files.load_state()
        run = cls.__new__(cls)
        run._begin(Settings.from_dict(header["settings"]), models, files, tensors)
        run.i, run.seconds, run.updates = header["i"], header["seconds"], header["updates"]
        run.history = files.load_history(run.i) if run.i else []
        files.forget_after(run.i)
        return run

    def __iter__(self) -> Iterator[Iterate]:
        """Paint to the end, an iteration at a time; leaving early keeps what was painted."""
        try:
            while self.i < self.settings.total_iter and not self.settled():
                yield self._iterate()
        finally:
            self.finish()

    def update(self, **changes: object) -> None:
        """Change live settings from the next iteration on; the change is logged.

        Raises ValueError for a field that cannot change while painting.
        """
        fixed = [name for name in changes if name in specs() and not specs()[name].live]
        if fixed:
            raise ValueError(f"{fixed[0]} cannot change while painting: start a new run.")
        settings = self.settings.replace(**changes)
        self._aim_at(settings)
        self.settings = settings
        self.canvas.update(settings)
        self.updates.append({"iteration": self.i + 1, **changes})

    def extend(self, iterations: int) -> None:
        """Paint some more iterations than planned."""
        self.settings = self.settings.replace(total_iter=self.settings.total_iter + iterations)
        self.canvas.update(self.settings)

    def settled(self) -> bool:
        """Whether `auto_stop` says that the picture no longer improves.

        That is, the mean loss of its last `auto_stop` iterations is less than 0.2 % better than
        that of as many before.
        """
        wait = self.settings.auto_stop
        if not wait or self.i < 2 * wait:
            return False
        losses = [row["loss"] for row in self.history[-2 * wait :]]
        before, now = sum(losses[:wait]) / wait, sum(losses[wait:]) / wait
        return before - now < 0.002 * abs(before)

    def images(self) -> list[Image.Image]:
        """The current pictures, one per batch item: decode(quantize(z))."""
        pixels = to_pixels(self.canvas.shown())
        return [Image.fromarray(item) for item in pixels]

    def save(self) -> None:
        """Write pictures, settings, history and, last, the state that resumes from all of it."""
        self.folder.save_settings(self.settings, self.updates)
        self.folder.save_pictures(self.images(), self._metadata())
        if self.history:
            self.folder.save_history(self.history)
            self.folder.save_frames(self.i)
        header = {
            "settings": self.settings.to_dict(),
            "updates": self.updates,
            "i": self.i,
            "seconds": self.seconds,
        }
        self.folder.save_state(self.canvas.state(), header)

    def finish(self) -> None:
        """Save, make the timelapse and give the memory of the graph back."""
        self.save()
        self.folder.save_timelapse()
        self.canvas.forget()
        release_memory()

    def result(self) -> Result:
        """The run so far."""
        return Result(self.images(), self.canvas.latent().clone(), self.history, self.folder.path)

    def _begin(
        self,
        settings: Settings,
        models: Models | None,
        folder: RunFolder,
        state: dict[str, Tensor] | None = None,
    ) -> None:
        self.folder = folder
        self.models = models or load_models(
            settings.models, clip=settings.clip, device=settings.device
        )
        if settings.gan_weight and not self.models.vqgan.has_discriminator:
            raise ValueError(
                f"gan_weight is {settings.gan_weight:g}, but {self.models.name} has no "
                "discriminator: set gan_weight to 0."
            )
        self.settings = settings.replace(
            models=self.models.name,
            clip=self.models.clip,
            im_shape=_drawable(settings.im_shape, self.models.vqgan.factor),
        )
        if "^" in settings.prompt and not settings.story_step:
            self.settings = self.settings.replace(story_step=prompts.Story.of(self.settings).step)
        self._aim_at(self.settings)
        for perceptor in self.models.perceptors:
            prompts.warn_of_unknown_words(perceptor, settings)
        self.canvas = Canvas(self.models, self.settings, state)
        self.i, self.seconds = 0, 0.0
        self.history: list[dict] = []
        self.updates: list[dict] = []

    def _aim_at(self, settings: Settings) -> None:
        """Targets and story of the settings; raises ValueError and changes nothing if it cannot."""
        targets = [
            prompts.make_target(perceptor, settings, load_picture)
            for perceptor in self.models.perceptors
        ]
        self.targets, self.story = targets, prompts.Story.of(settings)

    def _iterate(self) -> Iterate:
        began = time.perf_counter()
        parts, similarity = self._step()
        self.i += 1
        # the picture after this step; the next iteration starts from the same decoding
        frame = to_pixels(self.canvas.shown())[0]
        self.seconds += time.perf_counter() - began
        loss = sum(parts.values())
        row = {"iteration": self.i, "seconds": self.seconds, "loss": loss}
        self.history.append(row | {"similarity": similarity} | parts)
        last = self.i == self.settings.total_iter or self.settled()
        shown = last or self.i % self.settings.show_step == 0
        self.folder.add_frame(frame)
        if shown:
            self.folder.save_step(self.i, self.images(), self._metadata(), self.canvas.latent())
            self.save()
        total = self.settings.total_iter
        return Iterate(self.i, total, loss, parts, similarity, self.seconds, shown, self)

    def _step(self) -> tuple[dict[str, float], float]:
        """One iteration: judge the current picture, then move its latent."""
        settings, canvas, iteration = self.settings, self.canvas, self.i + 1
        streams = [
            latents.stream(settings.seed, item, iteration) for item in range(settings.batch_size)
        ]
        z_q, x = canvas.judged(streams)
        cutter = cutouts.Cutter(settings, streams, tuple(x.shape[-2:]))
        crops: dict[int, Tensor] = {}  # critics of one input size see the same
        pairs = []
        for perceptor, target in zip(self.models.perceptors, self.targets, strict=True):
            size = perceptor.input_size
            if size not in crops:
                crops[size] = cutter.cut(x, size)
            pairs.append((perceptor.encode_image(crops[size]), target))
        shares = self.story.shares(iteration)
        drafts = [(share, canvas.drafts[phrase]) for phrase, share in shares.items()]
        drafts = [(share, draft) for share, draft in drafts if draft is not None]
        scene = Scene(x, canvas.z, z_q, canvas.start, drafts, iteration)
        parts, similarity = objective(self.models.vqgan, settings, pairs, shares, scene)
        self._check(parts)
        # times the batch size: each picture is moved as it would be alone
        (sum(parts.values()) * settings.batch_size).backward()
        canvas.move(iteration)
        return {name: part.item() for name, part in parts.items()}, similarity.item()

    def _check(self, parts: dict[str, Tensor]) -> None:
        for name, part in parts.items():
            if not torch.isfinite(part):
                raise FloatingPointError(
                    f"The {name} term became {part.item()} at iteration {self.i + 1}: "
                    "lower learning_rate; the last good picture is kept."
                )

    def _metadata(self) -> dict:
        """What a picture says of its making: enough to make it again, and no local path."""
        return {
            "settings": self.settings.to_dict(),
            "updates": self.updates,
            "iteration": self.i,
            "files": self.models.checksums,
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "threads": torch.get_num_threads(),
        }


def _drawable(im_shape: tuple[int, int], factor: int) -> tuple[int, int]:
    """The size rounded down to multiples of the generator's factor, with a warning."""
    width, height = (side // factor * factor for side in im_shape)
    if (width, height) != im_shape:
        warnings.warn(
            f"im_shape {im_shape} is no multiple of {factor}: painting {(width, height)}.",
            stacklevel=4,
        )
    return width, height


def to_pixels(x: Tensor) -> np.ndarray:
    """Pictures [B, 3, H, W] in [0,1] to uint8 [B, H, W, 3]."""
    scaled = x.detach().mul(255).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()


def generate(
    prompt: str | Settings | None = None,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    show: bool = False,
    **fields: object,
) -> Result:
    """Paint a picture; the fields of `Settings` are keywords.

    prompt: a sentence, or ready settings; `init_image` and `mask` may also be PIL's pictures or
        arrays, which are kept in `out`/inputs
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the run's new folder goes
    show: in a notebook the picture inline at every show_step, in a terminal a progress bar

    Interrupting keeps and returns what was painted.
    """
    settings = prompt if isinstance(prompt, Settings) else Settings()
    if isinstance(prompt, str):
        fields["prompt"] = prompt
    if isinstance(models, str):
        fields["models"] = models
    for name in ("init_image", "mask"):
        if not isinstance(fields.get(name, ""), str):
            fields[name] = kept_picture(fields[name], Path(out) / "inputs")
    settings = settings.replace(**fields)
    run = Run(settings, models=models if isinstance(models, Models) else None, out=out)
    watched = run
    if show:
        from vqclip_nb.show import watch

        watched = watch(run)
    try:
        for _ in watched:
            pass
    except KeyboardInterrupt:
        pass  # the run has saved itself
    return run.result()
