"""What the films that paint have in common: preparation, key pictures, painting on, provenance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from vqclip_nb.accel.executor import Executor
from vqclip_nb.core.loop import Inputs, Loop
from vqclip_nb.core.targets import Story
from vqclip_nb.films.options import Options
from vqclip_nb.films.resumable_writer import ResumableWriter, seed_of
from vqclip_nb.models.loading import Models, check_confirmed, load_for
from vqclip_nb.pictures import portable
from vqclip_nb.run import Iterate, Run, versions
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder

_FOLLOWS = 0.1  # share of the generator's own picture in each frame; empirical


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
    settings = settings.replace(**known)
    check_confirmed(settings)
    return settings, models


def writer_for(
    file: Path, how: Options, settings: Settings, models: Models, **sources: list[str]
) -> ResumableWriter:
    """The writer of a film, with its plan and its provenance.

    sources: of a morph or a restyled film, with checksums as `planned`, and without local paths as `recorded`
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
        if RunFolder(state.parent).load_header().get("plan") == wanted:
            found = state.parent
    run = Run.resume(found, models=models) if found else Run(settings, models=models, out=out)
    missing = watch(run)
    if run.i < run.settings.total_iter and not run.converged():
        for _ in missing:
            pass
    return run


def first_phrase(settings: Settings) -> Settings:
    """The settings of a story's first picture."""
    return settings.replace(prompt=" | ".join(map(str, settings.story[0])), story_window=0)


def along(settings: Settings, iterations: int) -> tuple[Settings, Story]:
    """Settings and story for a film of so many iterations, along which the phrases follow."""
    number = len(settings.story)
    each = math.ceil(iterations / number)
    story = Story(number, each, settings.story_fade or each // 2)
    return settings.replace(total_iter=iterations, coarse=0.0), story


def iterate(executor: Executor, i: int, inputs: Inputs) -> Tensor:
    """The pictures after iteration i; FloatingPointError if the loss or gradient is not finite."""
    output, pixels = executor.iterate(i, inputs)
    if not output.stacked().isfinite().all():
        raise FloatingPointError(
            "The loss or its gradient is not finite: lower learning_rate; the film so far is kept."
        )
    return pixels


def paint_on(loop: Loop, view: Tensor, inputs: Iterable[tuple[int, Inputs]]) -> Tensor:
    """The view [1, 3, H, W] after some iterations.

    What painting changes is added to the view, because a picture that is encoded and decoded in
    every frame loses its colours and grows stripes. Mixing in a small share of the decoded picture
    keeps the view within what the generator can draw.
    """
    vqgan, latent = loop.models.vqgan, loop.latent
    z = vqgan.encode(view)
    vqgan.confine(z)
    with torch.no_grad():
        for tensor in (latent.z, latent.start, latent.average):
            if tensor is not None:
                tensor.copy_(z)
    latent.optimizer.state.clear()  # its moments belong to pixels that have moved on
    loop.forget()
    before = loop.shown()
    executor = Executor(loop)  # a new one, since a recording would judge the previous picture
    for i, each in inputs:
        iterate(executor, i, each)
    after = loop.shown()
    return (view + after - before).clamp(0, 1).lerp(after, _FOLLOWS)
