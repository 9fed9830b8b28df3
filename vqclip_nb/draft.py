"""A draft of the picture: a thumbnail in one pass, which the loop is pulled to.

A network can learn to paint for any prompt at once, without a loop (feed-forward VQGAN-CLIP,
Cherti 2022, github.com/mehdidc/feed_forward_vqgan_clip). The embedded pair's draft is such a
network, small and trained in minutes: it knows roughly what things look like and nothing of
detail. A CLIP of 10 MB alone brings out colours and seldom a shape; the thumbnail, encoded by the
VQGAN, is a place in the latent's space that the painting stays near, as near as `draft_weight`
says.

The thing and the ground that it stands on are drawn apart, which makes both easy to learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 32  # pixels a side of a thumbnail
_MARKS = 49_406  # CLIP's start and end marks have this id and the next; 0 fills up


class Draft(nn.Module):
    """From a critic's target and the prompt's words to a thing and its ground.

    token_ids: sorted ids [R] of CLIP's tokens that it has a row for
    embed_dim: E of the critic's targets
    """

    def __init__(self, token_ids: Tensor, embed_dim: int) -> None:
        super().__init__()
        hidden, words, target = 256, 64, 128
        self.register_buffer("token_ids", token_ids.to(torch.int32))
        self.words = nn.EmbeddingBag(len(token_ids) + 1, words, mode="sum", padding_idx=0)
        self.target = nn.Linear(embed_dim, target)
        self.first = nn.Linear(target + words + 1, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.thing = nn.Linear(hidden + words, 4 * SIDE * SIDE)
        self.ground = nn.Sequential(nn.Linear(target + 3, 128), nn.SiLU(), nn.Linear(128, 3))

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> Draft:
        """The draft that was saved as `state`, frozen, in fp32."""
        draft = cls(state["token_ids"], state["target.weight"].shape[1])
        draft.load_state_dict(state)
        return draft.eval().requires_grad_(False)

    def forward(
        self, target: Tensor, tokens: Tensor, manner: Tensor, free: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pass.

        target: unit vectors [n, E], what the loop aims at
        tokens: ids [n, T] of the prompt, as CLIP's tokenizer gives them
        manner: [n, 1], -1 or 1: after which of the two sets of drawings it has learned from
        free: [n, 3], red, green, blue in [0,1] of the ground, if the target leaves it open

        Returns things as premultiplied RGBA [n, 4, SIDE, SIDE] and grounds [n, 3] in RGB, both
        about in [0,1].
        """
        words, seen = self.words(self._rows(tokens)), self.target(target)
        x = F.silu(self.first(torch.cat([seen, words, manner], dim=1)))
        x = x + F.silu(self.second(x))
        thing = self.thing(torch.cat([x, words], dim=1)).unflatten(1, (4, SIDE, SIDE))
        return thing, self.ground(torch.cat([seen, 2 * free - 1], dim=1)) + 0.5

    def _rows(self, tokens: Tensor) -> Tensor:
        """Rows [n, T] of the table; 0, which counts for nothing, for marks and unknown tokens."""
        ids = self.token_ids.long()
        place = torch.searchsorted(ids, tokens).clamp_max(len(ids) - 1)
        read = (ids[place] == tokens) & (tokens > 0) & (tokens < _MARKS)
        return torch.where(read, place + 1, torch.zeros_like(place))


@dataclass(frozen=True)
class Chance:
    """What the seed decides of a drafted picture.

    manner, free: see `Draft.forward`
    theta: affine map [1, 2, 3] of a picture's frame to the thumbnail's, for a square picture
    """

    manner: Tensor
    free: Tensor
    theta: Tensor

    @classmethod
    def draw(cls, generator: torch.Generator) -> Chance:
        """A manner, a pale ground; the thing a little moved, turned, larger or smaller."""
        drawn = torch.rand(8, generator=generator) * 2 - 1
        manner = torch.where(drawn[:1] < 0, -1.0, 1.0)
        angle, scale = 0.08 * drawn[1].item(), 1 + 0.07 * drawn[2].item()
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        x, y = (0.06 * drawn[3:5]).tolist()
        theta = torch.tensor([[[cos, sin, x], [-sin, cos, y]]])
        return cls(manner[None], (0.85 + 0.15 * drawn[5:])[None], theta)


def thumbnail(
    draft: Draft, target: Tensor, tokens: Tensor, chance: Chance, width: int, height: int
) -> Tensor:
    """A drafted picture [1, 3, height, width] in [0,1].

    The thing fills the largest square in the middle; its ground is all around it.
    """
    device = target.device
    thing, ground = draft(target, tokens, chance.manner.to(device), chance.free.to(device))
    side = min(width, height)
    stretch = torch.tensor([width / side, height / side, 1.0], device=device)
    grid = F.affine_grid(chance.theta.to(device) * stretch, [1, 4, height, width], False)
    thing = F.grid_sample(thing, grid, "bicubic", "zeros", False)
    return (thing[:, :3] + ground[..., None, None] * (1 - thing[:, 3:])).clamp(0, 1)
