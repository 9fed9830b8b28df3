"""A run: the loop, kept on disk, so that it can be watched, changed, stopped, resumed and forked.

`Run` yields after each iteration; its caller displays, prints or stops. Nothing here does.
"""

from __future__ import annotations

import atexit
import contextlib
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
from vqclip_nb.accel.executor import Executor
from vqclip_nb.accel.memory_saving import MemorySaving
from vqclip_nb.core.latent_state import misfit
from vqclip_nb.core.latents import size_of
from vqclip_nb.core.loop import Inputs, Loop, Start
from vqclip_nb.core.targets import Story, make_target, sentences_of, warn_of_unknown_words
from vqclip_nb.models.loading import (
    Models,
    check_confirmed,
    check_names,
    load_for,
    load_latents,
    no_discriminator,
    pick_device,
)
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.pictures import copy_name, portable, sources_in, with_copies
from vqclip_nb.prompt_syntax import Prompt
from vqclip_nb.settings import Settings, drawn_seed, specs
from vqclip_nb.storage import interrupts
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.images import remembered
from vqclip_nb.storage.run_folder import DamagedError, RunFolder

_SEGMENT = 100  # iterations after which frames are encoded, if no step is shown before


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
        """The pictures after this iteration's step; only until the run goes on."""
        if self.run.i != self.i:
            raise ValueError(
                f"The run is past iteration {self.i}: call images() before it goes on."
            )
        return self.run.images()


@dataclass(frozen=True)
class Result:
    """What a run leaves: pictures, latents [B, C, h, w], one dict per iteration, the folder."""

    images: list[Image.Image]
    latents: Tensor
    history: list[dict]
    folder: Path


@dataclass(frozen=True)
class Saved:
    """A run as its folder holds it: `Run` continues from it.

    tensors: of the loop after iteration i; history: one dict for each of these iterations
    frames: how many the timelapse has
    """

    folder: RunFolder
    settings: Settings
    tensors: dict[str, Tensor]
    i: int
    seconds: float
    history: list[dict]
    frames: int

    @classmethod
    def load(cls, files: RunFolder, vqgan: VQGAN) -> Saved:
        """Read a run's folder; live changes made after the state was saved are kept in the log.

        If the state is damaged, this is the latest step that is whole, and a warning says so.
        Raises ValueError if none is.
        """
        try:
            return cls._of_state(files, vqgan)
        except DamagedError as error:
            saved = cls._of_a_step(files, vqgan)
            if saved is None:
                raise ValueError(
                    f"{error} No step in it can be used either: paint it again."
                ) from None
            warnings.warn(
                f"{error} The run continues from step {saved.i}, with a new optimizer.",
                stacklevel=3,
            )
            return saved

    @classmethod
    def _of_state(cls, files: RunFolder, vqgan: VQGAN) -> Saved:
        tensors, header = files.load_state()
        settings, i = files.load_plan(), header["i"]
        if reason := misfit(tensors, settings, _shapes(settings, vqgan)):
            raise DamagedError(f"The state in {files.path} cannot be used: {reason}.")
        known = header.get("frames", i)
        return cls(files, settings, tensors, i, header["seconds"], files.load_history(i), known)

    @classmethod
    def _of_a_step(cls, files: RunFolder, vqgan: VQGAN) -> Saved | None:
        settings = files.load_plan()
        for i in reversed(files.shown_steps()):
            with contextlib.suppress(DamagedError):
                z = files.load_step(i)
                tensors, history = {"z": z, "start": z}, files.load_history(i)
                seconds = history[-1]["seconds"] if history else 0.0
                if not misfit(tensors, settings, _shapes(settings, vqgan)):
                    return cls(files, settings, tensors, i, seconds, history, i)
        return None


def _shapes(settings: Settings, vqgan: VQGAN) -> list[tuple[int, ...]]:
    """The shapes that the latent of a run can have."""
    halvings = range(settings.coarse_steps + 1 if settings.coarse else 1)
    sizes = [size_of(settings.im_shape, vqgan.factor, each) for each in halvings]
    return [(settings.batch_size, vqgan.codebook.shape[1], *size) for size in sizes]


class Run:
    """Paints while it is iterated; can be changed, extended, saved, resumed and forked.

    settings: what to paint and how; its log of live changes is replayed
    models: a loaded pair; by default the one that the settings name
    out: where the run's new folder goes
    name: of that folder; by default the time and the prompt's words
    offline: download no model
    saved: continue this run, in its own folder; see `resume`

    Raises ValueError before any model is loaded if a setting is wrong.

    plan: the settings at the start, with the log; settings: those of the current iteration
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: Models | None = None,
        out: str | Path = "runs",
        name: str = "",
        offline: bool = False,
        saved: Saved | None = None,
    ) -> None:
        if models is None:
            check_confirmed(settings)
            check_names(settings.models, settings.clip, settings.config)
            pick_device(settings.device)
        else:  # these are read already
            check_confirmed(settings.replace(models=models.name, clip=models.clip, config=""))
        if settings.seed is None:
            settings = settings.replace(seed=drawn_seed())
        self.folder = saved.folder if saved else RunFolder.create(out, settings, name)
        try:
            self.models = models or load_for(settings, offline=offline)
            self._prepare(settings, saved)
            if saved is None:
                self.save()
                self.folder.settle()
        except BaseException:  # an interrupt, too, leaves no folder of a run that never began
            if saved is None:
                self.folder.discard()
            raise

    @classmethod
    def resume(cls, folder: str | Path, *, models: Models | None = None) -> Run:
        """Continue the run of `folder` exactly where its state was last saved.

        Live changes made after that are replayed at their iterations. What is damaged in the folder
        is left out with a warning, see `Saved.load`.

        Raises ValueError if there is nothing to continue from, or another process paints there.
        """
        files = RunFolder(Path(folder))
        plan = files.load_plan()
        files.lock.acquire()
        try:
            models = models or load_for(plan)
            saved = Saved.load(files, models.vqgan)
            run = cls(saved.settings, models=models, saved=saved)
            run._continue(saved)
        except BaseException:
            files.lock.release()
            raise
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
        Raises ValueError if that step was not kept.
        """
        files = RunFolder(Path(folder))
        settings, latents_of = files.load_plan().at(step), files.latents_of(step)
        copies = {source: copy_name(source) for source in sources_in(settings.to_dict())}
        settings = Settings.from_dict(with_copies(settings.to_dict(), copies, files.picture))
        settings = settings.replace(**{"init_image": str(latents_of), "mask": "", **changes})
        return cls(settings, models=models, out=out)

    def __iter__(self) -> Iterator[Iterate]:
        """Paint to the end, an iteration at a time; leaving early keeps what was painted."""
        with interrupts.orderly():
            self._claim()
            atexit.register(self.finish)  # a program may end in the middle
            try:
                if not self._is_done():
                    self.executor.reserve()
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
        self._use(plan.at(self.i + 1))
        self.plan = plan
        self.folder.save_settings(self.plan)

    def extend(self, iterations: int) -> None:
        """Paint this many iterations more than planned."""
        self.update(total_iter=self.settings.total_iter + iterations)

    def converged(self) -> bool:
        """Whether `auto_stop` finds that the loss no longer falls.

        That is, the mean loss of the last `auto_stop` iterations is less than 0.2 % below that of
        as many before them.
        """
        wait = self.settings.auto_stop
        if not wait or len(self.history) < 2 * wait:
            return False
        losses = [row["loss"] for row in self.history[-2 * wait :]]
        before, now = sum(losses[:wait]) / wait, sum(losses[wait:]) / wait
        return before - now < 0.002 * abs(before)

    def images(self) -> list[Image.Image]:
        """The current pictures, one for each batch item: decode(quantize(z))."""
        return [Image.fromarray(item) for item in self.executor.pixels().cpu().numpy()]

    def save(self) -> None:
        """Write pictures, settings, history and, last, the state that resumes from all of it.

        Raises ValueError if a second interrupt split the last iteration.
        """
        self._check_whole()
        self.folder.save_settings(self.plan)
        self.folder.save_pictures(self.images(), self._metadata())
        if self.history:
            self.folder.save_history(self.history)
        self.folder.save_pending(self.i)
        header = {"plan": self.plan.to_dict(), "i": self.i, "seconds": self.seconds}
        header["done"] = self.i >= self.settings.total_iter or self.converged()
        header["frames"] = self.folder.film.count
        self.folder.save_state(self.loop.tensors(), header)
        self._version = self.folder.version()
        self.folder.forget_pending(self.i)

    def finish(self) -> None:
        """Save, write the timelapse and release the executor's memory and the folder.

        After an iteration that a second interrupt split, the folder stays as it was last saved.
        """
        with interrupts.held(saving=True):
            try:
                if not self._torn:
                    self.save_film()
                    self.folder.film.pause()
            finally:
                self.folder.film.discard()
                self.executor.release()
                self.folder.lock.release()

    def save_film(self) -> None:
        """Save, and write the timelapse of what was painted so far."""
        self.save()
        self.folder.save_timelapse(self._metadata())

    def result(self) -> Result:
        """The run so far."""
        latents = self.loop.latent.shown().clone()
        return Result(self.images(), latents, self.history, self.folder.path)

    def _prepare(self, settings: Settings, saved: Saved | None) -> None:
        """Set up plan, targets and loop, at the beginning or where `saved` is."""
        if settings.threads:  # more threads than cores would only wait for each other
            torch.set_num_threads(min(settings.threads, os.cpu_count() or 1))
        vqgan = self.models.vqgan
        if settings.gan_weight and not vqgan.has_discriminator:
            raise ValueError(no_discriminator(settings.gan_weight, self.models.name))
        self.plan = settings.replace(
            models=self.models.name,
            clip=self.models.clip,
            config=self.models.config,
            precision=self.models.precision,
            im_shape=vqgan.drawable(settings.im_shape),
        )
        if len(settings.story) > 1 and not settings.story_step:
            self.plan = self.plan.replace(story_step=Story.of(settings).step)
        self.i, self.seconds, self.history, self._torn = 0, 0.0, [], False
        if saved:
            self.i, self.seconds, self.history = saved.i, saved.seconds, saved.history
        self.settings = self.plan.at(max(1, self.i))
        # a folder may come from someone else: of what it names, only its own copies are read
        self._copied = frozenset(sources_in(self.plan.to_dict())) if saved else frozenset()
        self._aim_at(self.settings)
        tensors = saved.tensors if saved else None
        masked = self.settings.mask and tensors is not None and "paint" not in tensors
        start = self._start() if tensors is None or masked else None
        memory = MemorySaving(self.models.device, vqgan.dtype)
        self.loop = Loop(self.models, self.settings, start, saved=tensors, compute=memory)
        self.executor = Executor(self.loop)
        self._ahead: tuple[int, Settings, Inputs] | tuple[None, None] = (None, None)

    def _continue(self, saved: Saved) -> None:
        """Continue the timelapse and the record; warn of frames and figures that are lost."""
        self.folder.resume_after(self.i, self.plan.im_shape)
        self._version = self.folder.version()
        film, rows = self.folder.film.count, len(self.history)
        if film < saved.frames:
            lost = f"{saved.frames - film} of {saved.frames} frames of its film"
        elif rows < self.i:
            lost = f"{self.i - rows} of {self.i} rows of its history"
        else:
            return
        warnings.warn(f"{self.folder.path} was damaged: it lacks {lost}.", stacklevel=3)

    def _claim(self) -> None:
        """Keep other processes out; ValueError if one paints here, or has done so meanwhile."""
        self._check_whole()
        self.folder.lock.acquire()
        if self.folder.version() not in (None, self._version):
            self.folder.lock.release()
            raise ValueError(
                f"{self.folder.path} has been painted further elsewhere: continue it with "
                "Run.resume."
            )

    def _check_whole(self) -> None:
        if self._torn:
            raise ValueError(
                f"A second interrupt split iteration {self.i + 1}: continue from what was saved "
                "before, with Run.resume."
            )

    def _start(self) -> Start:
        """The initial image or latents, and the mask, that the settings name."""
        source, mask = self.settings.init_image, self.settings.mask
        latents = load_latents(source, self.models)
        if source.endswith(".safetensors"):
            self._keep_latents(source)
        picture = self._picture(source) if source and (latents is None or mask) else None
        return Start(picture, latents, self._picture(mask) if mask else None)

    def _keep_latents(self, source: str) -> None:
        """Copy a step's latents into the run's folder, so that its settings load without it."""
        copy = self.folder.inputs / copy_name(source)
        copy.parent.mkdir(exist_ok=True)
        write_file(copy, Path(source).expanduser().read_bytes())

    def _picture(self, source: str) -> Tensor:
        """An image from a path or url; the run's folder keeps a copy to resume with."""
        return remembered(source, self.folder.inputs, copied=source in self._copied)

    def _is_done(self) -> bool:
        """Whether nothing is left to paint, after the live changes that are due."""
        if any(update["iteration"] == self.i + 1 for update in self.plan.updates):
            self._use(self.plan.at(self.i + 1))
        return self.i >= self.settings.total_iter or self.converged()

    def _use(self, settings: Settings) -> None:
        """Paint with these settings from now on; changes nothing if they are refused."""
        if settings != self.settings:
            self._aim_at(settings)
            self.settings = settings
            self.loop.update(settings)

    def _aim_at(self, settings: Settings) -> None:
        """Make the targets and the story; raises ValueError, and changes nothing, on failure."""
        targets = [
            make_target(perceptor, settings, self._picture) for perceptor in self.models.perceptors
        ]
        self.targets, self.story = targets, Story.of(settings)
        _warn_of_files(settings)
        for perceptor in self.models.perceptors:
            warn_of_unknown_words(perceptor, sentences_of(settings), name=perceptor.name)

    def _iterate(self) -> Iterate:
        with interrupts.held():
            try:
                return self._iterate_whole()
            except Exception:  # the latent was not moved, or a file not written
                self._torn = False
                raise

    def _iterate_whole(self) -> Iterate:
        began = time.perf_counter()
        parts, similarity, frame = self._step()
        self.i += 1
        self.seconds += time.perf_counter() - began
        loss, total = sum(parts.values()), self.settings.total_iter
        row = {"iteration": self.i, "seconds": self.seconds, "loss": loss}
        self.history.append(row | {"similarity": similarity} | parts)
        last = self.i == total or self.converged()
        shown = last or self.i % self.settings.show_step == 0
        self._keep(frame, shown)
        return Iterate(self.i, total, loss, parts, similarity, self.seconds, shown, self)

    def _keep(self, frame: np.ndarray, shown: bool) -> None:
        """Write what this iteration leaves."""
        self.folder.film.add(frame)
        if shown or self.i % _SEGMENT == 0:
            self.folder.film.end_segment(self.i)
        self._torn = False
        if shown:
            latent = self.loop.latent.shown()
            self.folder.save_step(self.i, self.images(), self._metadata(), latent)
            self.save()

    def _step(self) -> tuple[dict[str, float], float, np.ndarray]:
        """One iteration: the parts of the loss, the similarity, and the first picture after it."""
        iteration, self._torn = self.i + 1, True  # until `_keep` has all of it
        output, pixels = self.executor.iterate(iteration, self._drawn(iteration))
        # the GPU is still at work: draw the next inputs before waiting for its numbers
        self._ahead = iteration + 1, self.settings, self._inputs(iteration + 1)
        parts, similarity, gradient = output.numbers()
        self._check_finite(parts, gradient)
        return parts, similarity, pixels[0].cpu().numpy()

    def _drawn(self, iteration: int) -> Inputs:
        """The inputs of an iteration: those drawn ahead, unless the settings have changed since."""
        if self._ahead[:2] == (iteration, self.settings):
            return self._ahead[2]
        return self._inputs(iteration)

    def _inputs(self, iteration: int) -> Inputs:
        return self.loop.inputs(iteration, self.targets, self.story)

    def _check_finite(self, parts: dict[str, float], gradient: float) -> None:
        """Stop if a term or the gradient is not finite; the latent was not moved."""
        named = {f"{name} term": value for name, value in parts.items()} | {"gradient": gradient}
        for name, value in named.items():
            if not math.isfinite(value):
                weight = f"{name.removesuffix(' term')}_weight"
                raise FloatingPointError(
                    f"The {name} became {value} at iteration {self.i + 1}: lower "
                    f"{weight if weight in specs() else 'learning_rate'}. "
                    "The last good picture is kept."
                )

    def _metadata(self) -> dict | None:
        """The provenance that pictures and films carry; None if `metadata` is off."""
        if not self.plan.metadata:
            return None
        return portable(self.plan.to_dict()) | {
            "iteration": self.i,
            "files": self.models.checksums,
            "versions": versions(),
            "threads": torch.get_num_threads(),
        }


def _warn_of_files(settings: Settings) -> None:
    """Warn of sentences that are the names of pictures on this machine."""
    for text in {prompt.text for phrase in settings.story for prompt in phrase}:
        meant = Prompt(f"./{text}")
        if meant.kind == "picture" and Prompt(text).kind == "text" and os.path.isfile(text):
            warnings.warn(
                f"{text!r} is read as a sentence: write {meant.text!r} to paint towards the file.",
                stacklevel=3,
            )


def versions() -> dict[str, str]:
    """The versions that a picture or film records."""
    return {
        "vqclip_nb": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
