"""The presets of the public loops against a plain re-statement of their mathematics."""

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.core import notebook_cutouts
from vqclip_nb.core.latents import stream
from vqclip_nb.evaluation.reference_loops import ClassicLoop, CodebookLoop
from vqclip_nb.prompt_syntax import parse_augments

SIZE, STEPS = 64, 10


def _run(tiny, out, preset, **changes) -> vq.Run:
    settings = vq.Settings.preset(
        preset, im_shape=(SIZE, SIZE), total_iter=STEPS, seed=4, cutn=3, **changes
    )
    return vq.Run(settings, models=tiny, out=out)


def _draws(run: vq.Run, iteration: int) -> notebook_cutouts.PeerDraws:
    """The random numbers that the run uses in an iteration, drawn anew."""
    settings = run.settings
    size = run.models.perceptors[0].input_size
    common = size, (SIZE, SIZE), settings.cut_pow, settings.noise_factor
    generator = stream(settings.seed, 0, iteration)
    return notebook_cutouts.draw(
        settings.cut_method,
        generator,
        settings.cutn,
        *common,
        augments=parse_augments(settings.augment),
    )


def _reference(preset: str, tiny, z: torch.Tensor, run: vq.Run):
    perceptor, settings = tiny.perceptors[0], run.settings
    prompt, extras = (perceptor.encode_text(text) for text in ("a red apple", "neon"))
    target = settings.w1 * prompt + settings.w2 * extras
    if preset == "classic":
        return ClassicLoop(tiny.vqgan, perceptor, z, target, perceptor.encode_text("a dog"))
    prompts = [(target, 1.0, float("-inf"))]
    rate = {"crowson": 0.05, "nerdyrodent": 0.1}[preset]
    return CodebookLoop(tiny.vqgan, perceptor, z, prompts, rate, settings.zero_weight)


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("classic", {"exclude": "a dog"}),
        ("crowson", {}),
        ("nerdyrodent", {"zero_weight": 1.5}),
    ],
)
def test_ten_steps_have_the_losses_and_gradients_of_the_plain_loop(preset, changes, quick, tiny):
    run = _run(tiny, quick["out"], preset, prompt="a red apple", extras="neon", **changes)
    gradients = []
    run.loop.latent.z.register_hook(lambda gradient: gradients.append(gradient.clone()))
    z = run.loop.latent.z.detach().clone().requires_grad_()
    plain = _reference(preset, tiny, z, run)
    before = z.detach().clone()
    for it in run:
        with torch.no_grad():
            z.copy_(before)
        loss = plain.step(_draws(run, it.i))
        assert it.loss == pytest.approx(loss, abs=1e-5)
        after = run.loop.latent.z.detach().clone()
        # by their lengths: where a pixel is clamped at 1 to the last bit, rounding decides whether
        # its gradient passes, and Adam's step is as long for a tiny gradient as for a large one
        assert (gradients[-1] - z.grad).norm() < 0.02 * z.grad.norm()
        assert (after - z.detach()).norm() < 0.02 * (z.detach() - before).norm()
        before = after
    assert it.i == STEPS


@pytest.mark.parametrize(
    ("preset", "changes"), [("classic", {"exclude": "a dog"}), ("crowson", {}), ("nerdyrodent", {})]
)
def test_without_augmentations_the_gradient_is_the_plain_loops(preset, changes, quick, tiny):
    bare = changes | {"augment": "none", "noise_factor": 0.0}
    run = _run(tiny, quick["out"], preset, prompt="a red apple", extras="neon", **bare)
    found = []
    run.loop.latent.z.register_hook(lambda gradient: found.append(gradient.clone()))
    z = run.loop.latent.z.detach().clone().requires_grad_()
    plain = _reference(preset, tiny, z, run)
    it = next(iter(run))
    assert it.loss == pytest.approx(plain.step(_draws(run, 1)), abs=1e-6)
    assert (found[0] - z.grad).norm() < 1e-4 * z.grad.norm()


def test_a_weighted_prompt_with_a_stop_is_crowsons(tiny):
    emb, prompt = torch.randn(8, 16, requires_grad=True), torch.randn(1, 16)
    for weight, stop in ((1.0, 0.9), (-0.5, -1.1), (2.0, float("-inf"))):
        loss = CodebookLoop.prompt_loss(emb, prompt, weight, stop)
        cos = torch.cosine_similarity(emb, prompt)
        assert loss.item() == pytest.approx(weight * (cos.acos() ** 2 / 2).mean().item(), abs=1e-5)


@pytest.mark.parametrize("preset", ["classic", "crowson", "nerdyrodent"])
def test_a_preset_paints_towards_its_prompt(preset, quick, tiny):
    fields = quick | {"total_iter": 40, "cutn": 8}
    out = fields.pop("out")
    settings = vq.Settings.preset(preset, prompt="a red heart", **fields)
    similarity = [row["similarity"] for row in vq.generate(settings, models=tiny, out=out).history]
    assert sum(similarity[-5:]) > sum(similarity[:5]) + 5 * 0.03
