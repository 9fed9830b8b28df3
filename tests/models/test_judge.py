"""The judge: loading, its own wording, and how well it recognises drafts."""

import pytest
import torch
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.core.latents import stream
from vqclip_nb.models.draft.drafting import Chance, draft_picture
from vqclip_nb.models.judge import LiteTower

THINGS = ["a red apple", "a snowman", "a cactus", "a penguin", "a heart", "a star", "a tree"]
THINGS += ["a mushroom", "a rocket", "a house", "a butterfly", "a whale"]


@pytest.fixture(scope="module")
def judge():
    return vq.load_judge(device="cpu")


def test_the_judge_recognises_what_is_drafted(judge, tiny):
    drawn = []
    for thing in THINGS:
        text, chance = f"{thing} on a white background", Chance.draw(stream(0, 0, 0))
        drawn.append(draft_picture(tiny.draft, tiny.vqgan, text, chance, 128, 128))
    pictures = F.normalize(judge.encode_image(torch.cat(drawn)), dim=1)
    texts = F.normalize(judge.encode_text([f"this shows {thing}" for thing in THINGS]), dim=1)
    right = (pictures @ texts.T).argmax(1) == torch.arange(len(THINGS))
    assert right.sum() >= len(THINGS) - 3


def test_the_judge_is_frozen_and_knows_its_words(judge):
    assert not any(p.requires_grad for p in judge.model.parameters())
    assert "penguin" in judge.known_words()
    assert judge.unknown_words("a zorblax") == ["zorblax"]


def test_the_tower_takes_any_multiple_of_sixteen():
    tower = LiteTower(24, 48).eval()
    assert tower(torch.rand(2, 3, 48, 48)).shape == (2, 24)
