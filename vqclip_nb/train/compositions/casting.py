"""Which things go together, where they may be and in which colours."""

from __future__ import annotations

import random
from functools import cached_property

from vqclip_nb.models.draft.composition import COLOURS
from vqclip_nb.models.draft.roles import names_of
from vqclip_nb.models.draft.things import Thing, all_things
from vqclip_nb.train.compositions.drawings import Drawings
from vqclip_nb.train.compositions.nouns import is_plural

_WEIGHTS = {
    "animal/air": 3.0, "animal/land": 3.5, "animal/water": 3.0, "animal/face": 1.5,
    "building": 2.5, "celestial": 2.0, "clothing": 0.6, "food": 1.5, "furniture": 1.2,
    "instrument": 1.0, "nature": 2.0, "other": 0.5, "person": 1.5, "person/bust": 0.8,
    "person/face": 1.0, "plant": 2.5, "symbol": 0.7, "tool": 0.5, "toy": 0.8,
    "vehicle/air": 3.0, "vehicle/land": 2.0, "vehicle/water": 4.0, "weather": 1.5,
}  # fmt: skip
# Names that people type often.
_OFTEN = [
    "cat",
    "dog",
    "horse",
    "bird",
    "fish",
    "owl",
    "fox",
    "rabbit",
    "lion",
    "tiger",
    "elephant",
    "dragon",
    "butterfly",
    "tree",
    "flower",
    "rose",
    "sunflower",
    "mushroom",
    "house",
    "castle",
    "lighthouse",
    "church",
    "tower",
    "car",
    "bicycle",
    "train",
    "ship",
    "boat",
    "sailboat",
    "airplane",
    "rocket",
    "balloon",
    "apple",
    "banana",
    "pizza",
    "cake",
    "cupcake",
    "guitar",
    "piano",
    "book",
    "clock",
    "lamp",
    "chair",
    "sofa",
    "robot",
    "astronaut",
    "man",
    "woman",
    "girl",
    "boy",
    "king",
    "queen",
    "knight",
    "mermaid",
    "moon",
    "star",
    "sun",
    "heart",
    "umbrella",
    "hat",
    "crown",
    "windmill",
    "mountain",
    "volcano",
    "penguin",
    "bear",
    "cow",
    "pig",
    "sheep",
    "duck",
    "swan",
    "turtle",
    "frog",
    "snake",
    "whale",
    "shark",
    "octopus",
    "dinosaur",
    "unicorn",
    "wolf",
    "deer",
    "monkey",
    "panda",
    "giraffe",
    "zebra",
]
_PAINT = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "pink", "grey")
_BLOOM = ("red", "yellow", "pink", "purple", "white", "orange", "blue")
_PALETTES = {
    "vehicle/land": _PAINT, "vehicle/water": _PAINT, "vehicle/air": _PAINT, "clothing": _PAINT,
    "furniture": (*_PAINT, "brown"), "toy": _PAINT, "tool": _PAINT, "symbol": _PAINT,
    "instrument": ("red", "brown", "black", "blue", "white"),
    "building": ("red", "white", "yellow", "blue", "pink", "grey", "green"),
    "animal/air": ("red", "blue", "yellow", "green", "white", "black", "orange", "purple", "pink"),
    "animal/land": ("brown", "black", "white", "grey"),
    "animal/face": ("brown", "black", "white", "grey"),
    "animal/water": ("blue", "orange", "red", "yellow", "green", "purple", "grey", "pink"),
}  # fmt: skip
_OWN_PALETTES = {
    "apple": ("red", "green", "yellow"), "cat": ("black", "white", "grey", "orange", "brown"),
    "grapes": ("green", "purple", "blue"), "pear": ("green", "yellow"),
    "rose": _BLOOM, "tulip": _BLOOM, "flower": _BLOOM, "daisy": _BLOOM, "hibiscus": _BLOOM,
    "chili pepper": ("red", "green", "yellow"), "tree": ("green", "orange", "red", "yellow"),
    "dragon": ("green", "red", "blue", "black", "purple"), "bell pepper": ("red", "green",
    "yellow"),
    "snake": ("green", "red", "yellow", "black"), "frog": ("green", "blue", "red", "yellow"),
    "candy": _PAINT, "lollipop": _PAINT, "cupcake": ("pink", "blue", "yellow", "white"),
    "dinosaur": ("green", "blue", "purple", "orange"), "robot": _PAINT, "star": _BLOOM,
    "polar bear": (), "zebra": (), "penguin": (), "crow": (), "raven": (), "flamingo": ("pink",),
    "orange": (),
    "black cat": (), "white flower": (), "black bird": (),
}  # fmt: skip
_PLAIN_SILHOUETTE = ("black", "brown", "grey", "dark blue", "dark green", "purple", "red")


class Cast:
    """The things that there are drawings of, to choose from."""

    def __init__(self, drawings: Drawings) -> None:
        self.drawings = drawings
        self.things = sorted(drawings.of)
        self._index = {(all_things()[i].name, all_things()[i].part): i for i in self.things}
        self._means: dict[int, tuple[float, float, float]] = {}
        self._pools: dict[object, tuple[list[int], list[float]]] = {}

    @cached_property
    def weights(self) -> dict[int, float]:
        """How often each thing is chosen: by its kind, and more often if it has many drawings."""
        often = set(_OFTEN)
        weights = {}
        for i in self.things:
            thing, drawings = all_things()[i], self.drawings.of[i]
            weight = _WEIGHTS[thing.kind] * (1 + 0.2 * min(len(drawings), 5))
            weight *= 4 if thing.spoken in often else 1
            weights[i] = weight * (0.3 if self.drawings.silhouette[drawings[0]] else 1)
        return weights

    def named(self, rng: random.Random, names: str, part: str = "whole") -> int | None:
        """One of the things with these names, None if no drawing shows any."""
        key = names, part
        if key not in self._pools:
            found = [self._index.get((name, part)) for name in names_of(names)]
            found = [i for i in found if i is not None]
            self._pools[key] = found, [self.weights[i] for i in found]
        return _chosen(rng, *self._pools[key])

    def any(self, rng: random.Random, *, where: str = "", part: str = "whole") -> int | None:
        """A thing that may be at `where`, anything unless given; part: "" for any."""
        key = "any", where, part
        if key not in self._pools:
            found = [
                i
                for i in self.things
                if part in ("", all_things()[i].part)
                and (not where or set(where.split()) & set(all_things()[i].where))
            ]
            self._pools[key] = found, [self.weights[i] for i in found]
        return _chosen(rng, *self._pools[key])

    def matching(self, rng: random.Random, key: str, fits) -> int | None:
        """A thing for which fits(thing) holds; key: a name for this choice."""
        if key not in self._pools:
            found = [i for i in self.things if fits(all_things()[i])]
            self._pools[key] = found, [self.weights[i] for i in found]
        return _chosen(rng, *self._pools[key])

    def colour(self, thing: int, rng: random.Random, share: float = 0.25) -> str | None:
        """A colour for a thing, in some cases; one that it cannot have in a tenth of these."""
        kind = all_things()[thing]
        palette = _OWN_PALETTES.get(kind.name, _PALETTES.get(kind.kind))
        if rng.random() > share or palette == ():
            return None
        if rng.random() < 0.1 and not kind.kind.startswith(("person", "weather", "nature")):
            palette = COLOURS
        return rng.choice(palette) if palette else None

    def mean_colour(self, drawing: int) -> tuple[float, float, float]:
        """Of what is not transparent; RGB in [0,1]."""
        if drawing not in self._means:
            total = self.drawings.picture(drawing)[::4, ::4].sum((0, 1), dtype=float)  # (4,)
            self._means[drawing] = tuple((total[:3] / max(total[3], 1)).tolist())
        return self._means[drawing]

    def silhouette(self, drawing: int, colour: str | None, rng: random.Random) -> str | None:
        """The colour that a silhouette is painted in, if it is one."""
        if not self.drawings.silhouette[drawing]:
            return colour
        return colour or rng.choice(_PLAIN_SILHOUETTE)


def _chosen(rng: random.Random, found: list[int], weights: list[float]) -> int | None:
    return rng.choices(found, weights)[0] if found else None


def manner(thing: Thing, rng: random.Random) -> str:
    """How a thing is in a place: one of its `where`."""
    return rng.choice(thing.where)


def countable(thing: Thing) -> bool:
    return not thing.mass and not is_plural(thing.spoken)
