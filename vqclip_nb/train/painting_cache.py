"""Cached paintings, for reports and comparisons."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb.models.loading import Models
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings


class PaintingCache:
    """Paints with `models` and caches the pictures in a folder."""

    def __init__(self, models: Models, folder: Path) -> None:
        self.models, self.folder = models, folder

    def painted(self, settings: Settings) -> Tensor:
        """The picture [1, 3, H, W] of a run, painted unless it is cached."""
        made_of = [settings.to_dict(), self.models.checksums, torch.get_num_threads()]
        name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
        file = self.folder / "painted" / f"{name}.png"
        if not file.exists():
            run = Run(settings, models=self.models, out=self.folder / "runs")
            for _ in run:
                pass
            file.parent.mkdir(parents=True, exist_ok=True)
            run.images()[0].save(file)
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
