"""What the films that are painted, morphs and journeys, have in common."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from torch import Tensor

from vqclip_nb.accel.executor import Executor
from vqclip_nb.core.loop import Inputs
from vqclip_nb.films.options import Options
from vqclip_nb.films.resumable_writer import seed_of
from vqclip_nb.models.loading import Models, load_for
from vqclip_nb.run import Iterate, Run, drawable, versions
from vqclip_nb.settings import Settings
from vqclip_nb.storage.metadata import portable
from vqclip_nb.storage.run_folder import RunFolder


class Watcher:
    """Someone who looks on while a film is made; what is raised here interrupts it."""

    def run(self, run: Run) -> Iterable[Iterate]:
        """A key picture is painted, by iterating what this returns."""
        return run

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        """A frame, uint8 [H, W, 3], was added: its number, from 1, and of how many."""


def watcher(show: bool | Watcher) -> Watcher:
    """Who looks on: nobody, the cell or terminal, or someone else."""
    if show is True:
        from vqclip_nb.widgets.display import onlooker

        return onlooker()
    return show or Watcher()


def prepared(
    settings: Settings, models: str | Models | None, file: Path, offline: bool
) -> tuple[Settings, Models]:
    """The pair, and the settings with what was left open: names, seed, a size that can be drawn."""
    if isinstance(models, str):
        settings = settings.replace(models=models)
    if not isinstance(models, Models):
        models = load_for(settings, offline=offline)
    seed = seed_of(file) if settings.seed is None else settings.seed
    shape = drawable(settings.im_shape, models.vqgan.factor)
    known = {"models": models.name, "clip": models.clip, "precision": models.precision}
    known |= {"im_shape": shape, "seed": seed, "batch_size": 1, "updates": ()}
    return settings.replace(**known), models


def said_of(kind: dict, how: Options, settings: Settings, models: Models) -> str:
    """What a film says of its making, as JSON; empty where it should say nothing."""
    if not settings.metadata:
        return ""
    said = {"film": kind | asdict(how)} | portable(settings) | {"files": models.checksums}
    return json.dumps(said | {"versions": versions()})


def key_run(settings: Settings, models: Models, out: str | Path, watched: Watcher) -> Run:
    """The run that paints a key picture, to its end: one that is in `out`, or a new one."""
    wanted, found = settings.to_dict(), None
    for state in sorted(Path(out).glob("*/state.safetensors")):
        with contextlib.suppress(Exception):  # another folder can be broken in any way
            if RunFolder(state.parent).load_state()[1]["plan"] == wanted:
                found = state.parent
    run = Run.resume(found, models=models) if found else Run(settings, models=models, out=out)
    if run.i < run.settings.total_iter and not run.converged():
        for _ in watched.run(run):
            pass
    return run


def iterated(executor: Executor, i: int, inputs: Inputs) -> Tensor:
    """The pictures after an iteration; raises FloatingPointError where z could not be moved."""
    output, pixels = executor.iterate(i, inputs)
    if not output.stacked().isfinite().all():
        raise FloatingPointError(
            "The loss or its gradient became no number: lower learning_rate; "
            "the film so far is kept."
        )
    return pixels
