"""Films of a flight: each frame is the previous one, moved and painted further."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.accel.memory_saving import MemorySaving
from vqclip_nb.core.images import to_pixels
from vqclip_nb.core.loop import Loop
from vqclip_nb.core.targets import make_target
from vqclip_nb.films.options import Journey
from vqclip_nb.films.progress import Watcher, watcher_for
from vqclip_nb.films.resumable_writer import ResumableWriter, film_file
from vqclip_nb.films.shared import along, first_phrase, key_run, paint_on, prepare, writer_for
from vqclip_nb.models.loading import Models
from vqclip_nb.settings import Settings

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
    """Make the film of a flight through what a sentence describes; returns its path.

    prompt: a sentence, or settings; the phrases of a story fade into each other along the film
    file: the film, .mp4 or .gif
    models, out, offline, show: see `morph`
    fields: those of `Journey`

    An interrupt leaves the film so far; the same call continues it, see `ResumableWriter`.
    Raises ValueError before anything is painted if a value is not allowed.
    """
    how, file, out = Journey(**fields), film_file(file), Path(out).absolute()
    settings = prompt if isinstance(prompt, Settings) else Settings(prompt=prompt)
    if settings.mask:
        raise ValueError(
            "mask keeps parts of a picture in place, but a journey moves all of it: leave mask out."
        )
    settings, loaded = prepare(settings, models, file, offline)
    watcher = watcher_for(show)
    with writer_for(file, how, settings, loaded) as writer:
        for frame, state in _frames(settings, loaded, how, writer, out, watcher):
            writer.add(frame, state)
            watcher.frame(writer.frames, how.frames, frame)
    return file


def _frames(
    settings: Settings,
    models: Models,
    how: Journey,
    writer: ResumableWriter,
    out: str | Path,
    watcher: Watcher,
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """The frames still to write, uint8 [H, W, 3], each with the tensors the next one depends on."""
    state = writer.state
    if not state:
        state = key_run(first_phrase(settings), models, out, watcher.run).loop.tensors()
    plan, story = along(settings, how.frames * how.iterations)
    load = writer.load_picture
    targets = [make_target(perceptor, plan, load) for perceptor in models.perceptors]
    memory = MemorySaving(models.device, models.vqgan.dtype)
    loop = Loop(models, plan, saved=state, compute=memory)
    view = state["view"].to(models.device) if "view" in state else loop.shown()
    drafts = _MovingDrafts(loop, how)
    for number in range(writer.frames, how.frames):
        if number:
            turn = range(number * how.iterations + 1, (number + 1) * how.iterations + 1)
            moving = drafts.at(number, {*story.shares(turn[0]), *story.shares(turn[-1])})
            inputs = [(i, replace(loop.inputs(i, targets, story), drafts=moving)) for i in turn]
            view = paint_on(loop, moved(view, how), inputs)
        yield to_pixels(view)[0], loop.tensors() | {"view": view}


class _MovingDrafts:
    """Drafts that move with the view; a fixed one would hold the picture in place.

    Each draft starts small, or beyond an edge, passes its own place and leaves. The next one
    starts when it is halfway.
    """

    def __init__(self, loop: Loop, how: Journey) -> None:
        self.loop, self.how = loop, how
        with torch.no_grad():
            self._pictures = [
                None if draft is None else loop.models.vqgan.decode(draft) for draft in loop.drafts
            ]
        width, height = loop.settings.im_shape
        # in frames, from a draft's start to its end
        paths = [math.log(_GROWS) / abs(math.log(how.zoom))] if how.zoom != 1 else []
        # twice the side: beyond an edge is a mirror image, which the next draft then meets
        paths += [
            2 * side / abs(pan) for side, pan in ((width, how.pan_x), (height, how.pan_y)) if pan
        ]
        self._half = max(1, round(min(paths) / 2)) if paths else 0

    def at(self, number: int, phrases: Collection[int]) -> Tensor | None:
        """The drafts [P, B, C, h, w] at a frame, of these phrases only; None without drafts."""
        if self.loop.stacked_drafts is None:
            return None
        stacked = torch.zeros_like(self.loop.stacked_drafts)
        with torch.no_grad():
            for which in phrases:
                if (x := self._pictures[which]) is not None:
                    stacked[which] = self.loop.models.vqgan.encode(self._seen(x, number))
        return stacked

    def _seen(self, x: Tensor, number: int) -> Tensor:
        """A blend of two moving drafts; the nearer one is to its own place, the more it counts."""
        if not self._half:
            return moved(x, self.how, number)
        away = number % self._half
        share = math.cos(math.pi / 2 * away / self._half) ** 2
        leaving, coming = (moved(x, self.how, n) for n in (away, away - self._half))
        return coming.lerp(leaving, share)


def moved(x: Tensor, how: Journey, times: int = 1) -> Tensor:
    """Pictures [B, 3, H, W] after the motion of `times` frames; a negative number reverses it.

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
