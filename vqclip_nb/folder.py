"""A run's folder: pictures that carry their settings, latents, history, state, timelapse.

Every file is written under another name first and renamed when whole, so that an interrupted or
failed write leaves the former file in place.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from vqclip_nb.settings import METADATA_KEY, Settings
from vqclip_nb.video import join_videos, write_video


class RunFolder:
    """The files of one run, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frames: list[np.ndarray] = []

    @classmethod
    def create(cls, out: str | Path, settings: Settings) -> RunFolder:
        """A new folder inside `out`, named after the time and the prompt.

        Raises ValueError where nothing can be written there.
        """
        words = "-".join(re.findall(r"[a-z0-9]+", settings.prompt.lower()))[:40].strip("-")
        stem = time.strftime("%Y%m%d-%H%M%S") + (f"-{words}" if words else "")
        for attempt in range(1000):
            path = Path(out) / (stem if attempt == 0 else f"{stem}-{attempt + 1}")
            try:
                (path / "steps").mkdir(parents=True)
                (path / "frames").mkdir()
                return cls(path)
            except FileExistsError as error:
                if not path.is_dir():  # `out`, or a part of it, is a file
                    raise _unwritable(out, error) from None
            except OSError as error:
                raise _unwritable(out, error) from None
        raise ValueError(f"out is {str(out)!r}, which holds a thousand runs of this second.")

    def discard(self) -> None:
        """Remove the folder of a run that never began."""
        for folder in (self.path / "steps", self.path / "frames", self.path):
            folder.rmdir()

    @property
    def picture(self) -> Path:
        """The latest picture of the first batch item."""
        return self.path / "picture.png"

    @property
    def timelapse(self) -> Path:
        """The film of the run, one frame an iteration."""
        return self.path / "timelapse.mp4"

    def save_settings(self, settings: Settings, updates: list[dict]) -> None:
        """Write `settings.json`: the settings and the log of live changes."""
        text = json.dumps({"settings": settings.to_dict(), "updates": updates}, indent=2)
        self._write("settings.json", text.encode())

    def save_pictures(self, images: list[Image.Image], metadata: dict) -> None:
        """Write `picture.png`, and `picture_1.png` and so on for a batch."""
        self._write_pictures("picture", images, metadata)

    def save_step(self, i: int, images: list[Image.Image], metadata: dict, z: Tensor) -> None:
        """Keep a shown step: its pictures and its latent, files of their own."""
        self._write_pictures(f"steps/{i:06d}", images, metadata)
        self._write(f"steps/{i:06d}.safetensors", save({"z": z.detach().cpu().contiguous()}))

    def _write_pictures(self, stem: str, images: list[Image.Image], metadata: dict) -> None:
        info = PngInfo()
        info.add_itxt(METADATA_KEY, json.dumps(metadata))
        for item, image in enumerate(images):
            data = io.BytesIO()
            image.save(data, "PNG", pnginfo=info)
            self._write(f"{stem}.png" if item == 0 else f"{stem}_{item}.png", data.getvalue())

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

    def add_frame(self, frame: np.ndarray) -> None:
        """Take one frame of the timelapse, uint8 [H, W, 3]."""
        self._frames.append(frame)

    def save_frames(self, i: int) -> None:
        """Encode the frames since the last call as a segment that ends with iteration i."""
        if self._frames:
            write_video(self.path / "frames" / f"{i:06d}.mp4", self._frames)
            self._frames = []

    def forget_after(self, i: int) -> None:
        """Drop segments of frames that were painted after iteration i, and unsaved frames."""
        self._frames = []
        for segment in (self.path / "frames").glob("*.mp4"):
            if not segment.stem.isdigit() or int(segment.stem) > i:
                segment.unlink()

    def save_timelapse(self) -> None:
        """Join the segments to `timelapse.mp4`."""
        segments = sorted((self.path / "frames").glob("[0-9]*[0-9].mp4"))
        if segments:
            join_videos(self.timelapse, segments)

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
        part.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise OSError(
            f"{path} could not be written ({reason}); what was painted before is kept."
        ) from error


def _unwritable(out: str | Path, error: OSError) -> ValueError:
    return ValueError(
        f"out is {str(out)!r}, where no folder can be made ({error.strerror}): "
        "allowed is a folder that you may write to."
    )
