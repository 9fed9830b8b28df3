"""Random training scenes: drawings on backgrounds, in a style, with captions.

Scenes are generated on the fly: drawings, their number, size, position, rotation and colour, the
background, the style, and what of this the caption mentions.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import (
    COLOURS,
    PAIR,
    Description,
    Thing,
    Wording,
    caption_of,
    kinds_of_error,
    with_error,
    without_colours,
)
from vqclip_nb.train.grain import Grain
from vqclip_nb.train.styles import COLOURLESS, STYLES

# positions of the copies of a thing, in a frame from -1 to 1
_ROWS = {
    2: ([(-0.48, 0), (0.48, 0)], [(0, -0.48), (0, 0.48)], [(-0.45, -0.42), (0.45, 0.42)]),
    3: (
        [(-0.64, 0), (0, 0), (0.64, 0)],
        [(0, -0.45), (-0.48, 0.45), (0.48, 0.45)],
        [(0, 0.45), (-0.48, -0.45), (0.48, -0.45)],
    ),
    4: ([(-0.47, -0.47), (0.47, -0.47), (-0.47, 0.47), (0.47, 0.47)],),
    5: (
        [(-0.6, -0.6), (0.6, -0.6), (0, 0), (-0.6, 0.6), (0.6, 0.6)],
        [(-0.62, -0.4), (0, -0.4), (0.62, -0.4), (-0.35, 0.42), (0.35, 0.42)],
    ),
}
_WIDTHS = {2: 0.46, 3: 0.34, 4: 0.43, 5: 0.31}  # width of a copy, as a share of the frame's


@dataclass(frozen=True)
class Captions:
    """True captions of scenes, and false ones with a single error.

    errors: the kind of error in each false caption, see `captions.kinds_of_error`
    """

    descriptions: list[Description]
    sentences: list[str]
    false_descriptions: list[Description]
    false_sentences: list[str]
    errors: list[str]


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes.

    x: float [B, 3, S, S] in [0,1]
    captions: true and false captions
    shown: float [B, concepts], the shares of the concepts in each scene; rows sum to 1
    plans: their layouts
    """

    x: torch.Tensor
    captions: Captions
    shown: torch.Tensor
    plans: list[ScenePlan]


@dataclass(frozen=True)
class Layer:
    """A drawing in a frame from -1 to 1; width: share of the frame's; angle: in radians."""

    drawing: int
    width: float
    x: float
    y: float
    angle: float
    mirror: bool
    tint: str | None


@dataclass(frozen=True)
class ScenePlan:
    """A scene before it is drawn."""

    layers: tuple[Layer, ...]
    background: tuple[str, str]
    kind: str  # plain, graded or cloudy
    style: str | None
    description: Description


class Composer:
    """Draws random scenes from artwork; the same generator state gives the same scenes.

    wording: templates of the captions
    styled: share of the scenes with a style
    tagged: share of the things whose caption uses a tag instead of their name; up to three quarters
        as many use the last word of their name, if that is a tag
    """

    def __init__(
        self,
        artwork: Artwork,
        generator: torch.Generator,
        *,
        wording: Wording = PAIR,
        styled: float = 0.25,
        tagged: float = 0.2,
        device: str | torch.device = "cpu",
    ) -> None:
        self.artwork, self.generator, self.wording = artwork, generator, wording
        self.styled, self.tagged, self.device = styled, tagged, device
        self._mips = [mip.to(device) for mip in _mips(artwork.drawings)]
        self._drawings_of = [[] for _ in artwork.names]
        for drawing, concept in enumerate(artwork.concept.tolist()):
            self._drawings_of[concept].append(drawing)
        self._weights = artwork.weights.tolist()
        counts: dict[str, int] = {}
        for tags in artwork.tags:
            for tag in tags:
                counts[tag] = counts.get(tag, 0) + 1
        self._tag_weights = [[1.0 / counts[tag] for tag in tags] for tags in artwork.tags]

    def scenes(self, batch: int, size: int) -> Scenes:
        """Draw `batch` scenes with different (first) things, at `size` x `size` pixels."""
        plans = self.plans(batch)
        shown = torch.zeros(batch, len(self.artwork.names))
        for row, plan in zip(shown, plans, strict=True):
            row[self.artwork.concept[[layer.drawing for layer in plan.layers]]] = 1
        shown = (shown / shown.sum(1, keepdim=True)).to(self.device)
        return Scenes(self.drawn(plans, size), self.captions(plans), shown, plans)

    def captions(self, plans: list[ScenePlan]) -> Captions:
        """A true and a false caption for each plan."""
        rng, rows = self._rng(), []
        for plan in plans:
            description = plan.description
            error = rng.choice(kinds_of_error(description))
            other = with_error(description, error, self.artwork.names, STYLES, rng)
            seed = rng.getrandbits(62)  # the same template for both
            true, false = (
                caption_of(each, self.wording, random.Random(seed)) for each in (description, other)
            )
            rows.append((description, true, other, false, error))
        return Captions(*(list(column) for column in zip(*rows, strict=True)))

    def plans(self, batch: int) -> list[ScenePlan]:
        """Plan `batch` scenes; their (first) things differ if there are enough concepts."""
        rng, weights = self._rng(), self.artwork.weights
        again = batch > len(weights)
        concepts = torch.multinomial(weights, batch, again, generator=self.generator)
        return [self._plan(concept, rng) for concept in concepts.tolist()]

    def redrawn(self, plans: list[ScenePlan], size: int) -> torch.Tensor:
        """Draw different scenes [n, 3, size, size] with the same true captions."""
        rng = self._rng()
        return self.drawn([self._varied(plan, rng) for plan in plans], size)

    def _rng(self) -> random.Random:
        return random.Random(int(torch.randint(2**62, (), generator=self.generator)))

    def _varied(self, plan: ScenePlan, rng: random.Random) -> ScenePlan:
        """A variation: other drawings of the same things, slightly moved, scaled and rotated."""
        others: dict[int, int] = {}
        layers = []
        for layer in plan.layers:
            if layer.drawing not in others:
                concept = int(self.artwork.concept[layer.drawing])
                others[layer.drawing] = rng.choice(self._drawings_of[concept])
            layers.append(
                replace(
                    layer,
                    drawing=others[layer.drawing],
                    width=layer.width * rng.uniform(0.9, 1.1),
                    x=layer.x + rng.gauss(0, 0.05),
                    y=layer.y + rng.gauss(0, 0.05),
                    angle=rng.gauss(0, 0.16),
                    mirror=rng.random() < 0.4,
                )
            )
        return replace(plan, layers=tuple(layers))

    def _plan(self, concept: int, rng: random.Random) -> ScenePlan:
        style = rng.choice(list(STYLES)) if rng.random() < self.styled else None
        coloured = style not in COLOURLESS
        kind = rng.choices(("plain", "graded", "cloudy"), (0.6, 0.25, 0.15))[0]
        first, second = rng.choice(list(COLOURS)), rng.choice(list(COLOURS))
        colours = (first,) if kind == "plain" or first == second else (first, second)
        if rng.random() < 0.5:
            colours = colours[::-1]
        mentioned = colours if coloured and rng.random() < 0.5 else ()
        layout = rng.choices(("one", "many", "two"), (0.7, 0.13, 0.17))[0]
        layers, things, number, place = _LAYOUTS[layout](self, concept, coloured, rng)
        chance = rng.random()
        if chance < 0.04 and style is not None:  # mention only the style, as extras do
            things, number, place, mentioned = (), None, None, ()
        elif chance < 0.06 and len(mentioned) == 1:
            things, number, place = (), None, None
        shown_style = style if style is None or not things or rng.random() < 0.85 else None
        description = Description(
            things, place, number, mentioned, shown_style if things or not mentioned else None
        )
        return ScenePlan(tuple(layers), (first, second), kind, style, description)

    def _one(self, concept: int, coloured: bool, rng: random.Random):
        """One thing that fills most of the frame, or a small one, which the caption calls small.

        Otherwise, a small blob would be the easiest painting of any caption.
        """
        small = rng.random() < 0.12
        width = rng.uniform(0.28, 0.42) if small else rng.uniform(0.62, 1.05)
        room = (1 - width) * 0.9 if small else abs(1 - width) * 0.5 + 0.04
        x, y = (rng.uniform(-room, room) for _ in range(2))
        tint = self._tint(coloured, rng)
        layer = self._layer(concept, width, x, y, tint, rng)
        size = rng.choice(self.wording.small) if small else None
        if width > 0.9 and rng.random() < 0.4:
            size = rng.choice(self.wording.large)
        return [layer], (self.thing(concept, tint, size, rng),), None, None

    def _many(self, concept: int, coloured: bool, rng: random.Random):
        """Two to five copies of one thing."""
        number = rng.choice(list(_ROWS))
        tint = self._tint(coloured, rng)
        width = _WIDTHS[number] * rng.uniform(0.8, 1.05)
        drawing = rng.choice(self._drawings_of[concept])
        layers = []
        for x, y in rng.choice(_ROWS[number]):
            x, y = x + rng.gauss(0, 0.03), y + rng.gauss(0, 0.03)
            layer = self._layer(concept, width * rng.uniform(0.92, 1.08), x, y, tint, rng)
            layers.append(replace(layer, drawing=drawing))
        return layers, (self.thing(concept, tint, None, rng),), number, None

    def _two(self, concept: int, coloured: bool, rng: random.Random):
        """Two different things, side by side or one above the other."""
        others = range(len(self._weights))
        other = concept
        while other == concept:
            other = rng.choices(others, self._weights)[0]
        gap, shift = rng.uniform(0.42, 0.52), rng.uniform(-0.2, 0.2)
        place = rng.choice(("next to", "next to", "above", "below"))
        if place == "next to":
            side = rng.choice((-1, 1))
            spots = [(-side * gap, shift), (side * gap, -shift)]
        else:
            up = -1 if place == "above" else 1  # y points down
            spots = [(shift, up * gap), (-shift, -up * gap)]
        layers, things = [], []
        for each, (x, y) in zip((concept, other), spots, strict=True):
            tint = self._tint(coloured, rng)
            layers.append(self._layer(each, rng.uniform(0.38, 0.52), x, y, tint, rng))
            things.append(self.thing(each, tint, None, rng))
        return layers, tuple(things), None, place

    def _layer(self, concept: int, width: float, x: float, y: float, tint, rng) -> Layer:
        drawing = rng.choice(self._drawings_of[concept])
        return Layer(drawing, width, x, y, rng.gauss(0, 0.16), rng.random() < 0.4, tint)

    def _tint(self, coloured: bool, rng: random.Random) -> str | None:
        return rng.choice(list(COLOURS)) if coloured and rng.random() < 0.15 else None

    def thing(self, concept: int, tint: str | None, size: str | None, rng: random.Random) -> Thing:
        """A thing, called by its name or by a tag."""
        name, weights = self.artwork.names[concept], self._tag_weights[concept]
        noun, chance = name.split()[-1], rng.random()
        if weights and chance < self.tagged:
            name = rng.choices(self.artwork.tags[concept], weights)[0]
        elif chance < 1.75 * self.tagged and noun in self.artwork.tags[concept]:
            name = noun  # "a tree" for "deciduous tree", but never "a dog" for "hot dog"
        if name.endswith(" face") and rng.random() < 0.3:
            name = name.removesuffix(" face")  # "a cat" for "cat face"
        if tint is not None:
            name = without_colours(name) or "thing"
        return Thing(name, tint, size)

    def drawn(self, plans: list[ScenePlan], size: int) -> torch.Tensor:
        """Draw the plans: pictures [n, 3, size, size] in [0,1]."""
        x = self._backgrounds(plans, size)
        for depth in range(max(len(plan.layers) for plan in plans)):
            scenes = [i for i, plan in enumerate(plans) if len(plan.layers) > depth]
            rgba = self._placed([plans[i].layers[depth] for i in scenes], size)
            x[scenes] = rgba[:, :3] + x[scenes] * (1 - rgba[:, 3:])
        x = x.clamp(0, 1)
        for style, apply in STYLES.items():
            scenes = [i for i, plan in enumerate(plans) if plan.style == style]
            if scenes:
                grain = Grain.draw(len(scenes), size, size, self.generator, self.device)
                x[scenes] = apply(x[scenes], grain)
        return x

    def drawings(self, chosen: list[int], tints: list[str | None]) -> torch.Tensor:
        """Single drawings, upright, at a quarter of their size, premultiplied RGBA in [0,1]."""
        return _tinted(self._mips[-1][chosen].float() / 255, tints)

    def _placed(self, layers: list[Layer], size: int) -> torch.Tensor:
        """Transformed and tinted drawings: premultiplied RGBA [n, 4, size, size]."""
        pixels = size * sum(layer.width for layer in layers) / len(layers)
        source = next((m for m in reversed(self._mips) if m.shape[-1] >= pixels), self._mips[0])
        rgba = source[[layer.drawing for layer in layers]].float() / 255
        rgba = _tinted(rgba, [layer.tint for layer in layers])
        rows = []
        for layer in layers:  # theta maps coordinates of the frame to those of the drawing
            cos, sin = math.cos(layer.angle) / layer.width, math.sin(layer.angle) / layer.width
            side = -1 if layer.mirror else 1
            rows.append(
                [
                    [cos * side, sin * side, -(cos * layer.x + sin * layer.y) * side],
                    [-sin, cos, sin * layer.x - cos * layer.y],
                ]
            )
        theta = torch.tensor(rows, device=self.device)
        grid = F.affine_grid(theta, [len(layers), 4, size, size], align_corners=False)
        return F.grid_sample(rgba, grid, align_corners=False, padding_mode="zeros")

    def _backgrounds(self, plans: list[ScenePlan], size: int) -> torch.Tensor:
        """Plain, graded or cloudy backgrounds [B, 3, size, size]."""
        batch = len(plans)
        table = torch.tensor([[COLOURS[name] for name in plan.background] for plan in plans])
        jitter = torch.randn(batch, 2, 3, generator=self.generator) * 0.035
        first, second = (table + jitter).clamp(0, 1).to(self.device)[..., None, None].unbind(1)
        angle = torch.rand(batch, 1, 1, generator=self.generator) * 2 * math.pi
        axis = torch.linspace(-1, 1, size)
        ramp = axis[None, None, :] * angle.cos() + axis[None, :, None] * angle.sin()
        cells = torch.randn(batch, 1, 5, 5, generator=self.generator) * 0.8
        clouds = F.interpolate(cells, size=(size, size), mode="bicubic", align_corners=False)[:, 0]
        cloudy = torch.tensor([plan.kind == "cloudy" for plan in plans])[:, None, None]
        plain = torch.tensor([plan.kind == "plain" for plan in plans])[:, None, None]
        mix = torch.where(cloudy, clouds, ramp) * 0.5 + 0.5
        mix = torch.where(plain, torch.zeros_like(mix), mix).clamp(0, 1)[:, None].to(self.device)
        return first * (1 - mix) + second * mix


_LAYOUTS = {"one": Composer._one, "many": Composer._many, "two": Composer._two}


def _tinted(rgba: torch.Tensor, tints: list[str | None]) -> torch.Tensor:
    """Recolour drawings, keeping their shading; None leaves a drawing unchanged."""
    chosen = [i for i, tint in enumerate(tints) if tint]
    if not chosen:
        return rgba
    colour = rgba.new_tensor([COLOURS[tints[i]] for i in chosen])[..., None, None]  # (n, 3, 1, 1)
    alpha = rgba[chosen, 3:]
    luma = rgba.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    light = (rgba[chosen, :3] * luma).sum(1, keepdim=True) / alpha.clamp_min(1e-3)
    middle = (light * alpha).sum((2, 3), keepdim=True) / alpha.sum((2, 3), keepdim=True).clamp_min(
        1
    )
    shade = 1 + 0.9 * (light - middle)  # the mean equals the colour
    painted = rgba.clone()
    painted[chosen, :3] = (colour * shade).clamp(0, 1) * alpha
    return painted


def _mips(drawings: torch.Tensor) -> list[torch.Tensor]:
    """Mipmaps: premultiplied drawings at full, half and quarter size, to avoid aliasing."""
    rgb, alpha = drawings[:, :3], drawings[:, 3:]
    full = torch.cat([(rgb.float() * alpha / 255).round().to(torch.uint8), alpha], 1)
    mips = [full]
    for _ in range(2):
        mips.append(F.avg_pool2d(mips[-1].float(), 2).round().to(torch.uint8))
    return mips
