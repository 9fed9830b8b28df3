"""Checks of lesson 12: VQGAN meets CLIP."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

from vqclip_nb.core.losses import great_circle
from vqclip_nb.lessons.checks.verdicts import (
    HALFWAY,
    NEAR,
    RIGHT,
    WRONG,
    Verdict,
    check_choice,
    check_number,
    number,
    values,
)


def latent_numbers(answer: float) -> Verdict:
    """How many numbers the latent of a picture of 128 x 128 pixels has."""
    if number(answer) == 12 * 12 * 32:
        return Verdict(NEAR, "that is the latent of a picture of 96 x 96.")
    return check_number(
        answer,
        16 * 16 * 32,
        why="16 × 16 vectors of 32 numbers each: a sixth of the picture's own numbers.",
        hint="a vector is 8 × 8 pixels: how many vectors are there, of how many numbers each?",
        steps={
            16: "so many vectors are in a row; how many are there, of how many numbers each?",
            256: "that is the number of vectors: how many numbers do they hold?",
            32: "so many numbers are in one vector: how many vectors are there?",
            16 * 32: "that is one row of vectors: how many rows are there?",
            128 * 128 * 3: "that is the picture itself: how many numbers does its latent have?",
        },
    )


def great_circle_distance(answer: Callable) -> Verdict:
    """A function that computes half the squared angle, for vectors of any length."""
    angles = torch.tensor([0.2, 1.0, 1.5, 2.5])
    lengths = torch.tensor([[3.0], [0.5], [7.0], [1.0]])
    emb = torch.stack([angles.cos(), angles.sin()], 1) * lengths
    target = torch.tensor([[5.0, 0.0]])
    found = values(answer(emb.clone(), target.clone()))
    if found.shape != (4,):
        return Verdict(WRONG, f"4 embeddings need 4 numbers, not {list(found.shape)}.")
    expected = angles.square() / 2
    if torch.allclose(found, expected, atol=1e-3):
        return Verdict(RIGHT, "half the squared angle, whatever the vectors' lengths.")
    if torch.allclose(found, great_circle(emb, target), atol=1e-3, equal_nan=True):
        return Verdict(NEAR, "that is right for unit vectors, but these have any length.")
    if torch.allclose(found, angles.cos(), atol=1e-3):
        return Verdict(HALFWAY, "that is the cosine: which angle has it?")
    if torch.allclose(found, 1 - angles.cos(), atol=1e-3):
        return Verdict(HALFWAY, "that is one minus the cosine: compute the angle.")
    if torch.allclose(found, angles, atol=1e-3):
        return Verdict(HALFWAY, "that is the angle itself.")
    if torch.allclose(found, 2 * expected, atol=1e-3):
        return Verdict(NEAR, "that is twice the distance.")
    return Verdict(WRONG, "try it on two perpendicular vectors: the result should be π²/8.")


def overfitted_loop(answer: str) -> Verdict:
    """Which loop's picture scores high in one view only."""
    why = "what fools CLIP in one view is kept only if the next view is the same."
    hint = "which part of CLIP's input changes from one iteration to the next in each loop?"
    return check_choice(answer, "whole", ("whole", "one crop"), why, hint)


def embedding_blend(answer: Callable) -> Verdict:
    """A function that blends raw embeddings by weights, then normalises."""
    generator = torch.Generator().manual_seed(12)
    prompt = 10 * torch.randn(1, 8, generator=generator)
    extras = 3 * torch.randn(1, 8, generator=generator)
    found = values(answer(prompt.clone(), extras.clone(), 1.0, 0.4))
    if found.shape != (1, 8):
        return Verdict(WRONG, f"the result should have the shape [1, E], not {list(found.shape)}.")
    total = prompt + 0.4 * extras
    units = F.normalize(prompt, dim=1) + 0.4 * F.normalize(extras, dim=1)
    for wrong, mark, hint in (
        (total, HALFWAY, "the blend is right, but it is not normalised."),
        (units, HALFWAY, "blend the raw embeddings, and normalise only the sum."),
        (F.normalize(units, dim=1), NEAR, "do not normalise the embeddings before the blend."),
        (F.normalize(prompt + extras, dim=1), NEAR, "w2 has no effect."),
        (F.normalize(0.4 * prompt + extras, dim=1), NEAR, "w1 and w2 are swapped."),
        (F.normalize(prompt, dim=1), HALFWAY, "the extras have no effect."),
    ):
        if torch.allclose(found, wrong, atol=1e-4):
            return Verdict(mark, hint)
    if not torch.allclose(found, F.normalize(total, dim=1), atol=1e-4):
        return Verdict(WRONG, "try w2 = 0: the result should have the direction of the prompt.")
    again = values(answer(prompt.clone(), extras.clone(), 0.5, 2.0))
    if not torch.allclose(again, F.normalize(0.5 * prompt + 2 * extras, dim=1), atol=1e-4):
        return Verdict(NEAR, "right for w1 = 1, wrong for other values of w1.")
    return Verdict(RIGHT, "first the weights, then the length: only the direction counts.")


def moving_average_step(answer: Callable) -> Verdict:
    """A function that computes one step of an exponential moving average."""
    old, z = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([2.0, 2.0, 2.0])
    average = old.clone()
    found = values(answer(average, z.clone(), 0.75)).clone()
    if found.shape != (3,):
        return Verdict(WRONG, f"the average should keep its shape [3], not {list(found.shape)}.")
    if torch.allclose(found, torch.tensor([1.25, -1.0, 0.5])):
        if torch.equal(average, old):
            return Verdict(RIGHT, "the shares add up to 1: what no longer moves stays in place.")
        return Verdict(NEAR, "the value is right, but your function modifies the old average.")
    if torch.allclose(found, 0.25 * old + 0.75 * z):
        return Verdict(NEAR, "the two weights are swapped.")
    if torch.allclose(found, 0.75 * old + z) or torch.allclose(found, old + 0.25 * z):
        return Verdict(NEAR, "the two weights do not sum to one.")
    if torch.allclose(found, 0.75 * old) or torch.allclose(found, 0.25 * z):
        return Verdict(HALFWAY, "that is one part of the new average; add the other.")
    if torch.allclose(found, (old + z) / 2):
        return Verdict(HALFWAY, "the mean of both, whatever the decay is.")
    return Verdict(WRONG, "if z equals the average, nothing should change.")


def smaller_angle(answer: str) -> Verdict:
    """Which of two equal losses, of different distances, means the smaller angle."""
    angles = {"cosine": math.acos(0.5), "arc": math.sqrt(2 * 0.5)}
    why = "57.3 degrees are less than 60."
    hint = "cos θ = 0.5 gives one angle, θ²/2 = 0.5 the other: which is smaller?"
    return check_choice(answer, min(angles, key=angles.get), (*angles, "same"), why, hint)


CHECKS = {
    "12.1": latent_numbers,
    "12.2": great_circle_distance,
    "12.3": overfitted_loop,
    "12.4": embedding_blend,
    "12.5": moving_average_step,
    "12.6": smaller_angle,
}
