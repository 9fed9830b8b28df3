"""Targets and losses against an independent statement of their formulas."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqclip_nb.core.losses import Observation, Weights, great_circle, objective, total_variation
from vqclip_nb.core.targets import Target, make_target
from vqclip_nb.models.vqgan import clamp_with_grad
from vqclip_nb.settings import Settings


def _unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def _aim(perceptor, settings: Settings) -> torch.Tensor:
    """What the only prompt aims at."""
    (goal,) = make_target(perceptor, settings).goals
    return goal[None]


def _target(*goals: tuple, exclude: torch.Tensor | None = None) -> Target:
    """Goals of a first phrase, each with a weight and a stop if it has such."""
    whole = [(goal, *rest, *(1.0, -math.inf)[len(rest) :]) for goal, *rest in goals]
    phrases = [0] * len(whole)
    if exclude is not None:
        whole.append((exclude, 1.0, -math.inf))
        phrases.append(None)
    vectors, weights, stops = zip(*whole, strict=True)
    return Target(torch.cat(vectors), torch.tensor(weights), torch.tensor(stops), tuple(phrases))


def _judged(
    tiny, settings, emb, target, scene, iteration=1, shares=None
) -> tuple[dict, torch.Tensor]:
    drafted = [scene.drafts is not None]
    weights = Weights.at(iteration, settings, target, shares or {0: 1.0}, drafted)
    return objective(tiny.vqgan, settings.distance, [(emb, target)], weights, scene)


def test_great_circle_is_half_the_squared_angle():
    a, b = _unit(100, 8).double(), _unit(1, 8).double()
    angles = torch.tensor([math.acos(float(cos)) for cos in a @ b[0]], dtype=torch.float64)
    torch.testing.assert_close(great_circle(a, b), angles.square() / 2, rtol=1e-6, atol=1e-6)


def test_the_target_is_the_seeds_blend_of_raw_embeddings(tiny):
    perceptor = tiny.perceptors[0]
    settings = Settings(prompt="a red apple", extras="the sun", w1=0.7, w2=-0.4)
    blend = 0.7 * perceptor.encode_text("a red apple") - 0.4 * perceptor.encode_text("the sun")
    expected = blend / blend.square().sum().sqrt()
    torch.testing.assert_close(_aim(perceptor, settings), expected)


@pytest.mark.parametrize("extras", ["", "  "])
def test_blank_extras_add_nothing_whatever_w2(tiny, extras):
    perceptor = tiny.perceptors[0]
    plain = _aim(perceptor, Settings(prompt="a cat", w2=0.0))
    blank = _aim(perceptor, Settings(prompt="a cat", extras=extras, w2=5.0))
    assert torch.equal(plain, blank)


def test_a_blend_that_cancels_out_is_refused(tiny):
    settings = Settings(prompt="a cat", extras="a cat", w1=1, w2=-1)
    with pytest.raises(ValueError, match="prompt and extras cancel each other out"):
        make_target(tiny.perceptors[0], settings)


def test_the_parts_are_the_documented_terms(tiny):
    torch.manual_seed(0)
    weights = {"vq_weight": 0.3, "gan_weight": 0.2, "draft_weight": 0.6, "tv_weight": 0.9}
    weights |= {"init_weight": 0.4, "zero_weight": 1.5}
    settings = Settings(exclude="x", exclude_weight=0.7, **weights)
    emb, include, exclude = torch.randn(6, 8), _unit(1, 8), _unit(1, 8)
    z, start, draft = (torch.randn(1, 32, 4, 4) for _ in range(3))
    z_q, _ = tiny.vqgan.quantize(z)
    x = tiny.vqgan.decode(z_q)
    scene = Observation(x, z, z_q, start, draft[None])
    target = _target((include,), exclude=exclude)
    parts, similarity = _judged(tiny, settings, emb, target, scene, iteration=3)
    cos = torch.nn.functional.cosine_similarity
    theta, away = cos(emb, include).acos(), cos(emb, exclude).acos()
    expected = {
        "clip": (theta**2 / 2).mean() - 0.7 * (away**2 / 2).mean(),
        "vq": 0.3 * (z - z_q).pow(2).mean(),
        "draft": 0.6 * (z - draft).pow(2).mean() / tiny.vqgan.codebook.var(),
        "init": 0.4 / 2 * (z - start).pow(2).mean(),
        "zero": 1.5 / (2 * (2 * 2 + 1)) * z.pow(2).mean(),
        "tv": 0.9
        * ((x[:, :, 1:] - x[:, :, :-1]).pow(2).mean() + (x[..., 1:] - x[..., :-1]).pow(2).mean()),
        "gan": -0.2 * tiny.vqgan.discriminate(x).mean(),
    }
    assert parts.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(parts[name], value, msg=name)
    torch.testing.assert_close(similarity, cos(emb, include).mean())


def test_the_seeds_distance_is_the_negative_cosine(tiny):
    emb, goal, away = torch.randn(6, 8), _unit(1, 8), _unit(1, 8)
    settings = Settings(distance="cosine", exclude="x", exclude_weight=0.5)
    target = _target((goal,), exclude=away)
    parts, _ = _judged(tiny, settings, emb, target, _blank())
    cos = torch.nn.functional.cosine_similarity
    torch.testing.assert_close(parts["clip"], (-cos(emb, goal) + 0.5 * cos(emb, away)).mean())


def _blank() -> Observation:
    z = torch.zeros(1, 32, 4, 4)
    return Observation(torch.zeros(1, 3, 32, 32), z, z, z)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_prompts_add_up_by_their_weights(tiny, first, second):
    torch.manual_seed(1)
    emb, a, b = torch.randn(6, 8), _unit(1, 8), _unit(1, 8)
    target = _target((a, first), (b, second))
    parts, _ = _judged(tiny, Settings(), emb, target, _blank())
    unit = torch.nn.functional.normalize(emb, dim=-1)
    expected = first * great_circle(unit, a).mean() + second * great_circle(unit, b).mean()
    torch.testing.assert_close(parts["clip"], expected)


@pytest.mark.parametrize(("weight", "stop"), [(1.0, 0.8), (2.0, 1.2), (-1.0, -1.1)])
def test_below_its_stop_a_prompt_counts_but_pulls_no_more(tiny, weight, stop):
    """Against Crowson's own way to say it, which replaces the gradient."""
    torch.manual_seed(2)
    emb, goal = torch.randn(40, 8, requires_grad=True), _unit(1, 8)
    parts, _ = _judged(tiny, Settings(), emb, _target((goal, weight, stop)), _blank())
    (gradient,) = torch.autograd.grad(parts["clip"], emb)
    signed = great_circle(torch.nn.functional.normalize(emb, dim=-1), goal) * (
        1 if weight > 0 else -1
    )
    torch.testing.assert_close(parts["clip"], abs(weight) * signed.mean())
    pulled = abs(weight) * torch.maximum(signed, torch.tensor(stop)).mean()
    (expected,) = torch.autograd.grad(pulled, emb)
    torch.testing.assert_close(gradient, expected)
    assert (gradient.abs().sum(1) == 0).any()
    assert (gradient.abs().sum(1) > 0).any()


def test_a_phrase_counts_by_its_share(tiny):
    emb, a, b = torch.randn(6, 8), _unit(1, 8), _unit(1, 8)
    target = replace(_target((a,), (b,)), phrases=(0, 1))
    first, second, both = (
        _judged(tiny, Settings(), emb, target, _blank(), shares=shares)[0]["clip"]
        for shares in ({0: 1.0}, {1: 1.0}, {0: 0.25, 1: 0.75})
    )
    torch.testing.assert_close(both, 0.25 * first + 0.75 * second)


def test_total_variation_of_a_ramp_is_its_slope_squared():
    x = torch.arange(8.0).repeat(1, 3, 8, 1) * 0.1
    torch.testing.assert_close(total_variation(x), torch.tensor(0.01))


def test_terms_without_weight_are_left_out(tiny):
    emb, target = torch.randn(2, 8), _target((_unit(1, 8),))
    parts, _ = _judged(tiny, Settings(), emb, target, _blank())
    assert parts.keys() == {"clip"}


def test_the_gradient_of_the_codes_goes_straight_to_the_latent(tiny):
    z = torch.randn(1, 32, 4, 4, requires_grad=True)
    weight = torch.randn(1, 32, 4, 4)
    (tiny.vqgan.quantize(z)[0] * weight).sum().backward()
    torch.testing.assert_close(z.grad, weight)


def test_the_commitment_pulls_the_latent_to_its_codes(tiny):
    z = torch.randn(1, 32, 4, 4, requires_grad=True)
    z_q, _ = tiny.vqgan.quantize(z)
    emb, target = torch.randn(2, 8), _target((_unit(1, 8),))
    scene = Observation(z_q[:, :3], z, z_q, z)
    parts, _ = _judged(tiny, Settings(vq_weight=1.0), emb, target, scene)
    parts["vq"].backward()
    torch.testing.assert_close(z.grad, 2 * (z - z_q).detach() / z.numel())


def test_a_saturated_pixel_can_come_back_and_go_no_further():
    y = torch.tensor([-0.5, 0.5, 1.5, -0.5, 1.5], requires_grad=True)
    # a descent step moves y against the gradient: up, up, down; and further out for the last two
    clamp_with_grad(y).backward(torch.tensor([-1.0, -1.0, 1.0, 1.0, -1.0]))
    assert y.grad.tolist() == [-1.0, -1.0, 1.0, 0.0, 0.0]
    assert clamp_with_grad(y).tolist() == [0.0, 0.5, 1.0, 0.0, 1.0]
