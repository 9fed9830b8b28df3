"""Targets and losses against an independent statement of their formulas."""

import math

import pytest
import torch

from vqclip_nb.losses import great_circle, objective
from vqclip_nb.prompts import Target, make_target
from vqclip_nb.settings import Settings
from vqclip_nb.vqgan import clamp_with_grad


def _unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def test_great_circle_is_half_the_squared_angle():
    a, b = _unit(100, 8).double(), _unit(1, 8).double()
    angles = torch.tensor([math.acos(float(cos)) for cos in a @ b[0]], dtype=torch.float64)
    torch.testing.assert_close(great_circle(a, b), angles.square() / 2)


def test_the_target_is_the_seeds_blend_of_raw_embeddings(tiny):
    critic = tiny.perceptors[0]
    settings = Settings(prompt="a red apple", extras="the sun", w1=0.7, w2=-0.4)
    blend = 0.7 * critic.encode_text("a red apple") - 0.4 * critic.encode_text("the sun")
    expected = blend / blend.square().sum().sqrt()
    torch.testing.assert_close(make_target(critic, settings).include, expected)


@pytest.mark.parametrize("extras", ["", "  "])
def test_blank_extras_add_nothing_whatever_w2(tiny, extras):
    critic = tiny.perceptors[0]
    plain = make_target(critic, Settings(prompt="a cat", w2=0.0)).include
    blank = make_target(critic, Settings(prompt="a cat", extras=extras, w2=5.0)).include
    assert torch.equal(plain, blank)


def test_a_blend_that_cancels_out_is_refused(tiny):
    settings = Settings(prompt="a cat", extras="a cat", w1=1, w2=-1)
    with pytest.raises(ValueError, match="prompt and extras cancel out"):
        make_target(tiny.perceptors[0], settings)


def test_the_parts_are_the_documented_terms(tiny):
    torch.manual_seed(0)
    settings = Settings(
        exclude="x", exclude_weight=0.7, vq_weight=0.3, gan_weight=0.2, draft_weight=0.6
    )
    emb, target = torch.randn(6, 8), Target(_unit(1, 8), _unit(1, 8))
    z = torch.randn(1, 32, 4, 4)
    z_q, _ = tiny.vqgan.quantize(z)
    x = tiny.vqgan.decode(z_q)
    draft = torch.randn(1, 32, 4, 4)
    parts, similarity = objective(tiny.vqgan, settings, [(emb, target)], x, z, z_q, draft)
    cos = torch.nn.functional.cosine_similarity
    theta, away = cos(emb, target.include).acos(), cos(emb, target.exclude).acos()
    expected = (theta**2 / 2).mean() - 0.7 * (away**2 / 2).mean()
    torch.testing.assert_close(parts["clip"], expected)
    torch.testing.assert_close(parts["vq"], 0.3 * (z - z_q).pow(2).mean())
    away = (z - draft).pow(2).mean() / tiny.vqgan.codebook.var()
    torch.testing.assert_close(parts["draft"], 0.6 * away)
    torch.testing.assert_close(parts["gan"], -0.2 * tiny.vqgan.discriminate(x).mean())
    torch.testing.assert_close(similarity, cos(emb, target.include).mean())


def test_terms_without_weight_are_left_out(tiny):
    z = torch.randn(1, 32, 4, 4)
    pairs = [(torch.randn(2, 8), Target(_unit(1, 8), None))]
    parts, _ = objective(tiny.vqgan, Settings(), pairs, torch.rand(1, 3, 32, 32), z, z)
    assert parts.keys() == {"clip"}


def test_the_gradient_of_the_codes_goes_straight_to_the_latent(tiny):
    z = torch.randn(1, 32, 4, 4, requires_grad=True)
    weight = torch.randn(1, 32, 4, 4)
    (tiny.vqgan.quantize(z)[0] * weight).sum().backward()
    torch.testing.assert_close(z.grad, weight)


def test_the_commitment_pulls_the_latent_to_its_codes(tiny):
    z = torch.randn(1, 32, 4, 4, requires_grad=True)
    z_q, _ = tiny.vqgan.quantize(z)
    pairs = [(torch.randn(2, 8), Target(_unit(1, 8), None))]
    parts, _ = objective(tiny.vqgan, Settings(vq_weight=1.0), pairs, z_q[:, :3], z, z_q)
    parts["vq"].backward()
    torch.testing.assert_close(z.grad, 2 * (z - z_q).detach() / z.numel())


def test_a_saturated_pixel_can_come_back_and_go_no_further():
    y = torch.tensor([-0.5, 0.5, 1.5, -0.5, 1.5], requires_grad=True)
    # a descent step moves y against the gradient: up, up, down; and further out for the last two
    clamp_with_grad(y).backward(torch.tensor([-1.0, -1.0, 1.0, 1.0, -1.0]))
    assert y.grad.tolist() == [-1.0, -1.0, 1.0, 0.0, 0.0]
    assert clamp_with_grad(y).tolist() == [0.0, 0.5, 1.0, 0.0, 1.0]
