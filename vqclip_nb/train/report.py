"""Evaluate the embedded models on held-out scenes.

`python -m vqclip_nb.train tiny --part report` writes `report.md`, `report.json` and contact sheets.
It takes about an hour on two CPU cores, most of it for paintings, and resumes after an interruption.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from vqclip_nb.core.images import as_images
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import Models
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import JUDGE, PAIR, Description, Thing, Wording, caption_of
from vqclip_nb.train.painting_cache import PaintingCache, first, pictures_of, texts_of
from vqclip_nb.train.scenes import Composer, ScenePlan
from vqclip_nb.train.styles import STYLES

_SIZE = 128  # pixels per side


class Report:
    """Evaluates VQGAN, CLIP and judge.

    artwork: the drawings that VQGAN and CLIP were trained on; others: those of the judge
    settings: the recipe's `[report]`
    """

    def __init__(
        self, models: Models, judge: Perceptor, artwork: Artwork, others: Artwork, settings: dict
    ) -> None:
        self.models, self.judge, self.settings = models, judge, settings
        self.artwork, self.others = artwork, others
        self.perceptor = models.perceptors[0]

    def write(self, folder: Path) -> dict[str, float]:
        """Run all evaluations and write figures and pictures to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.gallery = PaintingCache(self.models, folder)
        figures: dict[str, float] = {}
        for measure in (
            self.reconstruction,
            self.codes,
            self.retrieval,
            self.one_word,
            self.speed,
            self.judged_scenes,
            self.styles,
            self.paintings,
        ):
            figures |= measure(folder)
            (folder / "report.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
        rows = [f"| {name} | {value:.3f} |" for name, value in figures.items()]
        text = "\n".join(["| figure | value |", "|---|---|", *rows, ""])
        (folder / "report.md").write_text(text, encoding="utf-8")
        return figures

    @torch.no_grad()
    def reconstruction(self, folder: Path) -> dict[str, float]:
        """Mean reconstruction PSNR in dB at 128x128, for each style."""
        figures, composer = {}, self._composer(1, self.artwork, styled=0.0)
        for style in (None, *STYLES):
            plans = [replace(p, style=style) for p in composer.plans(40 if style else 120)]
            x = composer.drawn(plans, _SIZE)
            y = self._decoded(x)
            error = (y - x).square().flatten(1).mean(1)
            figures[f"PSNR, {style or 'no style'}"] = (-10 * error.log10()).mean().item()
            both = torch.stack([x[:8], y[:8]]).flatten(0, 1)
            contact_sheet(as_images(both), columns=8).save(folder / f"decoded {style or ''}.png")
        return figures

    @torch.no_grad()
    def codes(self, folder: Path) -> dict[str, float]:
        """Share of the codebook that 2,000 scenes use."""
        used, composer = set(), self._composer(2, self.artwork)
        for _ in range(40):
            z = self.models.vqgan.encode(composer.scenes(50, _SIZE).x)
            used |= set(self.models.vqgan.quantize(z)[1].unique().tolist())
        return {"codes used by 2,000 scenes": len(used) / len(self.models.vqgan.codebook)}

    def retrieval(self, folder: Path) -> dict[str, float]:
        """Share of 500 scenes for which CLIP ranks the scene's caption first among the 500."""
        scenes = self._composer(3, self.artwork).scenes(500, _SIZE)
        right = first(self.perceptor, scenes.x, scenes.captions.sentences)
        return {"CLIP: right among 500": right}

    def one_word(self, folder: Path) -> dict[str, float]:
        """Share of scenes that CLIP places nearer to their caption than to a false one."""
        right: dict[str, list[bool]] = {}
        composer = self._composer(4, self.artwork)
        for _ in range(12):
            scenes = composer.scenes(200, _SIZE)
            captions = scenes.captions
            emb = pictures_of(self.perceptor, scenes.x)
            true, false = (
                texts_of(self.perceptor, each)
                for each in (captions.sentences, captions.false_sentences)
            )
            won = ((emb * true).sum(1) > (emb * false).sum(1)).tolist()
            for kind, each in zip(captions.errors, won, strict=True):
                right.setdefault(kind, []).append(each)
        return {
            f"CLIP: one word changed, {kind}": sum(each) / len(each)
            for kind, each in sorted(right.items())
        }

    def speed(self, folder: Path) -> dict[str, float]:
        """Median milliseconds of an iteration at 128x128 with 16 crops, over 30 iterations."""
        settings = Settings(prompt=f"a {self.settings['things'][0]}", total_iter=40, cutn=16)
        settings = settings.replace(show_step=1000, im_shape=(_SIZE, _SIZE), seed=0)
        run = Run(settings, models=self.models, out=folder / "runs")
        steps = torch.tensor([it.seconds for it in run]).diff()[-30:]
        return {"milliseconds an iteration": steps.median().item() * 1000}

    def judged_scenes(self, folder: Path) -> dict[str, float]:
        """Share of new scenes for which the judge ranks the scene's sentence first: its ceiling.

        For scenes of the judge's training drawings, and of those of VQGAN and CLIP.
        """
        own = self._composer(5, self.others)
        plans = own.plans(self.settings["prompts"])
        sentences = [
            caption_of(p.description, JUDGE, random.Random(i)) for i, p in enumerate(plans)
        ]
        figures = {"judge: its own scenes": first(self.judge, own.drawn(plans, _SIZE), sentences)}
        pair, plans = self._asked_for()
        sentences = self._worded(plans, JUDGE)
        x = pair.drawn(plans, _SIZE)
        contact_sheet(as_images(x[:48]), sentences[:48], columns=8).save(folder / "scenes.png")
        return figures | {"judge: scenes of CLIP's drawings": first(self.judge, x, sentences)}

    def paintings(self, folder: Path) -> dict[str, float]:
        """Share of paintings for which the judge, and CLIP, ranks the prompt first."""
        plans = self._asked_for()[1]
        prompts = self._worded(plans, PAIR)
        tasks = [{"prompt": prompt} for prompt in prompts]
        x = torch.cat([self._painted(**task) for task in tqdm(tasks, "painting")])
        contact_sheet(as_images(x[:48]), prompts[:48], columns=8).save(folder / "paintings.png")
        return {
            "judge: paintings": first(self.judge, x, self._worded(plans, JUDGE)),
            "CLIP: paintings": first(self.perceptor, x, prompts),
        }

    def styles(self, folder: Path) -> dict[str, float]:
        """Share of paintings with a style as extras for which the judge ranks that style first."""
        tasks = [(thing, style) for thing in self.settings["things"] for style in STYLES]
        pictures, right = [], 0
        for thing, style in tqdm(tasks, "styles"):
            x = self._painted(prompt=f"a {thing}", extras=style)
            descriptions = [Description((Thing(thing),), style=each) for each in STYLES]
            texts = texts_of(
                self.judge, [caption_of(each, JUDGE, random.Random(0)) for each in descriptions]
            )
            best = (pictures_of(self.judge, x) @ texts.T).argmax().item()
            right += list(STYLES)[best] == style
            pictures.append(x)
        captions = [f"{thing} + {style}" for thing, style in tasks]
        sheet = contact_sheet(as_images(torch.cat(pictures)), captions, columns=len(STYLES))
        sheet.save(folder / "styles.png")
        return {"judge: style right among all": right / len(tasks)}

    def _asked_for(self) -> tuple[Composer, list[ScenePlan]]:
        """The scenes whose captions are painted, and their composer."""
        composer = self._composer(6, self.artwork)
        return composer, composer.plans(self.settings["prompts"])

    def _worded(self, plans: list[ScenePlan], wording: Wording) -> list[str]:
        return [caption_of(p.description, wording, random.Random(i)) for i, p in enumerate(plans)]

    def _composer(self, number: int, artwork: Artwork, **options) -> Composer:
        """A composer with a new seed, whose captions use names only, no tags."""
        seed = self.settings["seed"] + number
        return Composer(artwork, torch.Generator().manual_seed(seed), tagged=0.0, **options)

    def _decoded(self, x: Tensor) -> Tensor:
        vqgan = self.models.vqgan
        return torch.cat([vqgan.decode(vqgan.quantize(vqgan.encode(b))[0]) for b in x.split(10)])

    def _painted(self, **fields: str) -> Tensor:
        iterations = self.settings["iterations"]
        settings = Settings(**fields, seed=0, total_iter=iterations, show_step=iterations)
        return self.gallery.painted(settings.replace(im_shape=(_SIZE, _SIZE), device="cpu"))
