"""Places: what is drawn, where things go, and what captions say of them."""

import random
import sys
from itertools import pairwise

import numpy as np
import pytest

from vqclip_nb.train.places import (
    NAMES,
    TRAITS,
    Ground,
    Place,
    Region,
    describe,
    draw_place,
    other,
    phrase,
    possible,
    random_place,
    traits,
    vocabulary,
)

_SIZES = ((64, 64), (96, 48), (48, 96))
_MANNERS = ("stand", "afloat", "fly", "swim")


def _drawn(place: Place, seed: int = 0, size: tuple[int, int] = (64, 64)) -> Ground:
    return draw_place(place, size, random.Random(seed))


def _brightness(place: Place) -> float:
    return np.mean([_drawn(place, seed).image.mean() for seed in range(3)])


@pytest.mark.parametrize("name", NAMES)
def test_a_place_is_drawn_at_each_time_in_each_weather_and_season(name):
    for i, place in enumerate(possible(name)):
        width, height = size = _SIZES[i % len(_SIZES)]
        ground = _drawn(place, i, size)
        assert ground.image.shape == (height, width, 3)
        assert ground.image.dtype == np.uint8
        assert ground.without_things().std() > 5, place


@pytest.mark.parametrize("size", _SIZES)
def test_a_plain_day_is_drawn_at_each_size(size):
    for name in NAMES:
        assert _drawn(Place(name), size=size).image.shape == (*size[::-1], 3)


def test_the_same_seed_draws_the_same_and_another_seed_something_else():
    for name in NAMES:
        first, again, different = (_drawn(Place(name), seed).without_things() for seed in (3, 3, 4))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, different)


@pytest.mark.parametrize("name", NAMES)
def test_things_go_to_regions_inside_of_the_picture(name):
    for seed, size in enumerate(_SIZES * 3):
        ground = _drawn(Place(name), seed, size)
        regions = [getattr(ground, manner) for manner in _MANNERS]
        assert any(regions)
        for region in filter(None, regions):
            assert 0 <= region.left < region.right <= 1
            assert 0 <= region.top < region.bottom <= 1
            assert 0 < region.size(region.top) <= 1
            assert 0 < region.size(region.bottom) <= 1
        assert 0 <= ground.horizon <= 1
        assert 0 <= ground.shadow <= 1


def test_things_are_smaller_near_the_horizon():
    region = Region(0, 1, 0.5, 0.9, far=0.2, near=1.0)
    assert region.size(0.4) == region.size(0.5) == 0.2
    assert region.size(0.7) == pytest.approx(0.6)
    meadow = _drawn(Place("meadow")).stand
    assert meadow.size(meadow.top) < 0.6 < meadow.size(meadow.bottom)


@pytest.mark.parametrize("name", [n for n in NAMES if Place(n, "night") in possible(n)])
def test_a_night_is_darker_than_a_day_and_lights_things_less(name):
    assert _brightness(Place(name, "night")) < _brightness(Place(name))
    night, day = _drawn(Place(name, "night")), _drawn(Place(name))
    assert sum(night.light) < sum(day.light)


def test_light_is_warm_at_sunset_and_blue_at_night():
    red, _, blue = _drawn(Place("sea", "sunset")).light
    assert red > blue
    red, _, blue = _drawn(Place("sea", "night")).light
    assert red < blue


def test_weather_is_seen():
    day = Place("meadow")
    assert _brightness(Place("meadow", weather="storm")) < _brightness(day)
    assert _brightness(Place("meadow", season="winter")) > _brightness(day)
    for weather in ("rain", "storm", "snow", "fog", "wind"):
        front = _drawn(Place("sea", weather=weather)).foreground
        assert front[..., 3].max() > 80, weather
        assert (front[..., :3] <= front[..., 3:]).all(), "the colours are premultiplied"
    assert _drawn(Place("sea")).foreground is None
    assert _drawn(Place("room", weather="rain")).foreground is None, "it rains outside"


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="no place is called 'moor'"):
        possible("moor")
    for place in (Place("beach", weather="snow"), Place("sea", "noon"), Place("room", "dawn")):
        with pytest.raises(ValueError, match="is not drawn"):
            _drawn(place)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_takes_few_operations(name):
    """Millions are drawn; 6,000 calls of functions take some 3 ms."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    _drawn(Place(name))  # fills the caches
    sys.setprofile(count)
    try:
        _drawn(random_place(random.Random(1), name), size=(256, 256))
    finally:
        sys.setprofile(None)
    assert calls < 20_000


def test_captions_use_exactly_the_words_of_the_vocabulary():
    rng, words = random.Random(0), set(vocabulary())
    seen: set[str] = set()
    for _ in range(400):
        for name in NAMES:
            place, how = rng.choice(possible(name)), rng.choice(_MANNERS)
            seen |= {*describe(place, rng).split(), *phrase(place, rng, how=how).split()}
    assert seen == words


def test_a_caption_says_what_it_is_asked_to_say():
    place = Place("forest", "night", "fog", "autumn")
    for seed in range(50):
        rng = random.Random(seed)
        text = phrase(place, rng, say=("weather",))
        assert any(word in text for word in ("fog", "mist"))
        assert not any(word in text for word in ("forest", "trees", "woods", "autumn", "fall"))
        text = describe(place, rng, say=("name", "season"))
        assert any(word in text for word in ("forest", "woods"))
        assert any(word in text for word in ("autumn", "fall"))
        assert not any(word in text for word in ("fog", "mist", "night", "dark", "moon"))
    with pytest.raises(ValueError, match="not 'sit'"):
        phrase(place, random.Random(0), how="sit")


def test_captions_read_well():
    rng = random.Random(0)
    for _ in range(2000):
        place = random_place(rng)
        for text in (describe(place, rng), phrase(place, rng)):
            words = text.split()
            assert text
            assert text.strip() == text
            assert "|" not in text
            assert all(a != b for a, b in pairwise(words)), text
            for article, following in pairwise(words):
                assert article != "a" or following[0] not in "aeio", text
                assert article != "an" or following[0] in "aeiou", text


def test_the_traits_of_a_plain_day_are_its_name():
    rng = random.Random(0)
    assert {traits(Place("kitchen"), rng) for _ in range(50)} == {("name",)}
    storm = Place("sea", "night", "storm")
    assert {trait for _ in range(50) for trait in traits(storm, rng)} == {"name", "time", "weather"}


def test_another_place_differs_in_one_trait():
    rng = random.Random(0)
    for _ in range(200):
        place = random_place(rng)
        for trait in TRAITS:
            try:
                false = other(place, trait, rng)
            except ValueError:
                continue
            assert false in possible(false.name)
            assert [t for t in TRAITS if getattr(false, t) != getattr(place, t)] == [trait]
    assert "dawn" not in {other(Place("sea", "sunset"), "time", rng).time for _ in range(50)}
    with pytest.raises(ValueError, match="no other season"):
        other(Place("space"), "season", rng)
