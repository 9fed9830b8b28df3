"""The draft of a run: what guides the painting, for which words and how strongly."""

import pytest
import torch
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.core.latents import stream
from vqclip_nb.core.loop import Loop
from vqclip_nb.models.draft.drafting import Chance, draft_picture

PROMPTS = ["a red heart", "a yellow star", "a snowman", "a frog", "a rocket", "a strawberry"]


def _run(tiny, quick, **changes) -> vq.Run:
    fields = {"prompt": "a red heart"} | quick | changes
    fields.pop("out")
    return vq.Run(vq.Settings(**fields), models=tiny, out=quick["out"])


def _picture(tiny, prompt, size=(128, 128), seed=3) -> torch.Tensor | None:
    return draft_picture(tiny.draft, tiny.vqgan, prompt, Chance.draw(stream(seed, 0, 0)), *size)


def test_the_draft_pulls_the_latent_and_weight_zero_leaves_clip_alone(tiny, quick):
    def distance(weight: float) -> float:
        run = _run(tiny, quick, draft_weight=weight, total_iter=20)
        assert all(("draft" in it.parts) == (weight > 0) for it in run)
        return (run.loop.latent.z - run.loop.drafts[0]).square().mean().item()

    assert distance(3.0) < 0.5 * distance(0.0)


def test_models_without_a_draft_paint_as_with_weight_zero(tiny, quick):
    bare = vq.Models("tiny", (), tiny.vqgan, tiny.perceptors, torch.device("cpu"))
    without = vq.generate("a cat", models=bare, **quick)
    unheeded = vq.generate("a cat", models=tiny, draft_weight=0.0, **quick)
    assert torch.equal(without.latents, unheeded.latents)


def test_a_batch_item_has_the_draft_that_it_would_have_alone(tiny, quick):
    both = _run(tiny, quick, batch_size=2).loop.drafts[0]
    alone = [_run(tiny, quick, seed=seed).loop.drafts[0] for seed in (5, 6)]
    assert torch.equal(both, torch.cat(alone))
    assert not torch.equal(*alone)


def test_a_draft_shows_what_was_asked_for(tiny):
    perceptor = tiny.perceptors[0]
    drawn = torch.cat([_picture(tiny, f"{prompt} on a white background") for prompt in PROMPTS])
    pictures = F.normalize(perceptor.encode_image(drawn), dim=1)
    texts = F.normalize(perceptor.encode_text(PROMPTS), dim=1)
    right = (pictures @ texts.T).argmax(1) == torch.arange(len(PROMPTS))
    assert right.sum() >= len(PROMPTS) - 1


def test_a_live_change_of_the_prompt_changes_the_draft_also_after_a_resume(tiny, quick):
    run = _run(tiny, quick)
    first = run.loop.drafts[0].clone()
    for it in run:
        if it.i == 2:
            run.update(noise_factor=0.0)
            assert torch.equal(run.loop.drafts[0], first)
            run.update(prompt="a frog")
        if it.i == 4:
            break
    assert not torch.equal(run.loop.drafts[0], first)
    assert torch.equal(
        vq.Run.resume(run.folder.path, models=tiny).loop.drafts[0], run.loop.drafts[0]
    )


def test_extras_change_the_draft(tiny, quick):
    changed = _run(tiny, quick, extras="on a blue background", w2=0.6)
    assert not torch.equal(changed.loop.drafts[0], _run(tiny, quick).loop.drafts[0])


def test_a_prompt_without_known_words_is_painted_without_a_draft(tiny, quick):
    with pytest.warns(UserWarning, match="never saw"):
        run = _run(tiny, quick, prompt="xylqzjj")
    assert run.loop.drafts[0] is None
    assert all("draft" not in it.parts for it in run)


def test_a_style_without_a_thing_is_no_draft(tiny):
    assert _picture(tiny, "stained glass") is None


def test_a_small_w2_shows_little_of_the_extras_and_the_default_all_of_them(tiny, quick):
    def draft(**changes) -> torch.Tensor:
        return _run(tiny, quick, **changes).loop.drafts[0]

    plain, default = draft(), draft(extras="sepia")
    tenth = draft(extras="sepia", w2=0.05)
    torch.testing.assert_close(tenth, plain.lerp(default, 0.1))
    assert torch.equal(draft(extras="sepia", w2=2.0), default)
    assert torch.equal(draft(extras="sepia", w1=5e-324), default)  # half of it is 0
    assert torch.equal(draft(extras="sepia", w2=0.0), plain)
    assert not torch.equal(default, plain)


def test_a_painting_can_begin_from_the_draft_and_from_codes_without_one(tiny):
    def begun(prompt, start):
        settings = vq.Settings(prompt=prompt, start=start, seed=2, im_shape=(64, 64))
        return Loop(tiny, settings)

    drafted = begun("a red apple", "draft")
    assert torch.equal(drafted.latent.z, drafted.drafts[0])
    unknown, codes = begun("quuxyzzy", "draft"), begun("quuxyzzy", "codes")
    assert torch.equal(unknown.latent.z, codes.latent.z)
