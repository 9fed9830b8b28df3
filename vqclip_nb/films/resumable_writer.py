"""Films that are written frame by frame and survive an interrupt.

Segments of fixed length and the state to resume from are in a folder beside the film, NAME.parts.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from vqclip_nb.settings import drawn_seed
from vqclip_nb.storage import interrupts
from vqclip_nb.storage.ffmpeg import read_video, write_video
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.images import remembered
from vqclip_nb.storage.locks import FolderLock
from vqclip_nb.storage.segmented_film import SegmentedFilm

_SEGMENT = 50  # frames
_STATE = "state.safetensors"
_FORMATS = (".mp4", ".gif")


def film_file(file: str | Path) -> Path:
    """The path of a film that can be written; makes its folder.

    The path is absolute, so that the film goes on if the working directory changes.

    Raises ValueError if the ending is not a film's, or nothing can be written there.
    """
    path = Path(file).absolute()
    if path.suffix not in _FORMATS:
        raise ValueError(f"{path} is not a film: choose a name that ends with .mp4 or .gif.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: choose another name for the film.")
    parts = _parts_of(path)
    try:
        parts.mkdir(parents=True, exist_ok=True)
        if not any(parts.iterdir()):
            parts.rmdir()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error.strerror}): choose a folder that you may write to."
        ) from None
    return path


def seed_of(file: Path) -> int:
    """The seed of the interrupted film that `file` names; a new one if there is none."""
    if (_parts_of(file) / _STATE).is_file():
        _, header = _read(_parts_of(file))
        with contextlib.suppress(KeyError, TypeError):
            return int(header["plan"]["settings"]["seed"])
    return drawn_seed()


class ResumableWriter:
    """Writes a film in a `with` block, frame by frame, starting with frame number `frames`.

    file: an .mp4 or .gif, checked by `film_file`
    fps: frames per second
    plan: everything that determines the frames, as JSON types; "settings" has a "seed"
    comment: the film's metadata comment

    The block's end writes the film and deletes its parts. If the block is left early, the film
    holds the frames so far and the parts stay: the next writer of the same file and plan resumes
    with the next frame, and its film has the same frames as one that was never interrupted. After
    a crash, up to 50 frames are made again. An older film of that name is replaced.

    Raises ValueError, and changes nothing, if the parts belong to a film with another plan, are
    damaged, or another process makes the film.

    frames: how many there are; state: the tensors passed with the last of them
    """

    def __init__(self, file: Path, *, fps: float, plan: dict, comment: str = "") -> None:
        self.file, self.fps, self.comment = file, fps, comment
        self.plan = json.loads(json.dumps(plan))  # tuples as lists, as they will be read
        self.parts = _parts_of(file)
        self.frames, self.state = 0, {}
        self._film, self._lock = SegmentedFilm(self.parts, fps=fps), FolderLock(self.parts)
        self._orderly, self._torn = contextlib.ExitStack(), False
        try:
            self._resume()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> ResumableWriter:
        self._orderly.enter_context(interrupts.orderly())
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._orderly, interrupts.held(saving=True):
            try:
                if not self._torn:
                    self._finish(complete=kind is None)
            finally:
                self._film.discard()
                self._lock.release()

    def _finish(self, *, complete: bool) -> None:
        self._film.pause()
        if complete:
            self._write_film()
            self._lock.release()
            shutil.rmtree(self.parts)
        elif self.frames:
            self._save()
            self._write_film()

    def add(self, frame: np.ndarray, state: dict[str, Tensor] | None = None) -> None:
        """Append a frame, uint8 [H, W, 3], with the tensors that the next one depends on."""
        with interrupts.held():
            try:
                self._add(frame, state or {})
            except (KeyboardInterrupt, SystemExit):  # the second one: leave what was saved before
                self._torn = True
                raise

    def _add(self, frame: np.ndarray, state: dict[str, Tensor]) -> None:
        self._film.add(np.array(frame))
        self.state = {name: value.detach().cpu().clone() for name, value in state.items()}
        self.frames += 1
        if len(self._film.pending) == _SEGMENT:
            self._film.end_segment(self.frames)
            self._save()

    def _resume(self) -> None:
        """Continue with the parts of an interrupted film, if there are any."""
        begun = (self.parts / _STATE).is_file()
        if not begun and any(self.parts.glob("[!.]*")):
            raise ValueError(
                f"{self.parts} exists but belongs to no film: move it, or choose another name."
            )
        self.parts.mkdir(exist_ok=True)
        self._lock.acquire()
        pending: list[np.ndarray] = []
        if begun:
            tensors, header = _read(self.parts)
            if header["plan"] == self.plan:
                self.frames = header["frames"]
                pending = list(tensors.pop("frames", torch.empty(0)).numpy())
                self.state = {name.removeprefix("state."): v for name, v in tensors.items()}
            elif header["frames"]:
                others = ", ".join(_differing(header["plan"], self.plan))
                raise ValueError(
                    f"{self.parts} holds {header['frames']} frames of a film that differs in "
                    f"{others}: finish that film, delete the folder, or choose another name."
                )
        self._film.resume(self.frames, pending)
        if self._film.count != self.frames:
            raise ValueError(
                f"{self.parts} has only {self._film.count} of {self.frames} frames: it was damaged; "
                "delete it to start again."
            )
        self._save()

    def load_picture(self, source: str) -> Tensor:
        """The picture from a path or url, [1, 3, H, W]; the parts keep a copy to resume with."""
        return remembered(source, self.parts / "inputs")

    def _save(self) -> None:
        """Write the state and the pending frames: one file, one rename."""
        self._film.settle()
        tensors = {f"state.{name}": value.contiguous() for name, value in self.state.items()}
        if self._film.pending:
            tensors["frames"] = torch.from_numpy(np.stack(self._film.pending))
        header = json.dumps({"plan": self.plan, "frames": self.frames})
        write_file(self.parts / _STATE, save(tensors, {"state": header}))

    def _write_film(self) -> None:
        film = self.parts / "film.mp4"
        self._film.join(film, comment=self.comment)
        if self.file.suffix == ".gif":
            moving = film.with_suffix(".gif")
            write_video(moving, read_video(film), fps=self.fps, comment=self.comment)
            film.unlink()
            film = moving
        film.replace(self.file)


def _parts_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.parts")


def _read(parts: Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the header of the state; ValueError if it cannot be read."""
    try:
        with safe_open(parts / _STATE, "pt") as file:
            header = json.loads(file.metadata()["state"])
            header = {"plan": dict(header["plan"]), "frames": int(header["frames"])}
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except Exception as error:  # a broken file can raise anything
        raise ValueError(
            f"{parts / _STATE} cannot be read ({error}): delete {parts} to start again."
        ) from error


def _differing(one: dict, other: dict) -> Iterator[str]:
    """The names, also in nested dictionaries, whose values differ."""
    for name in {**one, **other}:
        left, right = one.get(name), other.get(name)
        if isinstance(left, dict) and isinstance(right, dict):
            yield from _differing(left, right)
        elif left != right:
            yield name
