"""What painted films, morphs and journeys, have in common."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from vqclip_nb.accel.executor import Executor
from vqclip_nb.core.loop import Inputs
from vqclip_nb.films.options import Options
from vqclip_nb.films.progress import Watcher
from vqclip_nb.films.resumable_writer import seed_of
from vqclip_nb.models.loading import Models, load_for
from vqclip_nb.pictures import portable
from vqclip_nb.run import Run, versions
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder


def prepared(
    settings: Settings, models: str | Models | None, file: Path, offline: bool
) -> tuple[Settings, Models]:
    """Load the models; fill in the settings' seed, model names and a size the generator can draw."""
    if isinstance(models, str):
        settings = settings.replace(models=models)
    if not isinstance(models, Models):
        models = load_for(settings, offline=offline)
    seed = seed_of(file) if settings.seed is None else settings.seed
    shape = models.vqgan.drawable(settings.im_shape)
    known = {"models": models.name, "clip": models.clip, "precision": models.precision}
    known |= {"im_shape": shape, "seed": seed, "batch_size": 1, "updates": ()}
    return settings.replace(**known), models


def said_of(kind: dict, how: Options, settings: Settings, models: Models) -> str:
    """The provenance of a film, as JSON; empty if the settings turn it off."""
    if not settings.metadata:
        return ""
    record = {"film": kind | asdict(how)} | portable(settings.to_dict())
    return json.dumps(record | {"files": models.checksums, "versions": versions()})


def key_run(settings: Settings, models: Models, out: str | Path, watched: Watcher) -> Run:
    """Paint a key picture to its end: resume its run if that is in `out`, or begin one."""
    wanted, found = settings.to_dict(), None
    for state in sorted(Path(out).glob("*/state.safetensors")):
        with contextlib.suppress(Exception):  # a broken folder can raise anything
            if RunFolder(state.parent).load_state()[1]["plan"] == wanted:
                found = state.parent
    run = Run.resume(found, models=models) if found else Run(settings, models=models, out=out)
    if run.i < run.settings.total_iter and not run.converged():
        for _ in watched.run(run):
            pass
    return run


def iterated(executor: Executor, i: int, inputs: Inputs) -> Tensor:
    """The pictures after an iteration; FloatingPointError if the loss or gradient is not finite."""
    output, pixels = executor.iterate(i, inputs)
    if not output.stacked().isfinite().all():
        raise FloatingPointError(
            "The loss or its gradient is not finite: lower learning_rate; the film so far is kept."
        )
    return pixels
