"""Half precision of the official architectures, on the CPU: embeddings and pictures as in fp32.

Weights are random, widths are the published ones; depth and resolution are reduced, since a CPU
multiplies float16 matrices fifty times more slowly.
"""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.accel.memory_saving import MemorySaving
from vqclip_nb.evaluation.untrained_models import untrained, untrained_clip, untrained_network
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.half_precision import PRECISIONS
from vqclip_nb.models.open_clip import OpenClipPerceptor
from vqclip_nb.models.registry import find_model, registered_models
from vqclip_nb.models.vqgan import VQGAN

# A gradient's cosine to float32's: bfloat16 has three digits, and those of pixels behind a ReLU
# that is nearly 0 come or go with the last of them; torch's own autocast reaches .995 there.
LEAST = {"bf16": 0.99, "fp16": 0.998}
TOWERS = {  # of open_clip: LAION's and FARE's, SigLIP's, MobileCLIP's, and other families
    "ViT-B-32": {"layers": 2},
    "ViT-B-16-SigLIP": {},
    "MobileCLIP-S1": {},
    "MobileCLIP-B": {},
    "EVA02-B-16": {},
    "convnext_base": {},
    "RN50": {"layers": [1, 1, 1, 1], "image_size": 64},
}
OFFICIAL = [m.name for m in registered_models("clip") if not (m.embedded or m.open_clip)]
PLAIN_TEXT = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1}


def _seen(compute: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """compute(x), and the gradient of a random projection of it with respect to x."""
    x = x.clone().requires_grad_()
    y = compute(x)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
    (y * weight).sum().backward()
    return y.detach(), x.grad


def _cosine(a: Tensor, b: Tensor) -> float:
    return F.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()


def _check_halves(whole: Perceptor, precision: str) -> None:
    half = copy.deepcopy(whole).use(PRECISIONS[precision])
    x = torch.rand(2, 3, whole.input_size, whole.input_size)
    (emb, grad), (half_emb, half_grad) = (_seen(p.encode_image, x) for p in (whole, half))
    assert half_emb.dtype == half_grad.dtype == torch.float32
    assert _cosine(half_emb, emb) > 0.9999
    assert _cosine(half_grad, grad) > LEAST[precision]
    assert half_grad.norm().item() == pytest.approx(grad.norm().item(), rel=0.02)


@pytest.mark.parametrize("precision", LEAST)
@pytest.mark.parametrize("name", OFFICIAL)
def test_an_official_clip_sees_alike_in_halves(name, precision):
    torch.manual_seed(0)
    patch = {"ViT-B/32": 32, "ViT-B/16": 16}.get(name, 14 if name.startswith("ViT") else 32)
    model = untrained_clip(name, resolution=2 * patch, depth=1)
    _check_halves(Perceptor(name, model), precision)


@pytest.mark.parametrize("precision", ["bf16", pytest.param("fp16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TOWERS)
def test_an_image_encoder_of_open_clip_sees_alike_in_halves(name, precision):
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    shape = open_clip.get_model_config(name)
    shape["vision_cfg"] |= TOWERS[name]
    shape["text_cfg"] = shape["text_cfg"] | PLAIN_TEXT | {"hf_tokenizer_name": None}
    custom = shape.pop("custom_text", False)
    model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**shape)
    _shorten(model.visual)
    size = shape["vision_cfg"]["image_size"]
    seen = {"size": size, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    _check_halves(OpenClipPerceptor(name, model, None, seen), precision)


def _shorten(visual: torch.nn.Module) -> None:
    """Keep one block of a timm transformer, or one per stage of a convolutional network."""
    trunk = getattr(visual, "trunk", None)
    if hasattr(trunk, "stages"):
        for stage in trunk.stages:
            stage.blocks = stage.blocks[:1]
    elif trunk is not None:
        trunk.blocks = trunk.blocks[:1]


@pytest.mark.parametrize("precision", LEAST)
@pytest.mark.parametrize("name", ["imagenet_f16_16384", "gumbel_f8"])
def test_an_official_vqgan_draws_alike_in_halves(name, precision):
    torch.manual_seed(0)
    network = untrained_network(find_model("vqgan", name))
    whole, half = VQGAN(network), VQGAN(copy.deepcopy(network)).use(PRECISIONS[precision])
    z_q = whole.codebook[torch.randint(len(whole.codebook), (1, 3, 3))].permute(0, 3, 1, 2)
    (x, grad), (half_x, half_grad) = (_seen(v.decode, z_q) for v in (whole, half))
    assert (half_x - x).square().mean().sqrt() < (0.01 if precision == "bf16" else 0.001)
    assert _cosine(half_grad, grad) > LEAST[precision]


@pytest.mark.slow
@pytest.mark.parametrize("precision", LEAST)
def test_an_official_pair_paints_alike_in_halves(precision, tmp_path):
    """f16/16384 with ViT-B/32, of two layers: twenty iterations, each loss within 1 %."""
    losses = []
    for each in ("fp32", precision):
        settings = vq.Settings(
            prompt="a red apple", models="imagenet_f16_16384", device="cpu", precision=each,
            im_shape=(32, 32), cutn=2, total_iter=20, seed=1, learning_rate=0.1,
        )  # fmt: skip
        run = vq.Run(settings, models=untrained(settings, depth=2), out=tmp_path)
        losses.append([it.loss for it in run])
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("level", [1, 2])
def test_crops_in_pieces_have_the_gradient_of_all_at_once_in_fp16(level):
    """Activations are recomputed; the factors that scale the gradient are not."""
    perceptor = vq.load_models("tiny", device="cpu", precision="fp16").perceptors[0]
    whole, pieces = (MemorySaving(torch.device("cpu"), torch.float16) for _ in range(2))
    pieces.level = level
    x = torch.rand(6, 3, perceptor.input_size, perceptor.input_size)
    expected, found = (_seen(lambda x, by=by: by.encode(perceptor, x), x) for by in (whole, pieces))
    # a processor may add halves up in another order for fewer crops: two steps of a half near 5
    torch.testing.assert_close(found[0], expected[0], atol=8e-3, rtol=0)
    assert _cosine(found[1], expected[1]) > 0.99999
    assert found[1].norm().item() == pytest.approx(expected[1].norm().item(), rel=1e-4)
