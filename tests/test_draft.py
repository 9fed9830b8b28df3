"""The draft: what a painting is pulled to, and how the draft is trained."""

import pytest
import torch
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.draft import SIDE, Chance, Draft, thumbnail
from vqclip_nb.latents import stream
from vqclip_nb.train.drafts import DraftTrainer

PROMPTS = ["a red heart", "a yellow star", "a snowman", "a frog", "a rocket", "a strawberry"]


def _run(tiny, quick, **changes) -> vq.Run:
    fields = {"prompt": "a red heart"} | quick | changes
    fields.pop("out")
    return vq.Run(vq.Settings(**fields), models=tiny, out=quick["out"])


def _thumbnails(tiny, prompts, size=(128, 128), seed=3) -> torch.Tensor:
    critic = tiny.perceptors[0]
    target, tokens = F.normalize(critic.encode_text(prompts), dim=1), critic.tokenize(prompts)
    drawn = [
        thumbnail(tiny.draft, target[i : i + 1], tokens[i : i + 1], Chance.draw(generator), *size)
        for i, generator in enumerate(stream(seed, 0, 0) for _ in prompts)
    ]
    return torch.cat(drawn)


def test_the_draft_pulls_the_latent_and_weight_zero_leaves_clip_alone(tiny, quick):
    def distance(weight: float) -> float:
        run = _run(tiny, quick, draft_weight=weight, total_iter=20)
        assert all(("draft" in it.parts) == (weight > 0) for it in run)
        return (run.z - run.draft).square().mean().item()

    assert distance(3.0) < 0.5 * distance(0.0)


def test_a_pair_without_a_draft_paints_as_with_weight_zero(tiny, quick):
    bare = vq.Models("tiny", (), tiny.vqgan, tiny.perceptors, torch.device("cpu"))
    without = vq.generate("a cat", models=bare, **quick)
    unheeded = vq.generate("a cat", models=tiny, draft_weight=0.0, **quick)
    assert torch.equal(without.latents, unheeded.latents)


def test_a_batch_item_has_the_draft_that_it_would_have_alone(tiny, quick):
    both = _run(tiny, quick, batch_size=2).draft
    alone = [_run(tiny, quick, seed=seed).draft for seed in (5, 6)]
    assert torch.equal(both, torch.cat(alone))
    assert not torch.equal(*alone)


def test_a_draft_shows_what_was_asked_for(tiny):
    critic = tiny.perceptors[0]
    pictures = F.normalize(critic.encode_image(_thumbnails(tiny, PROMPTS)), dim=1)
    texts = F.normalize(critic.encode_text(PROMPTS), dim=1)
    right = (pictures @ texts.T).argmax(1) == torch.arange(len(PROMPTS))
    assert right.sum() >= len(PROMPTS) - 1


def test_a_prompt_that_changes_live_pulls_to_its_own_draft_also_after_a_resume(tiny, quick):
    run = _run(tiny, quick)
    first = run.draft.clone()
    for it in run:
        if it.i == 2:
            run.update(noise_factor=0.0)
            assert torch.equal(run.draft, first)
            run.update(prompt="a frog")
        if it.i == 4:
            break
    assert not torch.equal(run.draft, first)
    assert torch.equal(vq.Run.resume(run.folder.path, models=tiny).draft, run.draft)


def test_extras_change_the_draft(tiny, quick):
    changed = _run(tiny, quick, extras="on a blue background", w2=0.6)
    assert not torch.equal(changed.draft, _run(tiny, quick).draft)


@pytest.mark.parametrize("size", [(192, 96), (96, 192)])
def test_a_wide_or_tall_draft_has_its_thing_in_the_middle_and_ground_around_it(tiny, size):
    (x,) = _thumbnails(tiny, ["a red heart on a white background"], size)
    assert x.shape == (3, size[1], size[0])
    edges = (x[:, :, :20], x[:, :, -20:]) if size[0] > size[1] else (x[:, :20], x[:, -20:])
    ground = x[:, 0, 0].view(3, 1, 1)
    assert all(torch.equal(edge, ground.expand_as(edge)) for edge in edges)
    middle = x[:, size[1] // 2, size[0] // 2]
    assert middle[0] > middle[1] + 0.4  # red


def test_words_that_the_draft_never_met_count_for_nothing(tiny):
    tokens = tiny.perceptors[0].tokenize(["a red heart", "a red heart 龘"])
    target = torch.zeros(2, 256)
    thing, _ = tiny.draft(target, tokens, torch.ones(2, 1), torch.zeros(2, 3))
    torch.testing.assert_close(thing[0], thing[1])


def test_training_teaches_what_things_and_grounds_look_like(artwork, recipe, tiny):
    trainer = DraftTrainer(recipe["draft"], artwork, tiny.perceptors[0])
    trainer._fill_pool()
    shapes = [tuple(part.shape[1:]) for part in trainer.pool]
    assert shapes == [(256,), (32,), (1,), (3,), (4, SIDE, SIDE), (3,)]
    first = sum(trainer._step(step) for step in range(1, 11)) / 10
    last = sum([trainer._step(step) for step in range(11, 151)][-10:]) / 10
    assert last < 0.6 * first


def test_a_saved_draft_draws_the_same_in_half_precision(tiny):
    half = {k: v.half() if v.is_floating_point() else v for k, v in tiny.draft.state_dict().items()}
    again = Draft.from_state(half)
    tokens = tiny.perceptors[0].tokenize("a frog")
    read = torch.zeros(1, 256), tokens, torch.ones(1, 1), torch.zeros(1, 3)
    torch.testing.assert_close(again(*read), tiny.draft(*read))
