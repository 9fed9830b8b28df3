"""The drawings and figures of the lessons."""

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from vqclip_nb.core.images import as_images
from vqclip_nb.lessons.drawings import load_drawings
from vqclip_nb.lessons.figures import (
    code_map,
    code_usage,
    codebook_sheet,
    curves,
    heat_map,
    loss_parts,
    strips,
)


def _texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_drawings_show_48_things_whose_words_clip_knows(tiny):
    drawings = load_drawings()
    assert len(set(drawings.names)) == 48
    for x in (drawings.seen, drawings.unseen):
        assert x.shape == (48, 3, 64, 64)
        assert 0 <= x.min() <= x.max() <= 1
    assert tiny.perceptors[0].unknown_words(" ".join(drawings.names)) == []


def test_both_artists_draw_the_same_things_in_the_same_order(tiny):
    """If one sheet were shuffled, CLIP would name about one of 48."""
    drawings, perceptor = load_drawings(), tiny.perceptors[0]
    text = F.normalize(perceptor.encode_text(drawings.names), dim=1)
    for x in (drawings.seen, drawings.unseen):
        with torch.no_grad():
            cosines = F.normalize(perceptor.encode_image(x), dim=1) @ text.T
        assert (cosines.argmax(1) == torch.arange(48)).sum() > 8


def test_pictures_keep_their_pixels():
    x = torch.rand(2, 3, 4, 5)
    first, second = as_images(x)
    assert first.size == (5, 4)
    pixel = torch.tensor(second.getpixel((3, 1))) / 255
    torch.testing.assert_close(pixel, x[1, :, 1, 3], atol=0.5 / 255, rtol=0)


def test_a_code_map_writes_every_number():
    indices = torch.arange(12).view(3, 4) % 5
    texts = _texts(code_map(indices, Image.new("RGB", (8, 8))))
    assert texts == [str(n) for n in indices.flatten().tolist()]


def test_equal_codes_have_equal_greys():
    indices = torch.tensor([[7, 9], [9, 4000]])
    greys = code_map(indices, Image.new("RGB", (8, 8))).axes[1].images[0].get_array()
    assert greys[0, 1] == greys[1, 0]
    assert len({float(grey) for grey in greys.flatten()}) == 3


def test_a_codebook_sheet_has_a_tile_for_each_code(tiny):
    sheet = codebook_sheet(tiny.vqgan, torch.arange(5), columns=3)
    side = 3 * tiny.vqgan.factor + 2
    assert sheet.size == (3 * side + 2, 2 * side + 2)
    last = sheet.crop((2 * side + 2, side + 2, 3 * side, 2 * side))
    assert last.getextrema() == ((255, 255),) * 3  # there is no sixth code


@pytest.mark.parametrize("rows", [["a", "b"], [Image.new("RGB", (8, 8))] * 2])
def test_a_heat_map_says_its_numbers_in_ink_that_can_be_read(rows):
    figure = heat_map(torch.tensor([[0.0, 1.0], [0.5, 0.25]]), rows, ["x", "y"])
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["0.00", "1.00", "0.50", "0.25"]
    assert [text.get_color() for text in texts[:2]] == ["black", "white"]


def test_a_heat_maps_span_says_what_is_white_and_what_is_black():
    figure = heat_map(torch.tensor([[0.4, 0.5]]), ["a"], ["x", "y"], span=(0, 1))
    assert [text.get_color() for text in figure.axes[0].texts] == ["black", "black"]


def test_strips_have_a_row_for_each_name():
    picture = Image.new("RGB", (8, 8))
    figure = strips({"one": [picture] * 3, "two": [picture]}, ["a", "b", "c"])
    assert _texts(figure) == ["one", "two"]
    assert [axes.get_title() for axes in figure.axes[:3]] == ["a", "b", "c"]
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 1, 0, 0]


def test_curves_are_told_apart_by_their_style_alone():
    lines = curves([0, 1], {"one": [1, 2], "two": [3, 4], "three": [5, 6]}).axes[0].lines
    assert [line.get_label() for line in lines] == ["one", "two", "three"]
    assert len({line.get_linestyle() for line in lines}) == 3
    assert list(lines[1].get_ydata()) == [3, 4]


def test_code_usage_counts_and_sorts():
    (axes,) = code_usage({"mine": torch.tensor([0, 5, 2, 0])}).axes
    assert axes.get_title() == "mine: 2 of 4 codes"
    assert [bar.get_height() for bar in axes.patches] == [5, 2, 0, 0]


def test_loss_parts_puts_signed_ones_on_a_scale_of_their_own():
    stages = {"first": [{"pixels": 1.0}] * 3, "second": [{"pixels": 0.5, "gan": -0.1}] * 2}
    above, below = loss_parts(stages).axes
    assert [line.get_label() for line in above.lines][:1] == ["pixels"]
    assert above.get_yscale() == "log"
    gan = next(line for line in below.lines if line.get_label() == "gan")
    assert list(gan.get_ydata()[3:]) == [-0.1, -0.1]
    assert all(y != y for y in gan.get_ydata()[:3])  # no number while there is none
