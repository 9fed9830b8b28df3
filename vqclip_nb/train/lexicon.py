"""Embeddings of meanings: a table against which the image encoder is trained before any text encoder.

A text encoder trained together with the image encoder separates things late: for long, all things
of one colour share one embedding. So the image encoder is trained first, against sums of vectors,
one for each fact of a caption, which are far apart from the start. Then the text encoder is trained
to predict these sums. With sums, blends are also exact: the embeddings of a prompt and of a weighted
style add up to that of both together.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vqclip_nb.models.draft.composition import (
    BACKGROUNDS,
    KINDS,
    RELATIONS,
    Composition,
    Item,
)
from vqclip_nb.models.draft.place import NAMES, SEASONS, TIMES, WEATHERS
from vqclip_nb.models.draft.things import all_things, things_called
from vqclip_nb.models.styles import STYLES

Meaning = tuple[tuple[int, int], ...]  # rows of the table, each with its role

_NONE, _FIRST, _SECOND = range(3)  # roles of a thing
# relations without an order, and those that are others with the two things exchanged
_SYMMETRIC = {None, "next to", "near", "and", "with"}
_REVERSED = {"below": "above", "behind": "in front of"}


class Lexicon(nn.Module):
    """A vector for every name and word of a thing, colour, number, place, weather, style, …

    embed_dim: E, the size of the vectors

    The role of a thing in a relation flips the signs of a fixed quarter of its vector, another
    quarter for each role: a binding that preserves lengths (Plate, IEEE Trans. Neural Networks 6:3,
    1995), after which a thing still resembles the same thing in no relation, with a cosine of 1/2.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        names = dict.fromkeys(
            name for thing in all_things() for name in (thing.name, thing.spoken, *thing.aliases)
        )
        words = dict.fromkeys(word for name in names for word in name.split())
        keys = [("name", name) for name in names] + [("word", word) for word in words]
        keys += [("thing", i) for i in range(len(all_things()))]
        keys += [(role, colour) for role in ("colour", "background") for colour in BACKGROUNDS]
        keys += [("size", size) for size in ("small", "large")]
        keys += [("number", number) for number in range(2, 6)]
        for kind, values in _TRAITS.items():
            keys += [(kind, value) for value in values]
        self._rows = {key: row for row, key in enumerate(keys)}
        self.table = nn.Embedding(len(keys), embed_dim)
        nn.init.normal_(self.table.weight, std=embed_dim**-0.5)
        flips = torch.ones(3, embed_dim)
        quarter = torch.randperm(embed_dim).split(embed_dim // 4)
        flips[_FIRST, quarter[0]] = flips[_SECOND, quarter[1]] = -1
        self.register_buffer("flips", flips)

    def meaning(self, composition: Composition) -> Meaning:
        """The meaning of what a caption says; equal for equivalent captions."""
        return tuple(sorted(set(self._meant(composition))))

    def _meant(self, composition: Composition) -> Iterator[tuple[int, int]]:
        items, relation = composition.items, composition.relation
        if relation in _REVERSED:
            items, relation = items[1::-1] + items[2:], _REVERSED[relation]
        ordered = relation not in _SYMMETRIC
        roles = (_FIRST, _SECOND, _NONE) if ordered else (_NONE,) * 3
        for item, role in zip(items, roles, strict=False):
            yield from ((row, role) for row in self._rows_of(item))
        facts = {"background": composition.background, "style": composition.style}
        facts |= {"relation": relation if ordered else None, "kind": composition.kind}
        facts["how"] = composition.how
        place = composition.place
        if place is not None:
            facts |= {"place": place.name if "name" in composition.say else None}
            for trait in ("time", "weather", "season"):
                facts[trait] = getattr(place, trait) if trait in composition.say else None
        yield from ((self._rows[key], _NONE) for key in facts.items() if key in self._rows)

    def _rows_of(self, item: Item) -> Iterator[int]:
        keys = [("name", item.name), *(("word", word) for word in item.name.split())]
        keys += [("thing", i) for i in things_called(item.name)[:2]]
        keys += [("colour", item.colour), ("size", item.size), ("number", item.number)]
        yield from (self._rows[key] for key in keys if key in self._rows)

    def forward(self, meanings: list[Meaning]) -> Tensor:
        """Embed meanings: [n, E], not normalised."""
        device = self.table.weight.device
        owner = [i for i, meaning in enumerate(meanings) for _ in meaning]
        flat = torch.tensor([pair for meaning in meanings for pair in meaning], device=device)
        emb = self.table(flat[:, 0]) * self.flips[flat[:, 1]]
        total = emb.new_zeros(len(meanings), emb.shape[1])
        return total.index_add(0, torch.tensor(owner, device=device), emb)


# A scene on a plain ground or in a place is told by its background and its place.
_TRAITS = {
    "kind": tuple(kind for kind in KINDS if kind in ("portrait", "still life", "pattern")),
    "how": ("afloat", "fly", "swim"),
    "relation": tuple(r for r in RELATIONS if r not in _SYMMETRIC and r not in _REVERSED),
    "place": NAMES,
    "time": TIMES,
    "weather": WEATHERS,
    "season": SEASONS[1:],
    "style": STYLES,
}
