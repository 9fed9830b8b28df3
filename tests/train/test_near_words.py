"""Near words: a small WordNet, and what is found for words in it."""

from pathlib import Path

import numpy as np
import pytest

from vqclip_nb.models.words import Words
from vqclip_nb.train.near_words import NearWords
from vqclip_nb.train.wordnet import WordNet

pytest.importorskip("inflect")

KNOWN = """a car cars vehicle dog dogs tree woman women man men red large small grey flying fire
truck engine lighthouse rain swimming boat beach street polar bear bears goose geese"""
# words, field, id of the more general sense, gloss; the id is the number of the line
NOUNS = [
    ("physical_entity", 3, None, "what exists"),
    ("car auto", 6, 0, "a motor vehicle with four wheels"),
    ("limousine limo", 6, 1, "a large luxurious car"),
    ("dog", 5, 0, "a domestic animal that barks"),
    ("spaniel", 5, 3, "a dog with long ears"),
    ("tree", 20, 0, "a tall plant"),
    ("oak", 20, 5, "a tree with acorns"),
    ("person", 18, 0, "a human being"),
    ("woman", 18, 7, "a female person"),
    ("maiden", 18, 8, "a young woman"),
    ("bounder", 18, 7, "a disparaging term"),
    ("democracy", 9, None, "the rule of the people"),
    ("canoe", 6, 13, "a narrow boat"),
    ("boat", 6, 0, "a small vessel"),
    ("light", 6, 0, "what shines"),
    ("house", 6, 0, "a building"),
    ("goose", 5, 0, "a web-footed bird"),
]
ADJECTIVES = [("large big", None, "above average"), ("enormous huge", 0, "very large")]
VERBS = [("fly wing", None, "travel through the air"), ("soar", 0, "rise high"), ("rain", None, "")]


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory) -> WordNet:
    folder = tmp_path_factory.mktemp("wordnet")
    rows = [(words, field, above, "@", gloss) for words, field, above, gloss in NOUNS]
    _write(folder, "noun", "n", rows)
    _write(folder, "adj", "a", [(w, 0, near, "&", gloss) for w, near, gloss in ADJECTIVES])
    fields = (38, 38, 43)
    rows = [(w, f, up, "@", gloss) for f, (w, up, gloss) in zip(fields, VERBS, strict=True)]
    _write(folder, "verb", "v", rows)
    (folder / "noun.exc").write_text("geese goose\n")
    counts = ("car%1:06:00:: 1 70", "light%1:06:00:: 1 9", "house%1:06:00:: 1 9")
    (folder / "cntlist.rev").write_text("\n".join(counts) + "\n")
    return WordNet(folder)


def _write(folder: Path, name: str, part: str, rows: list[tuple]) -> None:
    """The files of one part of speech, in the format of WordNet."""
    data, index = ["  1 the licence"], []
    for number, (words, field, other, symbol, gloss) in enumerate(rows):
        names = words.split()
        pointers = f"001 {symbol} {other:08} {part} 0000" if other is not None else "000"
        listed = " ".join(f"{word} 0" for word in names)
        data.append(f"{number:08} {field:02} {part} {len(names):02x} {listed} {pointers} | {gloss}")
        index += [f"{word} {part} 1 0 1 0 {number:08}" for word in names]
    (folder / f"data.{name}").write_text("\n".join(data) + "\n")
    (folder / f"index.{name}").write_text("\n".join(index) + "\n")
    (folder / f"{name}.exc").touch()


def _embed(sentences: list[str]) -> np.ndarray:
    """A stand-in: unit vectors that depend on the letters."""
    counts = np.array([[s.count(c) + 0.01 for c in "abcdefghijklmnop"] for s in sentences])
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def near(wordnet, monkeypatch) -> NearWords:
    from vqclip_nb.train import near_words

    rows = [("dinky", "", "small"), ("person", "person", "man|woman"), ("oddity", "", "")]
    rows = [dict(zip(("word", "field", "phrase"), row, strict=True)) for row in rows]
    monkeypatch.setattr(near_words, "_rows", lambda: rows)
    return NearWords(KNOWN.split(), wordnet, _embed)


@pytest.mark.parametrize(
    ("word", "phrase"),
    [
        ("limousine", "car"),  # its general term
        ("auto", "car"),  # another word for it
        ("limousines", "cars"),
        ("spaniel", "dog"),
        ("oak", "tree"),
        ("maiden", "woman"),
        ("canoe", "boat"),
        ("enormous", "large"),
        ("soaring", "flying"),
        ("raining", "rain"),
        ("gray", "grey"),  # another spelling
        ("dinky", "small"),  # by hand
        ("democracy", None),  # cannot be seen
        ("bounder", None),  # an insult
        ("oddity", None),  # by hand
        ("zorblax", None),
    ],
)
def test_the_nearest_known_word_is_found(near, word, phrase):
    found = near.nearest(word)
    assert (found and found[0]) == phrase
    assert found is None or 0.55 <= found[1] <= 1


def test_another_form_or_spelling_is_the_same_word(near):
    assert near.nearest("gray") == ("grey", 1.0)
    assert near.nearest("limousine")[1] < near.nearest("auto")[1] < 1


def test_the_table_has_what_the_words_do_not_derive_by_themselves(near):
    table = near.table(["limousine", "limousines", "car", "the", "democracy", "spaniel"])
    assert {"limousine", "spaniel", "dinky"} <= set(table)
    assert not {"limousines", "car", "the", "democracy"} & set(table)
    assert table["firetruck"] == ("fire truck", 1.0)
    assert table["light house"] == ("lighthouse", 1.0)
    assert Words(KNOWN.split(), table).read("3 limousines").text == "cars"


def test_base_forms_follow_the_rules_and_their_exceptions(wordnet):
    assert wordnet.base("limousines", "n") == "limousine"
    assert wordnet.base("geese", "n") == "goose"
    assert wordnet.base("flying", "v") == "fly"
    assert wordnet.base("zorblaxes", "n") is None
