"""A run's folder: pictures that carry their settings, latents, history, state, timelapse.

Every file is written under a temporary name and renamed when complete, so that an interrupted or
failed write leaves the former file in place.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import secrets
import shutil
import time
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from vqclip_nb.pictures import as_png, read_limited
from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import Settings
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.segmented_film import SegmentedFilm


class RunFolder:
    """The files of one run, by name.

    film: the frames of the timelapse, one per iteration; segments are named after iterations
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.film = SegmentedFilm(path / "frames")

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
        path = Path(out) / f".{stem}-{secrets.token_hex(4)}.part"
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
        """Rename the folder to the run's name, with a number if another run has it."""
        stem = self.path.name[1:].removesuffix(".part").rpartition("-")[0]
        for number in itertools.count(1):
            path = self.path.with_name(stem if number == 1 else f"{stem}-{number}")
            try:
                if not path.exists():
                    self.path = self.path.rename(path)
                    self.film = SegmentedFilm(self.path / "frames")
                    return
            except OSError:
                if not path.exists():  # another reason than a run that was quicker
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

    def load_settings(self) -> Settings:
        """The settings with the log of live changes; ValueError if they cannot be read."""
        file = self.path / "settings.json"
        try:
            with open(file, "rb") as opened:
                text = read_limited(opened, str(file))
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror}.") from None
        return Settings.from_provenance(text, str(file))[0]

    def load_updates(self) -> list[dict]:
        """The log of live changes; empty if `settings.json` cannot be read."""
        try:
            return self.load_settings().to_dict()["updates"]
        except ValueError:
            return []

    def save_pictures(
        self, images: list[Image.Image], record: dict | None, stem: str = "picture"
    ) -> None:
        """Write `picture.png`, and `picture_1.png` and so on for a batch, with the provenance."""
        for item, image in enumerate(images):
            self._write(f"{stem}.png" if item == 0 else f"{stem}_{item}.png", as_png(image, record))

    def save_step(self, i: int, images: list[Image.Image], record: dict | None, z: Tensor) -> None:
        """Write the pictures and the latent of a shown step."""
        self.save_pictures(images, record, f"steps/{i:06d}")
        self._write(f"steps/{i:06d}.safetensors", save({"z": z.detach().cpu().contiguous()}))

    def step_picture(self, step: int) -> Path:
        """The picture of a shown step."""
        return self.path / "steps" / f"{step:06d}.png"

    def shown_steps(self) -> list[int]:
        """The iterations of the saved steps, in order."""
        return sorted(int(f.stem) for f in (self.path / "steps").glob("*.safetensors"))

    def latents_of(self, step: int) -> Path:
        """The file with the latents of a shown step; ValueError if there is none."""
        path = self.path / "steps" / f"{step:06d}.safetensors"
        if not path.is_file():
            kept = ", ".join(map(str, self.shown_steps()))
            raise ValueError(f"{self.path} has no step {step}: choose one of {kept or 'none'}.")
        return path

    def save_history(self, history: list[dict]) -> None:
        """Write `history.csv`, one row an iteration; parts of the loss that were off stay empty."""
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
        """Write `state.safetensors`, with `header` as JSON in its metadata: one file, one rename."""
        flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        self._write("state.safetensors", save(flat, {"state": json.dumps(header)}))

    def load_state(self) -> tuple[dict[str, Tensor], dict]:
        """What `save_state` wrote; ValueError if the folder is not a run's."""
        path = self.path / "state.safetensors"
        if not path.is_file():
            raise ValueError(f"{self.path} is not a run's folder: it has no state.safetensors.")
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118

    def load_header(self) -> dict:
        """The header of the state; empty if there is none that can be read."""
        try:
            with safe_open(self.path / "state.safetensors", "pt") as file:
                return json.loads(file.metadata()["state"])
        except Exception:  # a broken file can raise anything
            return {}

    def save_pending(self, i: int) -> None:
        """Write the pending frames of the timelapse up to iteration i, see `SegmentedFilm`."""
        self.film.settle()
        if self.film.pending:
            data = io.BytesIO()
            np.savez_compressed(data, frames=np.stack(self.film.pending))
            self._write(f"frames/{i:06d}.npz", data.getvalue())

    def forget_pending(self, i: int) -> None:
        """Delete the frames that were pending at other iterations than i, whose state is saved."""
        for file in (self.path / "frames").glob("*.npz"):
            if file.stem != f"{i:06d}":
                file.unlink()

    def resume_after(self, i: int) -> None:
        """Continue the timelapse after iteration i; delete what was written after it."""
        for broken in self.path.rglob("*.part*"):
            broken.unlink()
        self.forget_pending(i)
        pending: list[np.ndarray] = []
        for file in (self.path / "frames").glob("*.npz"):
            with np.load(file) as kept:
                pending = list(kept["frames"])
        self.film.resume(i, pending)

    def save_timelapse(self, record: dict | None) -> None:
        """Write `timelapse.mp4`, with the provenance, from all frames so far."""
        self.film.join(self.timelapse, comment=json.dumps(record) if record else "")

    def _write(self, name: str, data: bytes) -> None:
        write_file(self.path / name, data)
