"""The loop through its contract: pictures, history, repeatability, live change, resume."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from quick_runs import settings_of

import vqclip_nb as vq
from vqclip_nb.storage.ffmpeg import read_video


def _paint(quick, tiny, **changes):
    return vq.generate("a red apple", models=tiny, **(quick | changes))


def _hash(result) -> str:
    data = b"".join(np.asarray(image).tobytes() for image in result.images)
    return hashlib.sha256(data + result.latents.numpy().tobytes()).hexdigest()


def test_the_result_is_what_the_contract_says(quick, tiny):
    result = _paint(quick, tiny, batch_size=2, im_shape=(96, 64))
    assert [image.size for image in result.images] == [(96, 64)] * 2
    assert result.latents.shape == (2, 32, 8, 12)
    assert [row["iteration"] for row in result.history] == [1, 2, 3, 4, 5, 6]
    assert {"seconds", "loss", "similarity", "clip"} <= result.history[0].keys()
    assert result.folder.parent == quick["out"]


def test_the_parts_add_up_to_the_loss(quick, tiny):
    result = _paint(quick, tiny, vq_weight=0.5, gan_weight=0.1, exclude="a cat")
    for row in result.history:
        assert sum(row[part] for part in ("clip", "vq", "draft", "gan")) == pytest.approx(
            row["loss"]
        )


def test_the_picture_is_decode_of_quantize_of_the_latents(quick, tiny):
    result = _paint(quick, tiny)
    with torch.no_grad():
        x = tiny.vqgan.decode(tiny.vqgan.quantize(result.latents)[0])[0]
    pixels = x.mul(255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(np.asarray(result.images[0]), pixels)
    assert np.array_equal(np.asarray(Image.open(result.folder / "picture.png")), pixels)


def test_the_latent_stays_in_the_codebooks_box(quick, tiny):
    z = _paint(quick, tiny, learning_rate=5.0).latents
    low, high = tiny.vqgan.codebook.amin(0), tiny.vqgan.codebook.amax(0)
    assert (z >= low.view(1, -1, 1, 1)).all()
    assert (z <= high.view(1, -1, 1, 1)).all()


def test_painting_brings_the_picture_nearer_to_the_prompt(quick, tiny):
    from_codes = {"start": "codes", "draft_weight": 0.0, "total_iter": 40, "cutn": 8}
    history = _paint(quick, tiny, **from_codes).history
    assert history[-1]["similarity"] > history[0]["similarity"] + 0.1
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_same_seed_paints_the_same_and_another_seed_another(quick, tiny):
    assert _hash(_paint(quick, tiny)) == _hash(_paint(quick, tiny))
    assert _hash(_paint(quick, tiny)) != _hash(_paint(quick, tiny, seed=6))


def test_seed_zero_is_kept_and_no_seed_draws_one_and_records_it(quick, tiny):
    assert _hash(_paint(quick, tiny, seed=0)) == _hash(_paint(quick, tiny, seed=0))
    drawn = _paint(quick, tiny, seed=None)
    recorded = vq.Settings.from_png(drawn.folder / "picture.png").seed
    assert recorded is not None
    assert _hash(_paint(quick, tiny, seed=recorded)) == _hash(drawn)


def test_a_long_text_under_a_window_paints_as_the_story_that_the_window_shows(quick, tiny):
    windows = "a red apple beside ^ apple beside a lemon ^ beside a lemon pie"
    told = vq.generate(windows, models=tiny, exclude="a dog", **quick)
    slid = vq.generate(
        "a red apple beside a lemon pie", models=tiny, exclude="a dog", story_window=4, **quick
    )
    assert _hash(slid) == _hash(told)
    assert vq.Settings.from_png(slid.folder / "picture.png").story_step == 2


def test_a_sentence_that_is_the_name_of_a_file_warns(quick, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("my cat.png")
    with pytest.warns(UserWarning, match=r"'my cat.png' is read as a sentence: write './my cat"):
        vq.Run(_settings(quick).replace(prompt="my cat.png"), models=tiny, out=quick["out"])


def test_another_process_paints_the_same(quick, tiny, tmp_path):
    ours = _paint(quick, tiny)
    program = (
        f"import torch, vqclip_nb as vq; torch.set_num_threads({torch.get_num_threads()});"
        "vq.generate('a red apple', total_iter=6, show_step=3, im_shape=(64, 64), cutn=4, seed=5,"
        "device='cpu', out='other')"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    (theirs,) = (tmp_path / "other").glob("*/picture.png")
    assert np.array_equal(np.asarray(Image.open(theirs)), np.asarray(ours.images[0]))


def test_a_batch_item_starts_from_the_latent_and_crops_that_it_would_have_alone(quick, tiny):
    both = vq.Run(_settings(quick, batch_size=2), models=tiny, out=quick["out"])
    alone = [vq.Run(_settings(quick, seed=s), models=tiny, out=quick["out"]) for s in (5, 6)]
    assert torch.equal(both.loop.latent.z, torch.cat([run.loop.latent.z for run in alone]))
    together, *apart = (next(iter(run)).similarity for run in (both, *alone))
    assert together == pytest.approx(sum(apart) / 2, abs=1e-6)


def test_every_iterate_says_where_it_is_and_shows_its_picture(quick, tiny):
    run = vq.Run(_settings(quick), models=tiny, out=quick["out"])
    seen = [(it.i, it.total, it.shown, it.images()[0].size) for it in run]
    assert seen == [(i, 6, i in (3, 6), (64, 64)) for i in range(1, 7)]


def test_an_iterate_that_has_passed_says_so(quick, tiny):
    iterates = list(vq.Run(_settings(quick), models=tiny, out=quick["out"]))
    with pytest.raises(ValueError, match="The run is past iteration 1: call"):
        iterates[0].images()


def _settings(quick, **changes) -> vq.Settings:
    return settings_of(quick, prompt="a red apple", **changes)


def test_stopping_early_keeps_what_was_painted(quick, tiny):
    run = vq.Run(_settings(quick), models=tiny, out=quick["out"])
    for it in run:
        if it.i == 4:
            break
    picture = np.asarray(Image.open(run.folder.picture))
    assert np.array_equal(picture, np.asarray(run.images()[0]))
    assert run.folder.timelapse.exists()
    assert len(run.folder.load_history(99)) == 4


def test_a_live_change_takes_effect_at_the_next_iteration_and_is_logged(quick, tiny):
    plain = _paint(quick, tiny)
    run = vq.Run(_settings(quick), models=tiny, out=quick["out"])
    for it in run:
        if it.i == 3:
            run.update(prompt="a green apple", learning_rate=0.3)
    same = [a["loss"] == b["loss"] for a, b in zip(plain.history, run.history, strict=True)]
    assert same[:3] == [True] * 3
    assert not same[3]
    logged = json.loads((run.folder.path / "settings.json").read_text())["updates"]
    assert logged == [{"iteration": 4, "prompt": "a green apple", "learning_rate": 0.3}]


def test_a_field_that_is_not_live_cannot_change(quick, tiny):
    run = vq.Run(_settings(quick), models=tiny, out=quick["out"])
    with pytest.raises(ValueError, match="im_shape cannot change while painting"):
        run.update(im_shape=(32, 32))


def test_a_resumed_run_ends_in_the_undisturbed_picture(quick, tiny):
    undisturbed = _paint(quick, tiny)
    run = vq.Run(_settings(quick), models=tiny, out=quick["out"])
    for it in run:
        if it.i == 4:
            break
    resumed = vq.Run.resume(run.folder.path, models=tiny)
    assert [it.i for it in resumed] == [5, 6]
    assert _hash(resumed.result()) == _hash(undisturbed)
    assert [row["loss"] for row in resumed.history] == [r["loss"] for r in undisturbed.history]


def test_resuming_a_finished_run_yields_nothing_until_it_is_extended(quick, tiny):
    long = _paint(quick, tiny, total_iter=9)
    result = _paint(quick, tiny)
    run = vq.Run.resume(result.folder, models=tiny)
    assert list(run) == []
    run.extend(3)
    assert [it.i for it in run] == [7, 8, 9]
    assert _hash(run.result()) == _hash(long)


def test_what_is_no_runs_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is not a run's folder: it has no state\.safetensors"):
        vq.Run.resume(tmp_path)


def test_nothing_is_loaded_before_everything_is_checked(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise AssertionError("loaded too early")

    monkeypatch.setattr("vqclip_nb.run.load_for", fail)
    for bad in ({"models": "nope"}, {"clip": ["nope"]}, {"total_iter": 0}, {"prompt": ""}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            vq.generate(**{"prompt": "a cat", "out": tmp_path} | bad)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"out is .*: choose a folder that you may write to"):
        vq.generate("a cat", out=tmp_path / "file")


def test_a_generator_without_discriminator_refuses_gan_weight(quick, tiny, taming_files):
    from vqclip_nb.models.safe_load import read_yaml
    from vqclip_nb.models.vqgan import VQGAN, Network

    config = read_yaml(taming_files[0].with_suffix(".yaml"))["model"]["params"]
    bare = VQGAN(Network(config, discriminator=False))
    models = vq.Models("bare", (), bare, tiny.perceptors, torch.device("cpu"))
    with pytest.raises(ValueError, match=r"gan_weight is 0\.5, but bare has no discriminator"):
        _paint(quick, models, gan_weight=0.5)
    assert list(quick["out"].iterdir()) == []  # a run that never began leaves no folder


def test_a_size_that_cannot_be_drawn_is_rounded_down_with_a_warning(quick, tiny):
    with pytest.warns(UserWarning, match=r"not a multiple of 8: painting \(72, 64\)"):
        result = _paint(quick, tiny, im_shape=(77, 64), total_iter=1)
    assert result.images[0].size == (72, 64)
    assert vq.Settings.from_png(result.folder / "picture.png").im_shape == (72, 64)


def test_an_interrupt_returns_what_was_painted(quick, tiny, monkeypatch):
    real = vq.Run._step

    def interrupted(self):
        if self.i == 4:
            raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(vq.Run, "_step", interrupted)
    result = _paint(quick, tiny)
    assert len(result.history) == 4
    assert (result.folder / "timelapse.mp4").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_picture(quick, tiny, monkeypatch):
    from vqclip_nb.core import loop as module

    real, calls = module.objective, []

    def broken(*arguments):
        parts, similarity = real(*arguments)
        calls.append(1)
        return ({"clip": parts["clip"] * torch.nan} if len(calls) == 5 else parts), similarity

    monkeypatch.setattr(module, "objective", broken)
    with pytest.raises(FloatingPointError, match="The clip term became nan at iteration 5: lower"):
        _paint(quick, tiny)
    (folder,) = quick["out"].iterdir()
    monkeypatch.undo()
    assert vq.Run.resume(folder, models=tiny).i == 4


def test_a_run_has_the_threads_that_were_asked_for_and_no_more_than_there_are_cores(quick, tiny):
    out = quick.pop("out")
    for threads, expected in ((1, 1), (1000, os.cpu_count())):
        run = vq.Run(vq.Settings(**quick).replace(threads=threads), models=tiny, out=out)
        assert torch.get_num_threads() == expected
    assert run.plan.threads == 1000


def test_a_run_of_version_0_1_resumes_and_its_picture_reloads(tiny, tmp_path):
    folder = tmp_path / "begun"
    shutil.copytree(Path(__file__).parent / "data" / "run_0_1", folder)
    settings = vq.Settings.from_png(folder / "picture.png")
    assert settings.updates == ({"iteration": 3, "prompt": "a green apple"},)
    run = vq.Run.resume(folder, models=tiny)
    assert run.i == 3
    assert [it.i for it in run] == [4, 5, 6]
    assert len(list(read_video(folder / "timelapse.mp4"))) == 6


@pytest.mark.parametrize(
    ("chosen", "count"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_spin_only_where_the_user_asks_for_it(chosen, count):
    free = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import os, vqclip_nb; print(os.environ.get('GOMP_SPINCOUNT'))"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=free | chosen, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == count
