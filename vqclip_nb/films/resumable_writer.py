"""A film that is made a frame at a time, and that an interrupt does not lose.

Frames are encoded in segments beside the film, in NAME.parts, with a state to go on from. Borders
of segments are at fixed frames, as an encoder makes other pictures of other segments.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from vqclip_nb.settings import drawn_seed
from vqclip_nb.storage import interrupts
from vqclip_nb.storage.ffmpeg import Segment, join_videos, read_video, write_video
from vqclip_nb.storage.run_folder import write_file

_SEGMENT = 50  # frames
_FORMATS = (".mp4", ".gif")


def film_file(file: str | Path) -> Path:
    """The path of a film that can be written; makes its folder.

    Raises ValueError where the ending is none of a film's, or nothing can be written there.
    """
    path = Path(file)
    if path.suffix not in _FORMATS:
        raise ValueError(f"{path} is no film's name: give one that ends with .mp4 or .gif.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the film another name.")
    parts = _parts_of(path)
    try:
        parts.mkdir(parents=True, exist_ok=True)
        if not any(parts.iterdir()):
            parts.rmdir()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error.strerror}): give a name in a folder that you may "
            "write to."
        ) from None
    return path


def seed_of(file: Path) -> int:
    """The seed that a film which was interrupted had drawn; else a new one."""
    if _state_of(_parts_of(file)).is_file():
        _, header = _read(_parts_of(file))
        with contextlib.suppress(KeyError, TypeError):
            return int(header["plan"]["settings"]["seed"])
    return drawn_seed()


class Reel:
    """A film in the making, filled in a `with` block, frame by frame, from number `frames` on.

    file: an .mp4 or .gif, as `film_file` gave it
    fps: frames a second
    plan: everything that decides the frames, of JSON's types; "settings" has a "seed"
    comment: what the film says of itself

    At the end of the block the film is there and its parts are gone. Where the block is left
    early, a film of the frames so far is there, and the parts to go on with: the next reel of the
    same file and plan begins with the next frame, and its film has the frames of one never
    interrupted. After a crash up to 50 frames are made again. An older film of that name is
    replaced.

    Raises ValueError where the parts of a film with another plan are there, which are left alone.

    frames: how many there are; state: the tensors that came with the last of them
    """

    def __init__(self, file: Path, *, fps: float, plan: dict, comment: str = "") -> None:
        self.file, self.fps, self.comment = file, fps, comment
        self.plan = json.loads(json.dumps(plan))  # tuples as lists, as they will be read
        self.parts = _parts_of(file)
        self.frames, self.state = 0, {}
        self._segment = Segment(self.parts, fps=fps)
        self._go_on()

    def __enter__(self) -> Reel:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts.held():
            self._segment.rest()
            if kind is None:
                self._write_film()
                shutil.rmtree(self.parts)
            elif self.frames:
                self._save()
                self._write_film()

    def add(self, frame: np.ndarray, state: dict[str, Tensor] | None = None) -> None:
        """Take the next frame, uint8 [H, W, 3], and the tensors that the one after it needs."""
        with interrupts.held():
            self._segment.add(np.array(frame))
            self.state = {
                name: value.detach().cpu().clone() for name, value in (state or {}).items()
            }
            self.frames += 1
            if len(self._segment.frames) == _SEGMENT:
                self._segment.end(_named(self.frames))
                self._save()

    def _go_on(self) -> None:
        """Take up what an earlier reel left; else begin."""
        if _state_of(self.parts).is_file():
            tensors, header = _read(self.parts)
            self._refuse_another(header)
            if header["plan"] == self.plan:
                self.frames = header["frames"]
                self._segment.frames = list(tensors.pop("frames", torch.empty(0)).numpy())
                self.state = {name.removeprefix("state."): v for name, v in tensors.items()}
        elif self.parts.is_dir() and any(self.parts.iterdir()):
            raise ValueError(
                f"{self.parts} is there and no film's: move it, or give the film another name."
            )
        self.parts.mkdir(exist_ok=True)
        for left in [*self.parts.glob("*.mp4"), *self.parts.glob("*.part*")]:
            if not left.stem.isdigit() or int(left.stem) > self.frames:
                left.unlink(missing_ok=True)  # made after the state was saved, or not whole
        self._save()

    def _refuse_another(self, header: dict) -> None:
        if header["frames"] and header["plan"] != self.plan:
            others = ", ".join(_differing(header["plan"], self.plan))
            raise ValueError(
                f"{self.parts} holds {header['frames']} frames of a film with other {others}: "
                "finish that one as it was begun, delete the folder, or give another name."
            )

    def _save(self) -> None:
        """Write the state, with the frames that are in no segment: one file, one rename."""
        self._segment.settle()
        tensors = {f"state.{name}": value.contiguous() for name, value in self.state.items()}
        if self._segment.frames:
            tensors["frames"] = torch.from_numpy(np.stack(self._segment.frames))
        header = json.dumps({"plan": self.plan, "frames": self.frames})
        write_file(_state_of(self.parts), save(tensors, {"state": header}))

    def _write_film(self) -> None:
        """Join what there is to the film."""
        whole = self.frames - len(self._segment.frames)
        segments = [self.parts / _named(last) for last in range(_SEGMENT, whole + 1, _SEGMENT)]
        if self._segment.frames:
            segments.append(self.parts / "tail.mp4")
            write_video(segments[-1], self._segment.frames, fps=self.fps)
        film = self.parts / "film.mp4"
        join_videos(film, segments, comment=self.comment)
        if self.file.suffix == ".gif":
            moving = film.with_suffix(".gif")
            write_video(moving, read_video(film), fps=self.fps, comment=self.comment)
            film.unlink()
            film = moving
        film.replace(self.file)


def _named(last: int) -> str:
    """The segment that ends with this frame."""
    return f"{last:06d}.mp4"


def _parts_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.parts")


def _state_of(parts: Path) -> Path:
    return parts / "state.safetensors"


def _read(parts: Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the header of the state; ValueError where it cannot be read."""
    try:
        with safe_open(_state_of(parts), "pt") as file:
            header = json.loads(file.metadata()["state"])
            frames, _ = header["frames"], header["plan"]
            if not isinstance(frames, int):
                raise TypeError("its number of frames is none")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except Exception as error:  # a file that is broken can be so in any way
        raise ValueError(
            f"{_state_of(parts)} cannot be read ({error}): delete {parts} to begin anew."
        ) from error


def _differing(one: dict, other: dict) -> Iterator[str]:
    """The names, of inner dictionaries too, whose values are not the same."""
    for name in {**one, **other}:
        left, right = one.get(name), other.get(name)
        if isinstance(left, dict) and isinstance(right, dict):
            yield from _differing(left, right)
        elif left != right:
            yield name
