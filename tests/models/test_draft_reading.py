"""The reader of the draft: captions are read back, and so is what people type."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqclip_nb.models.draft.composition import COLOURS, Composition, Item, facts
from vqclip_nb.models.draft.phrases import Phrases
from vqclip_nb.models.draft.reading import MOST, in_words, read
from vqclip_nb.models.draft.roles import CANOPIES, HELD, MOUNTS, RIDERS, names_of
from vqclip_nb.models.draft.things import all_things
from vqclip_nb.models.styles import STYLES
from vqclip_nb.train.compositions import JUDGE, PAIR, caption_of
from vqclip_nb.train.compositions.describe import _RELATIONS as WORDINGS
from vqclip_nb.train.compositions.nouns import is_plural
from vqclip_nb.train.places import random_place, traits

_BACKGROUNDS = ("red", "light blue", "white", "dark green")
_SPECIAL = {"riding": (RIDERS, MOUNTS), "holding": (RIDERS, HELD), "under": ("", CANOPIES)}
_PLAIN_RELATIONS = ("next to", "near", "and", "above", "on", "in", "in front of", "behind")


@pytest.fixture(scope="module")
def phrases(tiny) -> Phrases:
    return tiny.draft.phrases


def _named(rng: random.Random, names: str = "") -> str:
    """A thing that is no place: a mountain may be read as either."""
    if names:
        return rng.choice(names_of(names))
    things = [t for t in all_things() if t.where and t.size < 400 and t.part == "whole"]
    places = {"waterfall", "table", "barn", "bed", "skyscraper", "windmill"}
    return rng.choice([thing.spoken for thing in things if thing.name not in places])


def _random_items(rng: random.Random) -> tuple[tuple[Item, ...], str | None]:
    number = rng.choice((1, 1, 2, 2, 3))
    if number == 2 and rng.random() < 0.3:
        relation = rng.choice(list(_SPECIAL))
        first, second = (_named(rng, names) for names in _SPECIAL[relation])
        return (Item(first), Item(second)), relation
    items = []
    for _ in range(number):
        name = _named(rng)
        colour = rng.choice(COLOURS) if rng.random() < 0.3 else None
        several = not is_plural(name) and number == 1 and rng.random() < 0.3
        items.append(Item(name, colour, None, rng.randint(2, 5) if several else 1))
    relation = {1: None, 2: rng.choice(_PLAIN_RELATIONS), 3: "and"}[number]
    return tuple(items), relation


def _random_composition(rng: random.Random) -> Composition:
    """Like those of the training, without drawings."""
    style = rng.choice(STYLES) if rng.random() < 0.2 else None
    if rng.random() < 0.15:
        place = random_place(rng)
        return Composition("landscape", place=place, say=traits(place, rng), style=style)
    items, relation = _random_items(rng)
    if rng.random() < 0.3:
        background = rng.choice(_BACKGROUNDS) if rng.random() < 0.8 else None
        return Composition("plain", items, relation, background=background, style=style)
    place = random_place(rng)
    return Composition("scene", items, relation, place, traits(place, rng, bare=0.1), style=style)


def _canonical(found: dict) -> dict:
    """A "black cat" is a cat that is black."""
    found = dict(found)
    for i in range(MOST):
        colour, _, name = str(found.get(f"thing {i}", "")).partition(" ")
        if name and colour in COLOURS and f"colour {i}" not in found:
            found |= {f"thing {i}": name, f"colour {i}": colour}
    return found


def _wrong(caption: str, composition: Composition, phrases: Phrases) -> dict:
    """The facts of a caption that are not read; "snowy" can be the weather and the season."""
    wanted, found = _canonical(facts(composition)), _canonical(facts(read(caption, phrases)))
    if "snow" in caption:
        wanted = {fact: v for fact, v in wanted.items() if fact not in ("weather", "season")}

    def alike(fact: str, value: object) -> bool:
        if fact == "relation":  # "on" can be riding
            return bool(set(WORDINGS[value]) & set(WORDINGS.get(found.get(fact), ())))
        return found.get(fact) == value

    return {fact: value for fact, value in wanted.items() if not alike(fact, value)}


@pytest.mark.parametrize(("templates", "least"), [(PAIR, 0.97), (JUDGE, 0.85)])
def test_captions_are_read_back(phrases, templates, least):
    wrong = []
    for seed in range(300):
        rng = random.Random(seed)
        composition = _random_composition(rng)
        caption = caption_of(composition, templates, rng)
        missing = _wrong(caption, composition, phrases)
        wrong += [(caption, missing)] if missing else []
    assert len(wrong) <= (1 - least) * 300, wrong


TYPED = {
    "a lighthouse in a storm": "things: lighthouse; weather: storm",
    "a dog on the beach": "things: dog; place: beach",
    "a ship on the sea at night": "things: ship; place: sea; time: night",
    "a snowy mountain": "place: mountains; season: winter",
    "a cat with a hat": "things: cat, hat; relation: wearing",
    "two red birds in a tree": "things: 2 red bird, tree; relation: in",
    "sunset over the ocean": "place: sea; time: sunset",
    "a house by a lake in autumn, oil painting": (
        "things: house; place: lake; season: autumn; style: oil painting"
    ),
    "a wizard's castle on a hill under a starry sky": "things: castle; place: hills; time: night",
    "astronaut riding a horse on the moon": (
        "things: astronaut, horse; relation: riding; place: space"
    ),
    "the moon over a city": "place: city; time: night",
    "portrait of a fox": "kind: portrait; things: fox",
    "a still life with apples and a bottle": "kind: still life; things: 2 apple, bottle",
    "flowers in a vase on a table": "things: 2 flower, vase; relation: in; place: table",
    "a church in the style of stained glass": "things: church; style: stained glass",
    "a cat, a dog and a bird in a garden": "things: cat, dog, bird; place: garden",
    "beach sunset palm tree": "things: palm tree; place: beach; time: sunset",
    "a village in the snow": "place: village; season: winter",
    "a rainbow over a farm": "place: farm; weather: rainbow",
    "a bowl of oranges": "things: 2 orange, bowl; relation: in",
    "a knight on a white horse": "things: knight, white horse; relation: riding",
    "3 apples on a plate": "things: 3 apple, plate; relation: on",
}


@pytest.mark.parametrize(("sentence", "understood"), TYPED.items())
def test_what_people_type_is_understood(tiny, sentence, understood):
    assert tiny.draft.understood(sentence) == understood


@pytest.mark.parametrize(
    ("sentence", "understood"),
    [
        ("an orange cat next to an orange", "things: orange cat, orange; relation: next to"),
        ("a cat on orange", "things: cat; background: orange"),
        ("a mountain", "place: mountains"),
        ("a waterfall in the jungle", "things: waterfall; place: jungle"),
        ("a bird over the sea", "things: bird; place: sea"),
        ("a bridge over a river", "things: bridge; place: river"),
        ("a forest", "place: forest"),
        ("a tree", "things: tree"),
        ("the moon", "things: moon"),
        ("two roses", "things: 2 rose"),
        ("roses", "things: roses"),
    ],
)
def test_words_with_several_meanings(tiny, sentence, understood):
    assert tiny.draft.understood(sentence) == understood


def test_unknown_words_and_punctuation_marks_change_nothing(phrases):
    plain = read("a red car on the beach at night", phrases)
    assert read("a qwxyz red car, on the zorblax beach at night!", phrases) == plain


def test_a_sentence_without_known_words_is_empty(phrases):
    assert read("zorblax of the qwxyz", phrases) == Composition("landscape")
    assert in_words(read("", phrases)) == ""


@given(text=st.text(max_size=200))
def test_any_text_is_read(tiny, text):
    found = read(text, tiny.draft.phrases)
    assert len(found.items) <= MOST
    assert all(1 <= item.number <= 5 for item in found.items)


_WORDS = "a red two cat cats on in with and sea moon table snow over riding the night orange , of"


@given(words=st.lists(st.sampled_from(_WORDS.split()), max_size=12))
def test_known_words_in_any_order_are_read(tiny, words):
    found = read(" ".join(words), tiny.draft.phrases)
    assert (found.kind == "landscape") == (not found.items)
    assert not found.say or found.place is not None
    assert (found.relation is None) == (len(found.items) < 2)
