"""Checks of lesson 12, the painter and its critic."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from vqclip_nb.core.losses import great_circle
from vqclip_nb.lessons.checks.verdicts import NEAR, RIGHT, WRONG, Verdict, of_choice, of_number


def moved(answer: float) -> Verdict:
    """Numbers of the latent of a picture of 128 x 128 pixels."""
    if answer == 16 * 16:
        return Verdict(NEAR, "so many vectors: how many numbers are they?")
    if answer == 12 * 12 * 32:
        return Verdict(NEAR, "these are the numbers of a picture of 96 x 96.")
    hint = "a vector stands for 8 x 8 pixels: how many vectors are there, of how many numbers each?"
    return of_number(answer, 16 * 16 * 32, 0.5, hint)


def arc(answer) -> Verdict:
    """A function that gives half the squared angle, for vectors of any length."""
    angles = torch.tensor([0.2, 1.0, 1.5, 2.5])
    lengths = torch.tensor([[3.0], [0.5], [7.0], [1.0]])
    emb = torch.stack([angles.cos(), angles.sin()], 1) * lengths
    target = torch.tensor([[5.0, 0.0]])
    found = answer(emb, target)
    if found.shape != (4,):
        return Verdict(WRONG, f"4 embeddings need 4 numbers, not {list(found.shape)}.")
    expected = angles.square() / 2
    if torch.allclose(found, expected, atol=1e-3):
        return Verdict(RIGHT)
    if torch.allclose(found, great_circle(emb, target), atol=1e-3, equal_nan=True):
        return Verdict(NEAR, "that is right for vectors of length one: these have any length.")
    if torch.allclose(found, 1 - angles.cos(), atol=1e-3):
        return Verdict(NEAR, "that is the cosine, turned around: find the angle.")
    for share, told in ((angles, "the angle itself"), (2 * expected, "twice too large")):
        if torch.allclose(found, share, atol=1e-3):
            return Verdict(NEAR, f"that is {told}.")
    return Verdict(WRONG, "try it on two vectors at a right angle: π²/8 is right.")


def fooled(answer: str) -> Verdict:
    """Which loop's picture pleases in one view only."""
    hint = "what is new to the critic in the second iteration of each loop?"
    return of_choice(answer, "whole", ("whole", "one crop"), hint)


def blend(answer) -> Verdict:
    """A function that blends raw embeddings by weights, then normalises."""
    generator = torch.Generator().manual_seed(12)
    prompt = 10 * torch.randn(1, 8, generator=generator)
    extras = 3 * torch.randn(1, 8, generator=generator)
    found = answer(prompt, extras, 1.0, 0.4)
    if found.shape != (1, 8):
        return Verdict(WRONG, f"what comes out should be [1, E], not {list(found.shape)}.")
    total = prompt + 0.4 * extras
    units = F.normalize(prompt, dim=1) + 0.4 * F.normalize(extras, dim=1)
    for wrong, told in (
        (total, "the blend is right, but its length is not one."),
        (units, "the embeddings are blended as they come: only the sum gets length one."),
        (F.normalize(units, dim=1), "the embeddings are blended as they come, not at length one."),
        (F.normalize(prompt + extras, dim=1), "w2 has no effect."),
    ):
        if torch.allclose(found, wrong, atol=1e-4):
            return Verdict(NEAR, told)
    if not torch.allclose(found, F.normalize(total, dim=1), atol=1e-4):
        return Verdict(WRONG, "try it with w2 = 0: then the prompt's direction should come out.")
    if not torch.allclose(answer(prompt, extras, 0.5, 2.0), F.normalize(0.5 * prompt + 2 * extras)):
        return Verdict(NEAR, "right for w1 = 1, wrong for another w1.")
    return Verdict(RIGHT)


def averaged(answer) -> Verdict:
    """A function that takes one step of an exponential moving average."""
    old, z = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([2.0, 2.0, 2.0])
    average = old.clone()
    found = answer(average, z, 0.75)
    if torch.allclose(found, torch.tensor([1.25, -1.0, 0.5])):
        if torch.equal(average, old):
            return Verdict(RIGHT)
        return Verdict(NEAR, "the value is right, but the old average was changed.")
    if torch.allclose(found, 0.25 * old + 0.75 * z):
        return Verdict(NEAR, "the shares are the wrong way round.")
    if torch.allclose(found, old + z * 0.25):
        return Verdict(NEAR, "the shares do not add up to one.")
    return Verdict(WRONG, "if z equals the average, nothing should change.")


def nearer(answer: str) -> Verdict:
    """Which of two losses, by other rulers, is nearer."""
    angles = {"cosine": math.acos(0.5), "arc": math.sqrt(2 * 0.5)}
    hint = "cos θ = 0.5 gives one angle, θ²/2 = 0.5 the other: which is smaller?"
    return of_choice(answer, min(angles, key=angles.get), (*angles, "same"), hint)


CHECKS = {
    "12.1": moved,
    "12.2": arc,
    "12.3": fooled,
    "12.4": blend,
    "12.5": averaged,
    "12.6": nearer,
}
