"""Checks of lesson 13: training a tiny VQGAN."""

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
    check_number,
    number,
    values,
)


def compression_ratio(answer: float) -> Verdict:
    """The bits of 32 x 32 x 3 bytes over those of 64 codes out of 128."""
    found, halfway = number(answer), "that is an intermediate result:"
    if abs(found - 448 / 24576) < 1e-3:
        return Verdict(NEAR, "that is the inverse: how many times more bits does the picture take?")
    if abs(found - 3072 / 448) < 0.05:
        return Verdict(NEAR, "those are bytes over bits: a byte has 8 bits.")
    return check_number(
        found,
        24576 / 448,
        why="24,576 bits of the picture against 64 codes of 7 bits.",
        hint="a value from 0 to 255 takes 8 bits; how many does one of 128 codes take?",
        steps={
            7: f"{halfway} the bits of one code; how many codes are on the page?",
            64: f"{halfway} the codes on the page; how many bits does each take?",
            448: f"{halfway} the bits of the page; how many does the picture take?",
            3072: f"{halfway} the picture's bytes; how many bits are they?",
            24576: f"{halfway} the bits of the picture; how many does the page take?",
        },
    )


def published_vq_loss(answer: Callable) -> Verdict:
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

    def moved(share_of_z: float, share_of_codes: float) -> bool:
        of_both = (of_z, share_of_z * pull), (of_codes, -share_of_codes * pull)
        return all(torch.allclose(*pair, atol=1e-6) for pair in of_both)

    if moved(1, 0.25):
        return Verdict(RIGHT, "z moves with full strength, and the codes with a quarter of it.")
    if moved(0.25, 1):
        return Verdict(NEAR, "this is the lesson's version: here the other part has the quarter.")
    if not of_z.any() or not of_codes.any():
        which = "z" if not of_z.any() else "codes"
        return Verdict(HALFWAY, f"no gradient reaches {which}: use two parts; each detaches one.")
    if moved(1, 1):
        return Verdict(HALFWAY, "two parts of equal strength: one of them has a quarter.")
    if torch.allclose(of_z, -of_codes, atol=1e-6):
        return Verdict(NEAR, "z and codes move equally: each part should detach one of them.")
    if torch.allclose(of_z, 15 * pull, atol=1e-5) and torch.allclose(of_codes, -3.75 * pull):
        return Verdict(NEAR, "that is the sum over all numbers: take the mean.")
    return Verdict(WRONG, "which of the two does each part move, and how strongly?")


def dead_code_count(answer: Callable) -> Verdict:
    """A function that counts the codes that appear on none of the pages."""
    generator = torch.Generator().manual_seed(13)
    for count in (128, 300):
        indices = torch.randint(90, (3, 8, 8), generator=generator)
        used = len(indices.unique())
        found = values(answer(indices.clone(), count))
        if found.numel() == used or found.numel() == count - used > 1:
            return Verdict(HALFWAY, "these are the codes themselves: how many are there?")
        if found.numel() != 1:
            return Verdict(WRONG, f"a count is one number, not {found.numel()}.")
        found = int(found)
        if found == used:
            return Verdict(HALFWAY, "that is the number of codes that are used.")
        if found == int(indices.max()) + 1 - used:
            return Verdict(NEAR, "the last codes may be dead too: there are `count` of them.")
        if found == count - indices.numel():
            return Verdict(NEAR, "a code that appears twice is used once.")
        if found != count - used:
            return Verdict(WRONG, f"{used} of {count} codes are used in the test.")
    return Verdict(RIGHT, "all codes of the codebook, less those that any page uses.")


def hinge_loss(answer: float) -> Verdict:
    """The hinge loss of the real scores 1.5 and 0.2 and the fake scores -0.4 and -2."""
    if abs(number(answer) - 0.7) < 1e-6:
        return Verdict(NEAR, "that is the sum of both means: take half of it.")
    return check_number(
        answer,
        0.35,
        why="1.5 and −2 cost nothing; 0.2 is 0.8 short of 1, and −0.4 is 0.6 short of −1.",
        hint="which two of the four scores are on the wrong side of 1 or of -1, and by how much?",
        tolerance=0.005,
        steps={
            0.8: "so much is the drawn patch short of 1; what of the painted ones?",
            0.6: "so much is the painted patch short of −1; what of the drawn ones?",
            0.4: "that is the mean of the drawn patches; what of the painted ones?",
            0.3: "that is the mean of the painted patches; what of the drawn ones?",
            1.4: "that is the sum of all four: take the means.",
        },
    )


def adaptive_weight(answer: Callable) -> Verdict:
    """A function that computes lambda for several layers at once."""
    layers = [torch.tensor([1.0, 2.0], requires_grad=True), torch.ones(3, requires_grad=True)]
    pixels = (3 * layers[0]).sum() + (layers[1] * 4).sum()  # gradients 3, 3, 4, 4, 4
    realism = layers[0][0] * 2 + layers[1][0]  # gradients 2, 0, 1, 0, 0
    found = values(answer(pixels, realism, layers))
    norms = [torch.tensor([9.0 + 9, 16.0 * 3]).sqrt(), torch.tensor([2.0, 1.0])]
    expected = norms[0].norm() / norms[1].norm()
    if found.numel() != 1:
        return Verdict(HALFWAY, "it should be one number for all layers.")
    found = found.reshape(())
    if torch.isclose(found, expected, rtol=1e-3):
        return Verdict(RIGHT, "realism's gradient, so scaled, is as long as that of the pixels.")
    if torch.isclose(found, 1 / expected, rtol=1e-3):
        return Verdict(NEAR, "that is the inverse: which gradient is scaled to the other's length?")
    if torch.isclose(found, norms[0].sum() / norms[1].sum(), rtol=1e-3):
        return Verdict(NEAR, "norms do not add: concatenate the gradients to one long vector.")
    if torch.isclose(found, expected.square(), rtol=1e-3):
        return Verdict(NEAR, "a length is the root of the sum of squares: a root is missing.")
    if any(torch.isclose(found, a / b, rtol=1e-3) for a, b in zip(*norms, strict=True)):
        return Verdict(HALFWAY, "that is the lambda of a single layer.")
    if any(torch.isclose(found, each.norm(), rtol=1e-3) for each in norms):
        return Verdict(HALFWAY, "that is the length of one loss's gradients: divide by the other.")
    return Verdict(WRONG, "for each loss, take the norm of all its gradients together.")


def part_that_cannot_fall(answer: str) -> Verdict:
    """Which part of the loss cannot fall when codes are removed."""
    why = "the nearest of fewer codes is the same one or one farther away, never a nearer one."
    hint = "which part depends only on the latent and the codebook, not on a picture?"
    return check_choice(answer, "commitment", ("pixels", "commitment", "realism"), why, hint)


CHECKS = {
    "13.1": compression_ratio,
    "13.2": published_vq_loss,
    "13.3": dead_code_count,
    "13.4": hinge_loss,
    "13.5": adaptive_weight,
    "13.6": part_that_cannot_fall,
}
