"""A run's folder: pictures that carry their settings, latents, history, state, timelapse.

Every file is written under another name first and renamed when whole, so that an interrupted or
failed write leaves the former file in place.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import secrets
import shutil
import time
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import Settings
from vqclip_nb.storage.ffmpeg import Segment, join_videos, write_video
from vqclip_nb.storage.metadata import as_png


class RunFolder:
    """The files of one run, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._segment = Segment(path / "frames")

    @classmethod
    def create(cls, out: str | Path, settings: Settings, name: str = "") -> RunFolder:
        """A new folder inside `out`, hidden until `settle` gives it the run's name.

        name: by default the time and the prompt's words

        Raises ValueError where nothing can be written there, or the name is none of a folder.
        """
        if name.startswith(".") or name != Path(name).name:
            raise ValueError(f"name is {name!r}: allowed is a folder's name, without a path.")
        words = slug(settings.prompt)
        stem = name or time.strftime("%Y%m%d-%H%M%S") + (f"-{words}" if words else "")
        path = Path(out) / f".{stem}-{secrets.token_hex(4)}.part"
        try:
            (path / "steps").mkdir(parents=True)
            (path / "frames").mkdir()
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise ValueError(
                f"out is {str(out)!r}, where no folder can be made ({error.strerror}): "
                "allowed is a folder that you may write to."
            ) from None
        return cls(path)

    def settle(self) -> None:
        """Take the run's name, with a number where another run has it."""
        stem = self.path.name[1:].removesuffix(".part").rpartition("-")[0]
        for number in itertools.count(1):
            path = self.path.with_name(stem if number == 1 else f"{stem}-{number}")
            try:
                if not path.exists():
                    self.path = self.path.rename(path)
                    self._segment = Segment(self.path / "frames")
                    return
            except OSError:
                if not path.exists():  # not because another run was quicker
                    raise

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

    def load_updates(self) -> list[dict]:
        """The log of live changes in `settings.json`; empty where it cannot be read."""
        try:
            said = json.loads((self.path / "settings.json").read_text(encoding="utf-8"))
            return list(said["updates"])
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def save_pictures(self, images: list[Image.Image], said: dict | None) -> None:
        """Write `picture.png`, and `picture_1.png` and so on for a batch, which say `said`."""
        self._write_pictures("picture", images, said)

    def save_step(self, i: int, images: list[Image.Image], said: dict | None, z: Tensor) -> None:
        """Keep a shown step: its pictures and its latent, files of their own."""
        self._write_pictures(f"steps/{i:06d}", images, said)
        self._write(f"steps/{i:06d}.safetensors", save({"z": z.detach().cpu().contiguous()}))

    def _write_pictures(self, stem: str, images: list[Image.Image], said: dict | None) -> None:
        for item, image in enumerate(images):
            self._write(f"{stem}.png" if item == 0 else f"{stem}_{item}.png", as_png(image, said))

    def step_picture(self, step: int) -> Path:
        """The picture of a shown step."""
        return self.path / "steps" / f"{step:06d}.png"

    def shown_steps(self) -> list[int]:
        """The iterations of the steps that were kept, in order."""
        return sorted(int(f.stem) for f in (self.path / "steps").glob("*.safetensors"))

    def latents_of(self, step: int) -> Path:
        """The file with the latents of a shown step; raises ValueError where it was not kept."""
        path = self.path / "steps" / f"{step:06d}.safetensors"
        if not path.is_file():
            kept = ", ".join(map(str, self.shown_steps()))
            raise ValueError(f"{self.path} kept no step {step}: there are {kept or 'none'}.")
        return path

    def save_history(self, history: list[dict]) -> None:
        """Write `history.csv`, one row an iteration; a part that was off in a row stays empty."""
        names = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, restval="")
        table.writeheader()
        table.writerows(history)
        self._write("history.csv", text.getvalue().encode())

    def load_history(self, rows: int) -> list[dict]:
        """The first `rows` rows of `history.csv`, as numbers."""
        with open(self.path / "history.csv", newline="", encoding="utf-8") as file:
            read = [
                {name: float(value) for name, value in row.items() if value != ""}
                for row in csv.DictReader(file)
            ]
        return [row | {"iteration": int(row["iteration"])} for row in read[:rows]]

    def save_state(self, tensors: dict[str, Tensor], header: dict) -> None:
        """Write `state.safetensors`, whose metadata holds `header` as JSON: one file, one rename."""
        flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        self._write("state.safetensors", save(flat, {"state": json.dumps(header)}))

    def load_state(self) -> tuple[dict[str, Tensor], dict]:
        """What `save_state` wrote; raises ValueError where the folder is no run's."""
        path = self.path / "state.safetensors"
        if not path.is_file():
            raise ValueError(f"{self.path} is no run's folder: it has no state.safetensors.")
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118

    def load_header(self) -> dict:
        """What the state says of the run; empty where there is none that can be read."""
        try:
            with safe_open(self.path / "state.safetensors", "pt") as file:
                return json.loads(file.metadata()["state"])
        except Exception:  # a file that is broken can be so in any way
            return {}

    def add_frame(self, frame: np.ndarray) -> None:
        """Take one frame of the timelapse, uint8 [H, W, 3]."""
        self._segment.add(frame)

    def end_segment(self, i: int) -> None:
        """End the segment of the timelapse with iteration i."""
        self._segment.end(f"{i:06d}.mp4")

    def save_pending(self, i: int) -> None:
        """Keep the frames up to iteration i that are no segment yet.

        Encoded now, the segments of the run that goes on would have other borders, and an encoder
        makes other pictures of other segments.
        """
        self._segment.settle()
        if self._segment.frames:
            data = io.BytesIO()
            np.savez_compressed(data, frames=np.stack(self._segment.frames))
            self._write(f"frames/{i:06d}.npz", data.getvalue())

    def forget_pending(self, i: int) -> None:
        """Drop the frames that were pending at other iterations than i, whose state is saved."""
        for file in (self.path / "frames").glob("*.npz"):
            if file.stem != f"{i:06d}":
                file.unlink()

    def go_on_after(self, i: int) -> None:
        """Take up the frames that were pending at iteration i; drop what was painted after it."""
        for broken in self.path.rglob("*.part*"):
            broken.unlink()
        self.forget_pending(i)
        for file in (self.path / "frames").glob("*.npz"):
            with np.load(file) as kept:
                self._segment.frames = list(kept["frames"])
        for file in (self.path / "frames").glob("*.mp4"):
            if not file.stem.isdigit() or int(file.stem) > i:
                file.unlink()

    def save_timelapse(self, said: dict | None) -> None:
        """Join the segments, and what is pending, to `timelapse.mp4`, which says `said`."""
        segments = sorted((self.path / "frames").glob("[0-9]*[0-9].mp4"))
        tail = self.path / "frames" / "tail.mp4"
        if self._segment.frames:
            write_video(tail, self._segment.frames)
            segments.append(tail)
        if segments:
            join_videos(self.timelapse, segments, comment=json.dumps(said) if said else "")
        tail.unlink(missing_ok=True)

    def rest(self) -> None:
        """Encode no more until the next frame comes."""
        self._segment.rest()

    def _write(self, name: str, data: bytes) -> None:
        write_file(self.path / name, data)


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file or leave the former one; a failure says which file and why."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # as where the folder is none
            part.unlink()
        reason = error.strerror or str(error)
        raise OSError(
            f"{path} could not be written ({reason}); what was painted before is kept."
        ) from error
