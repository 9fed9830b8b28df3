"""Half precision stays in range where plain float16 overflows, and paints the same picture."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from taming.modules.diffusionmodules.model import AttnBlock
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.models.frozen_decoder import thaw
from vqclip_nb.models.half_precision import keep_in_range, pick_precision, through
from vqclip_nb.models.vqgan import VQGAN

CPU = torch.device("cpu")


def _fresh(taming_files) -> VQGAN:
    """A new random VQGAN of taming's modules, with attention."""
    return vq.load_models(str(taming_files[0]), device="cpu").vqgan


def _codes(vqgan: VQGAN, seed: int = 1) -> torch.Tensor:
    places = torch.randint(
        len(vqgan.codebook), (1, 8, 8), generator=torch.Generator().manual_seed(seed)
    )
    return vqgan.codebook[places].permute(0, 3, 1, 2).contiguous()


def _psnr(x: torch.Tensor, y: torch.Tensor) -> float:
    return -10 * (x - y).square().mean().clamp_min(1e-12).log10().item()


@pytest.fixture
def loud() -> VQGAN:
    """The embedded VQGAN; the output of its decoder's first convolution is 10,000 times larger."""
    vqgan = vq.load_models("tiny", device="cpu").vqgan
    for parameter in vqgan.network.decoder.conv_in.parameters():
        parameter.data.mul_(1e4)
    return vqgan


def test_where_a_plain_half_overflows_the_picture_is_that_of_full_precision(loud):
    z_q = _codes(loud)
    expected = loud.decode(z_q)
    plain = copy.deepcopy(loud.network).half()
    assert not plain.decoder(plain.post_quant_conv(z_q.half())).isfinite().all()
    assert _psnr(loud.use(torch.float16).decode(z_q), expected) > 50


def test_its_gradient_is_that_of_full_precision(loud):
    def gradient(vqgan):
        z_q = _codes(vqgan).requires_grad_()
        (vqgan.decode(z_q) * weight).sum().backward()
        return z_q.grad

    weight = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    expected = gradient(loud)
    found = gradient(loud.use(torch.float16))
    assert F.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.999
    assert found.norm().item() == pytest.approx(expected.norm().item(), rel=0.01)


@given(first=st.floats(-2, 5), second=st.floats(-2, 5), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_scaling_for_range_changes_nothing_in_full_precision(taming_files, first, second, seed):
    vqgan = _fresh(taming_files)
    decoder = vqgan.network.decoder
    for layer, power in ((decoder.conv_in, first), (decoder.mid.block_1.conv1, second)):
        layer.weight.data.mul_(10**power)
    h = vqgan.network.post_quant_conv(_codes(vqgan, seed))
    expected = decoder(h)
    keep_in_range(decoder, h)
    torch.testing.assert_close(decoder(h), expected, atol=1e-4, rtol=1e-4)


def test_large_attention_logits_stay_finite(taming_files):
    vqgan = _fresh(taming_files)
    attention = [m for m in vqgan.network.decoder.modules() if isinstance(m, AttnBlock)]
    assert attention
    for block in attention:
        block.q.weight.data.mul_(1e4)
    z_q = _codes(vqgan)
    plain = copy.deepcopy(vqgan.network).half()
    thaw(plain.decoder)
    assert not plain.decoder(plain.post_quant_conv(z_q.half())).isfinite().all()
    assert vqgan.use(torch.float16).decode(z_q).isfinite().all()


@pytest.mark.parametrize("power", [-9, -30, 3])
def test_gradients_of_any_size_come_through_a_half(power):
    layer = torch.nn.Conv2d(3, 3, 3, padding=1)
    x = torch.randn(1, 3, 8, 8).requires_grad_()
    weight = torch.randn(1, 3, 8, 8) * 10.0**power
    (layer(x) * weight).sum().backward()
    expected, x.grad = x.grad.double(), None
    (through(layer.half(), x, torch.float16) * weight).sum().backward()
    torch.testing.assert_close(
        x.grad.double() / expected.norm(), expected / expected.norm(), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize(("name", "least"), [("bf16", 40), ("fp16", 60)])
def test_the_embedded_pair_paints_alike_in_halves(name, least, tiny):
    half = vq.load_models("tiny", device="cpu", precision=name)
    z_q = _codes(tiny.vqgan)
    x = tiny.vqgan.decode(z_q)
    assert _psnr(half.vqgan.decode(z_q), x) > least
    ours, theirs = (m.perceptors[0].encode_image(x) for m in (tiny, half))
    assert F.cosine_similarity(ours, theirs).min() > 0.999
    assert theirs.dtype == torch.float32


def test_a_run_in_halves_resumes_in_halves(quick):
    result = vq.generate("a red apple", precision="fp16", **(quick | {"total_iter": 4}))
    run = vq.Run.resume(result.folder)
    assert run.settings.precision == "fp16"
    assert run.models.vqgan.dtype == torch.float16
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_automatic_precision_is_full_on_the_cpu(tiny, quick):
    assert pick_precision("auto", CPU) == torch.float32
    assert tiny.vqgan.dtype == torch.float32
    result = vq.generate("a red apple", models=tiny, **(quick | {"total_iter": 1}))
    assert vq.Settings.from_png(result.folder / "picture.png").precision == "auto"


def test_an_unknown_precision_is_refused():
    for ask in (vq.Settings, vq.load_models):
        with pytest.raises(
            ValueError, match="precision must be one of auto, fp32, bf16, fp16, got 'fp8'"
        ):
            ask(precision="fp8")
