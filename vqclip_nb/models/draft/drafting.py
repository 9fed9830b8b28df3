"""The draft of a run: a picture of the prompt that the loss pulls the painting to.

The draft is a collage from memory: remembered drawings are put into a remembered place, and a
filter applies the style. The VQGAN encodes the picture, and the loss pulls the latent to it with the
weight `draft_weight`; CLIP and the decoder do the rest. A thing that is not in the memory, and a
relation that the rules do not know, are painted by CLIP alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.draft.layout import sketch
from vqclip_nb.models.draft.stored import Draft
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.prompt_syntax import parse_prompts
from vqclip_nb.settings import Settings

_FULL_EXTRAS = 0.5  # w2 / w1 from which on a draft shows the extras in full


@dataclass(frozen=True)
class Chance:
    """The random choices of a draft: which drawings, which of some places, where things are."""

    seed: int

    @classmethod
    def draw(cls, generator: torch.Generator) -> Chance:
        """Draw from the generator of a batch item."""
        return cls(int(torch.randint(2**62, (), generator=generator)))


def draft_picture(
    draft: Draft, vqgan: VQGAN, text: str, chance: Chance, width: int, height: int
) -> Tensor | None:
    """The collage for a sentence: [1, 3, height, width] in [0,1], in pixels.

    None if the sentence mentions nothing that is in the memory.
    """
    rng = random.Random(chance.seed)
    image = sketch(draft.read(text), draft.memory, vqgan, (width, height), rng)
    if image is None:
        return None
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255  # (1, 3, H, W)
    return x.to(vqgan.device)


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
        text = ", ".join(perceptor.known_part(text) for text in texts)
        z = encoded_draft(draft, vqgan, text, chances, height, width)
        if z is not None:
            vqgan.confine(z)
        return z

    extras = [p.text for p in parse_prompts(settings.extras) if p.kind == "text"]
    share = 0.0
    if extras and settings.w2 > 0:
        full = _FULL_EXTRAS * settings.w1
        share = 1.0 if settings.w2 >= full else settings.w2 / full
    drafts = []
    for phrase in phrases if settings.w1 > 0 else [""] * len(phrases):
        alone = drafted([phrase]) if share < 1 else None
        together = drafted([phrase, *extras]) if share > 0 else None
        if alone is not None and together is not None:
            together = alone.lerp(together, share)
        drafts.append(alone if together is None else together)
    return drafts


def encoded_draft(
    draft: Draft, vqgan: VQGAN, text: str, chances: list[Chance], height: int, width: int
) -> Tensor | None:
    """Encode the pictures of a sentence: latents [B, C, height, width], or None.

    The items are encoded one at a time, because the convolutions of a batch may round differently.
    """
    items = []
    for chance in chances:
        size = width * vqgan.factor, height * vqgan.factor
        x = draft_picture(draft, vqgan, text, chance, *size)
        if x is None:
            return None
        items.append(vqgan.encode(x))
    return torch.cat(items)


def sentences_to_draft(settings: Settings) -> list[str]:
    """The sentence with the largest weight in each phrase of the prompt, or an empty string."""
    drawn = []
    for phrase in settings.story:
        sentences = [p for p in phrase if p.kind == "text" and p.weight > 0]
        drawn.append(max(sentences, key=lambda p: p.weight).text if sentences else "")
    return drawn
