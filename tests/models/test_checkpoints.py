"""Checkpoints as trainings write them: prefixes, averages, kinds and folders.

Small files with the real names, against taming's own modules.
"""

import contextlib
import copy
import dataclasses
import io
import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from taming.modules.diffusionmodules.model import Decoder, Encoder

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.models.safe_load import WeightsError
from vqclip_nb.models.tensor_names import vqgan_names


@pytest.fixture
def described(taming_files) -> dict:
    """What the small VQGAN's yaml says."""
    return yaml.safe_load(taming_files[0].with_suffix(".yaml").read_text())


@pytest.fixture
def load(tmp_path, described):
    """Writes a checkpoint and its yaml, and loads it."""

    def write(saved: dict, model: dict | None = None, name: str = "my.ckpt") -> vq.Models:
        file = tmp_path / name
        file.with_suffix(".yaml").write_text(yaml.safe_dump({"model": model or described["model"]}))
        save_file(saved, file) if file.suffix == ".safetensors" else torch.save(saved, file)
        return vq.load_models(str(file), device="cpu")

    return write


def _moved(hand):
    """Another VQGAN of the same shape."""
    other, generator = copy.deepcopy(hand), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for module in vars(other).values():
            for weight in module.parameters():
                weight += 0.02 * torch.randn(weight.shape, generator=generator)
    return other


def _under(prefix: str, hand) -> dict:
    return {prefix + name: tensor for name, tensor in hand.state_dict().items()}


def _assert_paints_like(models: vq.Models, hand) -> None:
    """The encoder, the quantizer and the decoder are taming's."""
    x, z = torch.rand(1, 3, 32, 32), torch.randn(1, 16, 4, 4)
    with torch.no_grad():
        encoded = hand.quant_conv(hand.encoder(2 * x - 1))
        codes = hand.quantize(z)[0]
        picture = ((hand.decoder(hand.post_quant_conv(codes)) + 1) / 2).clamp(0, 1)
    torch.testing.assert_close(models.vqgan.encode(x), encoded, atol=1e-4, rtol=0)
    torch.testing.assert_close(models.vqgan.quantize(z)[0], codes, atol=1e-4, rtol=0)
    torch.testing.assert_close(models.vqgan.decode(codes), picture, atol=1e-4, rtol=0)


PREFIXES = ["", "module.", "model.", "model.module.", "_orig_mod.", "first_stage_model."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_prefixes_that_wrappers_add_are_removed(load, taming_files, prefix):
    models = load({"state_dict": _under(prefix, taming_files[1])})
    _assert_paints_like(models, taming_files[1])
    assert models.vqgan.has_discriminator


@pytest.mark.parametrize("container", ["", "model", "state_dict", "module"])
def test_the_weights_may_be_in_a_dict_of_any_usual_name(load, taming_files, container):
    state = {**taming_files[1].state_dict(), "epoch": 3}
    _assert_paints_like(load({container: state} if container else state), taming_files[1])


def test_a_prefix_in_a_safetensors_file_is_removed_too(load, taming_files):
    state = {k: v.contiguous() for k, v in _under("state_dict.", taming_files[1]).items()}
    _assert_paints_like(load(state, name="my.safetensors"), taming_files[1])


def test_an_unknown_prefix_is_named(load, taming_files):
    with pytest.raises(WeightsError, match=r"my\.ckpt has a VQGAN under 'teacher\.net\.': save"):
        load(_under("teacher.net.", taming_files[1]))


def test_two_vqgans_are_named(load, taming_files):
    both = _under("model.", taming_files[1]) | _under("module.", taming_files[1])
    with pytest.raises(WeightsError, match=r"has a VQGAN under 'model\.', 'module\.': save"):
        load(both)


def _lit_ema(hand, prefix: str = "") -> dict:
    """The buffers of latent-diffusion's LitEma: those of parameters, without dots."""
    modules = {k: v for k, v in vars(hand).items() if k != "discriminator"}
    modules["loss.discriminator"] = hand.discriminator
    names = {
        f"{part}.{name}": weight
        for part, module in modules.items()
        for name, weight in module.named_parameters()
    }
    ema = {f"{prefix}model_ema.{k.replace('.', '')}": v.detach() for k, v in names.items()}
    counters = {"decay": torch.tensor(0.9999), "num_updates": torch.tensor(5, dtype=torch.int)}
    return ema | {f"{prefix}model_ema.{name}": value for name, value in counters.items()}


AVERAGED = {
    "LitEma": lambda raw, ema: {"state_dict": raw.state_dict() | _lit_ema(ema)},
    "LitEma of a first stage": lambda raw, ema: {
        "state_dict": _under("first_stage_model.", raw) | _lit_ema(ema, "first_stage_model.")
    },
    "two dicts": lambda raw, ema: {"model": raw.state_dict(), "ema": ema.state_dict()},
    "ema-pytorch": lambda raw, ema: _under("online_model.", raw) | _under("ema_model.", ema),
}


@pytest.mark.parametrize("form", AVERAGED)
def test_the_average_of_the_weights_is_used_with_a_warning(load, taming_files, form):
    raw, average = taming_files[1], _moved(taming_files[1])
    with pytest.warns(UserWarning, match=r"my\.ckpt has an average \(EMA\) of its weights"):
        models = load(AVERAGED[form](raw, average))
    _assert_paints_like(models, average)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():  # the discriminator is the one that was trained
        expected = raw.discriminator(2 * x - 1)
    torch.testing.assert_close(models.vqgan.discriminate(x), expected, atol=1e-4, rtol=0)


def test_a_file_of_nothing_but_the_average_loads_without_a_warning(load, taming_files):
    _assert_paints_like(load({"ema": taming_files[1].state_dict()}), taming_files[1])


def test_an_average_of_something_else_is_left_alone(load, taming_files):
    """As in latent-diffusion's files, whose average is that of the diffusion model."""
    state = _under("first_stage_model.", taming_files[1])
    state |= {f"model{name}": torch.ones(2) for name in (".diffusion_model.out", "_ema.decay")}
    state |= {"model_ema.diffusion_modelout": torch.ones(2)}
    _assert_paints_like(load({"state_dict": state}), taming_files[1])


def _extras_of(kind: str) -> dict:
    """What each class of taming and latent-diffusion keeps beside the VQGAN."""
    if kind == "VQSegmentationModel":
        return {"colorize": torch.randn(3, 183, 1, 1)}
    if kind == "EMAVQ":
        counts = {"cluster_size": torch.ones(48), "embed_avg": torch.ones(48, 16)}
        return {f"quantize.embedding.{name}": tensor for name, tensor in counts.items()}
    return {}


@pytest.mark.parametrize(
    "target",
    [
        "taming.models.vqgan.VQNoDiscModel",
        "taming.models.vqgan.VQSegmentationModel",
        "taming.models.vqgan.EMAVQ",
        "ldm.models.autoencoder.VQModel",
        "ldm.models.autoencoder.VQModelInterface",
    ],
)
@pytest.mark.parametrize("owner", ["", "taming.Net2NetTransformer", "ldm.LatentDiffusion"])
def test_the_other_kinds_of_vqgan_load(load, taming_files, described, target, owner):
    kind, hand = target.rsplit(".", 1)[-1], taming_files[1]
    state = hand.state_dict() | _extras_of(kind)
    adversarial = kind not in ("VQNoDiscModel", "VQSegmentationModel")
    if not adversarial:
        state = {k: v for k, v in state.items() if not k.startswith("loss.")}
    model = described["model"] | {"target": target}
    if owner:
        state = {f"first_stage_model.{k}": v for k, v in state.items()}
        state |= _under("cond_stage_model.", _moved(hand)) | {"transformer.head": torch.ones(2)}
        model = {"target": owner, "params": {"first_stage_config": model, "timesteps": 1000}}
    models = load({"state_dict": state, "global_step": 99}, model)
    _assert_paints_like(models, hand)
    assert models.vqgan.has_discriminator == adversarial


def test_a_vqgan_of_label_maps_is_refused(load, taming_files, described):
    shape = described["model"]["params"]["ddconfig"] | {"in_channels": 183, "out_ch": 183}
    model = {"target": "VQSegmentationModel"}
    model["params"] = described["model"]["params"] | {"ddconfig": shape, "n_labels": 183}
    with pytest.raises(WeightsError, match="pictures of 183 channels, such as maps of labels"):
        load(taming_files[1].state_dict(), model)


@pytest.mark.parametrize(
    ("option", "value"),
    [("attn_type", "none"), ("tanh_out", True), ("resamp_with_conv", "no")],
)
def test_an_option_that_tamings_decoder_lacks_is_refused(
    load, taming_files, described, option, value
):
    described["model"]["params"]["ddconfig"][option] = value
    with pytest.raises(WeightsError, match=rf"ddconfig\.{option} is {value!r}, allowed is"):
        load(taming_files[1].state_dict(), described["model"])


def test_resampling_without_convolutions_is_tamings(load, taming_files, described):
    shape = described["model"]["params"]["ddconfig"]
    shape["resamp_with_conv"] = False
    with contextlib.redirect_stdout(io.StringIO()):
        parts = {"encoder": Encoder(**shape), "decoder": Decoder(**shape)}
    hand = dataclasses.replace(taming_files[1], **parts)
    assert "decoder.up.1.upsample.conv.weight" not in hand.state_dict()
    models = load({"state_dict": hand.state_dict()}, described["model"])
    _assert_paints_like(models, hand)
    z = torch.randn(1, 16, 4, 4)
    picture = models.vqgan.decode(z)
    torch.testing.assert_close(models.vqgan.decode(z, recompute=True), picture)
    half = models.vqgan.use(torch.float16).decode(z)
    torch.testing.assert_close(half.float(), picture, atol=0.02, rtol=0)


@pytest.fixture
def training(tmp_path, taming_files, described):
    """Makes the folder of a training of taming."""

    def make(checkpoints: str, *configs: str) -> Path:
        folder = tmp_path / "logs" / "2021-03-09T13-31-51_flowers"
        (folder / checkpoints).mkdir(parents=True)
        (folder / "configs").mkdir()
        (folder / checkpoints / "last.ckpt").write_bytes(taming_files[0].read_bytes())
        for name in configs:
            lightning = name.endswith("lightning.yaml")
            written = {"lightning": {"trainer": {}}} if lightning else described | {"data": {}}
            (folder / "configs" / name).write_text(yaml.safe_dump(written))
        return folder

    return make


TRAININGS = [
    ("checkpoints", "2021-03-09T13-31-51-project.yaml", "2021-03-09T13-31-51-lightning.yaml"),
    ("checkpoints", "2021-03-09T13-31-51-project.yaml", "2021-04-01T08-00-00-project.yaml"),
    ("ckpts", "model.yaml"),
]


@pytest.mark.parametrize("layout", TRAININGS)
def test_the_folder_of_a_training_loads_and_so_does_its_checkpoint(training, taming_files, layout):
    folder = training(*layout)
    (folder / layout[0] / "epoch=000012.ckpt").write_bytes(b"an earlier one")
    for path in (folder, folder / layout[0] / "last.ckpt"):
        _assert_paints_like(vq.load_models(str(path), device="cpu"), taming_files[1])


def test_a_training_that_changed_its_model_asks_for_the_yaml(training, taming_files, described):
    folder = training("checkpoints", "a-project.yaml", "b-project.yaml")
    later = folder / "configs" / "b-project.yaml"
    later.write_text(later.read_text().replace("n_embed: 48", "n_embed: 64"))
    with pytest.raises(WeightsError, match=r"configs describes several models: give the path"):
        vq.load_models(str(folder), device="cpu")
    own = str(folder / "configs" / "a-project.yaml")
    _assert_paints_like(vq.load_models(str(folder), config=own, device="cpu"), taming_files[1])


def test_a_folder_without_a_checkpoint_and_one_with_several_are_refused(training, tmp_path):
    with pytest.raises(WeightsError, match=r"has no checkpoints/last\.ckpt or ckpts/last\.ckpt"):
        vq.load_models(str(tmp_path), device="cpu")
    folder = training("checkpoints", "model.yaml")
    (folder / "checkpoints" / "last.ckpt").rename(folder / "checkpoints" / "epoch=1.ckpt")
    (folder / "checkpoints" / "epoch=2.ckpt").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"several checkpoints: give the path of a checkpoint"):
        vq.load_models(str(folder), device="cpu")


@pytest.fixture
def apart(tmp_path, taming_files) -> tuple[str, str]:
    """A checkpoint, and a yaml of another name elsewhere."""
    file, config = tmp_path / "last.ckpt", tmp_path / "described" / "config.yaml"
    config.parent.mkdir()
    file.write_bytes(taming_files[0].read_bytes())
    config.write_bytes(taming_files[0].with_suffix(".yaml").read_bytes())
    return str(file), str(config)


def test_a_yaml_of_another_name_is_given_as_config(apart, quick, taming_files):
    file, config = apart
    models = vq.load_models(file, config=config, device="cpu")
    _assert_paints_like(models, taming_files[1])
    settings = vq.Settings(prompt="a cat", models=file, config=config, device="cpu")
    assert models.fit(settings)
    assert not models.fit(settings.replace(config=""))


def test_a_run_with_config_resumes_and_its_picture_names_no_folder(apart, tmp_path, capsys):
    file, config = apart
    words = ["a cat", "--models", file, "--config", config, "--clip", "tiny", "--json"]
    words += ["--total-iter", "2", "--im-shape", "64", "64", "--cutn", "2", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "runs")]) == 0
    facts = json.loads(capsys.readouterr().out)
    shown = vq.Settings.from_png(facts["picture"])
    assert (shown.models, shown.config) == ("last.ckpt", "config.yaml")
    run = vq.Run.resume(facts["folder"])
    assert run.settings.config == config


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("tiny", "there.yaml", "config describes a checkpoint that is given by path, not tiny"),
        ("last.ckpt", "gone.yaml", "config is 'gone.yaml': give the path of an existing yaml"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(name, config, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(ValueError, match=message):
        vq.load_models(name, config=config)


def test_names_that_only_resemble_a_vqgan_are_left_alone():
    names = ["my_encoder.weight", "text_decoder.conv.weight", "my_post_quant_conv.weight"]
    assert vqgan_names(names, Path("a.ckpt")) == {}
