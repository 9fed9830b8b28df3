"""Films painted over: each frame begins with what was painted on the last one, moved along."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb.accel.memory_saving import MemorySaving
from vqclip_nb.core.images import to_pixels
from vqclip_nb.core.loop import Loop
from vqclip_nb.core.targets import make_target
from vqclip_nb.films.optical_flow import follow, motion
from vqclip_nb.films.options import Restyle
from vqclip_nb.films.progress import Watcher, watcher_for
from vqclip_nb.films.resumable_writer import ResumableWriter, film_file
from vqclip_nb.films.shared import along, first_phrase, key_run, paint_on, prepare, writer_for
from vqclip_nb.models.loading import Models
from vqclip_nb.settings import Settings
from vqclip_nb.storage.ffmpeg import add_sound, film_facts, frames_of
from vqclip_nb.storage.images import kept_picture

_MOST = 10_000  # frames
_FASTEST = 60.0  # frames/s
_GAIN = 0.35  # share of what a frame's iterations paint: more flickers; empirical
_TRUST = 0.05  # difference of brightness at which a match of two frames counts for 1/e; empirical


def restyle(
    film: str | Path,
    prompt: str | Settings,
    file: str | Path,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    offline: bool = False,
    show: bool | Watcher = False,
    **fields: object,
) -> Path:
    """Paint over the frames of a film; returns the path of the new one.

    film: mp4, mov, webm, mkv, avi or gif, of at most 10,000 frames
    prompt: a sentence, or settings. The film keeps its proportions, with as many pixels as
        `im_shape` has; the draft is not used
    file: the new film, .mp4 or .gif; an mp4 keeps the sound
    models, out, offline, show: see `morph`; the first frame is a run in `out`
    fields: those of `Restyle`

    An interrupt leaves the film so far, without sound; the same call continues it, see
    `ResumableWriter`. Raises ValueError before anything is painted if a value is not allowed.
    """
    how, file, out, film = Restyle(**fields), film_file(file), Path(out).absolute(), Path(film)
    settings = prompt if isinstance(prompt, Settings) else Settings(prompt=prompt)
    for name in ("init_image", "mask"):
        if getattr(settings, name):
            raise ValueError(
                f"{name} is the film's own frame when a film is painted: leave it out."
            )
    if film.absolute() == file:
        raise ValueError(f"{file} is the film itself: choose another name for the new one.")
    size, fps = film_facts(film)
    how = replace(how, fps=how.fps or min(fps, _FASTEST))
    settings, loaded = prepare(settings, models, file, offline)
    shape = _in_proportion(size, settings.im_shape, loaded.vqgan.factor)
    settings = settings.replace(im_shape=shape, draft_weight=0.0)
    watcher = watcher_for(show)
    with frames_of(film, size=settings.im_shape, fps=how.fps, most=_MOST) as frames:
        with open(film, "rb") as opened:
            checksum = hashlib.file_digest(opened, "sha256").hexdigest()
        sources = {"planned": [checksum], "recorded": [film.name]}
        with writer_for(file, how, settings, loaded, **sources) as writer:
            painted = _frames(frames, settings, loaded, how, writer, out, watcher)
            for frame, state in painted:
                writer.add(frame, state)
                watcher.frame(writer.frames, len(frames), frame)
    if file.suffix == ".mp4":
        add_sound(file, film)
    return file


def _in_proportion(size: tuple[int, int], area: tuple[int, int], step: int) -> tuple[int, int]:
    """Multiples of `step` with the proportions of `size` and about as many pixels as `area`."""
    scale = (area[0] * area[1] / (size[0] * size[1])) ** 0.5
    width, height = (round(side * scale / step) * step for side in size)
    return width, height


def _frames(
    film: np.ndarray,
    settings: Settings,
    models: Models,
    how: Restyle,
    writer: ResumableWriter,
    out: Path,
    watcher: Watcher,
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """The frames still to write, uint8 [H, W, 3], each with the tensors the next one depends on."""
    state = writer.state
    if not state:
        first = kept_picture(Image.fromarray(film[0]), out / "inputs")
        begun = first_phrase(settings).replace(init_image=first)
        state = key_run(begun, models, out, watcher.run).loop.tensors()
    plan, story = along(settings, len(film) * how.iterations)
    targets = [make_target(perceptor, plan, writer.load_picture) for perceptor in models.perceptors]
    loop = Loop(models, plan, saved=state, compute=MemorySaving(models.device, models.vqgan.dtype))
    view = state["view"].to(models.device) if "view" in state else _first(loop, film[0])
    for number in range(writer.frames, len(film)):
        if number:
            turn = range(number * how.iterations + 1, (number + 1) * how.iterations + 1)
            last, new = (_as_tensor(film[i], models) for i in (number - 1, number))
            begun = (new + how.steady * _carried(view, last, new)).clamp(0, 1)
            painted = paint_on(loop, begun, [(i, loop.inputs(i, targets, story)) for i in turn])
            view = begun.lerp(painted, _GAIN)
        yield to_pixels(view)[0], loop.tensors() | {"view": view}


def _first(loop: Loop, frame: np.ndarray) -> Tensor:
    """The first frame with what its run has painted: with details that the VQGAN cannot draw."""
    x, vqgan = _as_tensor(frame, loop.models), loop.models.vqgan
    with torch.no_grad():
        drawn = vqgan.decode(vqgan.quantize(vqgan.encode(x))[0]).clamp(0, 1)
    return (x + loop.shown() - drawn).clamp(0, 1)


def _carried(view: Tensor, last: Tensor, new: Tensor) -> Tensor:
    """What was painted on the last frame, where it belongs on the new one; 0 where nothing matches.

    view: the last frame as painted; last, new: frames of the film, all [1, 3, H, W]
    """
    moved = motion(last, new)
    apart = (follow(last, moved) - new).abs().mean(1, keepdim=True)
    return follow(view - last, moved) * (-apart / _TRUST).exp()


def _as_tensor(frame: np.ndarray, models: Models) -> Tensor:
    """A frame as a picture [1, 3, H, W] in [0,1]."""
    x = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None]
    return x.to(models.device).float() / 255
