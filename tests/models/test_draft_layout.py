"""The collage: what is where, at every size."""

import random

import numpy as np
import pytest

from vqclip_nb.models.draft.layout import sketch

_SIZES = [(128, 128), (192, 128), (96, 160), (64, 64), (320, 96), (40, 160)]


def _sketch(tiny, sentence, size=(128, 128), seed=0) -> np.ndarray | None:
    draft = tiny.draft
    return sketch(draft.read(sentence), draft.memory, tiny.vqgan, size, random.Random(seed))


def _redness(image: np.ndarray) -> float:
    red, green = image[..., 0].astype(float), image[..., 1].astype(float)
    return float((red - green).clip(0).mean())


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize(
    "sentence",
    [
        "a cat, a dog and a bird in a garden",
        "a portrait of a fox, watercolour",
        "a forest in autumn",
    ],
)
def test_pictures_have_the_size_that_is_asked_for(tiny, sentence, size):
    image = _sketch(tiny, sentence, size)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    assert image.std() > 8


def test_the_same_seed_draws_the_same_and_another_seed_something_else(tiny):
    first, again, other = (_sketch(tiny, "a dog on the beach", seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("sentence", ["zorblax", "", "mosaic", "under the with on"])
def test_nothing_is_drawn_for_words_that_name_nothing(tiny, sentence):
    assert _sketch(tiny, sentence) is None


@pytest.mark.parametrize("seed", range(4))
def test_things_are_where_the_sentence_says(tiny, seed):
    above = _sketch(tiny, "a red heart above a blue star on a white background", seed=seed)
    below = _sketch(tiny, "a red heart below a blue star on a white background", seed=seed)
    assert _redness(above[:64]) > 2 * _redness(above[64:])
    assert _redness(below[64:]) > 2 * _redness(below[:64])


def test_a_thing_has_the_colour_that_the_sentence_says(tiny):
    for colour, channel in (("red", 0), ("green", 1), ("blue", 2)):
        middle = _sketch(tiny, f"a {colour} car on a white background")[44:84, 34:94]
        others = [c for c in range(3) if c != channel]
        strongest = middle[..., channel].astype(int) - middle[..., others].max(-1)
        assert (strongest > 30).mean() > 0.2, colour


def test_the_background_has_the_colour_that_the_sentence_says(tiny):
    corner = _sketch(tiny, "an apple on a blue background")[:8, :8].reshape(-1, 3).mean(0)
    assert corner[2] > corner[0] + 60


def test_an_apple_is_on_a_plain_ground_and_a_lighthouse_in_a_place(tiny):
    for sentence, plain in (("a red apple", True), ("a lighthouse", False)):
        edges = np.concatenate([_sketch(tiny, sentence)[:, :6], _sketch(tiny, sentence)[:, -6:]])
        assert (edges.std((0, 1)).max() < 12) == plain


def test_night_is_dark_and_snow_is_bright(tiny):
    day, night, winter = (
        np.mean([_sketch(tiny, f"a village{when}", seed=seed).mean() for seed in range(3)])
        for when in ("", " at night", " in winter")
    )
    assert night < 0.6 * day < day < winter


def test_a_place_that_is_impossible_in_a_weather_is_drawn_in_another(tiny):
    assert _sketch(tiny, "a cave in a snowstorm at sunset") is not None


def test_many_of_a_thing_cover_more_than_one(tiny):
    def covered(sentence: str) -> float:
        image = _sketch(tiny, f"{sentence} on a white background").astype(int)
        return (np.ptp(image, -1) > 60).mean()

    assert covered("five red hearts") > 0.05
    one, five = _sketch(tiny, "a red heart"), _sketch(tiny, "five red hearts")
    assert not np.array_equal(one, five)


def test_a_style_covers_the_whole_picture(tiny):
    image = _sketch(tiny, "a frog on a pond, sepia").astype(int)
    assert (image[..., 0] >= image[..., 2]).mean() > 0.95  # brown everywhere
