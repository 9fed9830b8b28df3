"""The loop: a latent is decoded, judged and moved, again and again.

    z -quantize-> z_q -decode-> x -crops-> CLIP -> loss; backward to z alone; one optimizer step.

`Run` iterates and yields; whoever iterates shows, prints or stops. Nothing here does.
"""

from __future__ import annotations

import atexit
import math
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb import __version__
from vqclip_nb.accel.executor import Painter
from vqclip_nb.core.canvas import Canvas
from vqclip_nb.core.step import Inputs
from vqclip_nb.core.targets import Story, make_target, warn_of_unknown_words
from vqclip_nb.models.loading import Models, check_names, load_for, pick_device
from vqclip_nb.settings import Settings, drawn_seed, specs
from vqclip_nb.storage import interrupts
from vqclip_nb.storage.images import kept_picture, remembered
from vqclip_nb.storage.metadata import portable
from vqclip_nb.storage.run_folder import RunFolder

_SEGMENT = 100  # iterations after which frames are encoded, if none of them is shown before


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

    settings: what to paint and how; its log of live changes is replayed
    models: a loaded pair; by default the one that the settings name
    out: where the run's new folder goes
    name: of that folder; by default the time and the prompt's words
    offline: fetch no model

    Raises ValueError before any model is loaded where something is wrong.

    plan: the settings at the start, with the log; settings: those of now
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: Models | None = None,
        out: str | Path = "runs",
        name: str = "",
        offline: bool = False,
    ) -> None:
        if models is None:
            check_names(settings.models, settings.clip)
            pick_device(settings.device)
        if settings.seed is None:
            settings = settings.replace(seed=drawn_seed())
        folder = RunFolder.create(out, settings, name)
        try:
            if models is None:
                models = load_for(settings, offline=offline)
            self._begin(settings, models, folder)
            self.save()
            folder.settle()
        except BaseException:  # an interrupt too leaves no folder of a run that never began
            folder.discard()
            raise

    @classmethod
    def resume(cls, folder: str | Path, *, models: Models | None = None) -> Run:
        """Go on with the run of `folder`, exactly where its state was last saved.

        Live changes that were made after that are made again at their iterations.
        """
        files = RunFolder(Path(folder))
        tensors, header = files.load_state()
        saved, logged = header["plan"], files.load_updates()
        if logged[: len(saved["updates"])] == saved["updates"]:
            saved = saved | {"updates": logged}
        run = cls.__new__(cls)
        run._begin(Settings.from_dict(saved), models, files, tensors, header["i"])
        run.seconds = header["seconds"]
        run.history = files.load_history(run.i) if run.i else []
        files.go_on_after(run.i)
        return run

    @classmethod
    def fork(
        cls,
        folder: str | Path,
        step: int,
        *,
        models: Models | None = None,
        out: str | Path = "runs",
        **changes: object,
    ) -> Run:
        """A new run that begins with the latents of a shown step of the run of `folder`.

        It has the settings that the step was painted with, and `changes`.
        Raises ValueError where that step was not kept.
        """
        files = RunFolder(Path(folder))
        _, header = files.load_state()
        latents_of = files.latents_of(step)
        settings = Settings.from_dict(header["plan"]).at(step)
        settings = settings.replace(**{"init_image": str(latents_of), "mask": "", **changes})
        return cls(settings, models=models, out=out)

    def __iter__(self) -> Iterator[Iterate]:
        """Paint to the end, an iteration at a time; leaving early keeps what was painted."""
        atexit.register(self.finish)  # of a program that ends in the middle
        try:
            if not self._is_done():
                self.painter.foresee()
            while not self._is_done():
                yield self._iterate()
        finally:
            atexit.unregister(self.finish)
            if not sys.is_finalizing():
                self.finish()

    def update(self, **changes: object) -> None:
        """Change live settings from the next iteration on; the change is logged and kept.

        Raises ValueError for a field that cannot change while painting.
        """
        plan = self.plan.updated(self.i + 1, **changes)
        self._take_up(plan.at(self.i + 1))
        self.plan = plan
        self.folder.save_settings(self.plan)

    def extend(self, iterations: int) -> None:
        """Paint some more iterations than planned."""
        self.update(total_iter=self.settings.total_iter + iterations)

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
        return [Image.fromarray(item) for item in self.painter.pictures().cpu().numpy()]

    def save(self) -> None:
        """Write pictures, settings, history and, last, the state that resumes from all of it."""
        self.folder.save_settings(self.plan)
        self.folder.save_pictures(self.images(), self._metadata())
        if self.history:
            self.folder.save_history(self.history)
        self.folder.save_pending(self.i)
        header = {"plan": self.plan.to_dict(), "i": self.i, "seconds": self.seconds}
        header["done"] = self.i >= self.settings.total_iter or self.settled()
        self.folder.save_state(self.canvas.state(), header)
        self.folder.forget_pending(self.i)

    def finish(self) -> None:
        """Save, make the timelapse and give the memory of the graph back."""
        with interrupts.held():
            try:
                self.save_film()
            finally:
                self.painter.forget()
                self.folder.rest()

    def save_film(self) -> None:
        """Save, and make the timelapse of what was painted so far."""
        self.save()
        self.folder.save_timelapse(self._metadata())

    def result(self) -> Result:
        """The run so far."""
        return Result(self.images(), self.canvas.latent().clone(), self.history, self.folder.path)

    def _begin(
        self,
        settings: Settings,
        models: Models | None,
        folder: RunFolder,
        state: dict[str, Tensor] | None = None,
        i: int = 0,
    ) -> None:
        if settings.threads:  # more than there are cores would wait for each other
            torch.set_num_threads(min(settings.threads, os.cpu_count() or 1))
        self.folder = folder
        self.models = models or load_for(settings)
        if settings.gan_weight and not self.models.vqgan.has_discriminator:
            raise ValueError(
                f"gan_weight is {settings.gan_weight:g}, but {self.models.name} has no "
                "discriminator: set gan_weight to 0."
            )
        self.plan = settings.replace(
            models=self.models.name,
            clip=self.models.clip,
            precision=self.models.precision,
            im_shape=drawable(settings.im_shape, self.models.vqgan.factor),
        )
        if "^" in settings.prompt and not settings.story_step:
            self.plan = self.plan.replace(story_step=Story.of(settings).step)
        self.i, self.seconds = i, 0.0
        self.history: list[dict] = []
        self.settings = self.plan.at(max(1, i))
        self._aim_at(self.settings)
        self.canvas = Canvas(self.models, self.settings, self._picture, state)
        self.painter = Painter(self.models, self.canvas)
        self._ahead: tuple[int, Settings, Inputs] | tuple[None, None] = (None, None)

    def _picture(self, source: str) -> Tensor:
        """A picture from outside; the run's folder keeps a copy to go on with."""
        return remembered(source, self.folder.inputs)

    def _is_done(self) -> bool:
        """Whether there is nothing left to paint, after the live changes that are due."""
        if any(update["iteration"] == self.i + 1 for update in self.plan.updates):
            self._take_up(self.plan.at(self.i + 1))
        return self.i >= self.settings.total_iter or self.settled()

    def _take_up(self, settings: Settings) -> None:
        """Paint with these settings from now on; changes nothing if that cannot be."""
        if settings != self.settings:
            self._aim_at(settings)
            self.settings = settings
            self.canvas.update(settings)

    def _aim_at(self, settings: Settings) -> None:
        """Targets and story of the settings; raises ValueError and changes nothing if it cannot."""
        targets = [
            make_target(perceptor, settings, self._picture) for perceptor in self.models.perceptors
        ]
        self.targets, self.story = targets, Story.of(settings)
        for perceptor in self.models.perceptors:
            warn_of_unknown_words(perceptor, settings)

    def _iterate(self) -> Iterate:
        with interrupts.held():
            began = time.perf_counter()
            parts, similarity, frame = self._step()
            self.i += 1
            self.seconds += time.perf_counter() - began
            loss, total = sum(parts.values()), self.settings.total_iter
            row = {"iteration": self.i, "seconds": self.seconds, "loss": loss}
            self.history.append(row | {"similarity": similarity} | parts)
            last = self.i == total or self.settled()
            shown = last or self.i % self.settings.show_step == 0
            self._keep(frame, shown)
        return Iterate(self.i, total, loss, parts, similarity, self.seconds, shown, self)

    def _keep(self, frame: np.ndarray, shown: bool) -> None:
        """Write what this iteration leaves."""
        self.folder.add_frame(frame)
        if shown or self.i % _SEGMENT == 0:
            self.folder.end_segment(self.i)
        if shown:
            latent = self.canvas.latent()
            self.folder.save_step(self.i, self.images(), self._metadata(), latent)
            self.save()

    def _step(self) -> tuple[dict[str, float], float, np.ndarray]:
        """One iteration: the parts of the loss, the similarity, and the first picture after it."""
        iteration, step = self.i + 1, self.painter.step
        inputs = self._drawn(iteration)
        told, pixels = self.painter.iterate(iteration, inputs)
        self._ahead = iteration + 1, self.settings, self._inputs(iteration + 1)  # GPU still at work
        *values, similarity, steepest = told.tolist()
        parts = dict(zip(step.names, values, strict=True))
        self._check(parts, steepest)
        return parts, similarity, pixels[0].cpu().numpy()

    def _drawn(self, iteration: int) -> Inputs:
        """What is new in an iteration: as it was drawn ahead, unless the settings have changed."""
        if self._ahead[:2] == (iteration, self.settings):
            return self._ahead[2]
        return self._inputs(iteration)

    def _inputs(self, iteration: int) -> Inputs:
        return self.painter.step.inputs(iteration, self.targets, self.story)

    def _check(self, parts: dict[str, float], steepest: float) -> None:
        """Stop where z should have been moved by what is no number; it was not."""
        named = {f"{name} term": value for name, value in parts.items()} | {"gradient": steepest}
        for name, value in named.items():
            if not math.isfinite(value):
                weight = f"{name.removesuffix(' term')}_weight"
                raise FloatingPointError(
                    f"The {name} became {value} at iteration {self.i + 1}: lower "
                    f"{weight if weight in specs() else 'learning_rate'}; "
                    "the last good picture is kept."
                )

    def _metadata(self) -> dict | None:
        """What a picture says of its making; None where it should say nothing."""
        if not self.plan.metadata:
            return None
        return portable(self.plan) | {
            "iteration": self.i,
            "files": self.models.checksums,
            "versions": versions(),
            "threads": torch.get_num_threads(),
        }


def versions() -> dict[str, str]:
    """What a picture or a film says of what it was made with."""
    return {
        "vqclip_nb": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def drawable(im_shape: tuple[int, int], factor: int) -> tuple[int, int]:
    """The size rounded down to multiples of the generator's factor, with a warning."""
    width, height = (side // factor * factor for side in im_shape)
    if (width, height) != im_shape:
        warnings.warn(
            f"im_shape {im_shape} is no multiple of {factor}: painting {(width, height)}.",
            stacklevel=4,
        )
    return width, height


def generate(
    prompt: str | Settings | None = None,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    show: bool = False,
    offline: bool = False,
    **fields: object,
) -> Result:
    """Paint a picture; the fields of `Settings` are keywords.

    prompt: a sentence, or ready settings; `init_image` and `mask` may also be PIL's pictures or
        arrays, which are kept in `out`/inputs
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the run's new folder goes
    show: in a notebook the picture inline at every show_step, in a terminal a progress bar
    offline: fetch no model

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
    loaded = models if isinstance(models, Models) else None
    run = Run(settings, models=loaded, out=out, offline=offline)
    watched = run
    if show:
        from vqclip_nb.widgets.display import watch

        watched = watch(run)
    try:
        for _ in watched:
            pass
    except KeyboardInterrupt:
        pass  # the run has saved itself
    return run.result()
