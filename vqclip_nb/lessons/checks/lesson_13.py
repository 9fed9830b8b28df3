"""Checks of lesson 13, training a tiny VQGAN."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.lessons.checks.verdicts import NEAR, RIGHT, WRONG, Verdict, of_choice, of_number


def compression(answer: float) -> Verdict:
    """How many times fewer bits: 32 x 32 x 3 bytes, or 64 codes out of 128."""
    if answer in (7, 64, 448, 24576):
        return Verdict(NEAR, "that is one of the steps: divide the picture's bits by the page's.")
    if abs(answer - 448 / 24576) < 1e-3:
        return Verdict(NEAR, "turn it over: how many times more does the picture take?")
    hint = "a number of 0 to 255 takes 8 bits; how many does one of 128 codes take?"
    return of_number(answer, 24576 / 448, 0.5, hint)


def published(answer) -> Verdict:
    """A function with the two parts of the vector quantisation, the codes' part times 0.25."""
    generator = torch.Generator().manual_seed(13)
    z = torch.randn(5, 3, generator=generator).requires_grad_()
    codes = torch.randn(5, 3, generator=generator).requires_grad_()
    loss = answer(z, codes)
    if not isinstance(loss, Tensor) or not loss.requires_grad or loss.numel() != 1:
        return Verdict(WRONG, "it should give one number that a gradient can come from.")
    moves = torch.autograd.grad(loss.sum(), (z, codes), allow_unused=True)
    of_z, of_codes = (torch.zeros(5, 3) if move is None else move for move in moves)
    pull = torch.autograd.grad(F.mse_loss(z, codes.detach()), z)[0]
    if torch.allclose(of_z, pull, atol=1e-6) and torch.allclose(of_codes, -pull / 4, atol=1e-6):
        return Verdict(RIGHT)
    if torch.allclose(of_z, pull / 4, atol=1e-6) and torch.allclose(of_codes, -pull, atol=1e-6):
        return Verdict(NEAR, "this is the lesson's: the quarter belongs to the other part here.")
    if not of_z.any() or not of_codes.any():
        which = "z" if not of_z.any() else "codes"
        return Verdict(NEAR, f"no gradient reaches {which}: two parts, and each holds one still.")
    if torch.allclose(of_z, -of_codes, atol=1e-6):
        return Verdict(NEAR, "z and codes move equally: in each part one of them is held still.")
    return Verdict(WRONG, "look at which of the two each part moves, and how strongly.")


def dead(answer) -> Verdict:
    """A function that counts the codes that are on none of the pages."""
    generator = torch.Generator().manual_seed(13)
    for count in (128, 300):
        indices = torch.randint(90, (3, 8, 8), generator=generator)
        used = len(indices.unique())
        found = int(answer(indices, count))
        if found == used:
            return Verdict(NEAR, "these are the codes that are used.")
        if found == int(indices.max()) + 1 - used:
            return Verdict(NEAR, "the last codes may be dead too: there are `count` of them.")
        if found != count - used:
            return Verdict(WRONG, f"of {count} codes {used} are used on these pages, not all.")
    return Verdict(RIGHT)


def hinge(answer: float) -> Verdict:
    """The hinge loss of real scores 1.5 and 0.2, and painted ones -0.4 and -2."""
    if abs(answer - 0.7) < 1e-6:
        return Verdict(NEAR, "that is both means together: half of it.")
    hint = "which two of the four scores are on the wrong side of 1 or of -1, and by how much?"
    return of_number(answer, 0.35, 0.005, hint)


def balance(answer) -> Verdict:
    """A function that gives lambda for several layers at once."""
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
        return Verdict(NEAR, "turned over: which gradient is to be brought to the other's length?")
    if torch.isclose(found, norms[0].sum() / norms[1].sum(), rtol=1e-3):
        return Verdict(NEAR, "lengths do not add up like that: think of one long vector.")
    if any(torch.isclose(found, a / b, rtol=1e-3) for a, b in zip(*norms, strict=True)):
        return Verdict(NEAR, "that is the lambda of one layer.")
    return Verdict(WRONG, "the length of all gradients of a loss together, for each of the two.")


def halved(answer: str) -> Verdict:
    """Which part of the loss cannot fall when codes are taken away."""
    hint = "which part can be told from the latent and the codebook, without looking at a picture?"
    return of_choice(answer, "commitment", ("pixels", "commitment", "realism"), hint)


CHECKS = {
    "13.1": compression,
    "13.2": published,
    "13.3": dead,
    "13.4": hinge,
    "13.5": balance,
    "13.6": halved,
}
