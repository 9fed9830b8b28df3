"""Train the embedded pair's draft: what things look like, by plain regression on scenes.

What a sentence leaves open is told to the network or left out: whose drawing it is, the colour of
a ground that is not spoken of, place and turn. It need not average over all that is possible, which
would blur the thumbnail. Styles are left to the loop.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.draft import SIDE, Draft
from vqclip_nb.perceptor import Perceptor
from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import COLOURS, PAIR, split, vocabulary, word
from vqclip_nb.train.scenes import Composer, Plan
from vqclip_nb.train.session import Session
from vqclip_nb.train.styles import STYLES
from vqclip_nb.train.towers import token_ids

_CHUNK = 256  # scenes drawn at a time to fill the pool


class DraftTrainer:
    """L1 regression of things and grounds, from a pool of scenes that is renewed all the time."""

    def __init__(self, settings: dict, artwork: Artwork, perceptor: Perceptor) -> None:
        self.settings, self.perceptor, self.device = settings, perceptor, perceptor.device
        torch.manual_seed(settings["seed"])
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.rng = random.Random(settings["seed"])
        self.composer = Composer(artwork, self.generator)
        self._manners = _manners(artwork.concept)
        ids = token_ids(vocabulary(artwork.phrases(), STYLES, PAIR))
        self.draft = Draft(ids, perceptor.encode_text("a").shape[1])
        torch.nn.init.normal_(self.draft.words.weight[1:], std=0.5)
        torch.nn.init.normal_(self.draft.thing.weight, std=0.01)
        self.draft.to(self.device)
        table = list(self.draft.words.parameters())
        others = [p for name, p in self.draft.named_parameters() if not name.startswith("words.")]
        rate, words_rate = settings["learning_rate"], settings["words_learning_rate"]
        self.optimizer = torch.optim.Adam(
            [
                {"params": others, "lr": rate, "base": rate},
                {"params": table, "lr": words_rate, "base": words_rate},
            ],
            betas=(0.9, 0.99),
        )
        self.pool: list[Tensor] = []

    def train(self, file: Path, minutes: float) -> None:
        """Train until `minutes` are spent, going on from `file` where it exists."""
        self._fill_pool()
        parts = {"draft": self.draft, "optimizer": self.optimizer}
        session = Session(file, minutes, parts, [self.generator])
        shown = None
        for step, bar in session.steps(file.stem):
            for group in self.optimizer.param_groups:
                rest = max(0.01, 1 - session.progress)
                group["lr"] = group["base"] * min(1.0, step / 100) * rest
            error = self._step(step)
            shown = error if shown is None else shown + (error - shown) * 0.02
            bar.set_postfix_str(f"step {step} error {shown:.4f}", refresh=False)

    def _fill_pool(self) -> None:
        """Draw the first pool; the layer that reads targets begins with decorrelated outputs."""
        chunk = min(_CHUNK, len(self.composer.artwork.names))  # the things of a batch differ
        chunks = [self._scenes(chunk) for _ in range(self.settings["pool"] // chunk)]
        self.pool = [torch.cat(parts) for parts in zip(*chunks, strict=True)]
        target, layer = self.pool[0], self.draft.target
        values, vectors = torch.linalg.eigh((target - target.mean(0)).T.cov())
        whiten = (vectors * (values.clamp_min(0) + 1e-6).rsqrt()).T.flip(0)  # largest first
        with torch.no_grad():
            layer.weight.copy_(whiten[: len(layer.weight)])
            layer.bias.copy_(-(layer.weight @ target.mean(0)))

    def _step(self, step: int) -> float:
        """Renew a little of the pool, then descend; returns the things' mean error."""
        fresh, size = self.settings["fresh"], len(self.pool[0])
        at = torch.arange(step * fresh, (step + 1) * fresh) % size
        for kept, new in zip(self.pool, self._scenes(fresh), strict=True):
            kept[at] = new
        chosen = torch.randint(size, (self.settings["batch"],), generator=self.generator)
        *read, thing, ground = (kept[chosen] for kept in self.pool)
        drawn, under = self.draft(*read)
        error = F.l1_loss(drawn, thing.float() / 255)
        self.optimizer.zero_grad()
        (error + 0.2 * F.l1_loss(under, ground)).backward()
        self.optimizer.step()
        return error.item()

    def _scenes(self, number: int) -> tuple[Tensor, ...]:
        """What the draft reads of new scenes, in `Draft.forward`'s order, and what it should draw.

        Things come as uint8, to keep the pool small.
        """
        plans = [_posed(plan) for plan in self.composer.plans(number)]
        things = self.composer.cut_out(plans, SIDE).clamp(0, 1).mul(255).round().byte()
        target, tokens = self._read(plans)
        manner = [[self._manners[plan.layers[0].drawing]] for plan in plans]
        free, ground = zip(*(self._grounds(plan) for plan in plans), strict=True)
        numbers = (torch.tensor(rows, device=self.device) for rows in (manner, free, ground))
        manner, free, ground = numbers
        return target, tokens, manner, free, things.to(self.device), ground

    def _read(self, plans: list[Plan]) -> tuple[Tensor, Tensor]:
        """What the loop would aim at, the caption or a blend of its two parts, and the tokens."""
        sentences, extras = [], []
        for plan in plans:
            parts = split(plan.description) if self.rng.random() < 0.3 else None
            first, second = parts or (plan.description, None)
            sentences.append(word(first, PAIR, self.rng))
            extras.append(word(second, PAIR, self.rng) if second else "")
        target = self.perceptor.encode_text(sentences)
        blended = [i for i, extra in enumerate(extras) if extra]
        if blended:
            weight = torch.tensor([[self.rng.uniform(0.2, 0.7)] for _ in blended])
            style = self.perceptor.encode_text([extras[i] for i in blended])
            target[blended] += weight.to(self.device) * style
        tokens = self.perceptor.tokenize(sentences).to(self.device)
        return F.normalize(target, dim=1), tokens

    def _grounds(self, plan: Plan) -> tuple[tuple, tuple]:
        """The free colour and the ground's own, which differ where the caption names the ground."""
        said = plan.description.background
        free = COLOURS[self.rng.choice(list(COLOURS))]
        return free, COLOURS[said[0]] if said else free


def _manners(concept: Tensor) -> list[float]:
    """For each drawing -1 if it is the first of its concept, else 1."""
    seen: set[int] = set()
    manners = []
    for one in concept.tolist():
        manners.append(1.0 if one in seen else -1.0)
        seen.add(one)
    return manners


def _posed(plan: Plan) -> Plan:
    """The same things upright, and one alone large and in the middle, unless it is a small one."""
    layers = [replace(layer, mirror=False, angle=0.0) for layer in plan.layers]
    if len(layers) == 1 and layers[0].width > 0.5:
        layers = [replace(layers[0], x=0.0, y=0.0, width=0.85)]
    return replace(plan, layers=tuple(layers))
