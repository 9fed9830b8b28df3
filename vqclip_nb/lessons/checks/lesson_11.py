"""Checks of lesson 11: CLIP's similarity."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.lessons.checks.verdicts import (
    HALFWAY,
    NEAR,
    RIGHT,
    WRONG,
    Verdict,
    check_choice,
    values,
)
from vqclip_nb.lessons.drawings import load_drawings
from vqclip_nb.models.loading import load_models

_SENTENCES = ["a cat", "a red cat", "a yellow cat on a white background"]


def cosine_similarity(answer: Callable) -> Verdict:
    """A function that computes the cosine of two vectors."""
    a, b = torch.tensor([3.0, 0.0, 4.0]), torch.tensor([1.0, 2.0, 2.0])  # lengths 5 and 3
    found = values(answer(a.clone(), b.clone()))
    if found.numel() != 1:
        return Verdict(HALFWAY, f"two vectors have one cosine, not {found.numel()}: add them up.")
    found = float(found)
    if abs(found - 11 / 15) < 1e-4:
        return Verdict(RIGHT, "divided by both lengths, only the angle between them counts.")
    if abs(found - 11) < 1e-4:
        return Verdict(HALFWAY, "this is the dot product, which grows with the vectors' lengths.")
    if min(abs(found - 11 / 5), abs(found - 11 / 3)) < 1e-4:
        return Verdict(NEAR, "you divided by one length: there are two.")
    if abs(found - 11 / (25 * 9)) < 1e-4:
        return Verdict(NEAR, "a length is the root of the sum of squares: a root is missing.")
    if abs(found - 4 / 15) < 1e-4:
        return Verdict(NEAR, "this is one minus the cosine: a distance.")
    return Verdict(WRONG, "try it on the two vectors of the lesson: the result should be 8/9.")


def softmax_at_temperature(answer: Callable) -> Verdict:
    """A function that computes softmax at a temperature."""
    cosines = torch.tensor([0.5, 0.1, -0.3])
    found = values(answer(cosines.clone(), 0.1))
    if found.shape != cosines.shape:
        return Verdict(WRONG, "three cosines should give three shares.")
    if torch.allclose(found, (cosines / 0.1).softmax(0), atol=1e-5):
        return Verdict(RIGHT, "a small temperature widens the gaps, and the largest takes most.")
    if torch.allclose(found, (cosines * 0.1).softmax(0), atol=1e-5):
        return Verdict(NEAR, "a higher temperature should make the shares more equal, not less.")
    if torch.allclose(found, cosines.softmax(0) / 0.1, atol=1e-5):
        return Verdict(NEAR, "divide before softmax, not after it: shares must sum to 1.")
    if torch.allclose(found, cosines.softmax(0), atol=1e-5):
        return Verdict(HALFWAY, "these are shares, but they do not depend on the temperature.")
    if torch.allclose(found, cosines / 0.1, atol=1e-5):
        return Verdict(HALFWAY, "divided, but not yet shares: they must be positive and sum to 1.")
    if torch.allclose(found, (cosines / 0.1).exp(), rtol=1e-4):
        return Verdict(HALFWAY, "all positive; now make them sum to 1.")
    return Verdict(WRONG, "shares are positive and sum to 1.")


def contrastive_loss(answer: Callable) -> Verdict:
    """A function that computes CLIP's loss of n pairs."""
    cosines = torch.tensor([[0.5, 0.1, 0.0], [0.3, 0.4, 0.2], [-0.1, 0.35, 0.3]])
    both = [float(F.cross_entropy(10 * c, torch.arange(3))) for c in (cosines, cosines.T)]
    unscaled = [float(F.cross_entropy(c, torch.arange(3))) for c in (cosines, cosines.T)]
    found = values(answer(cosines.clone(), 10.0))
    if found.numel() != 1:
        return Verdict(WRONG, f"a loss is one number, not {found.numel()}.")
    found = float(found)
    if abs(found - sum(both) / 2) < 1e-4:
        return Verdict(RIGHT, "each picture chooses its sentence, and each sentence its picture.")
    if any(abs(found - one) < 1e-4 for one in both):
        return Verdict(
            HALFWAY,
            "this is one direction: pictures choose sentences, and sentences choose pictures.",
        )
    if abs(found - sum(both)) < 1e-4:
        return Verdict(NEAR, "this is the sum of both directions, not their mean.")
    if abs(found - sum(unscaled) / 2) < 1e-4:
        return Verdict(NEAR, "both directions, but without the scale.")
    if abs(found + sum(both) / 2) < 1e-4:
        return Verdict(NEAR, "the sign is wrong: a loss falls as the pairs fit better.")
    return Verdict(WRONG, "try two pairs with the cosines 1 and 0: at a large scale the loss is 0.")


def nearest_sentence(answer: str) -> Verdict:
    """Which of three sentences fits the cat best."""
    drawings = load_drawings()
    cat = drawings.unseen[drawings.names.index("cat")][None]
    best = "abc"[int(_best(cat, _SENTENCES))]
    why = "it says more of what is in the picture, and none of it is wrong."
    return check_choice(answer, best, "abc", why, "not that one: compute all three cosines.")


def zero_shot_classification(answer: Callable) -> Verdict:
    """A function that finds the best name for each picture."""
    drawings = load_drawings()
    pictures, names = drawings.unseen[:12], drawings.names[:11]
    result = answer(pictures.clone(), list(names))
    if isinstance(result, (list, tuple)) and any(isinstance(each, str) for each in result):
        return Verdict(NEAR, "these are the sentences: return their numbers.")
    found = values(result)
    if found.shape in ((12, 11), (11, 12)):
        return Verdict(HALFWAY, "you have all cosines; which sentence has a picture's largest?")
    if found.shape == (11,):
        return Verdict(NEAR, "this is the best picture for each sentence: turn it around.")
    if found.shape != (12,):
        return Verdict(WRONG, f"12 pictures need 12 numbers, not a tensor of {list(found.shape)}.")
    if torch.equal(found, _best(pictures, names).float()):
        return Verdict(RIGHT, "other sentences make another classifier, without training.")
    return Verdict(WRONG, "return the index of the largest cosine for each picture.")


@torch.no_grad()
def _best(pictures: Tensor, sentences: list[str]) -> Tensor:
    """The index of the nearest sentence for each picture."""
    perceptor = load_models("tiny", device="cpu").perceptors[0]
    images = F.normalize(perceptor.encode_image(pictures), dim=1)
    return (images @ F.normalize(perceptor.encode_text(sentences), dim=1).T).argmax(1)


CHECKS = {
    "11.1": cosine_similarity,
    "11.2": softmax_at_temperature,
    "11.3": contrastive_loss,
    "11.4": nearest_sentence,
    "11.5": zero_shot_classification,
}
