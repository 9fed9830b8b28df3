"""Prompts are taken apart as a person means them, and as the documentation's tables say."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vqclip_nb as vq
from vqclip_nb.prompt_syntax import Prompt, parse_prompt, parse_prompts, parse_story

PACKAGE = Path(vq.__file__).parent
SPAN = re.compile(r"`(.*?)`")


def _rows(file: Path) -> list[list[str]]:
    """The cells of a page's rows that begin with a prompt, bars unescaped."""
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in file.read_text().splitlines()]
    rows = [[cell.strip().replace(r"\|", "|") for cell in row] for row in cells]
    return [row for row in rows if row and row[0].startswith("`")]


EXAMPLES = {SPAN.match(row[0])[1]: row[1:] for row in _rows(PACKAGE / "PROMPTS.md")}


def in_words(story: list[list[Prompt]]) -> str:
    """A story as the tables write it."""
    return ", then ".join(" and ".join(map(_one_in_words, phrase)) for phrase in story)


def _one_in_words(prompt: Prompt) -> str:
    words = {"text": "", "picture": "picture ", "noise": "direction "}[prompt.kind]
    words += f"`{prompt.text}`" if prompt.text else "nothing"
    words += f" × {prompt.weight:g}" if prompt.weight != 1 else ""
    return words + (f" until {prompt.stop:g}" if prompt.stop != -math.inf else "")


def ours(text: str) -> str:
    try:
        return in_words(parse_story(text))
    except ValueError:
        return "refused"


class _Sentence(Prompt):
    """nerdyrodent's pictures and noise are options of their own; a prompt is always a sentence."""

    kind = "text"


def nerdyrodents(text: str) -> str:
    """An independent statement: what follows the last two colons are numbers, else Python fails."""

    def read(entry: str) -> Prompt:
        sentence, *numbers = entry.rsplit(":", 2)
        weight, stop = [*map(float, numbers), *(1.0, -math.inf)[len(numbers) :]]
        return _Sentence(sentence.strip(), weight, stop)

    try:
        return in_words([[read(e) for e in phrase.split("|")] for phrase in text.split("^")])
    except ValueError:
        return "error"


def test_the_table_shows_40_prompts_or_more():
    assert len(EXAMPLES) >= 40


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_prompt_means_what_the_table_says(text):
    assert [ours(text), nerdyrodents(text)] == EXAMPLES[text]


def test_the_readmes_short_table_says_the_same():
    text = (PACKAGE.parent / "README.md").read_text()
    short = text[text.index("### How to write a prompt") :].split("`extras`")[0]
    rows = re.findall(r"^\| (`.*)", short, re.MULTILINE)
    shown = {SPAN.match(row)[1].replace(r"\|", "|") for row in rows}
    assert {"blue:−1", "a logo of cat.png", "cat.png"} <= shown <= EXAMPLES.keys()


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


@given(st.text())
def test_a_prompt_written_as_text_is_read_back(text):
    try:
        prompts = parse_prompts(text)
    except ValueError:
        return
    assert parse_prompts(" | ".join(map(str, prompts))) == prompts


TOKENS = st.sampled_from(
    ["cat", "3", "mp3", ":", "::", "2", "0,5", "−1", "inf", "nan", ".png", " "]
)


@given(st.lists(TOKENS).map("".join))
def test_colons_and_numbers_in_any_order_are_read_or_refused_in_one_sentence(text):
    if ours(text) == "refused":
        with pytest.raises(ValueError, match=r"^The (weight|stop) in .* must be"):
            parse_prompts(text)
        return
    for prompt in parse_prompts(text):
        assert parse_prompt(str(prompt)) == prompt
        assert math.isfinite(prompt.weight)
        assert prompt.stop < math.inf


def test_a_window_slides_over_a_long_sentence_by_half_its_size():
    story = parse_story("a b c d e f g:2:0.5 | cat.png | x y", window=4)
    texts = [[prompt.text for prompt in phrase] for phrase in story]
    assert texts == [[part, "cat.png", "x y"] for part in ("a b c d", "c d e f", "d e f g")]
    assert {(phrase[0].weight, phrase[0].stop) for phrase in story} == {(2, 0.5)}


@given(st.lists(WORDS, max_size=60).map(" ".join), st.integers(1, 20))
def test_a_window_shows_every_word_and_never_more_than_fit(text, window):
    parts = [phrase[0].text.split() for phrase in parse_story(text, window)]
    words = text.split()
    if len(words) > window and Prompt(text).kind == "text":
        assert {len(part) for part in parts} == {window}
        assert set(words) == {word for part in parts for word in part}
        assert parts[0] == words[:window]
        assert parts[-1] == words[-window:]


def test_without_a_window_a_long_sentence_stays_whole():
    assert len(parse_story("word " * 200)) == 1
