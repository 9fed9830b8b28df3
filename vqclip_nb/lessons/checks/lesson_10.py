"""Checks of lesson 10: the codebook."""

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
from vqclip_nb.lessons.drawings import load_drawings
from vqclip_nb.models.loading import load_models


def bits_of_page(answer: float) -> Verdict:
    """Bits of a page of 16 x 16 codes out of 8,192."""
    if answer in (416, 256, 13):
        return Verdict(NEAR, "that is an intermediate result: how many bits is it in total?")
    hint = "how many codes are on the page, and how many yes-or-no questions find one of 8,192?"
    return check_number(answer, 3328, 0.5, hint)


def nearest_codes(answer) -> Verdict:
    """A function that finds the nearest code of each vector."""
    generator = torch.Generator().manual_seed(10)
    z = torch.randn(50, 3, generator=generator)
    codebook = torch.randn(20, 3, generator=generator)
    expected = torch.cdist(z, codebook).argmin(1)
    found = torch.as_tensor(answer(z, codebook))
    if found.shape != expected.shape:
        return Verdict(WRONG, f"50 vectors need 50 numbers, not a tensor of {list(found.shape)}.")
    if torch.equal(found, expected):
        return Verdict(RIGHT)
    if torch.equal(found, torch.cdist(z, codebook).argmax(1)):
        return Verdict(NEAR, "these are the farthest codes.")
    if torch.equal(found, (z @ codebook.T).argmax(1)):
        return Verdict(NEAR, "the dot product also grows with a code's length: use the distance.")
    return Verdict(WRONG, "try it on two vectors and two codes that you can draw on paper.")


def drawing_with_more_codes(answer: str) -> Verdict:
    """Which of two drawings needs more different codes."""
    hint = "how many different patches does each drawing have? Count its codes with `page`."
    used = {name: len(_page(name).unique()) for name in ("pencil", "accordion")}
    return check_choice(answer, max(used, key=used.get), used, hint)


def straight_through(answer) -> Verdict:
    """A function with the value of the codes and the gradient of z."""
    z = torch.tensor([0.2, 1.4, -3.0], requires_grad=True)
    codes = torch.tensor([0.0, 1.0, -3.5])
    out = answer(z, codes)
    if not torch.allclose(out.detach(), codes):
        return Verdict(WRONG, "the result should have the value of the codes.")
    if not out.requires_grad:
        return Verdict(NEAR, "the value is right, but no gradient reaches z.")
    (gradient,) = torch.autograd.grad(out.sum(), z)
    if torch.allclose(gradient, torch.ones(3)):
        return Verdict(RIGHT)
    return Verdict(NEAR, f"the value is right, but the gradient of z is {gradient.tolist()}.")


def most_frequent_code(answer: int) -> Verdict:
    """The most frequent code on the octopus's page."""
    codes, counts = _page("octopus").unique(return_counts=True)
    best = counts.max()
    place = (codes == int(answer)).nonzero()
    if not len(place):
        return Verdict(WRONG, "this code is not on the page.")
    count = counts[place[0, 0]]
    if count == best:
        return Verdict(RIGHT)
    return Verdict(NEAR, f"it appears {int(count)} times, but another code appears more often.")


def _page(name: str) -> Tensor:
    """The codes [16, 16] of a drawing at 128 x 128."""
    drawings, vqgan = load_drawings(), load_models("tiny", device="cpu").vqgan
    x = drawings.seen[drawings.names.index(name)][None]
    x = F.interpolate(x, 128, mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        return vqgan.quantize(vqgan.encode(x))[1][0]


CHECKS = {
    "10.1": bits_of_page,
    "10.2": nearest_codes,
    "10.3": drawing_with_more_codes,
    "10.4": straight_through,
    "10.5": most_frequent_code,
}
