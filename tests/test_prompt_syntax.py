"""Prompts are taken apart as a person means them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqclip_nb.prompt_syntax import Prompt, parse_prompt, parse_prompts, parse_story


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", Prompt("a cat")),
        ("a cat:2", Prompt("a cat", 2)),
        ("a cat: 0.5", Prompt("a cat", 0.5)),
        ("a cat:-1", Prompt("a cat", -1)),
        ("a cat:1:-0.9", Prompt("a cat", 1, -0.9)),
        ("a cat:1:5", Prompt("a cat", 1, 5)),
        ("a cat:.5:-inf", Prompt("a cat", 0.5)),
        ("a cat:1e-1", Prompt("a cat", 0.1)),
        ("ratio 16:9", Prompt("ratio 16:9")),
        ("ratio 16:9:0.5", Prompt("ratio 16:9", 0.5)),
        ("it is 10:30:15", Prompt("it is 10:30:15")),
        ("Area 51:0.5", Prompt("Area 51", 0.5)),
        ("Star Wars: a new hope", Prompt("Star Wars: a new hope")),
        ("Star Wars: a new hope:3", Prompt("Star Wars: a new hope", 3)),
        ("https://x.org/cat.png", Prompt("https://x.org/cat.png")),
        ("https://x.org/cat.png:0.5:-0.2", Prompt("https://x.org/cat.png", 0.5, -0.2)),
        ("http://x.org:8080", Prompt("http://x.org:8080")),
        ("http://x.org:8080/a.png:2", Prompt("http://x.org:8080/a.png", 2)),
        (r"C:\cat.png", Prompt(r"C:\cat.png")),
        (r"C:\cat.png:0.5", Prompt(r"C:\cat.png", 0.5)),
        (":3", Prompt(":3")),
        ("a smile :)", Prompt("a smile :)")),
    ],
)
def test_a_colon_means_what_a_person_means(text, expected):
    assert parse_prompt(text) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a cat", "text"),
        ("cat.png", "picture"),
        ("my pictures/cat.JPEG", "picture"),
        ("https://x.org/cat.webp?size=3", "picture"),
        ("https://x.org", "text"),
        ("noise#7", "noise"),
        ("noise #7", "text"),
        ("what is a .png file", "text"),
    ],
)
def test_the_kind_of_a_prompt_is_seen_from_its_text(text, kind):
    assert parse_prompt(text).kind == kind


def test_bars_part_prompts_and_carets_part_phrases():
    story = parse_story("a cat:2 | a dog:-1 ^ ^ the sea | ")
    assert story == [[Prompt("a cat", 2), Prompt("a dog", -1)], [Prompt("the sea")]]
    assert parse_story("  ") == []


def test_a_weight_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        parse_prompt("a cat:1e999")


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="|^:"), min_size=1).map(str.strip)
NUMBERS = st.floats(-100, 100).map(lambda number: round(number, 3))


@given(WORDS.filter(bool), NUMBERS, st.one_of(st.just(-math.inf), NUMBERS))
def test_what_is_written_with_weight_and_stop_is_read_back(text, weight, stop):
    prompt = Prompt(text, weight, stop)
    assert parse_prompt(f"{text}:{weight}:{stop}") == prompt


@given(st.text())
def test_nothing_that_can_be_typed_crashes_the_parser_or_loses_text(text):
    for prompt in parse_prompts(text):
        assert prompt.text in text
        assert math.isfinite(prompt.weight)
