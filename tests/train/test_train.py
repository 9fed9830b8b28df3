"""The recipe on artwork drawn by the tests: scenes, losses that fall, resume, files."""

import json
import random

import pytest
import torch
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.train.captions import PAIR, caption_of
from vqclip_nb.train.clip_trainer import CLIPTrainer
from vqclip_nb.train.generator import CodebookAverages, GeneratorTrainer
from vqclip_nb.train.rivals import Rivals
from vqclip_nb.train.scenes import Composer
from vqclip_nb.train.sketch import Sketch, decoded, train_sketch
from vqclip_nb.train.towers import SmallCLIP, contrastive, same_captions


def test_the_attack_stays_in_its_ball_and_raises_the_loss(artwork, recipe):
    trainer = CLIPTrainer(recipe["clip"], artwork, PAIR)
    trainer.model.eval().requires_grad_(False)
    scenes = trainer.composer.scenes(8, 64)
    answers = trainer._answers(scenes)
    attacked = trainer._attacked(scenes.x, answers, 0.5)
    assert (attacked - scenes.x).flatten(1).norm(dim=1).max() <= 0.5 + 1e-4

    def loss(pictures):
        return trainer._loss(trainer.model.embed(pictures), answers).item()

    assert loss(attacked) > loss(scenes.x)
    assert trainer._attacked(scenes.x, answers, 0.0) is scenes.x


def test_the_text_encoder_learns_the_embeddings_of_the_lexicon(artwork, recipe):
    trainer = CLIPTrainer(recipe["clip"], artwork, PAIR)
    errors = [trainer._text_step() for _ in range(120)]
    assert sum(errors[-10:]) / 10 < 0.75


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
    tokens = model.rows[clip.tokenize(captions, context_length=32)].clamp_min(0)
    ends = clip.tokenize(captions, context_length=32).argmax(-1)
    x = own.token_embedding(tokens) + own.positional_embedding
    x = own.ln_final(own.transformer(x.permute(1, 0, 2)).permute(1, 0, 2))
    expected = x[torch.arange(2), ends] @ own.text_projection
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def sketch(artwork, recipe, tiny) -> Sketch:
    composer = Composer(artwork, torch.Generator().manual_seed(5))
    return train_sketch(recipe["clip"]["rivals"]["sketch"], tiny.vqgan, composer, 128)


def test_a_sketch_resembles_what_the_decoder_makes_of_new_scenes(sketch, artwork, tiny):
    z_q, x = decoded(32, tiny.vqgan, Composer(artwork, torch.Generator().manual_seed(9)), 128)
    assert sketch(z_q).shape == x.shape == (32, 3, 64, 64)
    flat = x.mean((2, 3), keepdim=True)  # a guess that knows each picture's mean colour
    assert (sketch(z_q) - x).square().mean() < 0.5 * (flat - x).square().mean()


@pytest.fixture
def rivals(artwork, recipe, tiny, sketch) -> Rivals:
    composer = Composer(artwork, torch.Generator().manual_seed(6))
    return Rivals(recipe["clip"]["rivals"], tiny.vqgan, sketch, composer)


def test_rivals_come_nearer_to_their_captions_while_they_are_painted(rivals, tiny):
    def embed(x):
        return F.normalize(tiny.perceptors[0].encode_image(x), dim=1)

    paintings = rivals.chosen()
    prompts = [caption_of(p.plan.description, PAIR, random.Random(0)) for p in paintings]
    text = F.normalize(tiny.perceptors[0].encode_text(prompts), dim=1)
    similarity = []
    for _ in range(12):
        scenes, painted = rivals.paint(paintings, text, embed)
        assert scenes.shape == painted.shape == (3, 3, 64, 64)
        similarity.append((embed(painted) * text).sum(1).mean().item())
    assert sum(similarity[-4:]) > sum(similarity[:4]) + 0.4


def test_a_finished_rival_is_replaced(rivals):
    for painting in rivals.pool:
        painting.age = 12
    chosen = rivals.chosen()
    assert len({id(painting) for painting in chosen}) == 3
    assert all(painting.age == 0 for painting in chosen)
    assert sum(painting.age == 12 for painting in rivals.pool) == 1


def test_rivals_join_in_the_last_part_of_the_training(artwork, recipe, tiny, sketch):
    trainer = CLIPTrainer(recipe["clip"], artwork, PAIR, vqgan=tiny.vqgan)
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


@pytest.mark.slow
def test_the_whole_recipe_trains_resumes_and_writes_what_the_package_loads(
    tmp_path, artwork, recipe, monkeypatch
):
    from vqclip_nb.train import __main__ as program

    monkeypatch.setattr(program, "_artwork", lambda *_: artwork)
    monkeypatch.setattr(program.tomllib, "loads", lambda _: recipe)
    common = ["tiny", "--work", str(tmp_path / "work"), "--to", str(tmp_path / "to")]
    assert program.main([*common, "--part", "generator", "--minutes", "0.25"]) == 0
    assert program.main([*common, "--minutes", "0.4"]) == 0  # resumes where that stopped
    saved = torch.load(tmp_path / "work" / "generator.pt", weights_only=True)
    assert 0.4 * 60 <= saved["seconds"] < 0.4 * 60 + 10
    models = vq.load_models(
        str(tmp_path / "to" / "vqgan.safetensors"), clip=[str(tmp_path / "to" / "clip.safetensors")]
    )
    assert models.vqgan.has_discriminator
    assert "box" in models.perceptors[0].known_words()
    assert (tmp_path / "to" / "draft.safetensors").exists()
    figures = json.loads((tmp_path / "work" / "report" / "report.json").read_text())
    assert 0 <= figures["judge: paintings"] <= 1
    assert 5 < figures["PSNR, no style"] < 40
    assert (tmp_path / "work" / "report" / "paintings.png").exists()
    x = torch.rand(1, 3, 64, 64)
    assert models.vqgan.decode(models.vqgan.encode(x)).shape == x.shape


def test_one_step_of_each_player_moves_what_it_should(artwork, recipe):
    trainer = GeneratorTrainer(recipe["generator"], artwork)
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    shown = trainer._step(progress=0.5)
    moved = {k for k, v in trainer.network.state_dict().items() if not torch.equal(v, before[k])}
    assert {
        "l1",
        "perceptual",
        "vq",
        "gan",
        "weight",
        "discriminator",
        "psnr",
        "codes",
    } == shown.keys()
    assert any(k.startswith("encoder.") for k in moved)
    assert any(k.startswith("decoder.") for k in moved)
    assert any(k.startswith("loss.discriminator.") for k in moved)
    assert "quantize.embedding.weight" in moved
