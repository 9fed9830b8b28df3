"""Compare presets and single changes of settings at equal time, scored by the judge.

`python -m vqclip_nb.train tiny --part compare --threads 1` writes `compare.md` and contact sheets.
It resumes after an interruption.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from vqclip_nb.core.images import as_images
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import Models
from vqclip_nb.settings import PRESETS, Settings
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import JUDGE, PAIR, caption_of
from vqclip_nb.train.painting_cache import PaintingCache, first
from vqclip_nb.train.scenes import Composer

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


class Comparison:
    """Paints the same sentences with each preset and each change.

    settings: the recipe's `[compare]`: numbers of sentences, CPU seconds per painting, seed
    """

    def __init__(self, models: Models, judge: Perceptor, artwork: Artwork, settings: dict) -> None:
        self.models, self.judge, self.settings = models, judge, settings
        composer = Composer(artwork, torch.Generator().manual_seed(settings["seed"]), tagged=0.0)
        plans = [plan.description for plan in composer.plans(settings["prompts"])]
        rngs = [random.Random(i) for i in range(len(plans))]
        self.prompts = [caption_of(each, PAIR, rng) for each, rng in zip(plans, rngs, strict=True)]
        self.judged = [caption_of(each, JUDGE, rng) for each, rng in zip(plans, rngs, strict=True)]

    def write(self, folder: Path) -> dict[str, tuple[float, float]]:
        """Paint and judge everything; for each way the share judged right first, and in five."""
        gallery, table, rows = PaintingCache(self.models, folder), {}, []
        few, many = self.settings["few"], self.settings["prompts"]
        ways = {name: (Settings.preset(name), many) for name in PRESETS}
        ways["studio, few"] = Settings(), few
        ways |= {name: (Settings(**changes), few) for name, changes in INGREDIENTS.items()}
        paintings = self._paintings(gallery, ways)
        for name, x in paintings.items():
            sentences = self.judged[: len(x)]
            table[name] = first(self.judge, x, sentences), first(self.judge, x, sentences, among=5)
            rows.append(f"| {name} | {len(x)} | {table[name][0]:.2f} | {table[name][1]:.2f} |")
            contact_sheet(as_images(x[:24]), self.prompts[:24], columns=8).save(
                folder / f"{name.replace('`', '')}.png"
            )
        head = ["| way | sentences | first | in five |", "|---|---|---|---|"]
        (folder / "compare.md").write_text("\n".join([*head, *rows, ""]), encoding="utf-8")
        (folder / "compare.json").write_text(json.dumps(table, indent=2), encoding="utf-8")
        return table

    def _paintings(
        self, gallery: PaintingCache, ways: dict[str, tuple[Settings, int]]
    ) -> dict[str, Tensor]:
        """Pictures [n, 3, H, W] of each way; the ways alternate, to share the machine's load."""
        pictures: dict[str, list[Tensor]] = {name: [] for name in ways}
        for i, prompt in enumerate(tqdm(self.prompts, "sentences")):
            for name, (settings, number) in ways.items():
                if i < number:
                    settings = settings.replace(prompt=prompt, seed=0, device="cpu")
                    settings = settings.replace(total_iter=100_000, show_step=100_000)
                    pictures[name].append(gallery.painted(settings, self.settings["seconds"]))
        return {name: torch.cat(each) for name, each in pictures.items()}
