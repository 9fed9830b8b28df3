"""Compositions: drawings placed on backgrounds, with a caption that says what is to be seen.

A scene is made on the fly, so no two batches are alike: which drawing, how large, where, turned
or mirrored, on which colours, and which words of the caption mention which of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from vqclip_nb.train.artwork import Artwork

COLOURS = {
    "red": (0.86, 0.15, 0.16),
    "orange": (0.97, 0.55, 0.13),
    "yellow": (0.98, 0.85, 0.20),
    "green": (0.20, 0.66, 0.30),
    "dark green": (0.08, 0.36, 0.18),
    "turquoise": (0.20, 0.75, 0.73),
    "light blue": (0.60, 0.82, 0.95),
    "blue": (0.16, 0.40, 0.85),
    "dark blue": (0.07, 0.13, 0.42),
    "purple": (0.50, 0.22, 0.65),
    "pink": (0.97, 0.60, 0.74),
    "brown": (0.48, 0.30, 0.17),
    "beige": (0.93, 0.86, 0.72),
    "grey": (0.55, 0.56, 0.58),
    "black": (0.06, 0.06, 0.07),
    "white": (0.97, 0.97, 0.97),
}
_NAMES = list(COLOURS)
_PLAIN = ("{thing}", "a picture of {thing}", "a drawing of {thing}", "an image of {thing}")
_ON_ONE = (
    "{thing} on a {colour} background",
    "{thing} on {colour}",
    "{thing} in front of a {colour} background",
    "a drawing of {thing} on a {colour} background",
)
_ON_TWO = (
    "{thing} on a {colour} and {other} background",
    "{thing} in front of {colour} and {other}",
)
_SIZES = ((0.42, ("small", "tiny")), (0.95, ("large", "big")))


@dataclass(frozen=True)
class Scenes:
    """A batch of compositions: x float [B, 3, S, S] in [0,1], captions, and the concept of each."""

    x: torch.Tensor
    captions: list[str]
    concepts: torch.Tensor


class Composer:
    """Draws random scenes from artwork; the same generator state gives the same scenes."""

    def __init__(self, artwork: Artwork, generator: torch.Generator) -> None:
        self.artwork = artwork
        self.generator = generator
        self._mips = _mips(artwork.drawings)
        self._drawings_of = [[] for _ in artwork.names]
        for drawing, concept in enumerate(artwork.concept.tolist()):
            self._drawings_of[concept].append(drawing)
        counts: dict[str, int] = {}
        for tags in artwork.tags:
            for tag in tags:
                counts[tag] = counts.get(tag, 0) + 1
        self._tag_weights = [torch.tensor([1.0 / counts[t] for t in ts]) for ts in artwork.tags]

    def scenes(self, batch: int, size: int) -> Scenes:
        """`batch` scenes of different concepts at `size` x `size` pixels."""
        concepts = torch.multinomial(self.artwork.weights, batch, generator=self.generator)
        drawings = torch.tensor([self._pick(self._drawings_of[c]) for c in concepts.tolist()])
        # widths as a share of the frame's; most things fill about two thirds of it
        scale = 0.32 + 0.78 * self._uniform(batch).pow(0.8)
        layers = self._placed(drawings, scale, size)
        backgrounds, colours = self._backgrounds(batch, size)
        x = layers[:, :3] + backgrounds * (1 - layers[:, 3:])
        captions = [
            self._caption(concept, width, pair)
            for concept, width, pair in zip(concepts.tolist(), scale.tolist(), colours, strict=True)
        ]
        return Scenes(x.clamp(0, 1), captions, concepts)

    def _uniform(self, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=self.generator)

    def _pick(self, items):
        return items[int(torch.randint(len(items), (), generator=self.generator))]

    def _chance(self, probability: float) -> bool:
        return bool(self._uniform(1) < probability)

    def _placed(self, drawings: torch.Tensor, scale: torch.Tensor, size: int) -> torch.Tensor:
        """Premultiplied RGBA [B, 4, size, size] of the drawings, scaled, turned, moved, mirrored."""
        batch = len(drawings)
        source = next((m for m in reversed(self._mips) if m.shape[-1] >= size), self._mips[0])
        rgba = source[drawings].float() / 255
        angle = torch.randn(batch, generator=self.generator) * 0.16
        mirror = torch.where(self._uniform(batch) < 0.4, -1.0, 1.0)
        # a small thing may stand anywhere inside, a large one may stick out a little
        room = (1 - scale).abs() * 0.9 + 0.08
        dx, dy = ((self._uniform(batch) * 2 - 1) * room for _ in range(2))
        cos, sin = angle.cos() / scale, angle.sin() / scale
        # affine_grid maps output coordinates to the drawing's
        theta = torch.stack(
            [
                torch.stack([cos * mirror, sin * mirror, -(cos * dx + sin * dy) * mirror], 1),
                torch.stack([-sin, cos, sin * dx - cos * dy], 1),
            ],
            1,
        )  # [B, 2, 3]
        grid = F.affine_grid(theta, [batch, 4, size, size], align_corners=False)
        return F.grid_sample(rgba, grid, align_corners=False, padding_mode="zeros")

    def _backgrounds(self, batch: int, size: int) -> tuple[torch.Tensor, list[tuple[str, ...]]]:
        """Plain, graded or cloudy backgrounds [B, 3, size, size] and their colours' names."""
        table = torch.tensor([COLOURS[name] for name in _NAMES])
        pick = torch.randint(len(_NAMES), (batch, 2), generator=self.generator)
        jitter = torch.randn(batch, 2, 3, generator=self.generator) * 0.035
        first, second = (table[pick] + jitter).clamp(0, 1).unbind(1)  # [B, 3] each
        kind = self._uniform(batch)
        plain, cloudy = kind < 0.6, kind > 0.85
        angle = self._uniform(batch) * 2 * math.pi
        axis = torch.linspace(-1, 1, size)
        ramp = axis[None, None, :] * angle.cos()[:, None, None]
        ramp = ramp + axis[None, :, None] * angle.sin()[:, None, None]
        cells = torch.randn(batch, 1, 5, 5, generator=self.generator) * 0.8
        clouds = F.interpolate(cells, size=(size, size), mode="bicubic", align_corners=False)[:, 0]
        mix = torch.where(cloudy[:, None, None], clouds, ramp) * 0.5 + 0.5
        mix = torch.where(plain[:, None, None], torch.zeros_like(mix), mix).clamp(0, 1)[:, None]
        x = first[:, :, None, None] * (1 - mix) + second[:, :, None, None] * mix
        names = [
            (_NAMES[a],) if single or a == b else (_NAMES[a], _NAMES[b])
            for (a, b), single in zip(pick.tolist(), plain.tolist(), strict=True)
        ]
        return x, names

    def _caption(self, concept: int, scale: float, colours: tuple[str, ...]) -> str:
        thing = self._thing(concept, scale)
        if self._chance(0.45):
            return self._pick(_PLAIN).format(thing=thing)
        if len(colours) == 1:
            return self._pick(_ON_ONE).format(thing=thing, colour=colours[0])
        first, second = colours if self._chance(0.5) else colours[::-1]
        return self._pick(_ON_TWO).format(thing=thing, colour=first, other=second)

    def _thing(self, concept: int, scale: float) -> str:
        """Name or tag with a size and an article, as a person would write it, or bare."""
        words = self.artwork.names[concept]
        weights = self._tag_weights[concept]
        if len(weights) and self._chance(0.2):
            words = self.artwork.tags[concept][
                int(torch.multinomial(weights, 1, generator=self.generator))
            ]
        if words.endswith(" face") and self._chance(0.3):
            words = words.removesuffix(" face")  # "a cat" for "cat face"
        small, large = _SIZES
        if scale < small[0] and self._chance(0.5):
            words = f"{self._pick(small[1])} {words}"
        if scale > large[0] and self._chance(0.5):
            words = f"{self._pick(large[1])} {words}"
        if words.endswith("s") or self._chance(0.15):
            return words
        if self._chance(0.15):
            return f"the {words}"
        return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _mips(drawings: torch.Tensor) -> list[torch.Tensor]:
    """Premultiplied drawings at full, half and quarter size: sampling a mip does not alias."""
    rgb, alpha = drawings[:, :3], drawings[:, 3:]
    full = torch.cat([(rgb.float() * alpha / 255).round().to(torch.uint8), alpha], 1)
    mips = [full]
    for _ in range(2):
        mips.append(F.avg_pool2d(mips[-1].float(), 2).round().to(torch.uint8))
    return mips


def vocabulary(artwork: Artwork) -> list[str]:
    """Every word that a caption can hold, sorted: names, tags, colours, sizes and small words."""
    phrases = [*artwork.names, *(tag for tags in artwork.tags for tag in tags), *COLOURS]
    phrases += [word for _, words in _SIZES for word in words] + ["a", "an", "the"]
    for template in (*_PLAIN, *_ON_ONE, *_ON_TWO):
        phrases.append(template.format(thing="", colour="", other=""))
    return sorted({word for phrase in phrases for word in phrase.split()})
