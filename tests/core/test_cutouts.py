"""Crops: what the draws say is what is cut, with draws of the test's own."""

import pytest
import torch

from vqclip_nb.core import cutouts
from vqclip_nb.core.cutouts import Draws, apply, draw
from vqclip_nb.core.latents import stream


def _draws(theta: list, size: int, gain: float = 1.0, noise: float = 0.0) -> Draws:
    maps = torch.tensor(theta, dtype=torch.float32).view(-1, 2, 3)
    n = len(maps)
    return Draws(maps, torch.full((n, 3, 1, 1), gain), torch.full((n, 3, size, size), noise))


_WHOLE = [1, 0, 0, 0, 1, 0]
_MIRRORED = [-1, 0, 0, 0, 1, 0]
_LEFT_UPPER_QUARTER = [0.5, 0, -0.5, 0, 0.5, -0.5]
_2X2 = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).div(4).expand(1, 3, 2, 2)


def test_the_whole_picture_at_its_own_size_is_itself():
    torch.testing.assert_close(apply(_2X2, _draws(_WHOLE, 2)), _2X2)


def test_a_mirrored_crop_swaps_left_and_right():
    torch.testing.assert_close(apply(_2X2, _draws(_MIRRORED, 2)), _2X2.flip(-1))


def test_a_quarter_is_the_quarter():
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(apply(x, _draws(_LEFT_UPPER_QUARTER, 4)), x[..., :4, :4])


def test_gain_multiplies_and_noise_adds():
    torch.testing.assert_close(apply(_2X2, _draws(_WHOLE, 2, 0.5, 0.25)), _2X2 * 0.5 + 0.25)


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = torch.tensor([0.0, 1.0]).repeat(32).expand(1, 3, 64, 64)
    shrunk = apply(stripes, _draws(_WHOLE, 8))
    torch.testing.assert_close(shrunk, torch.full_like(shrunk, 0.5))


def test_crops_of_different_scales_keep_their_order():
    x = torch.arange(3.0).view(1, 3, 1, 1).expand(1, 3, 64, 64) + torch.rand(1, 1, 64, 64) * 0.1
    mixed = apply(x, _draws([_WHOLE, _LEFT_UPPER_QUARTER, _WHOLE], 8))
    torch.testing.assert_close(mixed[0], mixed[2])
    torch.testing.assert_close(mixed[1:2], apply(x, _draws(_LEFT_UPPER_QUARTER, 8)))


def test_the_first_axis_goes_item_by_item():
    x = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    crops = apply(x, _draws([_WHOLE] * 4, 8))
    assert crops.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0, 1, 1])


def test_the_gradient_reaches_every_pixel_that_is_seen():
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    apply(x, _draws(_WHOLE, 8)).sum().backward()
    assert (x.grad > 0).all()


@pytest.mark.parametrize("shape", [(64, 64), (64, 128), (128, 64)])
def test_drawn_crops_lie_in_the_picture_and_keep_its_proportions(shape):
    draws = draw([stream(0, 0, 1)], 512, 16, shape, noise_factor=0.0)
    height, width = shape
    side = min(shape)
    x, y = draws.theta[:, 0, 2].abs(), draws.theta[:, 1, 2].abs()
    # the side in pixels, measured along the crop's own axes
    across = (draws.theta[:, :, 0] * torch.tensor([width, height])).norm(dim=1)
    down = (draws.theta[:, :, 1] * torch.tensor([width, height])).norm(dim=1)
    torch.testing.assert_close(across, down)
    assert 0.8 * side <= across.min() <= across.max() <= 1.1 * side
    assert (x * width + across <= width * 1.0 + 0.2 * side).all()
    assert (y * height + across <= height * 1.0 + 0.2 * side).all()


def test_half_of_the_crops_are_mirrored():
    draws = draw([stream(0, 0, 1)], 1000, 4, (8, 8), noise_factor=0.0)
    assert 0.45 < (torch.linalg.det(draws.theta[:, :, :2]) < 0).float().mean() < 0.55


def test_noise_factor_is_the_largest_standard_deviation():
    noise = draw([stream(0, 0, 1)], 400, 32, (64, 64), noise_factor=0.4).noise
    deviations = noise.flatten(1).std(dim=1)
    assert 0.35 < deviations.max() < 0.42
    assert deviations.mean() == pytest.approx(0.2, abs=0.02)


def test_an_item_gets_the_crops_that_it_would_have_alone():
    both = draw([stream(3, 0, 1), stream(3, 1, 1)], 5, 8, (16, 16), 0.2)
    alone = draw([stream(4, 0, 1)], 5, 8, (16, 16), 0.2)
    for name in ("theta", "gain", "noise"):
        assert torch.equal(getattr(both, name)[5:], getattr(alone, name))


def test_draws_differ_between_iterations_and_seeds():
    def first(seed, iteration):
        return cutouts.draw([stream(seed, 0, iteration)], 2, 8, (16, 16), 0.2).theta

    assert not torch.equal(first(0, 1), first(0, 2))
    assert not torch.equal(first(0, 1), first(1, 1))
