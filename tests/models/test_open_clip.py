"""CLIPs of open_clip: their own tokenizer, mean and std; loaded from a file, without a network."""

import json

import clip
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.models.open_clip import OpenClipPerceptor
from vqclip_nb.models.safe_load import WeightsError

open_clip = pytest.importorskip("open_clip")


def _add_config(folder, name, size, context, quick_gelu=False):
    """Let open_clip know a small ViT of 2 x 2 patches."""
    tower = {"layers": 1, "width": 64}
    shape = {"embed_dim": 32, "quick_gelu": quick_gelu}
    shape["vision_cfg"] = tower | {"image_size": size, "patch_size": size // 2}
    shape["text_cfg"] = tower | {"context_length": context, "vocab_size": 49408, "heads": 1}
    (folder / f"{name}.json").write_text(json.dumps(shape))
    open_clip.add_model_config(folder / f"{name}.json")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small architecture with SigLIP's mean and std, and a file of its random weights."""
    folder = tmp_path_factory.mktemp("open_clip")
    _add_config(folder, "vqclip-small", size=32, context=16)
    torch.manual_seed(3)
    model = open_clip.create_model("vqclip-small")
    torch.save(model.state_dict(), folder / "small.pt")
    return f"open_clip:vqclip-small/{folder / 'small.pt'}", model.eval()


def test_it_embeds_as_open_clip_does(small):
    name, model = small
    ours = vq.load_models("tiny", clip=name, device="cpu").perceptors[0]
    text = ["a red apple", "the sun above a house"]
    tokens = open_clip.get_tokenizer("vqclip-small")(text, context_length=16)
    prepare = open_clip.image_transform(
        32, is_train=False, mean=ours._mean.flatten().tolist(), std=ours._std.flatten().tolist()
    )
    picture = Image.effect_noise((32, 32), 60).convert("RGB")
    x = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    x = x.view(1, 32, 32, 3).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        assert torch.allclose(ours.encode_text(text), model.encode_text(tokens), atol=1e-5)
        expected = model.encode_image(prepare(picture)[None])
        assert torch.allclose(ours.encode_image(x), expected, atol=1e-5)
    assert ours.input_size == 32
    assert ours.embed_dim == 32


def test_its_own_mean_and_std_are_used(small):
    """SigLIP's are 0.5, where OpenAI's are those of photographs."""
    seen = {"size": 32, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    ours = OpenClipPerceptor("siglip", small[1], open_clip.get_tokenizer("vqclip-small"), seen)
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(ours.encode_image(x), small[1].encode_image(2 * x - 1), atol=1e-5)


def test_in_half_precision_it_sees_the_same(small):
    whole, half = (
        vq.load_models("tiny", clip=small[0], device="cpu", precision=name).perceptors[0]
        for name in ("fp32", "fp16")
    )
    x = torch.rand(2, 3, 32, 32)
    similar = torch.cosine_similarity(whole.encode_image(x), half.encode_image(x))
    assert similar.min() > 0.999
    assert torch.equal(whole.encode_text("a cat"), half.encode_text("a cat"))


def test_a_sentence_that_is_too_long_warns(small):
    ours = vq.load_models("tiny", clip=small[0], device="cpu").perceptors[0]
    with pytest.warns(UserWarning, match=r"reads 14 tokens; lost: 'o p'"):
        ours.encode_text("a b c d e f g h i j k l m n o p")


def test_an_openai_file_gives_what_clip_gives(tmp_path):
    torch.manual_seed(4)
    _add_config(tmp_path, "vqclip-quick", size=64, context=77, quick_gelu=True)
    theirs = clip.model.CLIP(32, 64, 1, 64, 32, 77, 49408, 64, 1, 1).eval()
    torch.save(theirs.state_dict(), tmp_path / "quick.pt")
    name = f"open_clip:vqclip-quick/{tmp_path / 'quick.pt'}"
    ours = vq.load_models("tiny", clip=name, device="cpu").perceptors[0]
    with torch.no_grad():
        expected = theirs.encode_text(clip.tokenize(["a red apple"]))
        assert torch.allclose(ours.encode_text("a red apple"), expected, atol=1e-5)


def test_it_paints_beside_another_clip(small, quick):
    result = vq.generate("a red apple", clip=["tiny", small[0]], start="codes", **quick)
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_wrong_names_are_refused():
    for name, said in (
        ("open_clip:ViT-B-32", "MODEL/WEIGHTS"),
        ("open_clip:ViT-B-32/nope", "allowed for ViT-B-32 is .*laion2b_s34b_b79k"),
        ("open_clip:nope/nope", "allowed for nope is a file's path"),
    ):
        with pytest.raises(ValueError, match=said):
            vq.load_models("tiny", clip=name, device="cpu")


def test_offline_nothing_is_fetched():
    with pytest.raises(WeightsError, match="could not be loaded by open_clip"):
        vq.load_models("tiny", clip="open_clip:ViT-B-32/laion2b_s34b_b79k", offline=True)
