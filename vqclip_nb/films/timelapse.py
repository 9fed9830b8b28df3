"""Edits of a run's film: length, pace, a hold at the end, forward and back, captions.

They use the frames of the run's timelapse, one per iteration, so no model is loaded.
"""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vqclip_nb.films.options import Cut
from vqclip_nb.pictures import provenance_of
from vqclip_nb.storage.ffmpeg import frame_count, frames_of, write_video
from vqclip_nb.storage.run_folder import RunFolder


def timelapse(folder: str | Path, file: str | Path | None = None, **cut: object) -> Path:
    """Edit the film of a run; returns the path of the new film.

    folder: the run's folder
    file: the new film, its ending decides the format; by default in the run's folder
    cut: the fields of `Cut`

    Raises ValueError if the run has no frames yet, or a value is not allowed.
    """
    if file is not None:
        cut["format"] = Path(file).suffix.removeprefix(".")
    chosen, run = Cut(**cut), RunFolder(Path(folder))
    file = Path(file) if file else run.path / f"film.{chosen.format}"
    if not frame_count(run.timelapse):
        run.save_timelapse(None)  # of a run that was interrupted, or whose film was damaged
    if not frame_count(run.timelapse):
        raise ValueError(f"{folder} has no frames: paint at least one iteration.")
    with frames_of(run.timelapse) as frames:
        order = _order(frames, chosen)
        drawn = (frames[i] for i in order)
        if chosen.caption:
            captions = _captions(run, len(frames))
            drawn = (_captioned(frames[i], *captions[i]) for i in order)
        about = {"comment": provenance_of(run.picture), "interpolate": chosen.interpolate}
        write_video(file, drawn, fps=chosen.fps, **about)
    return file


def _order(frames: np.ndarray, cut: Cut) -> list[int]:
    """The numbers of the frames to show, in order."""
    last, number = len(frames) - 1, round(cut.seconds * cut.fps) or len(frames)
    along = np.linspace(0, 1, max(number, 2))
    if cut.pace == "change":
        seen = (frame[::4, ::4].astype(np.int16) for frame in frames)
        moved = [np.abs(b - a).mean() for a, b in itertools.pairwise(seen)]
        so_far = np.cumsum([0.0, *moved])
        there = np.searchsorted(so_far, along * so_far[-1]).clip(0, last).tolist()
    else:
        there = np.round(along * last).astype(int).tolist()
    back = there[-2:0:-1] if cut.ping_pong else []
    return there + [last] * round(cut.hold * cut.fps) + back


def _captions(run: RunFolder, number: int) -> list[tuple[str, str]]:
    """For each frame the prompt at that time, and the iteration with its loss."""
    plan = run.load_plan()
    prompts = {1: plan.prompt}
    prompts |= {u["iteration"]: u["prompt"] for u in plan.updates if "prompt" in u}
    losses = {row["iteration"]: row["loss"] for row in run.load_history(number)}
    captions, prompt = [], prompts[1]
    for i in range(1, number + 1):
        prompt = prompts.get(i, prompt)
        captions.append((prompt, f"{i}" + (f"   loss {losses[i]:.3f}" if i in losses else "")))
    return captions


def _captioned(frame: np.ndarray, prompt: str, measured: str) -> np.ndarray:
    """The frame above a strip with the prompt and the figures."""
    height, width = frame.shape[:2]
    size = max(10, height // 24)
    font = ImageFont.load_default(size)
    per_line = max(8, int(width / font.getlength("n")))
    lines = [*textwrap.wrap(prompt, per_line)[:3], measured]
    strip = Image.new("RGB", (width, (len(lines) * size * 3 // 2 + size) // 2 * 2), "black")
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((size // 2, size // 2 + number * size * 3 // 2), line, "white", font)
    return np.concatenate([frame, np.asarray(strip)])
