"""LlamaGen's, IBQ's and latent diffusion's VQGANs load from files of their own structure.

Each is compared with a statement of its architecture that uses neither taming nor this package.
"""

import zipfile

import pytest
import torch
from published_vqgans import (
    Published,
    discriminator_weights,
    llamagen_weights,
    taming_weights,
    with_average,
)
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.core import latents
from vqclip_nb.models import registry
from vqclip_nb.models.checkpoints import build_network, vqgan_tensors
from vqclip_nb.models.download import FetchError
from vqclip_nb.models.key_maps import taming_names
from vqclip_nb.models.registry import find_model
from vqclip_nb.models.vqgan import VQGAN

LLAMAGEN = {"llamagen_vq16": [1, 1, 2, 2, 4], "llamagen_vq8": [1, 2, 2, 4]}
LDM = {"ldm_vq_f16": [1, 1, 2, 2, 4], "ldm_vq_f8": [1, 2, 2, 4], "ldm_vq_f4": [1, 2, 4]}
WIDTHS = {"ldm_vq_f16": 8, "ldm_vq_f8": 4, "ldm_vq_f4": 3}


def _loaded(path, name, saved, ch=32, codes=64) -> VQGAN:
    """The VQGAN of a file, with the registered architecture at a smaller width."""
    torch.save(saved, path)
    config = find_model("vqgan", name).config
    shape = config["ddconfig"] | {"ch": ch}
    config = config | {"ddconfig": shape, "n_embed": codes}
    return VQGAN(build_network(config, vqgan_tensors(path), path))


@pytest.fixture(params=LLAMAGEN)
def llamagen(request, tmp_path) -> tuple[VQGAN, Published]:
    torch.manual_seed(11)
    weights = llamagen_weights(LLAMAGEN[request.param], ch=32, z=256, width=8, codes=64)
    saved = {"model": weights, "steps": 400_000, "args": {"codebook_l2_norm": True}}
    return _loaded(tmp_path / "vq.pt", request.param, saved), Published(weights)


def test_llamagen_decodes_and_encodes_as_its_own_code(llamagen):
    vqgan, published = llamagen
    x = torch.rand(2, 3, 64, 48)
    with torch.no_grad():
        z = F.normalize(published.encode(2 * x - 1), dim=1)
        torch.testing.assert_close(vqgan.encode(x), z, atol=1e-4, rtol=0)
        codes = F.normalize(published.w["quantize.embedding.weight"], dim=1)
        z_q = codes[torch.cdist(z.movedim(1, 3), codes).argmin(-1)].movedim(3, 1)
        torch.testing.assert_close(vqgan.quantize(z)[0], z_q, atol=1e-6, rtol=0)
        expected = (published.decode(z_q) / 2 + 0.5).clamp(0, 1)
        torch.testing.assert_close(vqgan.decode(z_q), expected, atol=1e-4, rtol=0)
    assert vqgan.factor == 2 ** (len(vqgan.network.decoder.up) - 1)
    assert not vqgan.has_discriminator


def test_llamagens_latent_of_any_length_is_matched_by_its_direction(llamagen):
    """Its quantizer normalises z; the gradient goes through that, as in LlamaGen's."""
    vqgan, _ = llamagen
    z, weight = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    gradients = []
    for quantize in (
        lambda z: vqgan.quantize(z)[0],
        lambda z: _straight_through(z, vqgan.codebook),
    ):
        leaf = z.clone().requires_grad_()
        z_q = quantize(leaf)
        (z_q * weight).sum().backward()
        gradients.append((z_q.detach(), leaf.grad))
    torch.testing.assert_close(*gradients)
    assert torch.equal(vqgan.quantize(3 * z)[1], vqgan.quantize(z)[1])


def _straight_through(z, codes):
    z = F.normalize(z, dim=1)
    near = (z.movedim(1, 3) @ codes.T).argmax(-1)
    return z + (codes[near].movedim(3, 1) - z).detach()


@pytest.mark.parametrize("start", ["codes", "sine", "gradients"])
def test_box_and_starts_of_a_normalised_codebook_keep_length_1(llamagen, start):
    vqgan, _ = llamagen
    z = vqgan.normalized(latents.begin(vqgan, start, 3, 2, 4, 4))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(2, 4, 4))
    if start == "codes":
        torch.testing.assert_close(vqgan.quantize(z)[0], z)
    z.add_(0.3 * torch.randn_like(z))
    vqgan.confine(z)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(2, 4, 4))


def test_ibq_uses_the_average_of_its_weights_and_matches_by_inner_product(tmp_path):
    torch.manual_seed(12)
    options = {"ch": 32, "z": 256, "width": 256, "codes": 64, "blocks": 4, "attends": True}
    weights = taming_weights([1, 1, 2, 2, 4], **options) | discriminator_weights()
    saved, average = with_average(weights)
    lpips = {"loss.perceptual_loss.net.slice1.0.weight": torch.zeros(64, 3, 3, 3)}
    with pytest.warns(UserWarning, match=r"has an average \(EMA\) of its weights: using it"):
        vqgan = _loaded(tmp_path / "ibq.ckpt", "ibq_1024", {"state_dict": saved | lpips})
    published, x = Published(average), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        z = published.encode(2 * x - 1)
        torch.testing.assert_close(vqgan.encode(x), z, atol=1e-4, rtol=0)
        codes = average["quantize.embedding.weight"]
        near = (z.movedim(1, 3) @ codes.T).softmax(-1).argmax(-1)
        z_q, indices = vqgan.quantize(z)
        assert torch.equal(indices, near)
        expected = (published.decode(codes[near].movedim(3, 1)) / 2 + 0.5).clamp(0, 1)
        torch.testing.assert_close(vqgan.decode(z_q), expected, atol=1e-4, rtol=0)
    assert vqgan.has_discriminator


@pytest.mark.parametrize("name", LDM)
def test_latent_diffusions_first_stages_decode_as_stated(tmp_path, name):
    torch.manual_seed(13)
    width = WIDTHS[name]
    options = {"ch": 32, "z": width, "width": width, "codes": 64, "blocks": 2}
    weights = taming_weights(LDM[name], **options, attends=name != "ldm_vq_f4")
    vqgan = _loaded(tmp_path / "model.ckpt", name, {"state_dict": weights, "epoch": 3})
    published, x = Published(weights), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        z = published.encode(2 * x - 1)
        torch.testing.assert_close(vqgan.encode(x), z, atol=1e-4, rtol=0)
        codes = weights["quantize.embedding.weight"]
        near = torch.cdist(z.movedim(1, 3), codes).argmin(-1)
        assert torch.equal(vqgan.quantize(z)[1], near)
        expected = (published.decode(codes[near].movedim(3, 1)) / 2 + 0.5).clamp(0, 1)
        torch.testing.assert_close(vqgan.decode(vqgan.quantize(z)[0]), expected, atol=1e-4, rtol=0)


# parameters of the published files, counted on the projects' own modules
COUNTS = {"llamagen_vq16": 71_883_403, "llamagen_vq8": 70_109_835}
COUNTS |= {"ldm_vq_f16": 69_593_371, "ldm_vq_f8": 67_717_295, "ldm_vq_f4": 55_322_782}


@pytest.mark.parametrize("name", COUNTS)
def test_at_full_width_it_has_as_many_parameters_as_the_published_file(name):
    """Of the registered architecture, and of the files that the other tests load."""
    with torch.device("meta"):
        if name in LLAMAGEN:
            made = llamagen_weights(LLAMAGEN[name], ch=128, z=256, width=8, codes=16384)
            del made["quantize.codebook_used"]
        else:
            width, codes = WIDTHS[name], 8192 if name == "ldm_vq_f4" else 16384
            options = {"ch": 128, "z": width, "width": width, "codes": codes, "blocks": 2}
            made = taming_weights(LDM[name], **options, attends=name != "ldm_vq_f4")
    assert sum(tensor.numel() for tensor in made.values()) == COUNTS[name]
    network = build_network(find_model("vqgan", name).config, taming_names(made), "", checked=True)
    assert sum(p.numel() for p in network.parameters()) == COUNTS[name]


@pytest.fixture
def served(web, monkeypatch):
    """Serves a narrow VQGAN under a registered name, as the published file."""
    folder, address = web

    def serve(name, saved):
        torch.save(saved, folder / "model.ckpt")
        entry = registry._TABLE["vqgan"][name]
        if "member" in entry:
            with zipfile.ZipFile(folder / "model.zip", "w") as packed:
                packed.write(folder / "model.ckpt", "model.ckpt")
        file = "model.zip" if "member" in entry else "model.ckpt"
        monkeypatch.setitem(registry._TABLE["architectures"][entry["layout"]]["ddconfig"], "ch", 32)
        monkeypatch.setitem(entry, "codes", 64)
        monkeypatch.setitem(entry, "urls", [f"{address}/{file}"])
        monkeypatch.setitem(entry, "bytes", 1_000_000)
        monkeypatch.delitem(entry, "sha256", raising=False)
        return folder / file

    return serve


def test_llamagens_is_fetched_and_paints_on_the_sphere(served, quick):
    torch.manual_seed(14)
    weights = llamagen_weights([1, 1, 2, 2, 4], ch=32, z=256, width=8, codes=64)
    served("llamagen_vq16", {"model": weights})
    options = {"models": "llamagen_vq16", "clip": "tiny", "vq_weight": 0.1}
    result = vq.generate("a red apple", **quick, **options)
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    torch.testing.assert_close(result.latents.norm(dim=1), torch.ones(1, 4, 4))
    again = vq.load_models("llamagen_vq16", clip="tiny", device="cpu", offline=True)
    assert again.vqgan.codebook.shape == (64, 8)


@pytest.mark.parametrize("quantizer", ["none", "softmax", "gumbel"])
def test_llamagens_paints_with_every_quantizer(served, quick, quantizer):
    torch.manual_seed(14)
    weights = llamagen_weights([1, 1, 2, 2, 4], ch=32, z=256, width=8, codes=64)
    served("llamagen_vq16", {"model": weights})
    options = {"models": "llamagen_vq16", "clip": "tiny", "quantizer": quantizer}
    result = vq.generate("a red apple", **quick | {"total_iter": 2}, **options)
    assert all(torch.tensor(line["loss"]).isfinite() for line in result.history)


def test_a_zip_is_unpacked_and_only_the_tensors_are_kept(served):
    torch.manual_seed(15)
    options = {"ch": 32, "z": 4, "width": 4, "codes": 64, "blocks": 2, "attends": True}
    weights = taming_weights(LDM["ldm_vq_f8"], **options)
    served("ldm_vq_f8", {"state_dict": weights | discriminator_weights()})
    vqgan = vq.load_models("ldm_vq_f8", clip="tiny", device="cpu").vqgan
    assert torch.equal(vqgan.codebook, weights["quantize.embedding.weight"])
    assert vqgan.has_discriminator
    folder = find_model("vqgan", "ldm_vq_f8").path.parent
    left = {path.name for path in folder.iterdir() if path.suffix != ".lock"}
    assert left == {"ldm_vq_f8.safetensors", "recorded.json"}


def test_a_zip_without_its_checkpoint_is_refused(served):
    file = served("ldm_vq_f8", {"state_dict": {}})
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("readme.txt", "moved")
    with pytest.raises(FetchError, match=r"is not a zip file with model\.ckpt"):
        vq.load_models("ldm_vq_f8", clip="tiny", device="cpu")


@pytest.mark.parametrize("name", ["llamagen_vq16", "llamagen_vq8", "ldm_vq_f16"])
def test_without_a_discriminator_gan_weight_is_refused_before_the_download(name, quick):
    said = rf"gan_weight is 0\.5, but {name} has no discriminator: set gan_weight to 0"
    with pytest.raises(ValueError, match=said):
        vq.generate("a red apple", models=name, gan_weight=0.5, **quick)
