"""The page of codes that is painted by clicks."""

import re

import pytest
import torch
from torch.nn import functional as F

from vqclip_nb.lessons.code_painter import CodePainter


@pytest.fixture
def painter(tiny):
    page = torch.full((8, 8), 5)
    return CodePainter(tiny.vqgan, page, {"five": 5, "seven": 7})


def _decoded(vqgan, page: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return vqgan.decode(F.embedding(page, vqgan.codebook).permute(2, 0, 1)[None]).clamp(0, 1)


def test_a_click_puts_the_brushs_code_there_and_shows_what_the_decoder_makes_of_it(painter, tiny):
    first = painter.widget.children[1].value
    painter.colour.value = 7
    assert painter.code.value == 7
    painter.places[8 * 2 + 3].click()
    page = torch.full((8, 8), 5)
    page[2, 3] = 7
    assert torch.allclose(painter.picture, _decoded(tiny.vqgan, page), atol=1e-5)
    assert painter.widget.children[1].value != first


def test_with_half_the_strength_two_code_vectors_are_blended(painter, tiny):
    painter.code.value, painter.strength.value = 7, 0.5
    painter.places[0].click()
    five, seven = tiny.vqgan.codebook[[5, 7]]
    assert torch.allclose(painter.vectors[0, 0], (five + seven) / 2, atol=1e-6)
    assert torch.equal(painter.vectors[0, 1], five)


def test_it_starts_again_and_no_code_is_outside_the_codebook(painter, tiny):
    painter.code.value = 10**9
    assert painter.code.value == len(tiny.vqgan.codebook) - 1
    painter.places[5].click()
    (again,) = (b for b in painter.widget.children[2].children if hasattr(b, "click"))
    again.click()
    assert torch.equal(painter.vectors, tiny.vqgan.codebook[5].expand(8, 8, -1))


def test_each_place_has_the_colour_of_its_patch(painter):
    colours = [place.style.button_color for place in painter.places]
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    patch = painter.picture[0, :, :8, :8].mean((1, 2)) * 255
    shown = [int(colours[0][at : at + 2], 16) for at in (1, 3, 5)]
    assert shown == pytest.approx(patch.tolist(), abs=0.51)
