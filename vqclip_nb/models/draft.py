"""A draft of the picture: a thumbnail of what the prompt speaks of, which the loop is pulled to.

A network can learn to paint for any prompt at once, without a loop (feed-forward VQGAN-CLIP,
Cherti 2022, github.com/mehdidc/feed_forward_vqgan_clip). The embedded pair's draft is such a
network, small and trained in minutes: it knows roughly what things look like and nothing of
detail. The thumbnail, encoded by the VQGAN, is a place in the latent's space that the painting
stays near, as near as `draft_weight` says; CLIP and the decoder do the rest.

It works in steps that are each easy to learn: which words of the prompt speak of the first thing,
of the second, of the ground, of a style; what each thing looks like; how things are laid out; what
the style does to the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.draft_style import Filter, Grain
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.prompt_syntax import parse_prompts, parse_story
from vqclip_nb.settings import Settings

CONTEXT = 32  # tokens of the captions that it has learned from
SIDE = 32  # pixels a side of a drawn thing
NOTHING, FIRST, SECOND, GROUND, STYLE = range(5)  # what a word speaks of
STYLED = 128  # pixels of a picture's shorter side when a style goes over it
# Where things stand, in a frame from -1 to 1: which thing, x, y, width as a share of the frame's.
LAYOUTS: dict[str, tuple[tuple[int, float, float, float], ...]] = {
    "nothing": (),
    "one": ((0, 0.0, 0.0, 0.85),),
    "small": ((0, 0.0, 0.0, 0.36),),
    "2": ((0, -0.47, 0.0, 0.47), (0, 0.47, 0.0, 0.47)),
    "3": ((0, 0.0, -0.47, 0.46), (0, -0.48, 0.47, 0.46), (0, 0.48, 0.47, 0.46)),
    "4": tuple((0, x, y, 0.45) for x in (-0.47, 0.47) for y in (-0.47, 0.47)),
    "5": ((0, 0.0, 0.0, 0.36), *((0, x, y, 0.36) for x in (-0.6, 0.6) for y in (-0.6, 0.6))),
    "next to": ((0, -0.48, 0.0, 0.5), (1, 0.48, 0.0, 0.5)),
    "above": ((0, 0.0, -0.49, 0.48), (1, 0.0, 0.49, 0.48)),
    "below": ((0, 0.0, 0.49, 0.48), (1, 0.0, -0.49, 0.48)),
}
_FULL_EXTRAS = 0.5  # the w2 / w1 from which on a draft shows the extras in full
_MARKS = 49_406  # CLIP's start and end marks have this id and the next; 0 fills up


class Draft(nn.Module):
    """From a prompt's words to things, their layout, their ground and their style.

    token_ids: sorted ids [R] of CLIP's tokens that it has a row for
    """

    def __init__(self, token_ids: Tensor) -> None:
        super().__init__()
        words, sense, state, hidden = 96, 24, 48, 320
        self.register_buffer("token_ids", token_ids.to(torch.int32))
        self.sense = nn.Embedding(len(token_ids) + 1, sense, padding_idx=0)
        self.context = nn.GRU(sense, state, batch_first=True, bidirectional=True)
        self.role = nn.Linear(2 * state, 5)
        self.layout = nn.Linear(2 * state, len(LAYOUTS))
        self.words = nn.Embedding(len(token_ids) + 1, words, padding_idx=0)
        self.first = nn.Linear(words + 1, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.thing = nn.Linear(hidden, 4 * SIDE * SIDE)
        self.ground = nn.Sequential(nn.Linear(words, 64), nn.SiLU(), nn.Linear(64, 3))
        self.style = Filter(words)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> Draft:
        """The draft that was saved as `state`, frozen, in fp32."""
        draft = cls(state["token_ids"])
        draft.load_state_dict(state)
        return draft.eval().requires_grad_(False)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """What each word speaks of, and how things are laid out: logits [n, T, 5] and [n, layouts].

        tokens: ids [n, T], as CLIP's tokenizer gives them
        """
        states, _ = self.context(self.sense(self._rows(tokens)))
        said = (tokens > 0)[..., None]
        pooled = states.masked_fill(~said, -1e4).amax(1)
        return self.role(states), self.layout(pooled)

    def sum_of(self, tokens: Tensor, meant: Tensor) -> Tensor:
        """Sums [n, W] of the vectors of the words for which `meant` [n, T] is true."""
        return (self.words(self._rows(tokens)) * meant[..., None]).sum(1)

    def draw(self, words: Tensor, manner: Tensor) -> Tensor:
        """Things as premultiplied RGBA [n, 4, SIDE, SIDE], about in [0,1].

        words: [n, W], sums of what is said of each
        manner: [n, 1], -1 or 1: after which of the two sets of drawings it has learned from
        """
        x = F.silu(self.first(torch.cat([words, manner], dim=1)))
        x = x + F.silu(self.second(x))
        return self.thing(x).unflatten(1, (4, SIDE, SIDE))

    def knows(self, tokens: Tensor) -> Tensor:
        """[n, T], true for words that it has a row for."""
        return self._rows(tokens) > 0

    def _rows(self, tokens: Tensor) -> Tensor:
        """Rows [n, T] of the tables; 0, which counts for nothing, for marks and unknown tokens."""
        ids = self.token_ids.long()
        place = torch.searchsorted(ids, tokens.contiguous()).clamp_max(len(ids) - 1)
        read = (ids[place] == tokens) & (tokens > 0) & (tokens < _MARKS)
        return torch.where(read, place + 1, torch.zeros_like(place))


def joined(tokens: Tensor) -> Tensor:
    """The words of several texts [n, T] one after the other, [1, T'], as if they were one.

    A blank comes first and blanks fill up, as in the captions that the draft has learned to read.
    """
    words = tokens[(tokens > 0) & (tokens < _MARKS)]
    return F.pad(words, (1, max(1, CONTEXT - 1 - len(words))))[None]


@dataclass(frozen=True)
class Chance:
    """What the seed decides of a drafted picture.

    manner: see `Draft.draw`
    ground: [1, 3], red, green, blue in [0,1], where the prompt leaves it open
    theta: affine map [1, 2, 3] of a picture's frame to the thumbnail's, for a square picture
    grain: seed of a style's grain
    """

    manner: Tensor
    ground: Tensor
    theta: Tensor
    grain: int

    @classmethod
    def draw(cls, generator: torch.Generator) -> Chance:
        """A manner, a pale ground; the thing a little moved, turned, larger or smaller."""
        drawn = torch.rand(8, generator=generator) * 2 - 1
        manner = torch.where(drawn[:1] < 0, -1.0, 1.0)
        angle, scale = 0.08 * drawn[1].item(), 1 + 0.07 * drawn[2].item()
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        x, y = (0.06 * drawn[3:5]).tolist()
        theta = torch.tensor([[[cos, sin, x], [-sin, cos, y]]])
        grain = int(torch.randint(2**62, (), generator=generator))
        return cls(manner[None], (0.85 + 0.15 * drawn[5:])[None], theta, grain)


def thumbnail(
    draft: Draft, tokens: Tensor, chance: Chance, width: int, height: int
) -> Tensor | None:
    """A drafted picture [1, 3, height, width] in [0,1]; None if it knows nothing that is meant.

    tokens: ids [1, T] of the prompt
    The things fill the largest square in the middle; their ground is all around it.
    """
    role, layout = (logits.argmax(-1) for logits in draft.read(tokens))
    role = role.masked_fill(~draft.knows(tokens), NOTHING)
    if not ((role != NOTHING) & (role != STYLE)).any():
        return None
    device = tokens.device
    meant = torch.cat([role == FIRST, role == SECOND])  # (2, T)
    words = draft.sum_of(tokens.expand(2, -1), meant)
    things = draft.draw(words, chance.manner.to(device).expand(2, -1))
    ground = chance.ground.to(device)
    if (role == GROUND).any():
        ground = draft.ground(draft.sum_of(tokens, role == GROUND)) + 0.5
    styled = role == STYLE
    asked_for = height, width
    if styled.any():
        width, height = (8 * round(side * STYLED / min(asked_for) / 8) for side in (width, height))
    side = min(width, height)
    stretch = torch.tensor([width / side, height / side, 1.0], device=device)
    grid = F.affine_grid(chance.theta.to(device) * stretch, [1, 4, height, width], False)
    x = ground[..., None, None].expand(-1, -1, height, width)
    for which, left, top, share in list(LAYOUTS.values())[layout.item()]:
        if meant[which].any():
            place = (grid - torch.tensor([left, top], device=device)) / share
            rgba = F.grid_sample(things[which : which + 1], place, "bicubic", "zeros", False)
            rgba = rgba * ((rgba[:, 3:] - 0.15) / 0.35).clamp(0, 1)  # no specks around the thing
            x = rgba[:, :3] + x * (1 - rgba[:, 3:])
    if styled.any():
        generator = torch.Generator().manual_seed(chance.grain)
        x = x.clamp(0, 1)
        grain = Grain.draw(1, height, width, generator, device).maps(x)
        x = draft.style(x, draft.sum_of(tokens, styled), grain)
        x = F.interpolate(x, asked_for, mode="bicubic")
    return x.clamp(0, 1)


def draft_latents(
    draft: Draft | None,
    vqgan: VQGAN,
    perceptor: Perceptor,
    settings: Settings,
    streams: list[torch.Generator],
    height: int,
    width: int,
) -> list[Tensor | None]:
    """For each phrase of the prompt the latent [B, C, height, width] of its draft.

    None for a phrase that the draft network knows nothing of, and for all of them if the pair has
    no such network. The larger w2 is beside w1, the more of the extras a draft shows.
    streams: the random numbers of each batch item
    """
    phrases = sentences_to_draft(settings)
    if draft is None:
        return [None] * len(phrases)
    chances = [Chance.draw(stream) for stream in streams]

    def drafted(texts: list[str]) -> Tensor | None:
        known = [perceptor.known_part(text) for text in texts]
        tokens = joined(perceptor.tokenize(known).to(perceptor.device))
        z = encoded_draft(draft, vqgan, tokens, chances, height, width)
        if z is not None:
            vqgan.clamp_to_box(z)
        return z

    extras = [p.text for p in parse_prompts(settings.extras) if p.kind == "text"]
    share = 0.0
    if extras and settings.w2 > 0:
        share = min(1.0, settings.w2 / (_FULL_EXTRAS * settings.w1)) if settings.w1 > 0 else 1.0
    drafts = []
    for phrase in phrases if settings.w1 > 0 else [""] * len(phrases):
        alone = drafted([phrase]) if share < 1 else None
        together = drafted([phrase, *extras]) if share > 0 else None
        if alone is not None and together is not None:
            together = alone.lerp(together, share)
        drafts.append(alone if together is None else together)
    return drafts


def encoded_draft(
    draft: Draft, vqgan: VQGAN, tokens: Tensor, chances: list[Chance], height: int, width: int
) -> Tensor | None:
    """Encoded thumbnails for a prompt's tokens [1, T], as a latent [B, C, height, width].

    None if the draft network knows none of the words. One item at a time: the convolutions of a
    batch may round differently from those of its items alone.
    """
    size = width * vqgan.factor, height * vqgan.factor
    items = []
    for chance in chances:
        x = thumbnail(draft, tokens, chance, *size)
        if x is None:
            return None
        items.append(vqgan.encode(x))
    return torch.cat(items)


def sentences_to_draft(settings: Settings) -> list[str]:
    """For each phrase of the prompt its sentence of the largest weight, or an empty string."""
    drawn = []
    for phrase in parse_story(settings.prompt):
        sentences = [p for p in phrase if p.kind == "text" and p.weight > 0]
        drawn.append(max(sentences, key=lambda p: p.weight).text if sentences else "")
    return drawn
