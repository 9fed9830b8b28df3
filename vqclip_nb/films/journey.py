"""A flight through pictures: each frame is the one before, moved and painted on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel.executor import Executor
from vqclip_nb.accel.memory_saving import MemorySaving
from vqclip_nb.core.images import to_pixels
from vqclip_nb.core.loop import Inputs, Loop
from vqclip_nb.core.targets import Story, make_target
from vqclip_nb.films.options import Journey
from vqclip_nb.films.progress import Watcher, watcher
from vqclip_nb.films.resumable_writer import Reel, film_file
from vqclip_nb.films.shared import iterated, key_run, prepared, said_of
from vqclip_nb.models.loading import Models
from vqclip_nb.settings import Settings
from vqclip_nb.storage.images import remembered

_FOLLOWS = 0.1  # share of the generator's own picture in each frame; empirical
_GROWS = 6.0  # how many times larger a draft becomes on its way through the picture; empirical


def journey(
    prompt: str | Settings,
    file: str | Path,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    offline: bool = False,
    show: bool | Watcher = False,
    **fields: object,
) -> Path:
    """Make the film of a flight through what a sentence says; returns its path.

    prompt: a sentence, or settings; the phrases of a story fade into each other along the film
    file: the film, .mp4 or .gif
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the run of the first picture goes, see `morph`
    offline: fetch no model
    show: in a notebook pictures and frames inline, in a terminal bars; or someone who looks on
    fields: those of `Journey`

    An interrupt leaves the film so far; the same call goes on with it, see `Reel`.
    Raises ValueError before anything is painted where something is wrong.
    """
    how, file = Journey(**fields), film_file(file)
    settings = prompt if isinstance(prompt, Settings) else Settings(prompt=prompt)
    if settings.mask:
        raise ValueError("mask keeps parts of a picture in place: a journey moves all of it.")
    settings, loaded = prepared(settings, models, file, offline)
    plan = {"kind": "journey", "fields": asdict(how), "settings": settings.to_dict()}
    said = said_of({"kind": "journey"}, how, settings, loaded)
    watched = watcher(show)
    with Reel(file, fps=how.fps, plan=plan, comment=said) as reel:
        for frame, state in _frames(settings, loaded, how, reel, out, watched):
            reel.add(frame, state)
            watched.frame(reel.frames, how.frames, frame)
    return file


def _frames(
    settings: Settings,
    models: Models,
    how: Journey,
    reel: Reel,
    out: str | Path,
    watched: Watcher,
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """The frames that the reel lacks, uint8 [H, W, 3], and what the next ones depend on."""

    def load(source: str) -> Tensor:
        return remembered(source, reel.parts / "inputs")

    state, phrases = reel.state, [p for p in settings.prompt.split("^") if p.strip()]
    if not state:
        first = settings.replace(prompt=phrases[0].strip())
        state = key_run(first, models, out, watched).loop.tensors()
    plan = settings.replace(total_iter=how.frames * how.iterations, coarse=0.0)
    each = math.ceil(plan.total_iter / len(phrases))
    story = Story(len(phrases), each, settings.story_fade or each // 2)
    targets = [make_target(perceptor, plan, load) for perceptor in models.perceptors]
    memory = MemorySaving(models.device, models.vqgan.dtype)
    loop = Loop(models, plan, saved=state, compute=memory)
    view = state["view"].to(models.device) if "view" in state else loop.shown()
    convoy = _Convoy(loop, how)
    for number in range(reel.frames, how.frames):
        if number:
            turn = range(number * how.iterations + 1, (number + 1) * how.iterations + 1)
            drafts = convoy.drafts(number, {*story.shares(turn[0]), *story.shares(turn[-1])})
            new = (loop.inputs(i, targets, story) for i in turn)
            given = [
                (i, replace(inputs, drafts=drafts)) for i, inputs in zip(turn, new, strict=True)
            ]
            view = _painted_on(loop, moved(view, how), given)
        yield to_pixels(view)[0], loop.tensors() | {"view": view}


def _painted_on(loop: Loop, view: Tensor, given: Iterable[tuple[int, Inputs]]) -> Tensor:
    """The view [1, 3, H, W] after some iterations.

    What the painting changes is added to the view. The picture itself would not do: encoded and
    decoded again in every frame, it loses its colours and grows stripes, with no painting at all.
    A share of it only keeps the view where the generator can follow.
    """
    vqgan, latent = loop.models.vqgan, loop.latent
    z = vqgan.encode(view)
    vqgan.clamp_to_box(z)
    with torch.no_grad():
        for tensor in (latent.z, latent.start, latent.average):
            if tensor is not None:
                tensor.copy_(z)
    latent.optimizer.state.clear()  # its moments belong to pixels that have moved on
    loop.forget()
    before = loop.shown()
    executor = Executor(loop)  # a new one, since a recording would judge the previous picture
    for i, inputs in given:
        iterated(executor, i, inputs)
    after = loop.shown()
    return (view + after - before).clamp(0, 1).lerp(after, _FOLLOWS)


class _Convoy:
    """Drafts that travel along.

    A draft stays where it is, and would hold the picture there. So each comes small from afar, or
    from beyond an edge, passes its own place and leaves, and at half of its way the next follows.
    """

    def __init__(self, loop: Loop, how: Journey) -> None:
        self.loop, self.how = loop, how
        with torch.no_grad():
            self._pictures = [
                None if draft is None else loop.models.vqgan.decode(draft) for draft in loop.drafts
            ]
        width, height = loop.settings.im_shape
        ways = [math.log(_GROWS) / abs(math.log(how.zoom))] if how.zoom != 1 else []
        # twice the side: beyond an edge is a mirror image, which the next draft then meets
        ways += [
            2 * side / abs(pan) for side, pan in ((width, how.pan_x), (height, how.pan_y)) if pan
        ]
        self._half = max(1, round(min(ways) / 2)) if ways else 0

    def drafts(self, number: int, phrases: Collection[int]) -> Tensor | None:
        """The drafts [P, B, C, h, w] at a frame, of these phrases only; None if there is none."""
        if self.loop.stacked_drafts is None:
            return None
        stacked = torch.zeros_like(self.loop.stacked_drafts)
        with torch.no_grad():
            for which in phrases:
                if (x := self._pictures[which]) is not None:
                    stacked[which] = self.loop.models.vqgan.encode(self._seen(x, number))
        return stacked

    def _seen(self, x: Tensor, number: int) -> Tensor:
        """Two drafts on their way, each the clearer the nearer it is to its own place."""
        if not self._half:
            return moved(x, self.how, number)
        away = number % self._half
        share = math.cos(math.pi / 2 * away / self._half) ** 2
        leaving, coming = (moved(x, self.how, n) for n in (away, away - self._half))
        return coming.lerp(leaving, share)


def moved(x: Tensor, how: Journey, times: int = 1) -> Tensor:
    """Pictures [B, 3, H, W] after the motion of so many frames, below 0: before it.

    Sampled once, bicubic, mirrored at the edges.
    """
    height, width = x.shape[-2:]
    angle = math.radians(how.rotate)
    cos, sin = math.cos(angle) / how.zoom, math.sin(angle) / how.zoom
    # from a pixel of the new picture to one of the old, in halves of the sides
    theta = torch.tensor(
        [
            [cos, sin * height / width, 2 * how.pan_x / width],
            [-sin * width / height, cos, 2 * how.pan_y / height],
            [0.0, 0.0, 1.0],
        ],
        dtype=torch.float64,
    )
    theta = torch.linalg.matrix_power(theta, times)[:2].to(x)
    grid = F.affine_grid(theta.expand(len(x), -1, -1), list(x.shape), False)
    return F.grid_sample(x, grid, "bicubic", "reflection", False).clamp(0, 1)
