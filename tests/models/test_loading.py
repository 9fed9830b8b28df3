"""Loading by path matches taming's modules and clip.load, to 1e-5 in fp32."""

import contextlib
import dataclasses
import io
import shutil
import warnings
from pathlib import Path

import clip
import pytest
import torch
import yaml
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.vqvae.quantize import GumbelQuantize

import vqclip_nb as vq
from vqclip_nb.models.registry import find_model, registered_models
from vqclip_nb.models.safe_load import WeightsError


@pytest.fixture(scope="module")
def loaded(taming_files):
    return vq.load_models(str(taming_files[0]), device="cpu"), taming_files[1]


def test_encode_is_tamings_encoder_before_quantisation(loaded):
    models, hand = loaded
    x = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        expected = hand.quant_conv(hand.encoder(2 * x - 1))
    torch.testing.assert_close(models.vqgan.encode(x), expected, atol=1e-5, rtol=0)


def test_quantize_is_tamings_quantizer(loaded):
    models, hand = loaded
    z = torch.randn(2, 16, 8, 12)
    expected, _, (_, _, indices) = hand.quantize(z)
    codes, ours = models.vqgan.quantize(z)
    assert torch.equal(ours.flatten(), indices)
    torch.testing.assert_close(codes, expected, atol=1e-5, rtol=0)


def test_decode_is_tamings_decoder_brought_to_0_1(loaded):
    models, hand = loaded
    z = torch.randn(2, 16, 8, 12)
    with torch.no_grad():
        expected = ((hand.decoder(hand.post_quant_conv(z)) + 1) / 2).clamp(0, 1)
    torch.testing.assert_close(models.vqgan.decode(z), expected, atol=1e-5, rtol=0)


def test_discriminate_is_tamings_discriminator(loaded):
    models, hand = loaded
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = hand.discriminator(2 * x - 1)
    torch.testing.assert_close(models.vqgan.discriminate(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", ["state dict", "TorchScript"])
def test_a_clip_file_gives_what_clip_load_gives(tmp_path, taming_files, clip_model, form):
    path = tmp_path / "small.pt"
    text = clip.tokenize(["a red apple", "the sun above a house"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "TorchScript":
            torch.jit.trace(clip_model, (torch.zeros(1, 3, 64, 64), text)).save(str(path))
        else:
            torch.save(clip_model.state_dict(), path)
        theirs = clip.load(str(path), device="cpu")[0].float()
    ours = vq.load_models(str(taming_files[0]), clip=[str(path)], device="cpu").perceptors[0]
    x = torch.rand(3, 3, 64, 64)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    with torch.no_grad():
        expected = theirs.encode_image((x - mean) / std)
        torch.testing.assert_close(ours.encode_image(x), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(
            ours.encode_text(["a red apple", "the sun above a house"]),
            theirs.encode_text(text),
            atol=1e-5,
            rtol=0,
        )
    assert ours.input_size == 64


@pytest.mark.parametrize("kind", ["GumbelVQ", "Net2NetTransformer"])
def test_the_other_kinds_of_tamings_checkpoints_load(tmp_path, taming_files, kind):
    described = yaml.safe_load(taming_files[0].with_suffix(".yaml").read_text())["model"]
    state, hand = taming_files[1].state_dict(), taming_files[1]
    if kind == "GumbelVQ":
        quantizer = GumbelQuantize(16, 16, 48)
        described["params"]["ddconfig"]["z_channels"] = 16
        described["target"] = "taming.models.vqgan.GumbelVQ"
        hand = dataclasses.replace(hand, **_of_width_16(described["params"]["ddconfig"]))
        state = dataclasses.replace(hand, quantize=quantizer).state_dict()
    else:
        state = {f"first_stage_model.{k}": v for k, v in state.items()}
        described = {"target": "taming.models.cond_transformer.Net2NetTransformer"} | {
            "params": {"first_stage_config": described, "transformer_config": {}}
        }
    torch.save({"state_dict": state | {"transformer.w": torch.ones(2)}}, tmp_path / "model.ckpt")
    (tmp_path / "model.yaml").write_text(yaml.safe_dump({"model": described}))
    models = vq.load_models(str(tmp_path / "model.ckpt"), device="cpu")
    x = torch.rand(1, 3, 64, 64)
    z, indices = models.vqgan.quantize(models.vqgan.encode(x))
    with torch.no_grad():
        h = hand.quant_conv(hand.encoder(2 * x - 1))
        if kind == "GumbelVQ":
            expected = quantizer.proj(h).argmax(1)
        else:
            expected = hand.quantize(h)[2][2].view(indices.shape)
        picture = ((hand.decoder(hand.post_quant_conv(z)) + 1) / 2).clamp(0, 1)
    assert torch.equal(indices, expected)
    torch.testing.assert_close(models.vqgan.decode(z), picture, atol=1e-5, rtol=0)


def _of_width_16(shape: dict) -> dict:
    """The parts whose width a Gumbel quantiser decides."""
    with contextlib.redirect_stdout(io.StringIO()):
        parts = {"encoder": Encoder(**shape), "decoder": Decoder(**shape)}
    return parts | {n: torch.nn.Conv2d(16, 16, 1) for n in ("quant_conv", "post_quant_conv")}


def test_a_folder_of_the_recipe_loads_as_a_pair(tmp_path):
    tiny = Path(vq.__file__).parent / "models" / "tiny"
    for name in ("vqgan.safetensors", "vqgan.yaml", "clip.safetensors", "words.json"):
        shutil.copy(tiny / name, tmp_path / name)
    models = vq.load_models(str(tmp_path), device="cpu")
    assert models.checksums.keys() == {"vqgan.safetensors", "clip.safetensors"}
    assert models.draft is None
    assert "apple" in models.perceptors[0].known_words()


def test_the_users_own_mirrors_come_first(monkeypatch):
    monkeypatch.setenv("VQCLIP_MIRROR", "sflckr=1AbC_d-E ViT-B/32=https://example.org/b32.pt")
    assert find_model("vqgan", "sflckr").mirrors[0] == "https://drive.google.com/uc?id=1AbC_d-E"
    assert find_model("clip", "ViT-B/32").mirrors[0] == "https://example.org/b32.pt"
    assert find_model("clip", "RN50").mirrors == find_model("clip", "RN50").urls
    monkeypatch.setenv("VQCLIP_MIRROR", "imagenet=1AbC")
    with pytest.raises(ValueError, match="VQCLIP_MIRROR has 'imagenet=1AbC'"):
        assert find_model("clip", "RN50").mirrors


def test_every_model_has_a_known_structure_and_a_safe_address():
    for kind in ("vqgan", "clip"):
        for each in registered_models(kind):
            assert each.licence
            assert each.bytes > 1_000_000 or each.member
            assert each.embedded or all(url.startswith("https://") for url in each.mirrors)
            assert each.sha256 == "" or len(each.sha256) == 64
    assert find_model("vqgan", "gumbel_f8").config["n_embed"] == 8192


def test_the_models_are_frozen(tiny):
    modules = [tiny.vqgan.network, tiny.perceptors[0].model]
    assert not any(p.requires_grad for m in modules for p in m.parameters())
    assert not any(m.training for m in modules)


def test_free_lets_go_of_the_weights(taming_files):
    models = vq.load_models(str(taming_files[0]), device="cpu")
    models.free()
    assert models.vqgan is None
    assert models.perceptors == []


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"models is 'nope': allowed is tiny, .*, or the path"):
        vq.load_models("nope")
    with pytest.raises(ValueError, match=r"clip is 'nope': allowed is tiny, .*, or the path"):
        vq.load_models("tiny", clip=["nope"])


def test_a_checkpoint_without_its_yaml_is_refused(tmp_path, taming_files):
    shutil.copy(taming_files[0], tmp_path / "alone.ckpt")
    with pytest.raises(WeightsError, match=r"alone\.ckpt has no yaml beside it"):
        vq.load_models(str(tmp_path / "alone.ckpt"))


def test_a_yaml_that_does_not_match_is_reported_with_the_first_tensor(tmp_path, taming_files):
    shutil.copy(taming_files[0], tmp_path / "model.ckpt")
    text = taming_files[0].with_suffix(".yaml").read_text()
    (tmp_path / "model.yaml").write_text(text.replace("n_embed: 48", "n_embed: 49"))
    with pytest.raises(WeightsError, match=r"quantize.embedding.weight of shape \(48, 16\)"):
        vq.load_models(str(tmp_path / "model.ckpt"))


def test_a_yaml_of_another_kind_of_model_is_refused(tmp_path, taming_files):
    shutil.copy(taming_files[0], tmp_path / "model.ckpt")
    (tmp_path / "model.yaml").write_text("model: {target: os.system, params: {}}")
    with pytest.raises(WeightsError, match=r"os\.system.*allowed are VQModel"):
        vq.load_models(str(tmp_path / "model.ckpt"))


def test_a_file_that_is_no_clip_is_refused(taming_files):
    with pytest.raises(WeightsError, match="is not a CLIP checkpoint"):
        vq.load_models("tiny", clip=[str(taming_files[0])])


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="device is 'cuda', which this machine lacks"):
        vq.load_models("tiny", device="cuda")
