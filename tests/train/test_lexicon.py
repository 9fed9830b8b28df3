"""The lexicon: embeddings of meanings are sums over words, with roles of things."""

import pytest
import torch
from torch.nn import functional as F

from vqclip_nb.train.captions import PAIR, Description, Thing
from vqclip_nb.train.lexicon import Lexicon

RED, BLUE = Thing("red box"), Thing("blue box")


@pytest.fixture(scope="module")
def lexicon(artwork) -> Lexicon:
    torch.manual_seed(0)
    return Lexicon(artwork, 64)


def _embedded(lexicon: Lexicon, *said: Description) -> torch.Tensor:
    return lexicon([lexicon.meaning(each, PAIR.small) for each in said])


def test_a_prompt_and_its_extras_add_up_to_the_whole_sentence(lexicon):
    whole, prompt, extras = _embedded(
        lexicon,
        Description((RED,), style="neon", background=("blue",)),
        Description((RED,), background=("blue",)),
        Description(style="neon"),
    )
    torch.testing.assert_close(whole, prompt + extras)


def test_above_is_below_the_other_way_round_and_next_to_has_no_order(lexicon):
    above, below, swapped, beside, beside_swapped = _embedded(
        lexicon,
        Description((RED, BLUE), place="above"),
        Description((BLUE, RED), place="below"),
        Description((BLUE, RED), place="above"),
        Description((RED, BLUE), place="next to"),
        Description((BLUE, RED), place="next to"),
    )
    torch.testing.assert_close(above, below)
    torch.testing.assert_close(beside, beside_swapped)
    assert F.cosine_similarity(above, swapped, dim=0) < 0.7


def test_equivalent_captions_have_equal_meanings_and_others_differ(lexicon):
    def meaning(*things: Thing, **rest):
        return lexicon.meaning(Description(things, **rest), PAIR.small)

    assert meaning(Thing("box", size="small")) == meaning(Thing("box", size="tiny"))
    assert meaning(Thing("box", size="small")) != meaning(Thing("box", size="large"))
    assert meaning(Thing("box", colour="red")) != meaning(Thing("box"), background=("red",))
    assert meaning(RED, number=2) != meaning(RED, number=3)
