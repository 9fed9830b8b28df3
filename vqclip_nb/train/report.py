"""Evaluate the embedded models on unseen sentences and scenes.

`python -m vqclip_nb.train tiny --part report` writes `report.md`, `report.json` and contact sheets.
Most of its time is for paintings; it resumes after an interruption.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from vqclip_nb.core.images import as_images
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.loading import Models
from vqclip_nb.models.styles import STYLES, in_style
from vqclip_nb.settings import Settings
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.train import battery
from vqclip_nb.train.battery import Case, cases, measured, names_in, painted
from vqclip_nb.train.compositions import (
    JUDGE,
    PAIR,
    Cast,
    Composition,
    Drawings,
    Item,
    as_tensor,
    caption_of,
    compose,
    facts,
    with_error,
)
from vqclip_nb.train.painting_cache import PaintingCache
from vqclip_nb.train.retrieval import first, pictures_of, texts_of

_SIZE = 256  # pixels per side
Figures = dict[str, float]


class Report:
    """Evaluates VQGAN, CLIP and judges.

    drawings: those of VQGAN and CLIP
    judges: name -> judge and the drawings that it was trained on
    settings: the recipe's `[report]`
    """

    def __init__(
        self,
        models: Models,
        drawings: Drawings,
        judges: dict[str, tuple[Perceptor, Drawings]],
        settings: dict,
    ) -> None:
        self.models, self.settings = models, settings
        self.perceptor = models.perceptors[0]
        self.judges = {name: judge for name, (judge, _) in judges.items()}
        self.others = {name: Cast(each) for name, (_, each) in judges.items()}
        self.cast = Cast(drawings)
        self.known = names_in([drawings, *(each for _, each in judges.values())])

    def write(self, folder: Path) -> Figures:
        """Run all evaluations and write figures and pictures to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.gallery = folder, PaintingCache(self.models, folder)
        figures: Figures = {}
        for measure in (
            self.reconstruction,
            self.codes,
            self.retrieval,
            self.one_fact,
            self.ceilings,
            self.styles,
            self.paintings,
        ):
            figures |= measure()
            (folder / "report.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
        rows = [f"| {name} | {value:.3f} |" for name, value in figures.items()]
        text = "\n".join(["| figure | value |", "|---|---|", *rows, ""])
        (folder / "report.md").write_text(text, encoding="utf-8")
        return figures

    @torch.no_grad()
    def reconstruction(self) -> Figures:
        """Mean reconstruction PSNR in dB at 256x256, for each style."""
        figures = {}
        for style in (None, *STYLES):
            rng, images = self._random(1), []
            for _ in range(self.settings["pictures"] // (12 if style else 4)):
                image = compose(self.cast, rng, _SIZE, kind="scene", styled=0.0)[0]
                images.append(in_style(image, style, rng) if style else image)
            x = as_tensor(images, self.models.device)
            y = self._decoded(x)
            error = (y - x).square().flatten(1).mean(1)
            figures[f"PSNR, {style or 'no style'}"] = (-10 * error.log10()).mean().item()
            self._sheet(f"decoded {style or ''}", torch.stack([x[:8], y[:8]]).flatten(0, 1))
        return figures

    @torch.no_grad()
    def codes(self) -> Figures:
        """Share of the codebook that so many compositions use."""
        used, rng = set(), self._random(2)
        number = self.settings["pictures"]
        for _ in range(number):
            image = compose(self.cast, rng, _SIZE)[0]
            z = self.models.vqgan.encode(as_tensor([image], self.models.device))
            used |= set(self.models.vqgan.quantize(z)[1].unique().tolist())
        return {f"codes used by {number} pictures": len(used) / len(self.models.vqgan.codebook)}

    def retrieval(self) -> Figures:
        """Share of pictures for which CLIP ranks the picture's caption first among all."""
        rng, number = self._random(3), self.settings["pictures"]
        drawn = [compose(self.cast, rng, _SIZE)[:2] for _ in range(number)]
        captions = [caption_of(composition, PAIR, rng) for _, composition in drawn]
        x = as_tensor([image for image, _ in drawn], self.models.device)
        return {f"CLIP: right among {number}": first(self.perceptor, x, captions)}

    def one_fact(self) -> Figures:
        """Share of pictures that CLIP places nearer to their caption than to a false one."""
        won: dict[str, list[bool]] = {}
        rng = self._random(4)
        for _ in range(4):
            drawn = [compose(self.cast, rng, _SIZE)[:2] for _ in range(self.settings["pictures"])]
            true, false = [c for _, c in drawn], [with_error(c, rng) for _, c in drawn]
            seeds = [rng.getrandbits(32) for _ in true]
            said, wrong = (
                texts_of(self.perceptor, [caption_of(c, PAIR, random.Random(s)) for c, s in each])
                for each in (zip(true, seeds, strict=True), zip(false, seeds, strict=True))
            )
            emb = pictures_of(self.perceptor, as_tensor([x for x, _ in drawn], self.models.device))
            nearer = ((emb * said).sum(1) > (emb * wrong).sum(1)).tolist()
            for one, other, each in zip(true, false, nearer, strict=True):
                won.setdefault(_error(one, other), []).append(each)
        return {f"CLIP: {k} changed": sum(each) / len(each) for k, each in sorted(won.items())}

    def ceilings(self) -> Figures:
        """What each judge ranks first on real pictures: of its own artists, and of the painter's."""
        figures = {}
        for kind in battery.KINDS:
            tested = self._cases(kind)
            figures |= self._judged(f"real {kind}", kind, tested, _pictures(tested))
            for name, cast in self.others.items():
                own = cases(kind, self.settings["cases"], cast, self.known, _SIZE, 99)
                one = {name: self.judges[name]}
                found = measured(one, kind, own, _pictures(own))[name]
                figures[f"{name}: real {kind} of its own artists"] = found[0]
        return figures

    def paintings(self) -> Figures:
        """What each judge, and CLIP, ranks first on paintings, with the draft and without."""
        figures = {}
        for kind in ("scenes", "things"):
            tested = self._cases(kind)
            for way, changes in {"": {}, " without draft": {"draft_weight": 0.0}}.items():
                x = painted(tested, self.settings["seeds"], self._painter(f"{kind}{way}", changes))
                figures |= self._judged(f"painted {kind}{way}", kind, tested, x)
                prompts, among = [case.prompt for case in tested], battery.KINDS[kind][1]
                found = battery.right(self.perceptor, x, prompts, among)
                figures[f"CLIP: painted {kind}{way}"] = found[0]
                self._sheet(f"{kind}{way}", x[:48], prompts[:48])
        return figures

    def styles(self) -> Figures:
        """Share of paintings with a style as extras for which a judge ranks that style first."""
        tasks = [(thing, style) for thing in self.settings["styled"] for style in STYLES]
        painter = self._painter("styles", {})
        x = torch.cat([painter(thing, 0, extras=style) for thing, style in tasks])
        self._sheet("styles", x, [f"{thing} + {style}" for thing, style in tasks], len(STYLES))
        figures = {}
        for name, judge in self.judges.items():
            emb, right = pictures_of(judge, x), []
            for (thing, style), one in zip(tasks, emb, strict=True):
                item = Item(thing.removeprefix("a "))
                said = [Composition("plain", (item,), style=each) for each in STYLES]
                texts = texts_of(judge, [caption_of(c, JUDGE, random.Random(0)) for c in said])
                right.append(STYLES[int((texts @ one).argmax())] == style)
            figures[f"{name}: style right among {len(STYLES)}"] = sum(right) / len(right)
        return figures

    def _judged(self, what: str, kind: str, tested: list[Case], x: Tensor) -> Figures:
        figures = {}
        for name, (share, error) in measured(self.judges, kind, tested, x).items():
            figures |= {f"{name}: {what}": share, f"{name}: {what}, standard error": error}
        return figures

    def _cases(self, kind: str) -> list[Case]:
        seed = self.settings["seed"] + list(battery.KINDS).index(kind)
        return cases(kind, self.settings["cases"], self.cast, self.known, _SIZE, seed)

    def _painter(self, description: str, changes: dict) -> Callable[..., Tensor]:
        """paint(prompt, seed, **fields) -> the picture [1, 3, H, W], with a progress bar."""
        bar = tqdm(desc=description, unit=" pictures", mininterval=10)

        def paint(prompt: str, seed: int, **fields) -> Tensor:
            bar.update()
            given = self.settings["changes"] | changes | fields
            settings = Settings(prompt=prompt, seed=seed, device="cpu", **given)
            return self.gallery.painted(settings.replace(show_step=settings.total_iter))

        return paint

    def _random(self, number: int) -> random.Random:
        return random.Random(self.settings["seed"] * 100 + number)

    def _decoded(self, x: Tensor) -> Tensor:
        vqgan = self.models.vqgan
        return torch.cat([vqgan.decode(vqgan.quantize(vqgan.encode(b))[0]) for b in x.split(10)])

    def _sheet(self, name: str, x: Tensor, captions: list[str] | None = None, columns=8) -> None:
        sheet = contact_sheet(as_images(x), captions, columns=columns)
        sheet.save(self.folder / f"{name.strip()}.png")


def _pictures(tested: list[Case]) -> Tensor:
    return as_tensor([case.image for case in tested], torch.device("cpu"))


def _error(true: Composition, false: Composition) -> str:
    """The kind of the only fact that differs."""
    one, other = facts(true), facts(false)
    return next(fact.split()[0] for fact in one if one[fact] != other.get(fact))
