"""The lexicon: embeddings of meanings are sums over facts, with roles of things."""

import pytest
import torch
from torch.nn import functional as F

from vqclip_nb.train.compositions import Composition, Item
from vqclip_nb.train.lexicon import Lexicon
from vqclip_nb.train.places import Place

CAT, DOG = Item("cat"), Item("dog")
STORM = Place("sea", "night", "storm")


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    torch.manual_seed(0)
    return Lexicon(1024)


def _embedded(lexicon: Lexicon, *said: Composition) -> torch.Tensor:
    return lexicon([lexicon.meaning(each) for each in said])


def test_a_prompt_and_its_extras_add_up_to_the_whole_sentence(lexicon):
    whole, prompt, extras = _embedded(
        lexicon,
        Composition("scene", (CAT,), place=STORM, say=("name", "weather"), style="neon"),
        Composition("scene", (CAT,), place=STORM, say=("name", "weather")),
        Composition("plain", style="neon"),
    )
    torch.testing.assert_close(whole, prompt + extras)


def test_above_is_below_the_other_way_round_and_next_to_has_no_order(lexicon):
    above, below, swapped, beside, beside_swapped = _embedded(
        lexicon,
        Composition("plain", (CAT, DOG), "above"),
        Composition("plain", (DOG, CAT), "below"),
        Composition("plain", (DOG, CAT), "above"),
        Composition("plain", (CAT, DOG), "next to"),
        Composition("plain", (DOG, CAT), "next to"),
    )
    torch.testing.assert_close(above, below)
    torch.testing.assert_close(beside, beside_swapped)
    assert F.cosine_similarity(above, swapped, dim=0) < 0.7


def test_a_thing_in_a_relation_still_resembles_itself_alone(lexicon):
    alone, pair = _embedded(
        lexicon, Composition("plain", (CAT,)), Composition("plain", (CAT, DOG), "on")
    )
    other = _embedded(lexicon, Composition("plain", (Item("lighthouse"),)))[0]
    similarity = F.cosine_similarity(alone, pair, dim=0)
    assert similarity > F.cosine_similarity(other, pair, dim=0) + 0.1


def test_only_what_the_caption_mentions_counts(lexicon):
    def meaning(*say: str, **changes):
        return lexicon.meaning(Composition("scene", (CAT,), place=STORM, say=say, **changes))

    assert meaning("name") != meaning("name", "weather") != meaning("name", "time")
    storm_at_day = Place("sea", "day", "storm")
    day = Composition("scene", (CAT,), place=storm_at_day, say=("name", "weather"))
    assert meaning("name", "weather") == lexicon.meaning(day)


def test_different_facts_have_different_meanings(lexicon):
    said = [
        Composition("plain", (CAT,)),
        Composition("plain", (Item("cat", "red"),)),
        Composition("plain", (CAT,), background="red"),
        Composition("plain", (Item("cat", number=2),)),
        Composition("plain", (Item("cat", size="small"),)),
        Composition("plain", (CAT,), style="chalk"),
        Composition("portrait", (CAT,)),
        Composition("scene", (CAT,), how="fly"),
    ]
    assert len({lexicon.meaning(each) for each in said}) == len(said)
