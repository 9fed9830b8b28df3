"""What morphs and journeys have in common: preparation, key pictures, provenance."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from vqclip_nb.accel.executor import Executor
from vqclip_nb.core.loop import Inputs
from vqclip_nb.films.options import Options
from vqclip_nb.films.resumable_writer import ResumableWriter, seed_of
from vqclip_nb.models.loading import Models, load_for
from vqclip_nb.pictures import portable
from vqclip_nb.run import Iterate, Run, versions
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder


def prepare(
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


def writer_for(
    file: Path, how: Options, settings: Settings, models: Models, **sources: list[str]
) -> ResumableWriter:
    """The writer of a film, with its plan and its provenance.

    sources: of a morph, with checksums as `planned`, and without local paths as `recorded`
    """
    kind = {"kind": type(how).__name__.lower()}
    plan = kind | {"fields": asdict(how), "settings": settings.to_dict()}
    if sources:
        plan |= {"sources": sources["planned"]}
        kind |= {"sources": sources["recorded"]}
    comment = ""
    if settings.metadata:
        record = {"film": kind | asdict(how)} | portable(settings.to_dict())
        comment = json.dumps(record | {"files": models.checksums, "versions": versions()})
    return ResumableWriter(file, fps=how.fps, plan=plan, comment=comment)


def key_run(
    settings: Settings,
    models: Models,
    out: str | Path,
    watch: Callable[[Run], Iterable[Iterate]],
) -> Run:
    """A finished run of these settings: the one in `out`, resumed if unfinished, or a new one."""
    wanted, found = settings.to_dict(), None
    for state in sorted(Path(out).glob("*/state.safetensors")):
        with contextlib.suppress(Exception):  # a broken folder can raise anything
            if RunFolder(state.parent).load_state()[1]["plan"] == wanted:
                found = state.parent
    run = Run.resume(found, models=models) if found else Run(settings, models=models, out=out)
    missing = watch(run)
    if run.i < run.settings.total_iter and not run.converged():
        for _ in missing:
            pass
    return run


def iterate(executor: Executor, i: int, inputs: Inputs) -> Tensor:
    """The pictures after iteration i; FloatingPointError if the loss or gradient is not finite."""
    output, pixels = executor.iterate(i, inputs)
    if not output.stacked().isfinite().all():
        raise FloatingPointError(
            "The loss or its gradient is not finite: lower learning_rate; the film so far is kept."
        )
    return pixels
