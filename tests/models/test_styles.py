"""The styles: filters of pictures of any shape, which look the same at every size."""

import random

import numpy as np
import pytest
from PIL import Image

from vqclip_nb.models.styles import COLOURLESS, STYLES, SYNONYMS, in_style


def _scene(height: int, width: int) -> np.ndarray:
    """A red disc with a dark window on a green field, below a blue sky: uint8 [H, W, 3]."""
    side = min(height, width)
    y, x = np.mgrid[:height, :width] + 0.5
    image = np.where(y[..., None] < 0.6 * height, (110, 170, 230), (70, 140, 60))
    away = np.hypot(y - height / 2, x - width / 2)
    image[away < 0.3 * side] = 200, 40, 40
    image[away < 0.1 * side] = 30, 30, 40
    return image.astype(np.uint8)


def _styled(style: str, side: int) -> np.ndarray:
    return in_style(_scene(side, side), style, random.Random(5))


def _small(image: np.ndarray, side: int) -> np.ndarray:
    picture = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    return np.asarray(picture).astype(float)


def test_there_are_sixteen_styles():
    assert len(STYLES) == len(set(STYLES)) == 16
    assert set(STYLES) > COLOURLESS


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", [(32, 32), (33, 160), (150, 47), (96, 128)])
def test_a_picture_of_any_shape_keeps_it_and_is_not_changed_itself(style, shape):
    image = _scene(*shape)
    before = image.copy()
    styled = in_style(image, style, random.Random(0))
    assert (styled.shape, styled.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, before)
    assert np.abs(styled.astype(int) - image).mean() > 2
    assert styled.std() > 10


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_an_empty_picture_has_a_style_too(style, colour):
    image = np.full((48, 64, 3), colour, np.uint8)
    assert in_style(image, style, random.Random(0)).shape == image.shape


@pytest.mark.parametrize("style", STYLES)
def test_a_style_depends_on_the_state_of_the_generator_only(style):
    image = _scene(64, 80)
    first, second, third = (in_style(image, style, random.Random(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    if style != "pixel art":  # the only one without randomness
        assert not np.array_equal(first, third)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_looks_the_same_at_every_size(style):
    """The picture in another size differs less than a picture in any other style."""
    small = _small(_styled(style, 128), 32)
    same = np.abs(_small(_styled(style, 256), 32) - small).mean()
    others = [np.abs(_small(_styled(each, 256), 32) - small).mean() for each in STYLES]
    assert same == min(others)
    assert same < 16


def test_colours_show_in_a_style_unless_it_is_colourless():
    for style in set(STYLES) - COLOURLESS:
        red, green, blue = _styled(style, 128)[36:48, 52:76].reshape(-1, 3).mean(0)
        assert red > 1.5 * max(green, blue), style
    for style in COLOURLESS - {"neon", "pop art"}:
        channels = _styled(style, 128).reshape(-1, 3).astype(float).T
        assert np.corrcoef(channels).min() > 0.9, style


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match=r"'cubist': choose one of pixel art, line drawing"):
        in_style(_scene(32, 32), "cubist", random.Random(0))


def test_synonyms_are_lower_case_names_of_styles():
    assert set(SYNONYMS.values()) == set(STYLES)
    for name in SYNONYMS:
        assert name == name.lower().strip()
        assert name not in STYLES
    assert SYNONYMS["watercolor"] == "watercolour"
    assert SYNONYMS["van gogh"] == "impressionist"
