"""Checks of lesson 10: the codebook."""

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
    AnotherKindError,
    Verdict,
    check_choice,
    check_number,
    number,
    values,
)
from vqclip_nb.lessons.drawings import load_drawings
from vqclip_nb.models.loading import load_models


def bits_of_page(answer: float) -> Verdict:
    """Bits of a page of 16 x 16 codes out of 8,192."""
    return check_number(
        answer,
        16 * 16 * 13,
        why="13 yes-or-no questions find one of 8,192 codes, and the page has 256 of them.",
        hint="how many codes are on the page, and how many yes-or-no questions find one of 8,192?",
        steps={
            13: "so many bits for one code; how many for the whole page?",
            256: "so many codes are on the page; how many bits does each take?",
            16 * 13: "so many bits for one row; how many for the whole page?",
            416: "that is the number of bytes; how many bits?",
            256 * 8192: "do not multiply by 8,192: how many bits does it take to say one of them?",
        },
    )


def nearest_codes(answer: Callable) -> Verdict:
    """A function that finds the nearest code of each vector."""
    generator = torch.Generator().manual_seed(10)
    z = torch.randn(50, 3, generator=generator)
    codebook = torch.randn(20, 3, generator=generator)
    distances, dots = torch.cdist(z, codebook), z @ codebook.T
    found = values(answer(z.clone(), codebook.clone()))
    if found.shape == distances.shape:
        return Verdict(HALFWAY, "you have all distances; which code has the smallest of a row?")
    if found.shape == z.shape and torch.equal(found, codebook[distances.argmin(1)]):
        return Verdict(NEAR, "these are the vectors of the right codes: return their numbers.")
    if found.shape != (50,):
        return Verdict(WRONG, f"50 vectors need 50 numbers, not a tensor of {list(found.shape)}.")
    if torch.equal(found, distances.argmin(1).float()):
        return Verdict(RIGHT, "each vector gets the code at the smallest distance.")
    if torch.allclose(found, distances.amin(1), atol=1e-4):
        return Verdict(NEAR, "these are the smallest distances: which codes are so near?")
    if torch.equal(found, distances.argmax(1).float()):
        return Verdict(NEAR, "these are the farthest codes.")
    if torch.equal(found, dots.argmax(1).float()):
        return Verdict(NEAR, "the dot product also grows with a code's length: use the distance.")
    return Verdict(WRONG, "try it on two vectors and two codes that you can draw on paper.")


def drawing_with_more_codes(answer: str) -> Verdict:
    """Which of two drawings needs more different codes."""
    used = {name: len(_page(name).unique()) for name in ("pencil", "accordion")}
    more = max(used, key=used.get)
    why = f"it has {used[more]} different codes, the other {min(used.values())}."
    hint = "how many different patches does each drawing have? Count its codes with `page`."
    return check_choice(answer, more, used, why, hint)


def straight_through(answer: Callable) -> Verdict:
    """A function with the value of the codes and the gradient of z."""
    z = torch.tensor([0.2, 1.4, -3.0], requires_grad=True)
    codes = torch.tensor([0.0, 1.0, -3.5])
    out = answer(z, codes.clone())
    if not isinstance(out, Tensor) or out.shape != codes.shape:
        return Verdict(WRONG, "the result should be a tensor of the same shape as the codes.")
    if torch.equal(out.detach(), z.detach()):
        return Verdict(WRONG, "this is z: the result should have the value of the codes.")
    if not torch.allclose(out.detach(), codes):
        return Verdict(WRONG, "the result should have the value of the codes.")
    if not out.requires_grad:
        return Verdict(HALFWAY, "the value is right, but no gradient reaches z.")
    (gradient,) = torch.autograd.grad(out.sum(), z, allow_unused=True)
    if gradient is None:
        return Verdict(HALFWAY, "the value is right, but no gradient reaches z.")
    if torch.allclose(gradient, torch.ones(3)):
        return Verdict(RIGHT, "forwards these are the codes; backwards it is as if they were z.")
    return Verdict(NEAR, f"the value is right, but the gradient of z is {gradient.tolist()}.")


def most_frequent_code(answer: int) -> Verdict:
    """The most frequent code on the octopus's page."""
    try:
        wanted = int(number(answer))
    except AnotherKindError:
        raise AnotherKindError("answer with the number of a code.") from None
    codes, counts = _page("octopus").unique(return_counts=True)
    place = (codes == wanted).nonzero()
    if not len(place):
        if wanted == counts.max():
            return Verdict(HALFWAY, "so often it appears; what is its own number?")
        return Verdict(WRONG, "this code is not on the page.")
    count = int(counts[place[0, 0]])
    if count == counts.max():
        return Verdict(RIGHT, f"it appears {count} times, more often than any other.")
    return Verdict(NEAR, f"it appears {count} times, but another code appears more often.")


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
