"""The draft: a thumbnail of the prompt's content that guides the painting.

A network can learn to paint any prompt in one pass, without a loop (feed-forward VQGAN-CLIP,
Cherti 2022, github.com/mehdidc/feed_forward_vqgan_clip). The embedded draft is such a network,
small and trained in minutes: it knows roughly what things look like, without detail. The VQGAN
encodes the thumbnail, and the loss pulls the latent to it with the weight `draft_weight`; CLIP and
the decoder do the rest.

The network works in steps that are easy to learn: which words mean the first thing, the second, the
ground, a style; what each thing looks like; where the things are; what the style does to the whole.
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

CONTEXT = 32  # context length of the training captions, in tokens
SIDE = 32  # side of a drawn thing in pixels
NOTHING, FIRST, SECOND, GROUND, STYLE = range(5)  # roles of a word
STYLED = 128  # shorter side of a picture in pixels when a style is applied
# positions of the things in a frame from -1 to 1: which thing, x, y, width as a share of the frame's
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
_FULL_EXTRAS = 0.5  # w2 / w1 from which on a draft shows the extras in full
_MARKS = 49_406  # CLIP's start and end tokens have this id and the next; padding is 0


class Draft(nn.Module):
    """Maps the words of a prompt to things, their layout, ground and style.

    token_ids: sorted ids [R] of CLIP's tokens that have an embedding
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
        """Build a draft from its weights, frozen, in fp32."""
        draft = cls(state["token_ids"])
        draft.load_state_dict(state)
        return draft.eval().requires_grad_(False)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the words' roles [n, T, 5] and of the layout [n, layouts].

        tokens: ids [n, T] of CLIP's tokenizer
        """
        states, _ = self.context(self.sense(self._rows(tokens)))
        is_word = (tokens > 0)[..., None]
        pooled = states.masked_fill(~is_word, -1e4).amax(1)
        return self.role(states), self.layout(pooled)

    def sum_of(self, tokens: Tensor, meant: Tensor) -> Tensor:
        """Sum the embeddings of the words for which `meant` [n, T] is true: [n, W]."""
        return (self.words(self._rows(tokens)) * meant[..., None]).sum(1)

    def draw(self, words: Tensor, manner: Tensor) -> Tensor:
        """Draw things: premultiplied RGBA [n, 4, SIDE, SIDE], approximately in [0,1].

        words: [n, W], sums of the embeddings of each thing's words
        manner: [n, 1], -1 or 1: in the manner of which of the two sets of training drawings
        """
        x = F.silu(self.first(torch.cat([words, manner], dim=1)))
        x = x + F.silu(self.second(x))
        return self.thing(x).unflatten(1, (4, SIDE, SIDE))

    def knows(self, tokens: Tensor) -> Tensor:
        """Whether each token has an embedding: [n, T]."""
        return self._rows(tokens) > 0

    def _rows(self, tokens: Tensor) -> Tensor:
        """Rows [n, T] of the tables; 0, which is a zero vector, for marks and unknown tokens."""
        ids = self.token_ids.long()
        place = torch.searchsorted(ids, tokens.contiguous()).clamp_max(len(ids) - 1)
        read = (ids[place] == tokens) & (tokens > 0) & (tokens < _MARKS)
        return torch.where(read, place + 1, torch.zeros_like(place))


def joined(tokens: Tensor) -> Tensor:
    """Concatenate the words of several texts [n, T] to a single text [1, T'].

    With padding in front and behind, as in the training captions.
    """
    words = tokens[(tokens > 0) & (tokens < _MARKS)]
    return F.pad(words, (1, max(1, CONTEXT - 1 - len(words))))[None]


@dataclass(frozen=True)
class Chance:
    """The random choices of a draft, which depend on the seed.

    manner: see `Draft.draw`
    ground: [1, 3], RGB in [0,1], used if the prompt does not name a ground
    theta: affine map [1, 2, 3] from the picture's frame to the thumbnail's, for a square picture
    grain: seed of the style's `Grain`
    """

    manner: Tensor
    ground: Tensor
    theta: Tensor
    grain: int

    @classmethod
    def draw(cls, generator: torch.Generator) -> Chance:
        """Draw a manner, a pale ground, and a small shift, rotation and scaling."""
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
    """Draw a thumbnail [1, 3, height, width] in [0,1]; None if no word means a thing or a ground.

    tokens: ids [1, T] of the prompt

    The things fill the largest centred square, and the ground the whole picture.
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
            rgba = rgba * ((rgba[:, 3:] - 0.15) / 0.35).clamp(0, 1)  # removes specks
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
    """The latents [B, C, height, width] of the drafts, one for each phrase of the prompt.

    None for a phrase without known words, and for all phrases if `draft` is None. The larger w2 is
    relative to w1, the more a draft shows of the extras.

    streams: random generators of the batch items
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
    """Encode the thumbnails of a prompt with tokens [1, T]: latents [B, C, height, width], or None.

    The items are encoded one at a time, because the convolutions of a batch may round differently.
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
    """The sentence with the largest weight in each phrase of the prompt, or an empty string."""
    drawn = []
    for phrase in parse_story(settings.prompt):
        sentences = [p for p in phrase if p.kind == "text" and p.weight > 0]
        drawn.append(max(sentences, key=lambda p: p.weight).text if sentences else "")
    return drawn
