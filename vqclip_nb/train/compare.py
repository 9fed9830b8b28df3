"""Compare presets and single changes of settings at equal time, scored by both judges.

The speed of each way is measured once; all its paintings then have the number of iterations that
takes the given CPU time, so that schedules and coarse parts are those of a whole run.

`python -m vqclip_nb.train tiny --part compare --threads 1` writes `compare.md` and contact sheets.
It resumes after an interruption.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from vqclip_nb.core.images import as_images
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import Models
from vqclip_nb.run import Run
from vqclip_nb.settings import PRESETS, Settings
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.train.battery import KINDS, Case, cases, measured
from vqclip_nb.train.compositions import Cast
from vqclip_nb.train.painting_cache import PaintingCache

_SIZE = 256  # pixels per side
_TIMED = 6  # iterations
# single changes of the preset `studio`
INGREDIENTS: dict[str, dict] = {
    "no draft": {"draft_weight": 0.0},
    "no noise on the crops": {"noise_factor": 0.0},
    "8 crops": {"cutn": 8},
    "32 crops": {"cutn": 32},
    "crops of `latest`": {"cut_method": "latest"},
    "crops of `updated`": {"cut_method": "updated"},
    "no quantiser": {"quantizer": "none"},
    "no box for the latent": {"clamp": False},
    "negative cosine": {"distance": "cosine"},
    "coarse to fine": {"coarse": 0.3},
    "average of latents": {"ema": 0.9},
    "cosine schedule": {"schedule": "cosine"},
    "`vq_weight` 0.5": {"vq_weight": 0.5},
    "`gan_weight` 0.02": {"gan_weight": 0.02},
    "`tv_weight` 1": {"tv_weight": 1.0},
}
Scores = dict[str, tuple[float, float]]  # share and standard error by judge


class Comparison:
    """Paints the same sentences with each preset and each change.

    known: names of things that all sides know
    settings: the recipe's `[compare]`: numbers of sentences, CPU seconds per painting, seed
    """

    def __init__(
        self,
        models: Models,
        judges: dict[str, Perceptor],
        cast: Cast,
        known: set[str],
        settings: dict,
    ) -> None:
        self.models, self.judges, self.settings = models, judges, settings
        self.tested = {
            kind: cases(kind, settings["cases"], cast, known, _SIZE, settings["seed"] + i)
            for i, kind in enumerate(KINDS)
        }

    def write(self, folder: Path) -> dict[str, dict[str, Scores]]:
        """Paint and judge everything; for each way and kind of sentence, the judges' scores."""
        # presets for these models, not those with CLIPs of their own
        ways = {name: Settings.preset(name) for name, own in PRESETS.items() if "clip" not in own}
        ways |= {name: Settings(**changes) for name, changes in INGREDIENTS.items()}
        folder.mkdir(parents=True, exist_ok=True)
        ways = self._of_equal_time(ways, folder / "iterations.json")
        gallery, table = PaintingCache(self.models, folder), {}
        for kind, tested in self.tested.items():
            for name, x in self._paintings(gallery, ways, tested).items():
                scores = measured(self.judges, kind, tested, x)
                table.setdefault(name, {})[kind] = scores
                captions = [case.prompt for case in tested[:24]]
                sheet = contact_sheet(as_images(x[:24]), captions, columns=8)
                sheet.save(folder / f"{kind} {name.replace('`', '')}.png")
        (folder / "compare.json").write_text(json.dumps(table, indent=2), encoding="utf-8")
        (folder / "compare.md").write_text(self._table(table, ways), encoding="utf-8")
        return table

    def _of_equal_time(self, ways: dict[str, Settings], file: Path) -> dict[str, Settings]:
        """The ways with their numbers of iterations; `file` keeps them for when it resumes."""
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        for name, settings in ways.items():
            if name not in found:
                prompt = self.tested["scenes"][0].prompt
                found[name] = self._iterations(settings.replace(prompt=prompt, seed=0))
                file.write_text(json.dumps(found, indent=2), encoding="utf-8")
        return {name: ways[name].replace(total_iter=found[name]) for name in ways}

    def _iterations(self, settings: Settings) -> int:
        """How many iterations take the CPU time of a painting, which other load leaves alone."""
        settings = settings.replace(device="cpu", total_iter=_TIMED, show_step=_TIMED)
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            ends = [time.process_time() for _ in Run(settings, models=self.models, out=folder)]
        each = statistics.median(b - a for a, b in pairwise(ends))
        start = ends[0] - began - each  # the draft
        return max(1, round((self.settings["seconds"] - start) / each))

    def _table(self, table: dict[str, dict[str, Scores]], ways: dict[str, Settings]) -> str:
        columns = [(kind, judge) for kind in self.tested for judge in self.judges]
        head = ["", "way", "iterations", *(f"{kind}, {judge}" for kind, judge in columns), ""]
        lines = [" | ".join(head).strip(), "|---" * (len(columns) + 2) + "|"]
        for way, scores in table.items():
            cells = ["{:.2f} ± {:.2f}".format(*scores[kind][judge]) for kind, judge in columns]
            lines.append(" | ".join([f"| {way}", str(ways[way].total_iter), *cells]) + " |")
        return "\n".join([*lines, ""])

    def _paintings(
        self, gallery: PaintingCache, ways: dict[str, Settings], tested: list[Case]
    ) -> dict[str, Tensor]:
        """Pictures [n, 3, H, W] of each way; the ways alternate, to share the machine's load."""
        pictures: dict[str, list[Tensor]] = {name: [] for name in ways}
        for case in tqdm(tested, "sentences"):
            for name, settings in ways.items():
                settings = settings.replace(prompt=case.prompt, seed=0, device="cpu")
                settings = settings.replace(show_step=settings.total_iter)
                pictures[name].append(gallery.painted(settings))
        return {name: torch.cat(each) for name, each in pictures.items()}
