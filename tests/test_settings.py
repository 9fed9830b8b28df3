"""Settings: what is allowed, what is refused in which words, and that they survive a round trip."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_settings import allowed_values, any_settings

from vqclip_nb.films.options import Cut, Journey, Morph
from vqclip_nb.settings import PRESETS, Settings, Spec, specs


@given(any_settings)
def test_json_round_trip_gives_the_same_settings(values):
    settings = Settings(**values)
    assert Settings.from_json(settings.to_json()) == settings


RANGES = [
    (kind, name)
    for kind in (Settings, Cut, Morph, Journey)
    for name, spec in specs(kind).items()
    if spec.minimum is not None
]


@given(st.sampled_from(RANGES), st.data())
def test_numbers_outside_the_range_are_refused_by_name(field, data):
    kind, name = field
    spec = specs(kind)[name]
    beyond = data.draw(
        st.sampled_from([spec.minimum - 1, spec.maximum + 1, math.nan, math.inf, "many", True])
    )
    value = (beyond, 64) if name == "im_shape" else beyond
    with pytest.raises(ValueError, match=f"^{name} must be .*, got "):
        kind(**{name: value})


@pytest.mark.parametrize("kind", [Cut, Morph, Journey])
@given(data=st.data())
def test_allowed_options_of_films_are_kept(kind, data):
    values = {name: data.draw(allowed_values(name, kind)) for name in specs(kind)}
    assert dataclasses.asdict(kind(**values)) == values


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": ""}, "prompt must say what to paint, .*, got ''"),
        ({"prompt": "   "}, "prompt must say what to paint, .*, got '   '"),
        ({"prompt": 7}, "prompt must be text of at most 10000 characters, got 7"),
        ({"total_iter": 0}, "total_iter must be a whole number from 1 to 100000, got 0"),
        ({"total_iter": -5}, "total_iter must be .*, got -5"),
        ({"total_iter": 1.5}, "total_iter must be a whole number .*, got 1.5"),
        ({"w1": math.nan}, "w1 must be a number from -10 to 10, got nan"),
        (
            {"im_shape": (64,)},
            r"im_shape must be \(width, height\) or \(width, height, 3\) with sides from 32",
        ),
        ({"im_shape": (64, 64, 4)}, r"im_shape must be .*, got \(64, 64, 4\)"),
        ({"im_shape": "64"}, "im_shape must be .*, got '64'"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, mps, cuda:N, got 'tpu'"),
        ({"clip": [""]}, "clip must be a list of names or paths, at most 16, got"),
        ({"w1": 0}, "w1 is 0, so there is nothing to paint: set w1, or extras and w2"),
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
    with pytest.raises(ValueError, match=r"preset must be one of studio, .*, got 'lab'"):
        Settings.preset("lab")
    assert all(Settings.preset(name) for name in PRESETS)


def test_an_unknown_field_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'prmpt' is not a setting: choose from prompt, extras"):
        Settings.from_dict({"prmpt": "a cat"})


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(
        ValueError, match=r"The settings (are not valid JSON|must be a JSON object)"
    ):
        Settings.from_json(text)


@pytest.mark.parametrize("kind", [Settings, Cut, Morph, Journey])
def test_every_field_has_help_that_is_a_sentence(kind):
    assert all(spec.help.endswith(".") for spec in specs(kind).values())


def test_a_graph_is_kept_only_across_changes_that_can_be_made_live():
    assert all(spec.live for spec in specs().values() if spec.graph_safe)


def test_a_long_log_of_changes_is_checked_entry_by_entry(monkeypatch):
    """Not all fields again for each, which would take seconds after every change."""
    checked, real = [], Spec.check

    def counted(self, value):
        checked.append(self.name)
        return real(self, value)

    monkeypatch.setattr(Spec, "check", counted)
    log = [{"iteration": i + 1, "w2": 0.5} for i in range(3000)]
    settings = Settings(updates=log).updated(3001, extras="neon")
    assert len(settings.updates) == 3001
    assert len(checked) == 2 * len(specs()) + 2 * 3000 + 1


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([{"iteration": 1, "w1": 0}], "w1 is 0, so there is nothing to paint"),
        ([{"iteration": 1, "w1": 0, "extras": "neon"}, {"iteration": 2, "extras": ""}], "w1 is 0"),
        ([{"iteration": 1, "prompt": " | "}], "prompt must say what to paint"),
        ([{"iteration": 1, "exclude": "a:1e999"}], "must be a finite number"),
    ],
)
def test_a_change_is_checked_with_those_before_it(log, message):
    with pytest.raises(ValueError, match=message):
        Settings(updates=log)
