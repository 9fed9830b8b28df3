"""The draft: the thumbnail that guides a painting, and its training."""

import clip
import pytest
import torch
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.core.latents import stream
from vqclip_nb.models.draft_old import LAYOUTS, Chance, Draft, joined, thumbnail
from vqclip_nb.train import drafts
from vqclip_nb.train.captions import Description, Thing
from vqclip_nb.train.drafts import DraftTrainer

PROMPTS = ["a red heart", "a yellow star", "a snowman", "a frog", "a rocket", "a strawberry"]


def _run(tiny, quick, **changes) -> vq.Run:
    fields = {"prompt": "a red heart"} | quick | changes
    fields.pop("out")
    return vq.Run(vq.Settings(**fields), models=tiny, out=quick["out"])


def _thumbnail(tiny, prompt, size=(128, 128), seed=3, draft=None) -> torch.Tensor | None:
    tokens = joined(tiny.perceptors[0].tokenize(prompt))
    return thumbnail(draft or tiny.draft, tokens, Chance.draw(stream(seed, 0, 0)), *size)


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
    drawn = torch.cat([_thumbnail(tiny, prompt) for prompt in PROMPTS])
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


@pytest.mark.parametrize("size", [(192, 96), (96, 192)])
def test_a_wide_or_tall_draft_has_its_thing_in_the_middle_and_ground_around_it(tiny, size):
    (x,) = _thumbnail(tiny, "a red heart on a white background", size)
    assert x.shape == (3, size[1], size[0])
    edges = (x[:, :, :20], x[:, :, -20:]) if size[0] > size[1] else (x[:, :20], x[:, -20:])
    ground = x[:, 0, 0].view(3, 1, 1)
    assert all(torch.equal(edge, ground.expand_as(edge)) for edge in edges)
    middle = x[:, size[1] // 2, size[0] // 2]
    assert middle[0] > middle[1] + 0.4  # red


def test_things_stand_where_the_prompt_says(tiny):
    """A yellow star and a red heart, by the red in the upper and the lower half."""

    def redness(x: torch.Tensor) -> float:
        return (x[0] - x[1]).clamp_min(0).mean().item()

    (above,) = _thumbnail(tiny, "a red heart above a yellow star on a white background")
    (below,) = _thumbnail(tiny, "a red heart below a yellow star on a white background")
    assert redness(above[:, :64]) > 2 * redness(above[:, 64:])
    assert redness(below[:, 64:]) > 2 * redness(below[:, :64])


@pytest.mark.parametrize(("words", "number"), [("two", 2), ("three", 3), ("four", 4)])
def test_as_many_things_are_drafted_as_the_prompt_counts(words, number, tiny):
    tokens = tiny.perceptors[0].tokenize(f"{words} red hearts")
    _, layout = tiny.draft.read(tokens)
    assert list(LAYOUTS)[layout.argmax()] == str(number)
    assert len(LAYOUTS[str(number)]) == number


def test_a_style_goes_over_the_whole_thumbnail(tiny):
    plain, grey, neon = (_thumbnail(tiny, f"a red heart{s}") for s in ("", " in sepia", ", neon"))
    assert plain[0, 0, 64, 64] > plain[0, 1, 64, 64] + 0.4  # red
    assert (grey[0, 0] > grey[0, 2]).float().mean() > 0.95  # brown everywhere
    assert neon.mean() < 0.35 < plain.mean()


def test_a_style_without_a_thing_is_no_draft(tiny):
    assert _thumbnail(tiny, "stained glass") is None


def test_a_small_w2_shows_little_of_the_extras_and_the_default_all_of_them(tiny, quick):
    def draft(**changes) -> torch.Tensor:
        return _run(tiny, quick, **changes).loop.drafts[0]

    plain, default = draft(), draft(extras="sepia")
    tenth = draft(extras="sepia", w2=0.05)
    torch.testing.assert_close(tenth, plain.lerp(default, 0.1))
    assert torch.equal(draft(extras="sepia", w2=2.0), default)
    assert torch.equal(draft(extras="sepia", w2=0.0), plain)
    assert not torch.equal(default, plain)


def test_unknown_words_do_not_change_what_things_look_like(tiny):
    tokens = tiny.perceptors[0].tokenize(["a red heart", "a red 龘 heart"])
    one, other = tiny.draft.sum_of(tokens, torch.ones_like(tokens, dtype=torch.bool))
    torch.testing.assert_close(one, other)


def test_training_lowers_every_loss(artwork, recipe):
    trainer = DraftTrainer(recipe["draft"] | {"read_every": 1, "style_every": 7}, artwork)
    losses: dict[str, list[float]] = {}
    for step in range(120):
        for name, value in trainer._step(step).items():
            losses.setdefault(name, []).append(value)
    assert set(losses) == {"thing", "role", "layout", "ground", "style"}
    for name, values in losses.items():
        assert sum(values[-5:]) < 0.6 * sum(values[:5]), name


@pytest.mark.parametrize(
    ("said", "sentence", "spoken_of"),
    [
        (
            Description((Thing("box", "red"), Thing("owl")), place="above", background=("red",)),
            "a red box above an owl on a red background",
            [0, 0, 1, 1, 0, 0, 2, 0, 0, 3, 0, 0],
        ),
        (Description((Thing("box"),), number=3), "three boxes", [0, 0, 1, 0]),
        (Description((Thing("owl", size="tiny"),)), "a tiny owl", [0, 0, 0, 1, 0]),
        (
            Description((Thing("owl"),), background=("black",), style="black and white"),
            "an owl on black in black and white style",
            [0, 0, 1, 0, 3, 0, 4, 4, 4, 0, 0],
        ),
    ],
)
def test_training_roles_are_those_of_the_words(said, sentence, spoken_of):
    tokens = clip.tokenize(sentence)[0].tolist()
    assert drafts._roles(tokens, said)[: len(spoken_of)] == spoken_of


def test_a_saved_draft_draws_the_same_in_half_precision(tiny):
    half = {k: v.half() if v.is_floating_point() else v for k, v in tiny.draft.state_dict().items()}
    again = Draft.from_state(half)
    first, second = (_thumbnail(tiny, "a frog", draft=each) for each in (again, tiny.draft))
    torch.testing.assert_close(first, second)
