"""Prompts to targets: directions in CLIP's embedding space, and when each of them counts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.cutouts import draw_cuts
from vqclip_nb.core.images import within_area
from vqclip_nb.core.latents import stream
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.prompt_syntax import Prompt, parse_prompts
from vqclip_nb.settings import Settings

# Crops of picture prompts are drawn as in this iteration, which no run reaches.
_PICTURES = 1_000_000
LoadPicture = Callable[[str], Tensor]  # a path or url to a picture [1, 3, H, W] in [0,1]


@dataclass(frozen=True)
class Target:
    """What the crops' embeddings should approach, and avoid, in one perceptor's space.

    goals: unit vectors [G, E]
    weights: of each goal [G]; negative pushes away
    stops: signed losses [G] below which a goal no longer pulls
    phrases: index of the phrase of the story that each goal belongs to; None for `exclude`
    """

    goals: Tensor
    weights: Tensor
    stops: Tensor
    phrases: tuple[int | None, ...]


def make_target(
    perceptor: Perceptor, settings: Settings, load_picture: LoadPicture | None = None
) -> Target:
    """The target of the settings: for each prompt w1 E(prompt) + w2 E(extras), normalised.

    This is the seed's blend of raw embeddings. Several extras are summed by their weights; blank
    extras add nothing. With `picture_method` notebook, a picture is one goal for each of its crops,
    which share its weight, as in Crowson's notebooks. Raises ValueError if a blend is zero.
    """
    extras = _sum_of(perceptor, settings.extras, load_picture) * settings.w2
    blends, prompts, phrases = [], [], []

    def add(prompt: Prompt, phrase: int | None, blend: Tensor) -> None:  # blend: (n, E)
        blends.append(blend)
        prompts.extend([replace(prompt, weight=prompt.weight / len(blend))] * len(blend))
        phrases.extend([phrase] * len(blend))

    for number, phrase in enumerate(settings.story):
        for prompt in phrase:
            seen = _seen(perceptor, prompt, settings, load_picture)
            add(prompt, number, settings.w1 * seen + extras)
            if blends[-1].norm(dim=1).min() < 1e-6:
                raise ValueError("prompt and extras cancel each other out: change w1 or w2.")
    for prompt in parse_prompts(settings.exclude):
        add(prompt, None, _seen(perceptor, prompt, settings, load_picture))
    # on the CPU: each iteration reads them, and reading from a GPU waits for it
    weights, stops = (
        torch.tensor([getattr(prompt, name) for prompt in prompts]) for name in ("weight", "stop")
    )
    return Target(F.normalize(torch.cat(blends), dim=1), weights, stops, tuple(phrases))


def _sum_of(perceptor: Perceptor, text: str, load_picture: LoadPicture | None) -> Tensor:
    """The weighted sum [1, E] of raw embeddings; zero if the text is blank."""
    total = torch.zeros(1, perceptor.embed_dim, device=perceptor.device)
    for prompt in parse_prompts(text):
        total = total + prompt.weight * _encoded(perceptor, prompt, load_picture)
    return total


def _encoded(perceptor: Perceptor, prompt: Prompt, load_picture: LoadPicture | None) -> Tensor:
    """The raw embedding [1, E] of a sentence or a picture, or a random direction."""
    if prompt.kind == "noise":
        generator = torch.Generator().manual_seed(prompt.noise_seed)
        return torch.randn(1, perceptor.embed_dim, generator=generator).to(perceptor.device)
    if prompt.kind == "picture":
        with torch.no_grad():
            return perceptor.encode_image(load_picture(prompt.text).to(perceptor.device))
    return perceptor.encode_text(prompt.text)


def _seen(
    perceptor: Perceptor, prompt: Prompt, settings: Settings, load_picture: LoadPicture | None
) -> Tensor:
    """The raw embeddings [n, E] of a prompt: one, or one for each crop of a picture."""
    if prompt.kind != "picture" or settings.picture_method != "notebook":
        return _encoded(perceptor, prompt, load_picture)
    x = within_area(load_picture(prompt.text), *settings.im_shape)
    size, streams = perceptor.input_size, [stream(settings.seed or 0, 0, _PICTURES)]
    crops = draw_cuts(settings, streams, tuple(x.shape[-2:]), [size]).of(x, size)
    with torch.no_grad():
        return perceptor.encode_image(crops.to(perceptor.device))


@dataclass(frozen=True)
class Story:
    """Which phrase is painted when.

    phrases: how many there are; step: iterations of each, after the last the first again
    fade: iterations over which a phrase blends in
    """

    phrases: int
    step: int
    fade: int

    @classmethod
    def of(cls, settings: Settings) -> Story:
        """The settings' story; without `story_step` the phrases share the run equally."""
        phrases = len(settings.story)
        step = settings.story_step or math.ceil(settings.total_iter / phrases)
        return cls(phrases, step, settings.story_fade)

    def shares(self, iteration: int) -> dict[int, float]:
        """Each active phrase's share in an iteration, counted from 1; the shares sum to 1."""
        turn, within = divmod(iteration - 1, self.step)
        phrase = turn % self.phrases
        if self.phrases == 1 or turn == 0 or within >= self.fade:
            return {phrase: 1.0}
        share = (within + 1) / (self.fade + 1)
        return {(phrase - 1) % self.phrases: 1 - share, phrase: share}


def sentences_of(settings: Settings) -> str:
    """Every sentence of the settings, without weights, pictures and noise."""
    prompts = [prompt for phrase in settings.story for prompt in phrase]
    prompts += [*parse_prompts(settings.extras), *parse_prompts(settings.exclude)]
    return " ".join(prompt.text for prompt in prompts if prompt.kind == "text")


def warn_of_unknown_words(
    perceptor: Perceptor, sentences: str, *, name: str, does: str = "paints the rest"
) -> None:
    """Warn of words that the perceptor never saw in training: it replaces or ignores them.

    name: what it is called in the warnings; does: what it does with the other words
    """
    if replaced := perceptor.replaced_in_words(sentences):
        warnings.warn(f"{name} reads {replaced}.", stacklevel=3)
    if unknown := perceptor.unknown_in_words(sentences):
        warnings.warn(f"{name} never saw {unknown}: it {does}.", stacklevel=3)
