"""Puts the things of a sentence into a place, as the scenes of the training do.

What the sentence leaves open is drawn as people expect it: a lighthouse stands by the sea, an apple
lies on a plain ground.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from vqclip_nb.models.draft import relations
from vqclip_nb.models.draft.composition import Composition, Item
from vqclip_nb.models.draft.habitats import NIGHTLY, usual_places
from vqclip_nb.models.draft.memory import Memory
from vqclip_nb.models.draft.paint import RGB, Sprite, paste_all, plain_background, recoloured
from vqclip_nb.models.draft.place import Ground, Place
from vqclip_nb.models.draft.roles import CONTAINERS, names_of
from vqclip_nb.models.draft.stage import Figure, Stage, scaled
from vqclip_nb.models.draft.things import Thing, all_things, things_called
from vqclip_nb.models.styles.filters import in_style
from vqclip_nb.models.vqgan import VQGAN

_FULL = 0.58  # smallest share of the height of a thing that the whole sentence is about
_STYLED = 0.75  # the same in a style, which needs larger shapes
_SEVERAL = 1.3  # how much larger several of the same are than in the scenes of the training
_LEAST = 0.27  # share of the height of a thing in a relation
_CONTAINERS = frozenset((*names_of(CONTAINERS), "vase", "jar", "glass", "cup"))
# Colours of silhouettes by what they show, or by its kind; the rest is black or grey.
_SILHOUETTES = {
    "fox": ("orange",), "polar bear": ("white",), "raven": ("black",), "pegasus": ("white",),
    "griffin": ("orange", "brown"), "hummingbird": ("green", "blue"), "river": ("blue",),
    "waterfall": ("light blue",), "whale tail": ("dark blue",), "pagoda": ("red",),
    "windmill": ("white", "brown"), "submarine": ("yellow", "grey"), "skeleton": ("white",),
    "cape": ("red", "purple"), "trousers": ("blue", "brown"), "vase": ("blue", "orange"),
    "fence": ("brown", "white"), "forest": ("dark green",), "oak leaf": ("green", "orange"),
    "biplane": ("red", "yellow"), "airship": ("grey", "red"), "totem pole": ("brown", "red"),
    "parrot head": ("red", "green"), "wooden crate": ("brown",), "cowboy boot": ("brown",),
    "animal/land": ("brown", "grey"), "animal/air": ("brown", "dark blue", "grey"),
    "animal/water": ("blue", "grey"), "plant": ("dark green", "green"), "nature": ("grey", "brown"),
    "building": ("brown", "grey", "dark blue"), "vehicle/land": ("red", "dark blue"),
    "vehicle/water": ("brown", "dark blue"), "food": ("red", "orange", "brown"),
}  # fmt: skip
# How much each trait of a place counts if the memory has no place with all of them.
_LANDMARKS = {"waterfall": "waterfall", "volcano": "volcano", "mountain": "mountains"}
_TRAITS = {"weather": 4, "time": 3, "season": 2}
_USUALLY = {"time": "day", "weather": "clear", "season": None}
# Places for what is mentioned without one.
_SCENES = {
    "storm": "sea", "sunset": "sea;beach;hills", "dawn": "hills;lake;mountains",
    "night": "hills;village;lake", "rainbow": "hills;meadow", "rain": "village;city;park",
    "snow": "village;forest", "fog": "forest;lake", "wind": "hills;meadow", "cloudy": "hills;sea",
    "spring": "garden;park", "autumn": "forest;park", "winter": "village;forest", "day": "meadow",
}  # fmt: skip


def sketch(
    composition: Composition,
    memory: Memory,
    vqgan: VQGAN,
    size: tuple[int, int],
    rng: random.Random,
) -> np.ndarray | None:
    """The picture of a composition: uint8 [H, W, 3]; None if nothing of it is remembered.

    size: width and height in pixels
    rng: the same state gives the same picture
    """
    sketcher = _Sketcher(composition, memory, vqgan, size, rng)
    if not sketcher.cast and not composition.say and not composition.background:
        return None
    image = sketcher.image()
    return in_style(image, composition.style, rng) if composition.style else image


@dataclass(frozen=True)
class _Role:
    """An item of the composition with its figures, as many as its number."""

    item: Item
    figures: list[Figure]

    @property
    def thing(self) -> Thing:
        return self.figures[0].thing


class _Sketcher:
    """Chooses drawings and a place, and arranges them."""

    def __init__(
        self,
        composition: Composition,
        memory: Memory,
        vqgan: VQGAN,
        size: tuple[int, int],
        rng: random.Random,
    ) -> None:
        self.composition, self.memory, self.vqgan = composition, memory, vqgan
        self.size, self.rng = size, rng
        roles = (self._role(i, item) for i, item in enumerate(composition.items))
        self.cast = [role for role in roles if role is not None]
        self.landmark = self._landmark()
        self.cast = [] if self.landmark else self.cast

    def image(self) -> np.ndarray:
        ground, sprites = self._arranged()
        if ground is None:
            behind = self._behind(sprites)
            image, light = plain_background(behind, self.size, self.rng), (1.0, 1.0, 1.0)
        else:
            image, light = ground.image.copy(), ground.light
        pictures = self.memory.draw_things(self.vqgan, [sprite.drawing for sprite in sprites])

        def drawn(sprite: Sprite) -> np.ndarray:
            return self._drawn(sprite, pictures[sprite.drawing])

        paste_all(image, sprites, drawn, light, ground.shadow if ground else 0.0)
        return image

    def _role(self, index: int, item: Item) -> _Role | None:
        """Figures for an item; None if nothing of that name is remembered."""
        kind, relation = self.composition.kind, self.composition.relation
        face = relation == "wearing" and index == 0
        part = "head" if face or kind == "portrait" else "whole"
        colour = item.colour
        things = self._remembered(f"{colour} {item.name}", part) if colour else []
        things = things or self._remembered(item.name, part)
        if not things:
            return None
        scale = {"small": 0.6, "large": 1.3, None: 1.0}[item.size]
        figure = Figure.drawn(self.memory, self.rng.choice(things), self.rng)
        if self.memory.silhouettes[figure.drawing]:
            palette = _SILHOUETTES.get(figure.thing.kind, ("black", "grey"))
            palette = _SILHOUETTES.get(figure.thing.name, palette)
            colour = colour or self.rng.choice(palette)
        figure = replace(figure, colour=colour, scale=scale, mirror=self.rng.random() < 0.4)
        return _Role(item, [figure] * item.number)

    def _remembered(self, name: str, part: str) -> list[int]:
        """The things with exactly this name, otherwise those that are also called so.

        part: which of them are preferred, the "head" or the "whole"
        """
        there = [i for i in things_called(name) if i in self.memory.of]
        order = ("head", "bust", "whole") if part == "head" else ("whole", "bust", "head")
        for wanted in order:
            fitting = [i for i in there if all_things()[i].part == wanted]
            exact = [i for i in fitting if name in (all_things()[i].name, all_things()[i].spoken)]
            if fitting:
                return exact or fitting
        return []

    def _arranged(self) -> tuple[Ground | None, list[Sprite]]:
        """The ground, None for a plain one, and the sprites in the order of painting."""
        kind, place = self.composition.kind, self._place()
        if kind == "pattern" and self.cast:
            stage = Stage(self.size, None, "stand", self.rng)
            return None, relations.pattern(stage, [role.figures[0] for role in self.cast])
        ground = self._ground(place) if place else None
        stage = self._stage(ground, self._how(ground, self.cast[0].thing) if self.cast else "stand")
        if not self.cast:
            return ground, []
        if kind == "portrait" and len(self.cast) == 1:
            return ground, [self._portrait(stage, self.cast[0].figures[0])]
        sprites = self._related(stage) if len(self.cast) > 1 else None
        if sprites is None:
            sprites = self._grouped(ground)
        if ground is None and len(sprites) > 1:
            sprites = relations.centred(stage, sprites)
        return ground, sprites

    def _landmark(self) -> str | None:
        """The place that the only thing is: a waterfall in the jungle is drawn as a waterfall."""
        if len(self.cast) != 1 or self.composition.background or self.composition.kind != "scene":
            return None
        role = self.cast[0]
        return _LANDMARKS.get(role.thing.name) if role.item == Item(role.item.name) else None

    def _stage(self, ground: Ground | None, how: str) -> Stage:
        return Stage(self.size, ground, how, self.rng)

    def _place(self) -> Place | None:
        """The place that is mentioned, or the one where people expect the things."""
        composition, asked = self.composition, self.composition.place
        if self.landmark:
            return replace(asked or Place(""), name=self.landmark)
        if "name" in composition.say:
            return self._grounded(asked)
        if composition.background or composition.kind in ("portrait", "pattern"):
            return None
        if composition.kind == "still life":
            names: tuple[str, ...] = ("table",)
        elif self.cast:
            names = usual_places([role.thing for role in self.cast])
            names = names or (("meadow",) if composition.say else ())
        else:
            value = next(getattr(asked, trait) for trait in composition.say)
            names = tuple(_SCENES[value].split(";"))
        if not names:
            return None
        place = replace(asked or Place(""), name=self.rng.choice(names))
        nightly = any(role.thing.name in NIGHTLY for role in self.cast)
        return replace(place, time="night") if nightly and "time" not in composition.say else place

    def _grounded(self, place: Place) -> Place:
        """On a beach instead of the sea, for what stands: a tower by the sea."""
        wheres = [role.thing.where for role in self.cast]
        stands = wheres and not any({"afloat", "fly", "swim", "deep"} & set(w) for w in wheres)
        if place.name == "sea" and stands and self.composition.how != "fly":
            return replace(place, name="beach")
        return place

    def _ground(self, place: Place) -> Ground:
        """The remembered place that has most of the mentioned traits."""
        memory, say = self.memory, self.composition.say

        def likeness(each: Place) -> float:
            score = 0.0
            for trait, weight in _TRAITS.items():
                wanted = getattr(place, trait)
                mentioned = trait in say or wanted != _USUALLY[trait]
                score += (weight if mentioned else 1) * (getattr(each, trait) == wanted)
            return score

        there = [each for each in memory.of_place if each.name == place.name]
        best = max(there, key=likeness)
        how = self._wanted_region()
        indices = memory.of_place[best]
        indices = [i for i in indices if memory.region(i, how)] or list(indices)
        return memory.draw_place(self.vqgan, self.rng.choice(indices), self.size, how, self.rng)

    def _wanted_region(self) -> str:
        if not self.cast:
            return "fly"
        where = self.cast[0].thing.where
        if self.composition.how in where or not where:
            return self.composition.how
        return {"table": "stand", "deep": "stand", "space": "fly"}.get(where[0], where[0])

    def _how(self, ground: Ground | None, thing: Thing) -> str:
        """Whether a thing stands, floats, flies or swims here."""
        if ground is None:
            return "stand"
        hows = [{"table": "stand", "deep": "stand", "space": "fly"}.get(w, w) for w in thing.where]
        if thing.kind in ("celestial", "weather"):
            hows.append("fly")
        if "space" in thing.where and ground.stand is not None and "stand" in hows:
            hows = ["stand"]
        possible = [how for how in hows if getattr(ground, how) is not None]
        if self.composition.how in possible:
            return self.composition.how
        others = [how for how in ("stand", "afloat", "swim", "fly") if getattr(ground, how)]
        return (possible or others or ["stand"])[0]

    def _portrait(self, stage: Stage, figure: Figure) -> Sprite:
        """Large and in the middle; a bust ends at the lower edge."""
        width, height = self.size
        share = self.rng.uniform(0.76, 0.9)
        sprite = stage.sprite(figure, share, width / 2, height / 2)
        sprite = replace(stage.inside(sprite.moved(0, sprite.height / 2)), shadow=False)
        return sprite.moved(0, height - sprite.bottom) if figure.thing.part == "bust" else sprite

    def _grouped(self, ground: Ground | None) -> list[Sprite]:
        """Side by side, apart by whether they stand, float, fly or swim."""
        groups: dict[str, list[_Role]] = {}
        for role in self.cast:
            groups.setdefault(self._how(ground, role.thing), []).append(role)
        sprites = []
        for how, roles in groups.items():
            stage = self._stage(ground, how)
            figures = [figure for role in roles for figure in role.figures]
            if len(self.cast) == 1 and len(figures) == 1:
                sprites.append(self._alone(stage, figures[0]))
            elif len(roles) == 1 and len(figures) > 1:
                figure = replace(figures[0], scale=figures[0].scale * _SEVERAL)
                sprites += relations.several(stage, figure, len(figures))
            elif len(figures) == 1:
                sprites.append(stage.alone(figures[0]))
            else:
                sprites += relations.row(stage, figures)
        return sprites

    def _alone(self, stage: Stage, figure: Figure) -> Sprite:
        """The only thing: larger than in the scenes of the training, because it is the subject."""
        if stage.ground is None:
            share = self.rng.uniform(0.7, 0.85) * figure.scale
            sprite = stage.sprite(figure, share, self.size[0] / 2, self.size[1] / 2)
            return stage.inside(sprite.moved(0, sprite.height / 2))
        least = (_STYLED if self.composition.style else _FULL) * figure.scale
        share = max(stage.share(figure) * self.rng.uniform(1.0, 1.2), least)
        sprite = stage.alone(figure, share)
        least = min(0.85 * share * self.size[1], 0.9 * self.size[0])
        longer = max(sprite.width, sprite.height)
        if longer < least:  # far away in perspective
            x = sprite.left + sprite.width / 2
            sprite = stage.inside(stage.sprite(figure, least / self.size[1], x, sprite.bottom))
        return sprite

    def _related(self, stage: Stage) -> list[Sprite] | None:
        """The first two items in their relation, and the others beside them; None without one."""
        first, second = self.cast[:2]
        arrange = _RELATED.get(self.composition.relation or "")
        if self.composition.relation == "in":
            arrange = _inside if second.thing.name in _CONTAINERS else _in_crown
            arrange = arrange if second.thing.kind != "building" else _in_front
        if arrange is None or len(self.composition.items) < 2:
            return None
        hows = {self._how(stage.ground, role.thing) for role in (first, second)}
        how = "stand" if "stand" in hows else hows.pop()
        stage = self._stage(stage.ground, how)
        sprites = [_legible(stage, each) for each in arrange(self, stage, first, second)]
        sprites = list(stage.inside(*sprites))
        for role in self.cast[2:]:
            sprites = self._beside(stage, sprites, role)
        return sprites

    def _beside(self, stage: Stage, sprites: list[Sprite], role: _Role) -> list[Sprite]:
        """Another item at the side where more room is."""
        width, height = self.size
        left, right = min(s.left for s in sprites), max(s.right for s in sprites)
        foot = max(s.bottom for s in sprites)
        share = min(max(stage.share(role.figures[0]), 0.25), 0.5)
        added = [stage.sprite(figure, share, 0, foot) for figure in role.figures]
        x = right if width - right >= left else left - sum(s.width for s in added)
        placed = []
        for sprite in added:
            placed.append(sprite.moved(x - sprite.left, 0))
            x += sprite.width + 0.01 * height
        return list(stage.inside(*sprites, *placed))

    def _behind(self, sprites: list[Sprite]) -> tuple[float, float, float]:
        """The colour of a plain background: the one mentioned, or a pale one."""
        rng = self.rng
        if self.composition.background:
            return RGB[self.composition.background]
        pale = any(s.colour in ("white", "yellow", "beige", "light blue") for s in sprites)
        low, high = (0.55, 0.8) if pale else (0.82, 0.98)
        return rng.uniform(low, high), rng.uniform(low, high), rng.uniform(low, high)

    def _drawn(self, sprite: Sprite, picture: Image.Image) -> np.ndarray:
        """A decoded drawing at the size and in the colour of its sprite, cut out by its mask."""
        size = max(round(sprite.width), 1), max(round(sprite.height), 1)
        alpha = self.memory.alpha(sprite.drawing)
        sharp = max(size[0] / alpha.shape[1], 1.0)  # an enlarged mask has soft edges
        mask = Image.fromarray(np.ascontiguousarray(alpha)).resize(size, Image.Resampling.BICUBIC)
        opacity = ((np.asarray(mask, np.float32) / 255 - 0.5) * sharp + 0.5).clip(0, 1)[..., None]
        rgb = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), np.float32)
        rgba = np.concatenate([rgb * opacity, 255 * opacity], -1).round().astype(np.uint8)
        rgba = rgba[:, ::-1] if sprite.mirror else rgba
        if sprite.colour is None:
            return rgba
        all_over = self.memory.silhouettes[sprite.drawing]
        return recoloured(rgba, sprite.colour, all_over=all_over)


def _legible(stage: Stage, sprite: Sprite) -> Sprite:
    """Enlarged on its foot if it is very small."""
    factor = _LEAST * min(stage.height, stage.width) / max(sprite.width, sprite.height)
    if factor <= 1:
        return sprite
    return scaled(sprite, factor, sprite.left + sprite.width / 2, sprite.bottom)


def _row(sketcher: _Sketcher, stage: Stage, first: _Role, second: _Role) -> list[Sprite]:
    return relations.row(stage, [*first.figures, *second.figures])


def _upper(function: Callable[..., list[Sprite]], reverse: bool = False) -> Callable:
    """An arrangement of two figures, in which the first is there several times if it is counted."""

    def arrange(sketcher: _Sketcher, stage: Stage, first: _Role, second: _Role) -> list[Sprite]:
        pair = first.figures[0], second.figures[0]
        sprites = function(stage, *(pair[::-1] if reverse else pair))
        return _spread(stage, sprites, first)

    return arrange


def _spread(stage: Stage, sprites: list[Sprite], role: _Role) -> list[Sprite]:
    """Replace the sprite of a role by as many smaller ones, side by side."""
    number = len(role.figures)
    if number == 1:
        return sprites
    found: list[Sprite] = []
    for sprite in sprites:
        if sprite.drawing != role.figures[0].drawing:
            found.append(sprite)
            continue
        factor = (1.0, 0.8, 0.66, 0.56, 0.5)[number - 1]
        small = replace(sprite, width=sprite.width * factor, height=sprite.height * factor)
        x = sprite.left + sprite.width / 2 - number * small.width / 2
        top = sprite.bottom - small.height
        found += [replace(small, left=x + i * small.width, top=top) for i in range(number)]
    return list(stage.inside(*found))


def _on(sketcher: _Sketcher, stage: Stage, first: _Role, second: _Role) -> list[Sprite]:
    pair = first.figures[0], second.figures[0]
    return _spread(stage, relations.on(stage, *pair, sketcher.memory), first)


def _inside(sketcher: _Sketcher, stage: Stage, first: _Role, second: _Role) -> list[Sprite]:
    return relations.inside(stage, first.figures, second.figures[0])


def _in_crown(sketcher: _Sketcher, stage: Stage, first: _Role, second: _Role) -> list[Sprite]:
    """In the upper half of a tree, or in the middle of something else."""
    tree = stage.alone(second.figures[0], stage.rng.uniform(0.75, 0.9))
    number, sprites = len(first.figures), [tree]
    share = min(0.26, 0.7 * stage.width / number / stage.height)
    step = max(tree.width / (number + 1), 0.85 * share * stage.height)
    for i, figure in enumerate(first.figures):
        x = tree.left + tree.width / 2 + (i - (number - 1) / 2) * step
        foot = tree.top + tree.height * stage.rng.uniform(0.38, 0.5)
        sprite = stage.sprite(figure, share, x, foot)
        sprites.append(replace(sprite, shadow=False, depth=tree.depth + 0.01))
    return list(stage.inside(*sprites))


def _in_front(sketcher: _Sketcher, stage: Stage, first: _Role, second: _Role) -> list[Sprite]:
    return relations.in_front(stage, first.figures[0], second.figures[0])


_RELATED = {
    "next to": _row, "near": _row, "with": _row,
    "above": _upper(relations.above), "below": _upper(relations.above, reverse=True),
    "under": _upper(relations.under), "on": _on, "in front of": _upper(relations.in_front),
    "behind": _upper(relations.in_front, reverse=True), "between": _upper(relations.between),
    "wearing": _upper(relations.wearing), "riding": _upper(relations.riding),
    "holding": _upper(relations.holding),
}  # fmt: skip
