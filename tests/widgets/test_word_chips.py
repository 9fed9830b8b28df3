"""Words while typing: what is a word, what completes it, and what is near to an unknown one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vqclip_nb as vq
from vqclip_nb.widgets.word_chips import WordChips, completions, swaps, typed_word, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red apple", ["a", "red", "apple"]),
        ("cat:2 | dog:-0.5:-0.2", ["cat", "dog"]),
        ("dawn ^ dusk", ["dawn", "dusk"]),
        ("cat.png | https://a.org/some/dog.jpg | noise#7 | sea", ["sea"]),
        ("ratio 16:9", ["ratio"]),
        ("🐧 on snow", ["on", "snow"]),
    ],
)
def test_grammar_paths_addresses_and_emoji_are_no_words(text, words):
    assert [word[0] for word in words_of(text)] == words


@given(st.text("ab |^:1.", max_size=20))
def test_words_stand_where_they_are_said_to(text):
    for word in words_of(text):
        assert text[word.start() : word.end()] == word[0]
        assert word[0].strip("|^: ") == word[0]


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        ("a pen", "a peng", "peng"),
        ("a on snow", "a pen on snow", "pen"),
        ("a penguin", "a pen", "pen"),
        ("a pen", "a pen ", None),
        ("a cat", "a cat:2", None),
    ],
)
def test_the_typed_word_is_where_the_text_changed(before, now, word):
    found = typed_word(before, now)
    assert (found and found[0]) == word


def test_a_beginning_is_completed_with_the_shortest_words_first():
    assert completions("Pe", ["apple", "pea", "pear", "peacock"]) == ["pea", "pear", "peacock"]
    assert completions("p", ["pea"]) == []
    assert completions("pea", ["pea"]) == []


def test_a_click_completes_the_word_and_keeps_the_rest(tiny):
    put = []
    chips = WordChips(put.append)
    chips.know(tiny.perceptors[0])
    chips.suggest("a  on snow:2 | a tree", "a pengui on snow:2 | a tree")
    chip = next(chip for chip in chips.widget.children if chip.description == "penguin")
    chip.click()
    assert put == ["a penguin on snow:2 | a tree"]


def test_an_unknown_word_is_swapped_for_the_near_one(tiny):
    text = "a red limousine:2 | limousine.png"
    (swap,) = swaps(text, tiny.perceptors[0])
    assert swap == (6, 15, "car")
    assert swaps("a red apple", tiny.perceptors[0]) == []


def test_the_panel_offers_words_and_a_click_changes_the_prompt(quick, tiny):
    studio = vq.Studio(vq.Settings(prompt="a red apple"), models=tiny, out=quick["out"])
    studio.panel.form.fields["prompt"].value = "a red limousine"
    shown = [c for c in studio.panel.chips.widget.children if c.layout.display != "none"]
    (swap,) = (chip for chip in shown if chip.description == "limousine → car")
    swap.click()
    assert studio.panel.form.settings().prompt == "a red car"
    assert studio.panel.form.hint.value == ""
