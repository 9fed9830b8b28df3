"""Settings: what is allowed, what is refused in which words, and that they survive a round trip."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_settings import any_settings

from vqclip_nb.settings import PRESETS, Settings, specs


@given(any_settings)
def test_json_round_trip_gives_the_same_settings(values):
    settings = Settings(**values)
    assert Settings.from_json(settings.to_json()) == settings


@given(st.sampled_from(sorted(specs())), st.data())
def test_numbers_outside_the_range_are_refused_by_name(name, data):
    spec = specs()[name]
    if spec.minimum is None:
        return
    beyond = data.draw(
        st.sampled_from([spec.minimum - 1, spec.maximum + 1, math.nan, math.inf, "many", True])
    )
    value = (beyond, 64) if name == "im_shape" else beyond
    with pytest.raises(ValueError, match=f"^{name} is .*: allowed is "):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": ""}, "prompt is '': write what to paint"),
        ({"prompt": "   "}, "prompt is '   ': write what to paint"),
        ({"prompt": 7}, "prompt is 7: allowed is text"),
        ({"total_iter": 0}, "total_iter is 0: allowed is a whole number from 1 to 100000"),
        ({"total_iter": -5}, "total_iter is -5"),
        ({"total_iter": 1.5}, "total_iter is 1.5: allowed is a whole number"),
        ({"w1": math.nan}, "w1 is nan: allowed is a number from -10 to 10"),
        ({"im_shape": (64,)}, "im_shape is .* width and height"),
        ({"im_shape": (64, 64, 4)}, "im_shape is .* a third value must be 3"),
        ({"im_shape": "64"}, "im_shape is '64'"),
        ({"device": "tpu"}, "device is 'tpu': allowed is one of auto, cpu, cuda, mps"),
        ({"clip": [""]}, "clip is .*: allowed is a list of names or paths"),
        ({"w1": 0}, "w1 is 0 and w2 has no extras to weigh"),
    ],
)
def test_a_bad_value_gets_one_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        Settings(**values)
    assert "\n" not in str(refused.value)


def test_the_third_value_of_im_shape_may_be_three_channels():
    assert Settings(im_shape=[96, 64, 3]).im_shape == (96, 64)


def test_seed_zero_is_a_seed_and_none_is_none():
    assert Settings(seed=0).seed == 0
    assert Settings().seed is None


def test_a_preset_takes_changes_and_an_unknown_one_is_refused():
    assert Settings.preset("studio", prompt="a cat").prompt == "a cat"
    with pytest.raises(ValueError, match="preset is 'lab': allowed is one of studio"):
        Settings.preset("lab")
    assert all(Settings.preset(name) for name in PRESETS)


def test_an_unknown_field_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'prmpt' is no setting: allowed are prompt, extras"):
        Settings.from_dict({"prmpt": "a cat"})


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(ValueError, match="These settings are no"):
        Settings.from_json(text)


def test_every_field_has_help_that_is_a_sentence():
    assert all(spec.help.endswith(".") for spec in specs().values())
