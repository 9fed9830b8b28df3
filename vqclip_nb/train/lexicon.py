"""Embeddings of meanings: a table against which the image encoder is trained before any text encoder.

A text encoder trained together with the image encoder separates things late: for long, all things
of one colour share one embedding. So the image encoder is trained first, against sums of vectors,
one for each detail of a caption, which are far apart from the start. Then the text encoder is
trained to predict these sums. With sums, blends are also exact: the embeddings of a prompt and of a
weighted style add up to that of both together.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import COLOURS, NUMBERS, Description, without_colours
from vqclip_nb.train.styles import STYLES

Meaning = tuple[tuple[int, int], ...]  # rows of the table, each with its role

# roles of the first and of the second thing, by place; 0 is the role of everything else
_ROLES = {None: (0, 0), "next to": (1, 1), "above": (2, 3), "below": (3, 2)}


class Lexicon(nn.Module):
    """A vector for every word, name, colour, number, size and style in captions.

    artwork: the source of names and tags
    embed_dim: E, the size of the vectors

    The role of a thing (upper, lower, beside) flips the signs of a fixed half of its vector: a
    binding that preserves lengths and angles (Plate, IEEE Trans. Neural Networks 6:3, 1995).
    """

    def __init__(self, artwork: Artwork, embed_dim: int) -> None:
        super().__init__()
        phrases = [*artwork.phrases(), "thing"]
        phrases += [bare for phrase in phrases if (bare := without_colours(phrase))]
        names = dict.fromkeys(("name", phrase) for phrase in phrases)
        words = dict.fromkeys(("word", word) for phrase in phrases for word in phrase.split())
        keys = [*names, *words, ("size", True), ("size", False)]
        keys += [("number", number) for number in NUMBERS]
        keys += [(role, colour) for role in ("ground", "tint") for colour in COLOURS]
        keys += [("style", style) for style in STYLES]
        self._rows = {key: row for row, key in enumerate(keys)}
        self.table = nn.Embedding(len(keys), embed_dim)
        nn.init.normal_(self.table.weight, std=embed_dim**-0.5)
        flips = torch.randint(0, 2, (4, embed_dim)) * 2.0 - 1
        flips[0] = 1
        self.register_buffer("flips", flips)

    def meaning(self, description: Description, small: tuple[str, ...]) -> Meaning:
        """The meaning of a description; equal for equivalent descriptions.

        small: the words of its wording that mean "small"; other sizes mean "large"
        """
        return tuple(sorted(set(self._meant(description, small))))

    def _meant(self, description: Description, small: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        for thing, role in zip(description.things, _ROLES[description.place], strict=False):
            keys = [("word", word) for word in thing.name.split()] + [("name", thing.name)]
            if thing.colour:
                keys.append(("tint", thing.colour))
            if thing.size:
                keys.append(("size", thing.size in small))
            yield from ((self._rows[key], role) for key in keys if key in self._rows)
        keys = [("ground", colour) for colour in description.background]
        if description.number is not None:
            keys.append(("number", description.number))
        if description.style is not None:
            keys.append(("style", description.style))
        yield from ((self._rows[key], 0) for key in keys)

    def forward(self, meanings: list[Meaning]) -> Tensor:
        """Embed meanings: [n, E], not normalised."""
        device = self.table.weight.device
        owner = [i for i, meaning in enumerate(meanings) for _ in meaning]
        flat = torch.tensor([pair for meaning in meanings for pair in meaning], device=device)
        emb = self.table(flat[:, 0]) * self.flips[flat[:, 1]]
        total = emb.new_zeros(len(meanings), emb.shape[1])
        return total.index_add(0, torch.tensor(owner, device=device), emb)
