"""Scenes: what is drawn, true and false captions, styles."""

import random

import clip
import pytest
import torch

from vqclip_nb.train import captions
from vqclip_nb.train.captions import COLOURS, JUDGE, PAIR, Description, Thing
from vqclip_nb.train.grain import Grain
from vqclip_nb.train.scenes import Composer
from vqclip_nb.train.styles import STYLES
from vqclip_nb.train.towers import token_ids

APPLE = Description(things=(Thing("apple"),))


def _composer(artwork, seed, **options) -> Composer:
    return Composer(artwork, torch.Generator().manual_seed(seed), **options)


def test_scenes_repeat_with_the_generators_state_and_differ_without(artwork):
    first, again, other = (_composer(artwork, seed).scenes(8, 64) for seed in (0, 0, 1))
    assert torch.equal(first.x, again.x)
    assert first.captions == again.captions
    assert not torch.equal(first.x, other.x)
    assert first.x.shape == (8, 3, 64, 64)
    assert 0 <= first.x.min() <= first.x.max() <= 1


def test_a_batch_shows_different_concepts_and_captions_name_them(artwork):
    scenes = _composer(artwork, 2).scenes(8, 64)
    firsts = artwork.concept[[plan.layers[0].drawing for plan in scenes.plans]]
    assert sorted(firsts.tolist()) == list(range(8))
    torch.testing.assert_close(scenes.shown.sum(1), torch.ones(8))
    assert (scenes.shown[torch.arange(8), firsts] > 0).all()
    told = scenes.captions
    for said, caption in zip(told.descriptions, told.sentences, strict=True):
        assert not said.things or "box" in caption or "thing" in caption


@pytest.mark.parametrize("wording", [PAIR, JUDGE])
def test_every_token_of_every_caption_is_in_the_vocabulary(wording, artwork):
    composer = _composer(artwork, 3, wording=wording)
    known = token_ids(captions.vocabulary(artwork.phrases(), STYLES, wording))
    for _ in range(30):
        scenes = composer.scenes(8, 16)
        tokens = clip.tokenize(scenes.captions.sentences + scenes.captions.false_sentences)
        assert torch.isin(tokens, known).all()


def test_the_named_background_is_the_one_that_is_painted(artwork):
    composer, checked = _composer(artwork, 4, styled=0.0), 0
    for _ in range(40):
        scenes = composer.scenes(8, 64)
        for x, said, plan in zip(scenes.x, scenes.captions.descriptions, scenes.plans, strict=True):
            covered = any(layer.width > 0.8 for layer in plan.layers)
            if len(said.background) == 1 and said.place is None and not covered:
                corners = torch.stack([x[:, 0, 0], x[:, 0, -1], x[:, -1, 0], x[:, -1, -1]])
                distance = (corners - torch.tensor(COLOURS[said.background[0]])).abs().amax(1)
                assert distance.min() < 0.2
                checked += 1
    assert checked > 40


def test_a_small_thing_is_always_called_small(artwork):
    composer, told = _composer(artwork, 5), []
    for _ in range(40):
        scenes = composer.scenes(8, 64)
        for said, plan in zip(scenes.captions.descriptions, scenes.plans, strict=True):
            if len(plan.layers) == 1 and plan.layers[0].width < 0.5 and said.things:
                told.append(said.things[0].size in PAIR.small)
    assert len(told) > 10
    assert all(told)


def test_a_redrawn_scene_differs_and_keeps_its_colours(artwork):
    composer = _composer(artwork, 6, styled=0.0)
    scenes = composer.scenes(8, 64)
    other = composer.redrawn(scenes.plans, 64)
    assert other.shape == scenes.x.shape
    assert (other - scenes.x).abs().amax((1, 2, 3)).min() > 0.02  # black on black too
    own = (other - scenes.x).mean((2, 3)).abs().sum(1)
    anothers = (other - scenes.x.roll(1, 0)).mean((2, 3)).abs().sum(1)
    assert own.mean() < 0.5 * anothers.mean()


def _spots(mask: torch.Tensor) -> torch.Tensor:
    """Sizes of the connected parts of a mask [S, S]: each takes its largest number everywhere."""
    numbers = torch.arange(1.0, mask.numel() + 1).view_as(mask) * mask
    for _ in range(2 * len(mask)):
        grown = torch.nn.functional.max_pool2d(numbers[None, None], 3, 1, 1)[0, 0]
        numbers = grown * mask
    return numbers[mask].unique(return_counts=True)[1]


def test_as_many_things_are_painted_as_the_caption_counts(artwork):
    composer, checked = _composer(artwork, 5, styled=0.0), 0
    for _ in range(120):
        scenes = composer.scenes(8, 64)
        for x, said in zip(scenes.x, scenes.captions.descriptions, strict=True):
            if said.number and len(said.background) == 1 and not said.things[0].colour:
                ground = torch.tensor(COLOURS[said.background[0]]).view(3, 1, 1)
                sizes = _spots((x - ground).abs().amax(0) > 0.25)
                if len(sizes) and sizes.max() < 64 * 64 / 5:  # the box is seen on its ground
                    # copies may touch, so never more than said
                    assert 1 <= (sizes > 20).sum() <= said.number
                    checked += 1
    assert checked > 5


def test_false_captions_differ_from_the_true_ones_in_what_they_should(artwork):
    composer, seen = _composer(artwork, 6, styled=0.5), set()
    for _ in range(40):
        scenes = composer.scenes(8, 16)
        said = scenes.captions
        for true, false, kind in zip(
            said.sentences, said.false_sentences, said.errors, strict=True
        ):
            assert true != false or kind == "thing"  # two concepts may share a name
            seen.add(kind)
    assert seen == {"thing", "colour", "background", "count", "place", "style"}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (Description(things=(Thing("apple", "blue"),), number=3), "three blue apples"),
        (Description(things=(Thing("sun"), Thing("house")), place="above"), "sun above a house"),
        (Description(things=(Thing("owl", size="tiny"),)), "tiny owl"),
        (Description(style="neon"), "neon"),
        (Description(things=(Thing("scissors"),)), "scissors"),
        (Description(things=(Thing("cherry"),), number=2), "two cherries"),
    ],
)
def test_a_description_is_worded_as_people_write(said, sentence):
    worded = {captions.caption_of(said, PAIR, random.Random(seed)) for seed in range(60)}
    assert any(sentence in each for each in worded), worded


def test_a_wrong_colour_is_none_that_could_be_meant():
    said = Description(things=(Thing("apple"),), background=("blue",))
    for seed in range(200):
        other = captions.with_error(said, "background", ["apple"], STYLES, random.Random(seed))
        assert other.background[0] not in {"blue", "light blue", "dark blue", "turquoise"}


def test_splitting_gives_the_prompt_and_its_extras():
    styled = Description(things=(Thing("apple"),), style="neon")
    assert captions.split_caption(styled) == (APPLE, Description(style="neon"))
    grounded = Description(things=(Thing("apple"),), background=("red",))
    assert captions.split_caption(grounded) == (APPLE, Description(background=("red",)))
    assert captions.split_caption(APPLE) is None
    assert captions.split_caption(Description(style="neon")) is None


def _grain(number: int, height: int = 64, width: int = 64) -> Grain:
    return Grain.draw(number, height, width, torch.Generator().manual_seed(0), torch.device("cpu"))


@pytest.mark.parametrize("style", STYLES)
def test_a_style_keeps_the_shape_and_changes_the_picture(style, artwork):
    x = _composer(artwork, 7, styled=0.0).scenes(8, 64).x
    y = STYLES[style](x, _grain(8))
    assert y.shape == x.shape
    assert 0 <= y.min() <= y.max() <= 1
    assert (y - x).abs().mean() > 0.01
    assert torch.equal(y, STYLES[style](x, _grain(8)))


def test_grey_styles_are_grey(artwork):
    x = _composer(artwork, 8, styled=0.0).scenes(8, 64).x
    for style in ("line drawing", "black and white"):
        y = STYLES[style](x, _grain(8))
        torch.testing.assert_close(y[:, 0], y[:, 1])
        torch.testing.assert_close(y[:, 0], y[:, 2])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (80, 64)])
def test_each_pane_has_the_mean_colour_of_what_it_covers(height, width):
    x = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    grain = _grain(2, height, width)
    means = grain.pane_means(x)
    for item in range(2):
        for pane in grain.pane[item].unique():
            covered = grain.pane[item] == pane
            mean = x[item][:, covered].mean(1, keepdim=True).expand(-1, int(covered.sum()))
            torch.testing.assert_close(means[item][:, covered], mean)
