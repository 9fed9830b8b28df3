"""Sentences to targets: where in CLIP's space the picture should go, and where not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.perceptor import Perceptor
from vqclip_nb.settings import Settings


@dataclass(frozen=True)
class Target:
    """Unit vectors [1, E] in one critic's space; `exclude` is None where nothing is excluded."""

    include: Tensor
    exclude: Tensor | None


def make_target(perceptor: Perceptor, settings: Settings) -> Target:
    """The seed's blend, w1 E(prompt) + w2 E(extras) on raw embeddings, brought to unit length.

    Blank extras add nothing. Raises ValueError where the blend cancels out.
    """
    blend = settings.w1 * perceptor.encode_text(settings.prompt)  # (1, E)
    if settings.extras.strip():
        blend = blend + settings.w2 * perceptor.encode_text(settings.extras)
    if blend.norm() < 1e-6:
        raise ValueError("prompt and extras cancel out: change w1 or w2.")
    exclude = None
    if settings.exclude.strip():
        exclude = F.normalize(perceptor.encode_text(settings.exclude), dim=1)
    return Target(F.normalize(blend, dim=1), exclude)


def warn_of_unknown_words(perceptor: Perceptor, settings: Settings) -> None:
    """Warn of words that the critic never saw; it paints what the others say."""
    text = " ".join((settings.prompt, settings.extras, settings.exclude))
    if told := unknown_in(perceptor, text):
        warnings.warn(f"{perceptor.name} never saw {told}: it paints the rest.", stacklevel=3)


def unknown_in(perceptor: Perceptor, text: str) -> str:
    """The words of `text` that the critic never saw, as a list to read; empty if there are none.

    Each is followed by words that the critic knows and that may have been meant.
    """
    told = []
    for word, similar in perceptor.suggested_words(text).items():
        meant = f" (did you mean {' or '.join(similar)}?)" if similar else ""
        told.append(f"{word!r}{meant}")
    return ", ".join(told)
