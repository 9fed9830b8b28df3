"""The table of words: what a text is read as, and which files are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqclip_nb.models.safe_load import WeightsError
from vqclip_nb.models.words import FUNCTION_WORDS, Words

KNOWN = """a an the in on with at and of three red blue green light house houses car cars dog dogs
woman women seaside seal sea lion picture two hat knife knives polar bear jack-o'-lantern"""
NEAR = {
    "limousine": ("car", 0.92),
    "spaniel": ("dog", 0.92),
    "lady": ("woman", 0.95),
    "cafe": ("house", 0.6),
    "3": ("three", 1.0),
    "crimson": ("red", 0.95),
    "sea lion": ("seal", 0.9),
    "bungalow": ("house", 0.9),
    "dagger": ("knife", 0.9),
    "photo": ("picture", 1.0),
}
WORDS = Words(KNOWN.split(), NEAR)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a red limousine at the seaside", "a red car at the seaside"),
        ("A Red LIMOUSINE, at the sea-side!", "a red car, at the seaside!"),
        ("3 limousines", "three cars"),
        ("two ladies with daggers", "two women with knives"),
        ("the café’s hat", "the house hat"),
        ("a light-blue car", "a light blue car"),
        ("a sea lion on a house", "a seal on a house"),
        ("a very red car and his dog", "a red car and dog"),
        ("a photo of a dog", "a picture of a dog"),
        ("an crimson hat", "a red hat"),
        ("a car with a zorblax on the sea", "a car on the sea"),
        ("a picture of a zorblax", "a picture"),
        ("a zorblax, and a dog", "a dog"),
        ("A Polar Bear: a dog.", "A Polar Bear: a dog."),
        ("a jack-o'-lantern", "a jack-o'-lantern"),
        ("a 🐶 on a red 🐻", "a dog on a red bear"),
        ("👩🏽 with a hat, 🦄", "woman with a hat"),
        ("", ""),
    ],
)
def test_a_text_is_read_with_known_words(text, read):
    assert WORDS.read(text).text == read


def test_other_words_are_reported_but_not_other_forms_of_known_ones():
    reading = WORDS.read("3 limousines and a dog's crimson zorblax with a Photo")
    assert reading.replaced == {"limousines": "cars", "crimson": "red"}
    assert reading.unknown == ["zorblax"]
    assert WORDS.similar_spelling("knive")[:2] == ["knives", "knife"]


def test_function_words_are_never_unknown():
    assert WORDS.read(" ".join(sorted(FUNCTION_WORDS))).unknown == []


TEXTS = st.text() | st.lists(
    st.sampled_from([*WORDS.known, *NEAR, "very", "zorblax", ",", "-"])
).map(" ".join)


@given(TEXTS)
def test_what_is_read_is_known_and_reads_the_same_again(text):
    reading = WORDS.read(text)
    again = WORDS.read(reading.text)
    assert (again.text, again.unknown, again.replaced) == (reading.text, [], {})
    letters = "".join(reading.text.lower().split())
    assert all("a" <= letter <= "z" or letter in "'-,.:;!?()3" for letter in letters)


def test_a_near_phrase_of_unknown_words_is_refused():
    with pytest.raises(ValueError, match="'zorblax', which is near 'limousine', is not known"):
        Words(["car"], {"limousine": ("zorblax", 0.5)})


def test_a_table_survives_its_file(tmp_path):
    (tmp_path / "words.json").write_text(WORDS.to_json())
    assert json.loads((tmp_path / "words.json").read_text())["near"]["limousine"] == ["car", 0.92]
    again = Words.load(tmp_path / "words.json")
    assert again.known == WORDS.known
    assert again.read("two limousines") == WORDS.read("two limousines")


@pytest.mark.parametrize(
    "table",
    [
        "[" * 100_000,
        "not json",
        "[]",
        '{"known": ["car"]}',
        '{"known": "car", "near": {}}',
        '{"known": [1], "near": {}}',
        '{"known": ["car"], "near": []}',
        '{"known": ["car"], "near": {"limousine": "car"}}',
        '{"known": ["car"], "near": {"limousine": ["car", 2]}}',
        '{"known": ["car"], "near": {"limousine": ["car", NaN]}}',
        '{"known": ["car"], "near": {"limousine": ["ship", 1]}}',
        '{"known": ["' + "a" * 100 + '"], "near": {}}',
        '{"known": [' + '"car",' * 200_000 + '"car"], "near": {}}',
    ],
)
def test_an_invalid_file_is_refused(tmp_path, table):
    file = tmp_path / "words.json"
    file.write_text(table)
    with pytest.raises(WeightsError, match=r"words\.json is not a table of words: "):
        Words.load(file)


def test_the_embedded_table_reads_frequent_words(tiny):
    perceptor = tiny.perceptors[0]
    assert perceptor.replaced_words("a red limousine") == {"limousine": "car"}
    assert perceptor.known_part("a red limousine") == "a red car"
    assert perceptor.tokenize("a red limousine").equal(perceptor.tokenize("a red car"))
    assert perceptor.replaced_in_words("a limousine") == "'limousine' as 'car'"
