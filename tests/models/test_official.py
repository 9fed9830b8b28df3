"""Official models at full size: random weights in files of the published format and name."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import clip
import clip.model
import pytest
import torch
from published_vqgans import Published, llamagen_weights
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.discriminator.model import NLayerDiscriminator
from taming.modules.vqvae.quantize import GumbelQuantize, VectorQuantizer2

import vqclip_nb as vq
from vqclip_nb.models import registry
from vqclip_nb.models.download import FetchError

pytestmark = pytest.mark.slow

F16 = {"double_z": False, "z_channels": 256, "resolution": 256, "in_channels": 3, "out_ch": 3}
F16 |= {"ch": 128, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 2, "attn_resolutions": [16]}
GUMBEL_F8 = F16 | {"ch_mult": [1, 1, 2, 4], "attn_resolutions": [32]}


def _hand(kind: str, codes: int) -> torch.nn.ModuleDict:
    """A VQGAN of taming's own modules, put together without this package."""
    torch.manual_seed(1)
    shape = GUMBEL_F8 if kind == "gumbel" else F16
    quantizer = GumbelQuantize if kind == "gumbel" else VectorQuantizer2
    options = (256, 256, codes) if kind == "gumbel" else (codes, 256, 0.25)
    with contextlib.redirect_stdout(io.StringIO()):
        parts = {"encoder": Encoder(**shape), "decoder": Decoder(**shape)}
    parts["quantize"] = quantizer(*options)
    parts["quant_conv"], parts["post_quant_conv"] = (torch.nn.Conv2d(256, 256, 1) for _ in "ab")
    if kind != "gumbel":
        parts["discriminator"] = NLayerDiscriminator(3, 64, 3 if codes == 1024 else 2)
    return torch.nn.ModuleDict(parts).eval().requires_grad_(False)


def _checkpoint(hand: torch.nn.ModuleDict, prefix: str = "") -> dict:
    """As Lightning saves it: with LPIPS, the optimizers' moments and what else it knows."""
    state = {
        prefix + key.replace("discriminator.", "loss.discriminator.", 1): value
        for key, value in hand.state_dict().items()
    }
    lpips = {f"{prefix}loss.perceptual_loss.net.{i}": torch.zeros(512, 512, 3, 3) for i in range(6)}
    if prefix:
        lpips |= {f"transformer.blocks.{i}.weight": torch.zeros(4096, 1024) for i in range(24)}
    moments = [
        {"exp_avg": torch.zeros_like(v), "exp_avg_sq": torch.zeros_like(v)} for v in state.values()
    ]
    optimizer = {"state": dict(enumerate(moments)), "param_groups": [{"lr": 4.5e-6}]}
    return {"state_dict": state | lpips, "optimizer_states": [optimizer], "epoch": 3}


KINDS = {
    "imagenet_f16_1024": ("f16", 1024, ""),
    "imagenet_f16_16384": ("f16", 16384, ""),
    "gumbel_f8": ("gumbel", 8192, ""),
    "faceshq": ("f16", 1024, "first_stage_model."),
}


@pytest.fixture
def served(web, monkeypatch):
    """Makes a full-size checkpoint and serves it as a user's own mirror; its modules."""
    folder, address = web

    def make(name):
        kind, codes, prefix = KINDS[name]
        hand = _hand(kind, codes)
        torch.save(_checkpoint(hand, prefix), folder / "last.ckpt")
        # random weights cannot have the published checksum, and not each file has optimizers
        known = registry._TABLE["vqgan"][name]
        monkeypatch.delitem(known, "sha256", raising=False)
        monkeypatch.setitem(known, "bytes", (folder / "last.ckpt").stat().st_size)
        url = f"{address}/last.ckpt"
        monkeypatch.setenv("VQCLIP_MIRROR", f"{name}={url}")
        return hand

    return make


@pytest.mark.parametrize("name", KINDS)
def test_a_full_size_vqgan_is_fetched_and_decodes_as_tamings(served, tmp_path, name):
    hand = served(name)
    models = vq.load_models(name, clip="tiny", device="cpu")
    z = torch.randn(1, 256, 4, 4)
    x = torch.rand(1, 3, 64, 64)
    expected = ((hand["decoder"](hand["post_quant_conv"](z)) + 1) / 2).clamp(0, 1)
    torch.testing.assert_close(models.vqgan.decode(z), expected, atol=1e-4, rtol=0)
    h = hand["quant_conv"](hand["encoder"](2 * x - 1))
    if "gumbel" in name:  # the code with the highest score, without taming's random noise on it
        scores = hand["quantize"].proj(h)
        h = hand["quantize"].embed(scores.argmax(1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(models.vqgan.encode(x), h, atol=1e-4, rtol=0)
    assert models.vqgan.has_discriminator == ("gumbel" not in name)
    kept = list((tmp_path / "cache" / "vqgan").glob("*.ckpt"))
    assert not kept  # of 1 GB only what is needed stays


def test_the_second_load_is_offline_and_takes_half_the_memory(served, tmp_path):
    """Against `torch.load` of the whole file and taming's modules, each in a process of its own."""
    name = "imagenet_f16_16384"
    served(name)
    vq.load_models(name, clip="tiny", device="cpu")
    ours = _peak_mb(
        "import vqclip_nb as vq, vqclip_nb.models.loading",
        f"models = vq.load_models({name!r}, clip='tiny', device='cpu', offline=True)",
        "picture = models.vqgan.decode(torch.zeros(1, 256, 4, 4))",
    )
    theirs = _peak_mb(
        "from tests.models.test_official import _hand",
        f"saved = torch.load({str(tmp_path / 'served' / 'last.ckpt')!r}, weights_only=True)",
        "hand = _hand('f16', 16384)",
        "state = {k.replace('loss.', ''): v for k, v in saved['state_dict'].items()}",
        "hand.load_state_dict({k: state[k] for k in hand.state_dict()})",
        "picture = hand['decoder'](hand['post_quant_conv'](torch.zeros(1, 256, 4, 4)))",
    )
    said = f"second load {ours:.0f} MB, torch.load of the whole file {theirs:.0f} MB"
    assert ours <= theirs / 2, said


def _peak_mb(imports: str, *lines: str) -> float:
    """The additional peak memory of some lines of Python, after their imports."""
    program = f"""
import re, torch
torch.set_num_threads(2); torch.set_grad_enabled(False)
{imports}
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
before = peak()
{chr(10).join(lines)}
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def test_offline_nothing_is_fetched(monkeypatch, tmp_path):
    with pytest.raises(FetchError, match=r"imagenet_f16_16384 is not in .* \(offline\)"):
        vq.load_models("imagenet_f16_16384", device="cpu", offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"put its file at .*imagenet_f16_16384\.ckpt by hand"):
        vq.generate("a red apple", models="imagenet_f16_16384", out=tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*"))


SHAPES = {
    "ViT-B/32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_full_size_clip_gives_what_clip_load_gives(tmp_path, monkeypatch, name):
    torch.manual_seed(2)
    text = clip.tokenize(["a red apple"])
    archive = registry.find_model("clip", name).path.with_suffix(".pt")
    archive.parent.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = clip.model.CLIP(*SHAPES[name]).eval()
        torch.jit.trace(made, (torch.zeros(1, 3, 224, 224), text)).save(str(archive))
        theirs = clip.load(str(archive), device="cpu")[0].float()
    monkeypatch.delitem(registry._TABLE["clip"][name], "sha256")
    ours = vq.load_models("tiny", clip=name, device="cpu").perceptors[0]
    x = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        expected = theirs.encode_image((x - ours._mean) / ours._std)
        torch.testing.assert_close(ours.encode_image(x), expected, atol=1e-4, rtol=0)
        expected = theirs.encode_text(text)
        torch.testing.assert_close(ours.encode_text("a red apple"), expected, atol=1e-4, rtol=0)
    again = vq.load_models("tiny", clip=name, device="cpu", offline=True).perceptors[0]
    assert torch.equal(again.encode_image(x), ours.encode_image(x))


def test_llamagens_full_size_vqgan_is_fetched_and_decodes_as_stated(tmp_path, monkeypatch):
    torch.manual_seed(4)
    weights = llamagen_weights([1, 1, 2, 2, 4], ch=128, z=256, width=8, codes=16384)
    found = registry.find_model("vqgan", "llamagen_vq16")
    found.original.parent.mkdir(parents=True)
    torch.save({"model": weights}, found.original)
    assert found.original.stat().st_size == pytest.approx(found.bytes, rel=2e-3)
    monkeypatch.delitem(registry._TABLE["vqgan"]["llamagen_vq16"], "sha256")
    vqgan = vq.load_models("llamagen_vq16", clip="tiny", device="cpu").vqgan
    z_q = vqgan.codebook[torch.randint(16384, (1, 4, 4))].permute(0, 3, 1, 2)
    expected = (Published(weights).decode(z_q) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(vqgan.decode(z_q), expected, atol=1e-4, rtol=0)
