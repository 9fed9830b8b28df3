"""The frozen decoder matches taming's modules and stores fewer activations."""

import copy

import pytest
import torch
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, ResnetBlock

from vqclip_nb.models.frozen_decoder import freeze, thaw

SHAPE = {
    "ch": 8, "out_ch": 3, "ch_mult": (1, 2), "num_res_blocks": 1, "attn_resolutions": [8],
    "in_channels": 3, "resolution": 16, "z_channels": 4, "dropout": 0.0,
}  # fmt: skip


@pytest.fixture
def pair() -> tuple[Decoder, Decoder]:
    """taming's decoder and a frozen copy."""
    torch.manual_seed(0)
    shape = SHAPE | {"ch": 32}
    plain = Decoder(**shape).eval().requires_grad_(False)
    return plain, freeze(copy.deepcopy(plain))


def _kept(decoder: Decoder, z: torch.Tensor) -> int:
    """Bytes of activations stored for the backward pass, without the weights."""
    weights = {p.untyped_storage().data_ptr() for p in decoder.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        y = decoder(z)
    assert y.requires_grad
    return sum(kept.values())


def test_picture_and_gradient_are_tamings(pair):
    z = torch.randn(2, 4, 8, 8)
    weight = torch.randn(2, 3, 16, 16)
    pictures, gradients = [], []
    for decoder in pair:
        leaf = z.clone().requires_grad_()
        y = decoder(leaf)
        (y * weight).sum().backward()
        pictures.append(y.detach())
        gradients.append(leaf.grad)
    torch.testing.assert_close(*pictures, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


def test_it_keeps_half_as_much_for_the_backward_pass(pair):
    plain, frozen = (_kept(decoder, torch.randn(1, 4, 8, 8).requires_grad_()) for decoder in pair)
    assert frozen < 0.55 * plain


def test_convolutions_around_the_edges_are_torchs(pair):
    plain, frozen = (decoder.conv_in for decoder in pair)
    plain.padding_mode = frozen.padding_mode = "circular"
    z = torch.randn(1, 4, 6, 5)
    gradients = []
    for layer in (plain, frozen):
        leaf = z.clone().requires_grad_()
        layer(leaf).square().sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_thawed_it_is_tamings_again(pair):
    kinds = {type(module) for module in thaw(pair[1]).modules()}
    assert {Decoder, ResnetBlock, AttnBlock, torch.nn.Conv2d} <= kinds
    assert all(kind.__module__ != "vqclip_nb.models.frozen_decoder" for kind in kinds)
