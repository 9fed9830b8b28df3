"""A run's folder: pictures that carry their settings, latents, history, state, timelapse.

Every file is written under a temporary name and renamed when complete, so that an interrupted or
failed write leaves the former file in place. What is read may have been damaged, or belong to
someone else: each reader returns what it can, or raises `DamagedError`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from vqclip_nb.pictures import as_png, read_limited
from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import Settings
from vqclip_nb.storage.ffmpeg import frame_count
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.locks import FolderLock
from vqclip_nb.storage.segmented_film import SegmentedFilm

_MOST_PENDING = 200  # frames of the timelapse that are kept as pixels; runs end a segment sooner
_MOST_NOTE = 100_000  # bytes
_COLUMNS = {"iteration", "seconds", "loss", "similarity"}  # of every row of a history


class DamagedError(ValueError):
    """A part of a run's folder cannot be used; the message names the file and the reason."""


class RunFolder:
    """The files of one run, by name.

    path: absolute, so that the run goes on where it began if the working directory changes
    film: the frames of the timelapse, one per iteration; segments are named after iterations
    lock: of the process that paints here
    """

    def __init__(self, path: Path) -> None:
        self._be_at(path.absolute())

    @classmethod
    def create(cls, out: str | Path, settings: Settings, name: str = "") -> RunFolder:
        """Make a folder inside `out`, hidden until `settle` gives it the run's name.

        name: by default the time and the prompt's words

        Raises ValueError if nothing can be written there, or the name is not a folder's.
        """
        if name.startswith(".") or name != Path(name).name:
            raise ValueError(f"name is {name!r}: allowed is a folder's name, without a path.")
        words = slug(settings.prompt)
        stem = name or time.strftime("%Y%m%d-%H%M%S") + (f"-{words}" if words else "")
        path = Path(out).absolute() / f".{stem}-{secrets.token_hex(4)}.part"
        try:
            (path / "steps").mkdir(parents=True)
            (path / "frames").mkdir()
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise ValueError(
                f"out is {str(out)!r}, where no folder can be made ({error.strerror}): "
                "choose a folder that you may write to."
            ) from None
        return cls(path)

    def settle(self) -> None:
        """Rename the folder to the run's name, with a number if another run has it; lock it."""
        stem = self.path.name[1:].removesuffix(".part").rpartition("-")[0]
        for number in itertools.count(1):
            path = self.path.with_name(stem if number == 1 else f"{stem}-{number}")
            try:
                if not path.exists():
                    self._be_at(self.path.rename(path))
                    self.lock.acquire()
                    return
            except OSError:
                if not path.exists():  # another reason than a run that was quicker
                    raise

    def _be_at(self, path: Path) -> None:
        self.path = path
        self.film, self.lock = SegmentedFilm(path / "frames"), FolderLock(path)

    def discard(self) -> None:
        """Remove the folder of a run that never began."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def inputs(self) -> Path:
        """Copies of the pictures that the run began with."""
        return self.path / "inputs"

    @property
    def picture(self) -> Path:
        """The latest picture of the first batch item."""
        return self.path / "picture.png"

    @property
    def timelapse(self) -> Path:
        """The film of the run, one frame an iteration."""
        return self.path / "timelapse.mp4"

    def save_settings(self, plan: Settings) -> None:
        """Write `settings.json`: the settings at the start and the log of live changes."""
        values = plan.to_dict()
        updates = values.pop("updates")
        text = json.dumps({"settings": values, "updates": updates}, indent=2)
        self._write("settings.json", text.encode())

    def load_settings(self) -> Settings:
        """The settings with the log of live changes; ValueError if they cannot be read."""
        file = self.path / "settings.json"
        try:
            if not file.is_file():
                raise DamagedError(f"{file} is missing.")
            with file.open("rb") as opened:
                text = read_limited(opened, str(file))
        except OSError as error:
            raise DamagedError(f"{file} cannot be read: {error.strerror}.") from None
        return Settings.from_provenance(text, str(file))[0]

    def load_plan(self) -> Settings:
        """The settings with the whole log of live changes, from the first file that has them.

        That is the state, or else settings.json, whose log can be longer, or else a picture. Raises
        DamagedError if none does.
        """
        logged = None
        with contextlib.suppress(ValueError):
            logged = self.load_settings()
        with contextlib.suppress(KeyError, TypeError, ValueError):
            plan = Settings.from_dict(self.load_header()["plan"])
            if logged and logged.updates[: len(plan.updates)] == plan.updates:
                plan = plan.replace(updates=logged.updates)
            return plan
        if logged:
            return logged.confirmed()
        steps = map(self.step_picture, reversed(self.shown_steps()))
        for picture in (self.picture, *steps):
            with contextlib.suppress(ValueError):
                return Settings.from_png(picture).confirmed()
        raise DamagedError(
            f"{self.path} is not a run's folder: it has no state.safetensors that can be read, and "
            "no other file with a run's settings."
        )

    def save_pictures(
        self, images: list[Image.Image], record: dict | None, stem: str = "picture"
    ) -> None:
        """Write `picture.png`, and `picture_1.png` and so on for a batch, with the provenance."""
        for item, image in enumerate(images):
            self._write(f"{stem}.png" if item == 0 else f"{stem}_{item}.png", as_png(image, record))

    def save_step(self, i: int, images: list[Image.Image], record: dict | None, z: Tensor) -> None:
        """Write the pictures and the latent of a shown step."""
        (self.path / "steps").mkdir(exist_ok=True)
        self.save_pictures(images, record, f"steps/{i:06d}")
        self._write(f"steps/{i:06d}.safetensors", save({"z": z.detach().cpu().contiguous()}))

    def step_picture(self, step: int) -> Path:
        """The picture of a shown step, the first of a batch."""
        return self.path / "steps" / f"{step:06d}.png"

    def step_pictures(self, step: int) -> list[Path]:
        """The pictures of a shown step, one for each of a batch."""
        return _batch(self.step_picture(step))

    def pictures(self) -> list[Path]:
        """The latest pictures, one for each of a batch."""
        return _batch(self.picture)

    def shown_steps(self) -> list[int]:
        """The iterations of the saved steps, in order."""
        files = (self.path / "steps").glob("*.safetensors")
        return sorted(int(file.stem) for file in files if file.stem.isdecimal())

    def latents_of(self, step: int) -> Path:
        """The file with the latents of a shown step; ValueError if there is none."""
        path = self.path / "steps" / f"{step:06d}.safetensors"
        if not path.is_file():
            kept = ", ".join(map(str, self.shown_steps()))
            raise ValueError(f"{self.path} has no step {step}: choose one of {kept or 'none'}.")
        return path

    def copy_pictures(self, file: Path) -> None:
        """Copy the picture to a file, and those of a batch beside it: FILE_1.png and so on."""
        for picture in self.path.glob("picture*.png"):
            number = picture.stem.removeprefix("picture")
            write_file(file.with_stem(file.stem + number), picture.read_bytes())

    def save_note(self, star: bool, note: str) -> None:
        """Write what a person marked and noted about the run."""
        self._write("note.json", json.dumps({"star": star, "note": note}).encode())

    def load_note(self) -> tuple[bool, str]:
        """What `save_note` wrote; False and "" if there is nothing that can be read."""
        try:
            with (self.path / "note.json").open("rb") as opened:
                kept = json.loads(read_limited(opened, "note.json", _MOST_NOTE))
            return bool(kept["star"]), str(kept["note"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False, ""

    def save_history(self, history: list[dict]) -> None:
        """Write `history.csv`, one row an iteration; parts of the loss that were off stay empty."""
        names = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, restval="")
        table.writeheader()
        table.writerows(history)
        self._write("history.csv", text.getvalue().encode())

    def load_history(self, last: int) -> list[dict]:
        """The rows of `history.csv` up to iteration `last`, as numbers; those that can be read."""
        file, rows, before = self.path / "history.csv", [], 0
        if not file.is_file():
            return rows
        try:
            with file.open(newline="", encoding="utf-8") as opened:
                for row in csv.DictReader(opened):
                    numbers = {name: float(text) for name, text in row.items() if text != ""}
                    if not (numbers.keys() >= _COLUMNS and before < numbers["iteration"] <= last):
                        break
                    before = int(numbers["iteration"])
                    rows.append(numbers | {"iteration": before})
        except (OSError, ValueError, TypeError, OverflowError, csv.Error):
            pass  # the rest cannot be read
        return rows

    def save_state(self, tensors: dict[str, Tensor], header: dict) -> None:
        """Write `state.safetensors`, with `header` as JSON in its metadata: one file, one rename."""
        flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        self._write("state.safetensors", save(flat, {"state": json.dumps(header)}))

    def load_state(self) -> tuple[dict[str, Tensor], dict]:
        """What `save_state` wrote; ValueError if the folder is not a run's, DamagedError if broken.

        The header has "plan", "i", "seconds" and "done", and "frames" since version 0.2.
        """
        path = self._state
        if not path.is_file():
            raise DamagedError(f"{self.path} is not a run's folder: it has no state.safetensors.")
        try:
            with safe_open(path, "pt") as file:
                header = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            _check_header(header)
        except Exception as error:  # a broken file can raise anything
            raise DamagedError(f"{path} is damaged ({_reason(error)}).") from None
        return tensors, header

    def load_header(self) -> dict:
        """The header of the state; empty if there is none that can be read."""
        try:
            with safe_open(self._state, "pt") as file:
                header = json.loads(file.metadata()["state"])
            _check_header(header)
        except Exception:  # a broken file can raise anything
            return {}
        return header

    def load_step(self, step: int) -> Tensor:
        """The latent [B, C, h, w] of a shown step; DamagedError if it cannot be read."""
        path = self.latents_of(step)
        try:
            with safe_open(path, "pt") as file:
                return file.get_tensor("z")
        except Exception as error:  # a broken file can raise anything
            raise DamagedError(f"{path} is damaged ({_reason(error)}).") from None

    def is_done(self) -> bool:
        """Whether the run is finished and its film has every frame."""
        header = self.load_header()
        known = header.get("frames", header.get("i"))
        return header.get("done", False) and frame_count(self.timelapse) == known

    def version(self) -> tuple[int, int] | None:
        """Another one after each `save_state`; None if there is no state."""
        try:
            found = self._state.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    @property
    def _state(self) -> Path:
        return self.path / "state.safetensors"

    def save_pending(self, i: int) -> None:
        """Write the pending frames of the timelapse up to iteration i, see `SegmentedFilm`."""
        self.film.settle()
        if self.film.pending:
            (self.path / "frames").mkdir(exist_ok=True)
            data = io.BytesIO()
            np.savez_compressed(data, frames=np.stack(self.film.pending))
            self._write(f"frames/{i:06d}.npz", data.getvalue())

    def forget_pending(self, i: int) -> None:
        """Delete the frames that were pending at other iterations than i, whose state is saved."""
        for file in (self.path / "frames").glob("*.npz"):
            if file.stem.isdecimal() and file.stem != f"{i:06d}":
                file.unlink()

    def resume_after(self, i: int, size: Sequence[int]) -> None:
        """Continue the timelapse after iteration i; delete what was written after it.

        size: width and height of the frames; `film.count` is less than i if some are lost
        """
        for file in self.path.rglob("*.part*"):
            if re.search(r"\.part(\.\w+)?$", file.name) and file.is_file():
                file.unlink()
        self.forget_pending(i)
        self.film.resume(i, self._load_pending(i, size), self.timelapse)

    def _load_pending(self, i: int, size: Sequence[int]) -> list[np.ndarray]:
        """What `save_pending` wrote; nothing if it cannot be read."""
        file, shape = self.path / "frames" / f"{i:06d}.npz", (size[1], size[0], 3)
        if not file.is_file():
            return []
        try:
            with zipfile.ZipFile(file) as archive:  # its size, before it is unpacked
                if archive.getinfo("frames.npy").file_size > (_MOST_PENDING + 1) * math.prod(shape):
                    return []
            with np.load(file) as kept:
                frames = kept["frames"]
        except Exception:  # a broken file can raise anything
            return []
        return list(frames) if frames.dtype == np.uint8 and frames.shape[1:] == shape else []

    def save_timelapse(self, record: dict | None) -> None:
        """Write `timelapse.mp4`, with the provenance, from all frames so far."""
        self.film.join(self.timelapse, comment=json.dumps(record) if record else "")

    def _write(self, name: str, data: bytes) -> None:
        write_file(self.path / name, data)


def _batch(first: Path) -> list[Path]:
    """A picture, and those of the same batch beside it: NAME_1.png and so on."""
    beside = [path for path in first.parent.glob(f"{first.stem}_*.png") if _number(path)]
    return [first, *sorted(beside, key=_number)]


def _number(path: Path) -> int:
    """The number of a picture in its batch; 0 if its name has none."""
    number = path.stem.rpartition("_")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0


def _check_header(header: dict) -> None:
    """Raise an error unless these are the facts about a state, each of its type."""
    counts = [header["i"], header.get("frames", 0)]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("its iterations are not counted")
    if not isinstance(header["plan"]["updates"], list) or not isinstance(header["done"], bool):
        raise ValueError("it has no settings")
    if not math.isfinite(header["seconds"]):
        raise ValueError("its time is not a number")


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
