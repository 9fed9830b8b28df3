"""Checks of lesson 11: CLIP's similarity."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.lessons.checks.verdicts import NEAR, RIGHT, WRONG, Verdict, check_choice
from vqclip_nb.lessons.drawings import load_drawings
from vqclip_nb.models.loading import load_models

_SENTENCES = ["a cat", "a red cat", "a yellow cat on a white background"]


def cosine_similarity(answer) -> Verdict:
    """A function that computes the cosine of two vectors."""
    a, b = torch.tensor([3.0, 0.0, 4.0]), torch.tensor([1.0, 2.0, 2.0])
    found = float(answer(a, b))
    if abs(found - 11 / 15) < 1e-4:
        return Verdict(RIGHT)
    if abs(found - 11) < 1e-4:
        return Verdict(NEAR, "this is the dot product, which grows with the vectors' lengths.")
    return Verdict(WRONG, "try it on the two vectors of the lesson: the result should be 8/9.")


def softmax_at_temperature(answer) -> Verdict:
    """A function that computes softmax at a temperature."""
    cosines = torch.tensor([0.5, 0.1, -0.3])
    found = torch.as_tensor(answer(cosines, 0.1))
    if found.shape != cosines.shape:
        return Verdict(WRONG, "three cosines should give three shares.")
    if torch.allclose(found, (cosines / 0.1).softmax(0), atol=1e-5):
        return Verdict(RIGHT)
    if torch.allclose(found, (cosines * 0.1).softmax(0), atol=1e-5):
        return Verdict(NEAR, "a higher temperature should make the shares more equal, not less.")
    if torch.allclose(found, cosines.softmax(0), atol=1e-5):
        return Verdict(NEAR, "these are shares, but they do not depend on the temperature.")
    return Verdict(WRONG, "shares are positive and sum to 1.")


def contrastive_loss(answer) -> Verdict:
    """A function that computes CLIP's loss of n pairs."""
    cosines = torch.tensor([[0.5, 0.1, 0.0], [0.3, 0.4, 0.2], [-0.1, 0.35, 0.3]])
    found = float(answer(cosines, 10.0))
    rows, columns = (float(F.cross_entropy(10 * c, torch.arange(3))) for c in (cosines, cosines.T))
    if abs(found - (rows + columns) / 2) < 1e-4:
        return Verdict(RIGHT)
    if min(abs(found - rows), abs(found - columns)) < 1e-4:
        return Verdict(
            NEAR, "this is one direction: pictures choose sentences, and sentences choose pictures."
        )
    if abs(found - (rows + columns)) < 1e-4:
        return Verdict(NEAR, "this is the sum of both directions, not their mean.")
    return Verdict(WRONG, "try two pairs with the cosines 1 and 0: at a large scale the loss is 0.")


def nearest_sentence(answer: str) -> Verdict:
    """Which of three sentences fits the cat best."""
    drawings = load_drawings()
    cat = drawings.unseen[drawings.names.index("cat")][None]
    best = "abc"[int(_best(cat, _SENTENCES))]
    return check_choice(answer, best, "abc", "not that one: compute all three cosines.")


def zero_shot_classification(answer) -> Verdict:
    """A function that finds the best name for each picture."""
    drawings = load_drawings()
    pictures, names = drawings.unseen[:12], drawings.names[:12]
    found = torch.as_tensor(answer(pictures, names))
    if found.shape != (12,):
        return Verdict(WRONG, f"12 pictures need 12 numbers, not a tensor of {list(found.shape)}.")
    if torch.equal(found, _best(pictures, names)):
        return Verdict(RIGHT)
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
