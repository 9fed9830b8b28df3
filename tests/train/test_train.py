"""The recipe on drawings by the tests: pool, losses that fall, resume, files."""

import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.models.styles import STYLES
from vqclip_nb.train.battery import cases, names_in, right
from vqclip_nb.train.clip_trainer import CLIPTrainer
from vqclip_nb.train.compositions import JUDGE, PAIR, caption_of
from vqclip_nb.train.fragments import fragments
from vqclip_nb.train.generator import CodebookAverages, GeneratorTrainer
from vqclip_nb.train.lexicon import Lexicon
from vqclip_nb.train.rivals import Rivals
from vqclip_nb.train.scene_pool import load_pool
from vqclip_nb.train.sketch import Sketch, decoded, train_sketch
from vqclip_nb.train.towers import SmallCLIP, contrastive, same_captions


def test_a_pool_is_drawn_once_and_read_again(drawings, tmp_path):
    options = {"number": 20, "size": 32, "styled": 0.5, "seed": 3}
    drawn = load_pool(tmp_path, drawings, **options)
    again = load_pool(tmp_path, None, **options)
    assert np.array_equal(drawn.pictures, again.pictures)
    assert drawn.scenes == again.scenes
    assert len(drawn.scenes) == len(drawn.pictures) >= 20
    assert all(scene.things or scene.composition.kind == "landscape" for scene in drawn.scenes)


def test_a_batch_of_the_pool_shows_what_the_scenes_say(pool):
    x, chosen = pool.batch(16, 48, torch.Generator().manual_seed(0))
    assert x.shape == (16, 3, 48, 48)
    assert x.min() >= 0
    assert x.max() <= 1
    means = torch.from_numpy(pool.pictures[chosen].mean((1, 2)) / 255).float()
    assert (x.mean((2, 3)) - means).abs().mean() < 0.05


def test_the_attack_stays_in_its_ball_and_raises_the_loss(pool, recipe):
    trainer = CLIPTrainer(recipe["clip"], pool, PAIR)
    trainer.model.eval().requires_grad_(False)
    x, chosen = pool.batch(8, trainer.model.size, trainer.generator)
    answers = trainer._answers(chosen)
    attacked = trainer._attacked(x, answers, 4.0)
    assert (attacked - x).flatten(1).norm(dim=1).max() <= 4 + 1e-4

    def loss(pictures):
        return trainer._loss(trainer.model.embed(pictures), answers).item()

    assert loss(attacked) > loss(x)
    assert trainer._attacked(x, answers, 0.0) is x


def test_the_text_encoder_learns_the_embeddings_of_the_lexicon(pool, recipe):
    trainer = CLIPTrainer(recipe["clip"], pool, PAIR)
    errors = [trainer._text_step() for _ in range(60)]
    assert sum(errors[-10:]) / 10 < 0.8 * sum(errors[:3]) / 3


def test_fragments_name_every_style_and_mean_what_they_say():
    lexicon = Lexicon(16)
    found = dict(fragments(lexicon))
    assert set(STYLES) <= set(found)
    assert found["cats"] == found["a cat"] != found["a dog"]
    assert found["van gogh"] == found["impressionist"]


def test_without_false_captions_the_objective_is_clips_own():
    torch.manual_seed(0)
    logits = torch.randn(5, 5)
    same = same_captions(list("abcde"), list("abcde"))
    target = torch.arange(5)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(contrastive(logits, same), expected)


def test_equal_captions_share_their_probability():
    same = same_captions(["cat", "dog", "cat"], ["cat", "dog", "cat", "cow", "cat", "owl"])
    expected = [[1 / 3, 0, 1 / 3, 0, 1 / 3, 0], [0, 1, 0, 0, 0, 0], [1 / 3, 0, 1 / 3, 0, 1 / 3, 0]]
    torch.testing.assert_close(same, torch.tensor(expected))


def test_encoding_text_up_to_the_longest_caption_is_clips_own_encoding(recipe):
    import clip

    model = SmallCLIP(recipe["clip"]["architecture"], ["a", "red", "box", "on", "blue"])
    captions = ["a red box on a blue box", "box"]
    ours, own = model.encode_text(captions), model.clip
    for block in own.transformer.resblocks:
        block.attn_mask = own.build_attention_mask()
    tokens = clip.tokenize(captions, context_length=own.context_length)
    x = own.token_embedding(model.rows[tokens].clamp_min(0)) + own.positional_embedding
    x = own.ln_final(own.transformer(x.permute(1, 0, 2)).permute(1, 0, 2))
    expected = x[torch.arange(2), tokens.argmax(-1)] @ own.text_projection
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def sketch(cast, recipe, tiny) -> Sketch:
    generator = torch.Generator().manual_seed(5)
    return train_sketch(recipe["clip"]["rivals"], tiny.vqgan, cast, generator)


def test_a_sketch_resembles_what_the_decoder_makes_of_new_scenes(sketch, cast, tiny):
    z_q, x = decoded(32, tiny.vqgan, cast, 64, torch.Generator().manual_seed(9))
    assert sketch(z_q).shape == x.shape == (32, 3, 32, 32)
    flat = x.mean((2, 3), keepdim=True)  # a guess that knows each picture's mean colour
    assert (sketch(z_q) - x).square().mean() < 0.5 * (flat - x).square().mean()


@pytest.fixture
def rivals(cast, recipe, tiny, sketch) -> Rivals:
    generator = torch.Generator().manual_seed(6)
    return Rivals(recipe["clip"]["rivals"], tiny.vqgan, sketch, cast, generator)


def test_rivals_come_nearer_to_their_captions_while_they_are_painted(rivals, tiny):
    def embed(x):
        return F.normalize(tiny.perceptors[0].encode_image(x), dim=1)

    paintings = rivals.chosen()
    prompts = [caption_of(p.composition, PAIR, random.Random(0)) for p in paintings]
    text = F.normalize(tiny.perceptors[0].encode_text(prompts), dim=1)
    similarity = []
    for _ in range(12):
        scenes, painted = rivals.paint(paintings, text, embed, 64)
        assert scenes.shape == painted.shape == (3, 3, 64, 64)
        similarity.append((embed(painted) * text).sum(1).mean().item())
    assert sum(similarity[-4:]) > sum(similarity[:4]) + 0.2


def test_a_finished_rival_is_replaced(rivals):
    for painting in rivals.pool:
        painting.age = 12
    chosen = rivals.chosen()
    assert len({id(painting) for painting in chosen}) == 3
    assert all(painting.age == 0 for painting in chosen)
    assert sum(painting.age == 12 for painting in rivals.pool) == 1


def test_rivals_join_in_the_last_part_of_the_training(pool, cast, recipe, tiny, sketch):
    trainer = CLIPTrainer(recipe["clip"], pool, PAIR, rivals=(tiny.vqgan, cast))
    trainer.sketch = sketch
    assert "ranked" not in trainer._step(progress=0.1)
    assert 0 <= trainer._step(progress=0.9)["ranked"] <= 1
    assert sum(painting.age for painting in trainer.rivals.pool) == 3  # one step of each chosen


def test_averaged_codes_end_where_the_latents_are():
    torch.manual_seed(0)
    centres = torch.randn(6, 4) * 4
    codebook = torch.zeros(24, 4)
    codes = CodebookAverages(codebook, 0.8, 5, torch.Generator().manual_seed(0))
    for _ in range(200):
        z = centres[torch.randint(6, (64,))] + 0.05 * torch.randn(64, 4)
        codes(z.T.reshape(1, 4, 8, 8))
    nearest = torch.cdist(centres, codebook).amin(1)
    assert nearest.max() < 0.2


def test_training_begins_with_more_and_smaller_pictures(cast, recipe):
    trainer = GeneratorTrainer(recipe["generator"], cast, 64)
    assert trainer._pictures(progress=0.0).shape == (8, 3, 32, 32)
    assert trainer._pictures(progress=0.5).shape == (2, 3, 64, 64)


def test_one_step_of_each_player_moves_what_it_should(cast, recipe):
    trainer = GeneratorTrainer(recipe["generator"], cast, 64)
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    shown = trainer._step(progress=0.9)
    moved = {k for k, v in trainer.network.state_dict().items() if not torch.equal(v, before[k])}
    names = {"l1", "perceptual", "vq", "gan", "weight", "discriminator", "psnr", "codes"}
    assert shown.keys() == names
    assert any(k.startswith("encoder.") for k in moved)
    assert any(k.startswith("decoder.") for k in moved)
    assert any(k.startswith("loss.discriminator.") for k in moved)
    assert "quantize.embedding.weight" in moved


def test_cases_are_different_known_sentences_with_real_pictures(drawings, cast):
    known = names_in([drawings, drawings]) - {"cat"}
    tested = cases("scenes", 12, cast, known, 64, seed=1)
    assert len({case.judged for case in tested}) == 12
    assert all(item.name in known for case in tested for item in case.composition.items)
    assert all(case.image.shape == (64, 64, 3) for case in tested)
    again = cases("scenes", 12, cast, known, 64, seed=1)
    assert [case.prompt for case in again] == [case.prompt for case in tested]
    with pytest.raises(ValueError, match="too few"):
        cases("things", 3, cast, set(), 32, seed=1)


class _Told:
    """A stand-in for a judge, whose embeddings are given: pictures are numbers, so are texts."""

    def encode_image(self, x):
        return F.one_hot(x[:, 0, 0, 0].long(), 8).float()

    def encode_text(self, texts):
        return F.one_hot(torch.tensor([int(text) for text in texts]), 8).float()


def test_right_counts_first_places_and_their_standard_error():
    shown = [0, 1, 2, 7, 0, 1, 7, 7]  # two pictures of each of four sentences
    x = torch.tensor(shown).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    share, error = right(_Told(), x, ["0", "1", "2", "3"], among=4)
    won = torch.tensor([1.0, 1.0, 0.5, 0.0])
    assert share == pytest.approx(won.mean().item())
    assert error == pytest.approx((won.std() / 2).item())


@pytest.mark.slow
def test_the_whole_recipe_trains_resumes_and_writes_what_the_package_loads(
    tmp_path, drawings, recipe, monkeypatch
):
    from vqclip_nb.train import __main__ as program

    monkeypatch.setattr(program, "_drawings", lambda *_: drawings)
    for part in ("words", "lesson_drawings", "report"):  # need WordNet, real drawings, hours
        monkeypatch.delitem(program._PARTS, part)
    monkeypatch.setattr(program.tomllib, "loads", lambda _: recipe)
    common = ["tiny", "--work", str(tmp_path / "work"), "--to", str(tmp_path / "to")]
    assert program.main([*common, "--part", "generator", "--minutes", "0.25"]) == 0
    assert program.main([*common, "--minutes", "0.4"]) == 0  # resumes where that stopped
    saved = torch.load(tmp_path / "work" / "generator.pt", weights_only=True)
    assert saved["seconds"] >= 0.3 * 60
    models = vq.load_models(str(tmp_path / "to"))
    assert models.vqgan.has_discriminator
    assert "apple" in models.perceptors[0].known_words()
    assert (tmp_path / "to" / "draft.safetensors").exists()
    x = torch.rand(1, 3, 64, 64)
    assert models.vqgan.decode(models.vqgan.encode(x)).shape == x.shape


def test_the_judges_captions_are_not_the_pairs(pool):
    different = sum(
        caption_of(s.composition, PAIR, random.Random(0))
        != caption_of(s.composition, JUDGE, random.Random(0))
        for s in pool.scenes
    )
    assert different > 0.5 * len(pool.scenes)
