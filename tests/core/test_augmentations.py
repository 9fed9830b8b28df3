"""Augmentations against their definition, pixel by pixel."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.core import augmentations, notebook_cutouts
from vqclip_nb.core.augmentations import AUGMENTS, Chances
from vqclip_nb.core.crop_changes import Jitter, Sharpness, Warp
from vqclip_nb.core.cutouts import draw_cuts
from vqclip_nb.core.notebook_cutouts import METHODS
from vqclip_nb.prompt_syntax import AUGMENT_CODES, Augments, parse_augments
from vqclip_nb.prompt_syntax import AUGMENTS as NAMES


def _chances(n: int, seed: int = 0, size: int = 16) -> Chances:
    return Chances(torch.Generator().manual_seed(seed), n, size)


def test_every_name_that_the_grammar_allows_is_there():
    assert tuple(AUGMENTS) == NAMES
    codes = Augments(tuple((code, None) for code in AUGMENT_CODES))
    assert len(notebook_cutouts.drawn(codes, _chances(2), "latest")) == len(AUGMENT_CODES) - 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Augments()),
        ("none", Augments(replace=True)),
        ("erase:0.3  affine:15", Augments((("erase", 0.3), ("affine", 15.0)))),
        (
            "only Ro perspective:.5 Er",
            Augments((("Ro", None), ("perspective", 0.5), ("Er", None)), True),
        ),
    ],
)
def test_augmentations_are_added_or_replace_the_methods_own(text, found):
    assert parse_augments(text) == found


WRONG = ["blur:1", "affine", "affine:x", "affine:-1", "affine:15,erase:1", "Ro:5", "ro", "only"]
WRONG += ["none Er", "Er only Ro"]


@pytest.mark.parametrize("text", WRONG)
def test_an_augmentation_that_there_is_not_is_refused(text):
    with pytest.raises(ValueError, match=r"augment must (list name:strength|name augm)"):
        vq.Settings(augment=text)


def test_a_warp_samples_where_its_matrix_says():
    x = torch.rand(1, 3, 16, 16)
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    torch.testing.assert_close(Warp(quarter).apply(x), x.rot90(1, (2, 3)), atol=1e-5, rtol=1e-5)
    mirror = torch.tensor([[[-1.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
    torch.testing.assert_close(Warp(mirror).apply(x), x.flip(3), atol=1e-5, rtol=1e-5)


def _jitter(**changes: float) -> Jitter:
    factors = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0} | changes
    chosen = torch.tensor([True])
    return Jitter(**{k: torch.tensor([v]) for k, v in factors.items()}, chosen=chosen)


@pytest.mark.parametrize("turn", [0.1, -0.25, 0.4])
def test_a_hue_is_turned_as_pythons_own_colours_turn(turn):
    x = torch.rand(1, 3, 4, 4)
    found = _jitter(hue=turn).apply(x)[0].flatten(1).T
    for before, after in zip(x[0].flatten(1).T.tolist(), found.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
        assert after == pytest.approx(expected, abs=1e-5)


def test_grey_pixels_keep_a_finite_gradient():
    x = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    _jitter(hue=0.1, saturation=0.9).apply(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_contrast_keeps_a_crops_mean_luminance():
    x = torch.rand(1, 3, 8, 8) * 0.4 + 0.3
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    low, high = (_jitter(contrast=factor).apply(x) for factor in (0.5, 1.3))
    for y in (low, high):
        torch.testing.assert_close((y * luma).sum(1).mean(), (x * luma).sum(1).mean())
    assert low.std() < x.std() < high.std()


def test_a_factor_of_sharpness_blurs_below_one_and_sharpens_above():
    x = torch.rand(3, 3, 8, 8) * 0.4 + 0.3
    blurred, same, sharp = Sharpness(torch.tensor([0.3, 1.0, 1.5]), torch.ones(3) > 0).apply(x)
    torch.testing.assert_close(same, x[1])
    assert blurred[:, 1:-1, 1:-1].std() < x[0, :, 1:-1, 1:-1].std()
    assert sharp[:, 1:-1, 1:-1].std() > x[2, :, 1:-1, 1:-1].std()


def test_erasing_makes_one_black_rectangle_for_all_crops():
    x = torch.ones(3, 3, 40, 40)
    shares = []
    for seed in range(40):
        y = augmentations.erase(_chances(3, seed), 0.4, 1.0).apply(x)
        assert torch.equal(y[0], y[1])
        assert torch.equal(y[0], y[2])
        shares.append(1 - y[0].mean().item())
    assert 0.05 < min(shares) < max(shares) < 0.45


@pytest.mark.parametrize("name", NAMES)
def test_an_augmentation_of_chance_nought_or_strength_nought_changes_nothing(name):
    x = torch.rand(4, 3, 16, 16)
    strength = 0.2 if name in ("erase", "sharpness", "crop") else 0.0
    chance = 0.0 if name in ("erase", "affine", "sharpness", "crop") else 1.0
    y = AUGMENTS[name](_chances(4), strength, chance).apply(x)
    torch.testing.assert_close(y, x, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(64, 64), (48, 120), (120, 48), (33, 90)])
def test_every_method_cuts_finite_crops_of_any_picture(method, shape):
    x = torch.rand(1, 3, *shape, requires_grad=True)
    draws = notebook_cutouts.draw(method, torch.Generator().manual_seed(1), 6, 32, shape, 1.0, 0.1)
    crops = notebook_cutouts.apply(x, draws)
    assert crops.shape == (6, 3, 32, 32)
    crops.square().sum().backward()
    assert torch.isfinite(crops).all()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


def test_the_pooled_crops_are_what_the_mean_of_mean_and_maximum_is():
    x = torch.rand(1, 3, 64, 96)
    draws = notebook_cutouts.draw(
        "latest", torch.Generator().manual_seed(0), 4, 32, (64, 96), 1.0, 0.0
    )
    plain = notebook_cutouts.PeerDraws(None, draws.noise)
    windows = x.view(1, 3, 32, 2, 32, 3).permute(0, 1, 2, 4, 3, 5).flatten(-2)
    expected = (windows.mean(-1) + windows.amax(-1)) / 2
    for crop in notebook_cutouts.apply(x, plain):
        torch.testing.assert_close(crop, expected[0])


def test_higher_powers_make_smaller_crops():
    def mean_side(power: float) -> float:
        draws = notebook_cutouts.draw(
            "original", torch.Generator().manual_seed(0), 400, 32, (128, 160), power, 0.0
        )
        assert (draws.boxes[:, 0] + draws.boxes[:, 2]).max() <= 160
        assert (draws.boxes[:, 1] + draws.boxes[:, 2]).max() <= 128
        return draws.boxes[:, 2].float().mean().item()

    assert mean_side(1.0) == pytest.approx(80, abs=4)
    assert mean_side(3.0) == pytest.approx(32 + 96 / 4, abs=4)


def test_the_seeds_crops_have_its_sides_and_a_black_border():
    draws = notebook_cutouts.draw(
        "padded", torch.Generator().manual_seed(0), 2000, 32, (96, 96), 1.0, 0.0
    )
    sides = draws.boxes[:, 2].float() / 96
    assert sides.mean().item() == pytest.approx(1.2, abs=0.03)
    assert sides.std().item() == pytest.approx(0.29, abs=0.03)
    assert draws.pad == (48, 48)
    few = replace(draws, boxes=draws.boxes[:32], noise=draws.noise[:32])
    crops = notebook_cutouts.apply(torch.ones(1, 3, 96, 96), few)
    assert 0.1 < (crops == 0).float().mean() < 0.8


@pytest.mark.parametrize("method", METHODS)
def test_without_augmentations_a_crop_is_part_of_the_picture(method):
    x = torch.full((1, 3, 48, 64), 0.6)
    settings = vq.Settings(cut_method=method, augment="none", noise_factor=0.0, cutn=12)
    generators = [torch.Generator().manual_seed(0)]
    crops = draw_cuts(settings, generators, (48, 64), [24]).of(x, 24)
    seen = crops[crops != 0]  # `padded` shows its border
    assert ((seen - 0.6).abs() < 1e-4).float().mean() > 0.9


def test_augmentations_that_replace_come_in_the_order_that_was_asked_for():
    def kinds(augment: str, method: str) -> list[str]:
        settings = vq.Settings(cut_method=method, augment=augment, cutn=4)
        cuts = draw_cuts(settings, [torch.Generator().manual_seed(0)], (64, 64), [32])
        own = cuts.draws[32][0].augments if method != "studio" else ()
        return [type(each).__name__ for each in (*own, *(cuts.changes or [()])[0])]

    usual = ["Warp", "Warp", "Jitter", "Erase"]
    assert kinds("", "latest") == kinds("", "nrupdated") == usual
    assert kinds("Gn", "latest") == [*usual, "Speckle"]
    assert kinds("only Er Ji Gn Ts", "latest") == ["Erase", "Jitter", "Speckle", "Bend"]
    assert kinds("only Er Ji", "studio") == ["Erase", "Jitter"]
    assert kinds("none", "latest") == []


def test_crops_of_two_sizes_get_noise_of_their_own_size():
    settings = vq.Settings(cut_method="latest", augment="only Gn Et Ts noise:0.5", cutn=4)
    cuts = draw_cuts(settings, [torch.Generator().manual_seed(0)], (64, 64), [16, 32])
    for size in (16, 32):
        assert cuts.of(torch.rand(1, 3, 64, 64), size).shape == (4, 3, size, size)


@pytest.mark.parametrize(
    "changes",
    [{"cut_method": m} for m in METHODS]
    + [{"augment": "erase:0.3 perspective:0.5"}]
    + [{"cut_method": "latest", "augment": "only Ji Sh Gn Pe Ro Af Et Ts Cr Er Re"}],
)
def test_a_run_paints_with_every_method_and_the_same_again(changes, quick, tiny):
    first, again = (
        vq.generate("a cat", models=tiny, **(quick | {"total_iter": 3} | changes)) for _ in range(2)
    )
    assert np.array_equal(np.asarray(first.images[0]), np.asarray(again.images[0]))
    assert torch.equal(first.latents, again.latents)
