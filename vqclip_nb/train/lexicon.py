"""What captions mean, as vectors: a table that pictures are learned against before any grammar is.

A text tower that learns from pictures alone tells things apart late: for long all things of one
colour share one embedding. So the pictures' tower learns first against sums of vectors, one for
each thing that a caption says, which are far apart from the start; the text tower is then taught
to say of a sentence what the table says of its meaning. Sums also make blends honest: a prompt and
a weighted style, each embedded alone, add up to what both together mean.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vqclip_nb.train.artwork import Artwork
from vqclip_nb.train.captions import COLOURS, NUMBERS, Description, without_colours
from vqclip_nb.train.styles import STYLES

Meaning = tuple[tuple[int, int], ...]  # rows of the table, each with its role

# The roles that the first and the second thing of a place play; 0 is that of all else.
_ROLES = {None: (0, 0), "next to": (1, 1), "above": (2, 3), "below": (3, 2)}


class Lexicon(nn.Module):
    """A vector for every word, name, colour, number, size and style that captions can say.

    artwork: whose names and tags it knows
    embed_dim: E of the vectors
    The role that a thing plays (upper, lower, beside) flips a fixed half of its vector's signs: a
    binding that keeps length and angles (Plate, IEEE Trans. Neural Networks 6:3, 1995).
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

    def meaning(self, said: Description, small: tuple[str, ...]) -> Meaning:
        """What a description says; equal for descriptions that say the same.

        small: the words of its wording that mean "small"; other sizes mean "large"
        """
        return tuple(sorted(set(self._meant(said, small))))

    def _meant(self, said: Description, small: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        for thing, role in zip(said.things, _ROLES[said.place], strict=False):
            keys = [("word", word) for word in thing.name.split()] + [("name", thing.name)]
            if thing.colour:
                keys.append(("tint", thing.colour))
            if thing.size:
                keys.append(("size", thing.size in small))
            yield from ((self._rows[key], role) for key in keys if key in self._rows)
        keys = [("ground", colour) for colour in said.background]
        if said.number is not None:
            keys.append(("number", said.number))
        if said.style is not None:
            keys.append(("style", said.style))
        yield from ((self._rows[key], 0) for key in keys)

    def forward(self, meanings: list[Meaning]) -> Tensor:
        """Embeddings [n, E] of meanings, not normalised."""
        device = self.table.weight.device
        owner = [i for i, meaning in enumerate(meanings) for _ in meaning]
        flat = torch.tensor([pair for meaning in meanings for pair in meaning], device=device)
        said = self.table(flat[:, 0]) * self.flips[flat[:, 1]]
        total = said.new_zeros(len(meanings), said.shape[1])
        return total.index_add(0, torch.tensor(owner, device=device), said)
