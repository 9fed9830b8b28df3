"""Augmentations against their definition, pixel by pixel."""

import colorsys
import math

import numpy as np
import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.core import augmentations, notebook_cutouts
from vqclip_nb.core.augmentations import AUGMENTS, Chances, Jitter, Warp
from vqclip_nb.core.notebook_cutouts import METHODS
from vqclip_nb.prompt_syntax import AUGMENTS as NAMES
from vqclip_nb.prompt_syntax import parse_augments


def _chances(n: int, seed: int = 0) -> Chances:
    return Chances(torch.Generator().manual_seed(seed), n)


def test_every_name_that_the_grammar_allows_is_there():
    assert tuple(AUGMENTS) == NAMES
    assert parse_augments("erase:0.3  affine:15") == [("erase", 0.3), ("affine", 15.0)]


@pytest.mark.parametrize("text", ["blur:1", "affine", "affine:x", "affine:-1", "affine:15,erase:1"])
def test_an_augmentation_that_there_is_not_is_refused(text):
    with pytest.raises(ValueError, match=r"augment must list name:strength"):
        vq.Settings(augment=text)


def test_a_warp_samples_where_its_matrix_says():
    x = torch.rand(1, 3, 16, 16)
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    torch.testing.assert_close(Warp(quarter).apply(x), x.rot90(1, (2, 3)), atol=1e-5, rtol=1e-5)
    mirror = torch.tensor([[[-1.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
    torch.testing.assert_close(Warp(mirror).apply(x), x.flip(3), atol=1e-5, rtol=1e-5)


def test_a_perspective_takes_the_drawn_corners_to_the_frames():
    start = torch.tensor([[[-0.8, -0.7], [0.9, -1.0], [0.6, 0.8], [-1.0, 0.9]]])
    frame = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    matrix = augmentations._through(start, frame)[0]
    for wanted, corner in zip(start[0], frame, strict=True):
        x, y, w = (matrix @ torch.tensor([*corner.tolist(), 1.0])).tolist()
        assert (x / w, y / w) == pytest.approx(tuple(wanted.tolist()), abs=1e-5)


def test_a_hue_turn_keeps_luminance_and_turns_red_towards_green():
    matrix = augmentations.jitter(_chances(64), 0.3, 1.0, light=False).matrix
    luma = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(luma @ matrix, luma.expand(64, 3), atol=1e-3, rtol=1e-3)
    turn = 2 * math.pi / 3
    yiq = torch.tensor(augmentations._YIQ)
    rotation = torch.eye(3)
    rotation[1, 1] = rotation[2, 2] = math.cos(turn)
    rotation[1, 2], rotation[2, 1] = -math.sin(turn), math.sin(turn)
    turned = Jitter((torch.linalg.inv(yiq) @ rotation @ yiq)[None], torch.ones(1))
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 0.6
    hue = colorsys.rgb_to_hsv(*turned.apply(red)[0, :, 0, 0].tolist())[0]
    assert min(abs(hue - 1 / 3), abs(hue - 2 / 3)) < 0.1


def test_contrast_keeps_a_crops_mean_luminance():
    x = torch.rand(2, 3, 8, 8) * 0.4 + 0.3
    y = Jitter(torch.eye(3).repeat(2, 1, 1), torch.tensor([0.5, 1.3])).apply(x)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close((y * luma).sum(1).mean((1, 2)), (x * luma).sum(1).mean((1, 2)))
    assert y[0].std() < x[0].std()
    assert y[1].std() > x[1].std()


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
    strength = {"flip": 0.0, "erase": 0.2}.get(name, 0.0)
    chance = 0.0 if name in ("erase", "affine") else 1.0
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
    few = notebook_cutouts.PeerDraws(
        draws.boxes[:32], draws.noise[:32], whole=draws.whole, pad=draws.pad, smooth=False
    )
    crops = notebook_cutouts.apply(torch.ones(1, 3, 96, 96), few)
    assert 0.1 < (crops == 0).float().mean() < 0.8


@pytest.mark.parametrize(
    "changes", [{"cut_method": m} for m in METHODS] + [{"augment": "erase:0.3 perspective:0.5"}]
)
def test_a_run_paints_with_every_method_and_the_same_again(changes, quick, tiny):
    first, again = (
        vq.generate("a cat", models=tiny, **(quick | {"total_iter": 3} | changes)) for _ in range(2)
    )
    assert np.array_equal(np.asarray(first.images[0]), np.asarray(again.images[0]))
    assert torch.equal(first.latents, again.latents)
