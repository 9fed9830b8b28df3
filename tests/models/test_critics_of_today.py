"""Registered CLIPs of open_clip: short names, their own pixels and tokenizer, the download.

The published files are large, so that the architecture is a small one of open_clip's.
"""

import json
import warnings

import clip.model
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.models import registry
from vqclip_nb.models.download import FetchError
from vqclip_nb.models.registry import find_model, registered_models
from vqclip_nb.models.safe_load import WeightsError

open_clip = pytest.importorskip("open_clip")
NAMES = [model.name for model in registered_models("clip") if model.open_clip]
SIZE = 32


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small CLIP with the exact GELU of LAION's, known to open_clip as `vqclip-tower`."""
    folder = tmp_path_factory.mktemp("towers")
    tower = {"layers": 2, "width": 64}
    shape = {"embed_dim": 32, "vision_cfg": tower | {"image_size": SIZE, "patch_size": 16}}
    shape["text_cfg"] = tower | {"context_length": 77, "vocab_size": 49408, "heads": 1}
    (folder / "vqclip-tower.json").write_text(json.dumps(shape))
    open_clip.add_model_config(folder / "vqclip-tower.json")
    torch.manual_seed(3)
    return open_clip.CLIP(**shape).eval()


@pytest.fixture
def served(small, web, monkeypatch):
    """Serves the small CLIP under a registered name, in the published file's format."""
    folder, address = web

    def serve(name, weights=None):
        file = find_model("clip", name).urls[0].rpartition("/")[2]
        weights = small.state_dict() if weights is None else weights
        if file.endswith(".safetensors"):
            save_file({k: v.clone() for k, v in weights.items()}, folder / file)
        else:
            torch.save(weights, folder / file)
        entry = registry._TABLE["clip"][name]
        monkeypatch.setitem(entry, "open_clip", "vqclip-tower")
        monkeypatch.setitem(entry, "urls", [f"{address}/{file}"])
        monkeypatch.setitem(entry, "bytes", 1_000_000)
        monkeypatch.delitem(entry, "sha256", raising=False)
        if "tokenizer" in entry:
            for other, text in _tokenizer_files().items():
                (folder / other).write_text(text)
            monkeypatch.setitem(entry, "tokenizer", dict.fromkeys(_tokenizer_files(), ""))

    return serve


def _tokenizer_files() -> dict[str, str]:
    """A word-level tokenizer that ends every sentence, in the files of transformers."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<pad>", "<unk>", "a", "red", "apple", "<eos>"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("$A <eos>", special_tokens=[("<eos>", 5)])
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    config |= {"eos_token": "<eos>", "unk_token": "<unk>"}
    return {"tokenizer.json": made.to_str(), "tokenizer_config.json": json.dumps(config)}


def _load(name, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* is for research only")
        return vq.load_models("tiny", clip=name, device="cpu", **options).perceptors[0]


def _openai(state) -> clip.model.CLIP:
    """OpenAI's own implementation with these weights and the exact GELU."""
    model = clip.model.CLIP(32, SIZE, 2, 64, 16, 77, 49408, 64, 1, 2).eval()
    for block in (*model.visual.transformer.resblocks, *model.transformer.resblocks):
        block.mlp.gelu = torch.nn.GELU()
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_it_is_fetched_and_sees_as_openais_implementation(served, small, name):
    served(name)
    ours, theirs = _load(name), _openai(small.state_dict())
    x, found = torch.rand(2, 3, SIZE, SIZE), find_model("clip", name)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (found.mean, found.std))
    with torch.no_grad():
        expected = theirs.encode_image((x - mean) / std)
        torch.testing.assert_close(ours.encode_image(x), expected, atol=1e-4, rtol=0)
        tokens = clip.tokenize(["a red apple"])
        if found.tokenizer:
            tokens = torch.tensor([[2, 3, 4, 5] + [0] * 73])
        expected = theirs.encode_text(tokens)
        torch.testing.assert_close(ours.encode_text("a red apple"), expected, atol=1e-4, rtol=0)
    again = _load(name, offline=True)
    assert torch.equal(again.encode_image(x), ours.encode_image(x))


@pytest.mark.parametrize("name", NAMES)
def test_a_wide_picture_is_prepared_as_open_clip_does(served, small, name):
    served(name)
    ours, found = _load(name), find_model("clip", name)
    picture = Image.effect_noise((3 * SIZE, SIZE), 60).convert("RGB")
    picture.paste((200, 30, 30), (0, 0, SIZE, SIZE))  # the left third, which a crop leaves out
    prepare = open_clip.image_transform(
        SIZE, is_train=False, mean=found.mean, std=found.std,
        resize_mode={"crop": "shortest"}.get(found.resize, found.resize),
        interpolation=found.interpolation,
    )  # fmt: skip
    x = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    x = x.view(1, SIZE, 3 * SIZE, 3).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = small.encode_image(prepare(picture)[None])
        assert F.cosine_similarity(ours.encode_image(x), expected) > 0.9999


@pytest.mark.parametrize(
    ("name", "mean", "std", "resize"),
    [
        ("MobileCLIP2-S0", 0.0, 1.0, "shortest"),
        ("SigLIP2-B/16", 0.5, 0.5, "squash"),
        ("DataComp-B/32", 0.48145466, 0.26862954, "shortest"),
        ("DataComp-B/16", 0.48145466, 0.26862954, "shortest"),
    ],
)
def test_its_pixels_are_those_that_open_clip_has_for_it(name, mean, std, resize):
    found = find_model("clip", name)
    tags = {"MobileCLIP2-S0": "dfndr2b", "SigLIP2-B/16": "webli"}
    known = open_clip.get_pretrained_cfg(found.open_clip, tags.get(name, "datacomp_xl_s13b_b90k"))
    assert (found.mean, found.std) == (tuple(known["mean"]), tuple(known["std"]))
    assert (found.mean[0], found.std[0]) == (mean, std)
    assert known["resize_mode"] == resize == {"crop": "shortest"}.get(found.resize, found.resize)
    assert known["interpolation"] == found.interpolation
    assert known["hf_hub"].rstrip("/") in found.urls[0]


@pytest.mark.parametrize("name", ["SigLIP2-B/16", "FARE4-B/16", "FARE4-B/32", "DataComp-B/16"])
def test_at_full_size_it_is_as_large_as_the_published_file(name):
    found = find_model("clip", name)
    shape = open_clip.get_model_config(found.open_clip)
    custom = shape.pop("custom_text", False)
    with torch.device("meta"):
        model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**shape)
    size = sum(4 * tensor.numel() for tensor in model.state_dict().values())
    assert found.bytes == pytest.approx(size, rel=2e-3)


def test_a_research_licence_is_said_before_the_file_is_fetched(monkeypatch):
    entry = registry._TABLE["clip"]["MobileCLIP2-S0"]
    monkeypatch.setitem(entry, "urls", ["http://127.0.0.1:9/none.safetensors"])
    said = r"MobileCLIP2-S0 is for research only, by its licence \(apple-amlr"
    with pytest.warns(UserWarning, match=said), pytest.raises(FetchError):
        vq.load_models("tiny", clip="MobileCLIP2-S0", device="cpu")


def test_a_file_of_another_model_is_refused_and_not_kept(served):
    name = "FARE4-B/32"
    served(name, {"token_embedding.weight": torch.zeros(4, 4)})
    with pytest.raises(WeightsError, match="FARE4-B/32 does not fit open_clip's vqclip-tower"):
        _load(name)
    assert not find_model("clip", name).path.exists()


def test_offline_it_says_what_is_missing():
    with pytest.raises(FetchError, match=r"DataComp-B/32 is not in .* \(offline\)"):
        _load("DataComp-B/32", offline=True)
    with pytest.raises(FetchError, match=r"tokenizer.json of SigLIP2-B/16 is not in .*offline"):
        _load("SigLIP2-B/16", offline=True)


def test_a_missing_package_is_named_before_anything_is_loaded(monkeypatch):
    there = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "open_clip" else there(name)
    )
    with pytest.raises(ValueError, match="pip install open_clip_torch"):
        vq.load_models("tiny", clip="FARE4-B/32", device="cpu")
