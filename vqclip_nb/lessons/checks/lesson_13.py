"""Checks of lesson 13: training a tiny VQGAN."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.lessons.checks.verdicts import (
    NEAR,
    RIGHT,
    WRONG,
    Verdict,
    check_choice,
    check_number,
)


def compression_ratio(answer: float) -> Verdict:
    """The bits of 32 x 32 x 3 bytes over those of 64 codes out of 128."""
    if answer in (7, 64, 448, 24576):
        return Verdict(
            NEAR, "that is an intermediate result: divide the picture's bits by the page's."
        )
    if abs(answer - 448 / 24576) < 1e-3:
        return Verdict(NEAR, "that is the inverse: how many times more bits does the picture take?")
    hint = "a value from 0 to 255 takes 8 bits; how many does one of 128 codes take?"
    return check_number(answer, 24576 / 448, 0.5, hint)


def published_vq_loss(answer) -> Verdict:
    """A function that computes the two parts of the VQ loss, with 0.25 on the codes' part."""
    generator = torch.Generator().manual_seed(13)
    z = torch.randn(5, 3, generator=generator).requires_grad_()
    codes = torch.randn(5, 3, generator=generator).requires_grad_()
    loss = answer(z, codes)
    if not isinstance(loss, Tensor) or not loss.requires_grad or loss.numel() != 1:
        return Verdict(WRONG, "it should return a single number that has a gradient.")
    moves = torch.autograd.grad(loss.sum(), (z, codes), allow_unused=True)
    of_z, of_codes = (torch.zeros(5, 3) if move is None else move for move in moves)
    pull = torch.autograd.grad(F.mse_loss(z, codes.detach()), z)[0]
    if torch.allclose(of_z, pull, atol=1e-6) and torch.allclose(of_codes, -pull / 4, atol=1e-6):
        return Verdict(RIGHT)
    if torch.allclose(of_z, pull / 4, atol=1e-6) and torch.allclose(of_codes, -pull, atol=1e-6):
        return Verdict(NEAR, "this is the lesson's version: here the other part has the quarter.")
    if not of_z.any() or not of_codes.any():
        which = "z" if not of_z.any() else "codes"
        return Verdict(NEAR, f"no gradient reaches {which}: use two parts; each detaches one.")
    if torch.allclose(of_z, -of_codes, atol=1e-6):
        return Verdict(NEAR, "z and codes move equally: each part should detach one of them.")
    return Verdict(WRONG, "which of the two does each part move, and how strongly?")


def dead_code_count(answer) -> Verdict:
    """A function that counts the codes that appear on none of the pages."""
    generator = torch.Generator().manual_seed(13)
    for count in (128, 300):
        indices = torch.randint(90, (3, 8, 8), generator=generator)
        used = len(indices.unique())
        found = int(answer(indices, count))
        if found == used:
            return Verdict(NEAR, "that is the number of codes that are used.")
        if found == int(indices.max()) + 1 - used:
            return Verdict(NEAR, "the last codes may be dead too: there are `count` of them.")
        if found != count - used:
            return Verdict(WRONG, f"{used} of {count} codes are used in the test.")
    return Verdict(RIGHT)


def hinge_loss(answer: float) -> Verdict:
    """The hinge loss of the real scores 1.5 and 0.2 and the fake scores -0.4 and -2."""
    if abs(answer - 0.7) < 1e-6:
        return Verdict(NEAR, "that is the sum of both means: take half of it.")
    hint = "which two of the four scores are on the wrong side of 1 or of -1, and by how much?"
    return check_number(answer, 0.35, 0.005, hint)


def adaptive_weight(answer) -> Verdict:
    """A function that computes lambda for several layers at once."""
    layers = [torch.tensor([1.0, 2.0], requires_grad=True), torch.ones(3, requires_grad=True)]
    pixels = (3 * layers[0]).sum() + (layers[1] * 4).sum()  # gradients 3, 3, 4, 4, 4
    realism = layers[0][0] * 2 + layers[1][0]  # gradients 2, 0, 1, 0, 0
    found = torch.as_tensor(answer(pixels, realism, layers)).detach().float()
    norms = [torch.tensor([9.0 + 9, 16.0 * 3]).sqrt(), torch.tensor([2.0, 1.0])]
    expected = norms[0].norm() / norms[1].norm()
    if found.numel() != 1:
        return Verdict(WRONG, "it should be one number for all layers.")
    if torch.isclose(found, expected, rtol=1e-3):
        return Verdict(RIGHT)
    if torch.isclose(found, 1 / expected, rtol=1e-3):
        return Verdict(NEAR, "that is the inverse: which gradient is scaled to the other's length?")
    if torch.isclose(found, norms[0].sum() / norms[1].sum(), rtol=1e-3):
        return Verdict(NEAR, "norms do not add: concatenate the gradients to one long vector.")
    if any(torch.isclose(found, a / b, rtol=1e-3) for a, b in zip(*norms, strict=True)):
        return Verdict(NEAR, "that is the lambda of a single layer.")
    return Verdict(WRONG, "for each loss, take the norm of all its gradients together.")


def part_that_cannot_fall(answer: str) -> Verdict:
    """Which part of the loss cannot fall when codes are removed."""
    hint = "which part depends only on the latent and the codebook, not on a picture?"
    return check_choice(answer, "commitment", ("pixels", "commitment", "realism"), hint)


CHECKS = {
    "13.1": compression_ratio,
    "13.2": published_vq_loss,
    "13.3": dead_code_count,
    "13.4": hinge_loss,
    "13.5": adaptive_weight,
    "13.6": part_that_cannot_fall,
}
