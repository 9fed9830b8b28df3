"""Train the draft: the roles of words in a caption, and what things look like.

Both are supervised, because the captions are generated from the scenes. The artist of a drawing is
an input of the network, and drawings are upright, so that the network does not average over
possibilities, which would blur the thumbnail.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from clip import tokenize
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.models.draft_old import (
    CONTEXT,
    FIRST,
    GROUND,
    LAYOUTS,
    NOTHING,
    SECOND,
    SIDE,
    STYLE,
    STYLED,
    Draft,
)
from vqclip_nb.models.draft_style import Grain
from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import (
    COLOURS,
    PAIR,
    Description,
    Thing,
    caption_of,
    plural,
    split_caption,
    vocabulary,
)
from vqclip_nb.train.scenes import Composer
from vqclip_nb.train.session import Session
from vqclip_nb.train.styles import STYLES
from vqclip_nb.train.towers import token_ids


class DraftTrainer:
    """Cross-entropy on roles and layouts, L1 on drawings and grounds, L2 on styled scenes."""

    def __init__(
        self, settings: dict, artwork: Artwork, device: str | torch.device = "cpu"
    ) -> None:
        self.settings, self.artwork, self.device = settings, artwork, torch.device(device)
        torch.manual_seed(settings["seed"])
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.composer = Composer(artwork, self.generator, device=self.device)
        self.manners = torch.tensor(_manners(artwork.concept), device=self.device)
        self.drawings_of = [[] for _ in artwork.names]
        for drawing, concept in enumerate(artwork.concept.tolist()):
            self.drawings_of[concept].append(drawing)
        ids = token_ids(vocabulary(artwork.phrases(), STYLES, PAIR))
        self.draft = Draft(ids)
        torch.nn.init.normal_(self.draft.words.weight[1:], std=0.5)
        torch.nn.init.normal_(self.draft.thing.weight, std=0.01)
        self.draft.to(self.device)
        tables = [self.draft.words.weight, self.draft.sense.weight]
        others = [p for p in self.draft.parameters() if all(p is not table for table in tables)]
        self.optimizer = torch.optim.Adam(
            [
                {"params": others, "lr": settings["learning_rate"]},
                {"params": tables, "lr": settings["words_learning_rate"]},
            ],
            betas=(0.9, 0.99),
        )
        for group in self.optimizer.param_groups:
            group["base"] = group["lr"]

    def train(self, file: Path, minutes: float) -> None:
        """Train for `minutes` in total; resumes from `file` if it exists."""
        parts = {"draft": self.draft, "optimizer": self.optimizer}
        session = Session(file, minutes, parts, [self.generator])
        shown: dict[str, float] = {}
        for step, bar in session.steps(file.stem):
            for group in self.optimizer.param_groups:
                rest = max(0.01, 1 - session.progress)
                group["lr"] = group["base"] * min(1.0, step / 100) * rest
            for name, value in self._step(step).items():
                shown[name] = shown.get(name, value) + (value - shown.get(name, value)) * 0.02
            words = " ".join(f"{name} {value:.4f}" for name, value in shown.items())
            bar.set_postfix_str(f"step {step} {words}", refresh=False)

    def _step(self, step: int) -> dict[str, float]:
        """One weight step on things, and on captions and styles every few steps; the losses."""
        rng = random.Random(int(torch.randint(2**62, (), generator=self.generator)))
        measured = {"thing": self._thing_loss(rng)}
        if step % self.settings["read_every"] == 0:
            measured |= self._caption_losses(rng)
        if step % self.settings["style_every"] == 0:
            measured["style"] = self._style_loss(rng)
        self.optimizer.zero_grad()
        sum(measured.values()).backward()
        self.optimizer.step()
        return {name: loss.item() for name, loss in measured.items()}

    def _thing_loss(self, rng: random.Random) -> Tensor:
        """L1 distance between drawn things and drawings of the concepts that their words mean."""
        number = self.settings["batch"]
        concepts = torch.multinomial(
            self.artwork.weights, number, True, generator=self.generator
        ).tolist()
        chosen, tints, phrases = [], [], []
        for concept in concepts:
            tint = rng.choice(list(COLOURS)) if rng.random() < 0.12 else None
            thing = self.composer.thing(concept, tint, None, rng)
            meant = self.artwork.meant.get(thing.name, concept)
            chosen.append(rng.choice(self.drawings_of[meant]))
            tints.append(tint)
            phrases.append(_phrase(thing, rng.random() < 0.2))
        tokens = tokenize(phrases, CONTEXT, truncate=True).to(self.device)
        words = self.draft.sum_of(tokens, torch.ones_like(tokens, dtype=torch.bool))
        drawn = self.draft.draw(words, self.manners[chosen][:, None])
        return F.l1_loss(drawn, self.composer.drawings(chosen, tints))

    def _caption_losses(self, rng: random.Random) -> dict[str, Tensor]:
        """Losses of the words' roles, of the layout and of the ground's colour."""
        plans = self.composer.plans(self.settings["batch"])
        descriptions = [plan.description for plan in plans]
        tokens = tokenize([_caption(each, rng) for each in descriptions], CONTEXT, truncate=True)
        roles = torch.tensor(
            [_roles(row, each) for row, each in zip(tokens.tolist(), descriptions, strict=True)]
        )
        layouts = torch.tensor([list(LAYOUTS).index(_layout(each)) for each in descriptions])
        tokens, roles, layouts = (each.to(self.device) for each in (tokens, roles, layouts))
        role, layout = self.draft.read(tokens)
        losses = {
            "role": F.cross_entropy(role.transpose(1, 2), roles),
            "layout": F.cross_entropy(layout, layouts),
        }
        grounded = [i for i, each in enumerate(descriptions) if each.background]
        if grounded:
            colours = [
                _mean([COLOURS[name] for name in descriptions[i].background]) for i in grounded
            ]
            heard = roles[grounded] == GROUND
            if rng.random() < 0.5:  # learn to ignore words without a role
                heard |= roles[grounded] == NOTHING
            words = self.draft.sum_of(tokens[grounded], heard)
            target = torch.tensor(colours, device=self.device)
            losses["ground"] = F.l1_loss(self.draft.ground(words) + 0.5, target)
        return losses

    def _style_loss(self, rng: random.Random) -> Tensor:
        """Squared distance between restyled scenes, and their edges, and the styles' filters.

        Half of the scenes are as blurred as the things of a draft. (With an L1 distance the network
        would omit thin, uncertain details, such as the light of neon.)
        """
        plans = [replace(plan, style=None) for plan in self.composer.plans(len(STYLES))]
        with torch.no_grad():
            x = self.composer.drawn(plans, STYLED)
            grains = [Grain.draw(1, STYLED, STYLED, self.generator, self.device) for _ in STYLES]
            each = zip(STYLES.values(), x.split(1), grains, strict=True)
            target = torch.cat([apply(one, grain) for apply, one, grain in each])
            if rng.random() < 0.5:
                soft = F.interpolate(x, size=2 * SIDE, mode="bicubic", antialias=True)
                x = F.interpolate(soft, size=STYLED, mode="bicubic").clamp(0, 1)
            maps = [grain.maps(one) for grain, one in zip(grains, x.split(1), strict=True)]
        tokens = tokenize(list(STYLES), CONTEXT).to(self.device)
        words = self.draft.sum_of(tokens, torch.ones_like(tokens, dtype=torch.bool))
        error = self.draft.style(x, words, torch.cat(maps)) - target
        edges = sum(error.diff(dim=dim).square().mean() for dim in (2, 3))
        return 4 * error.square().mean() + 2 * edges


def _caption(description: Description, rng: random.Random) -> str:
    """A caption, or its two parts one after the other, as from prompt and extras."""
    parts = split_caption(description) if rng.random() < 0.3 else None
    return " ".join(caption_of(part, PAIR, rng) for part in parts or (description,))


def _phrase(thing: Thing, several: bool) -> str:
    """The words for a thing in a caption, without article and size."""
    words = f"{thing.colour} {thing.name}" if thing.colour else thing.name
    return plural(words) if several else words


def _roles(tokens: list[int], description: Description) -> list[int]:
    """The role of each token of a caption."""
    roles, start = [NOTHING] * len(tokens), 0
    for thing, role in zip(description.things, (FIRST, SECOND), strict=False):
        start = _mark(roles, tokens, _phrase(thing, description.number is not None), role, start)
    for colour in description.background:
        start = _mark(roles, tokens, colour, GROUND, start)
    if description.style:
        _mark(roles, tokens, description.style, STYLE, start)
    return roles


def _mark(roles: list[int], tokens: list[int], phrase: str, role: int, start: int) -> int:
    """Set the role of the first occurrence of the phrase from `start` on; returns its end."""
    wanted = [token for token in tokenize(phrase)[0].tolist() if token][1:-1]
    for at in range(start, len(tokens) - len(wanted) + 1):
        if tokens[at : at + len(wanted)] == wanted:
            roles[at : at + len(wanted)] = [role] * len(wanted)
            return at + len(wanted)
    return start


def _layout(description: Description) -> str:
    """The name of a description's layout."""
    if not description.things:
        return "nothing"
    if description.place is not None:
        return description.place
    if description.number is not None:
        return str(description.number)
    return "small" if description.things[0].size in PAIR.small else "one"


def _mean(colours: Sequence[tuple[float, ...]]) -> list[float]:
    return [sum(channel) / len(colours) for channel in zip(*colours, strict=True)]


def _manners(concept: Tensor) -> list[float]:
    """-1 for the first drawing of each concept, 1 for the others."""
    seen: set[int] = set()
    manners = []
    for one in concept.tolist():
        manners.append(1.0 if one in seen else -1.0)
        seen.add(one)
    return manners
