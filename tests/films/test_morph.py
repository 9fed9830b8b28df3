"""Morphs: interpolation between latents, length, resuming, refusals."""

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from film_frames import metadata, probe, torn
from PIL import Image
from quick_runs import settings_of
from safetensors.torch import save_file
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.films.morph import blended, slerp
from vqclip_nb.films.options import Morph
from vqclip_nb.films.resumable_writer import seed_of

CLI = ["--total-iter", "3", "--show-step", "3", "--im-shape", "64", "64", "--cutn", "2"]
CLI += ["--seed", "3", "--device", "cpu", "--seconds", "0.2", "--fps", "20"]


@pytest.fixture
def plan(quick):
    return settings_of(quick)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 8, 4, 4, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("blend", ["linear", "spherical", "sine"])
def test_both_ends_are_hit_exactly(pair, blend):
    a, b = pair
    for share, end in ((0.0, a), (1.0, b)):
        assert (blended(a, b, share, blend) - end).abs().max() < 1e-6


def test_spherical_turns_each_code_at_a_constant_rate_and_keeps_its_length(pair):
    a, b = (F.normalize(z, dim=1) * 2.5 for z in pair)
    angle = (a * b).sum(1).div(2.5**2).arccos()
    for share in (0.1, 0.5, 0.8):
        z = blended(a, b, share, "spherical")
        assert torch.allclose(z.norm(dim=1), torch.tensor(2.5), atol=1e-5)
        turned = (a * z).sum(1).div(2.5**2).arccos()
        assert torch.allclose(turned, share * angle, atol=1e-4)


def test_vectors_that_no_circle_joins_are_joined_by_a_line(pair):
    a = pair[0]
    assert torch.allclose(slerp(a, a, 0.3, dim=1), a, atol=1e-6)
    assert torch.allclose(slerp(a, -a, 0.3, dim=1), 0.4 * a, atol=1e-6)
    nothing = torch.zeros_like(a)
    assert torch.allclose(slerp(a, nothing, 0.3, dim=1), 0.7 * a, atol=1e-6)


def test_sine_is_the_tutorials_with_its_end_mended(pair):
    a, b = pair
    for share in (0.2, 0.5, 0.9):
        alpha = math.sin(math.pi / 2 * share) ** 6
        assert torch.allclose(blended(a, b, share, "sine"), alpha * b + (1 - alpha) * a, atol=1e-6)


def test_the_course_holds_passes_and_loops():
    course = Morph(seconds=1, fps=4, hold=0.5).course(3)
    assert [key + share for key, share in course] == (
        [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1.25, 1.5, 1.75, 2, 2, 2]
    )
    loop = Morph(seconds=1, fps=4, cyclic=True).course(2)
    assert [key + share for key, share in loop] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]


def test_a_film_of_sentences_has_its_frames_and_the_key_pictures_at_its_ends(plan, tiny, tmp_path):
    film, out = tmp_path / "a.mp4", tmp_path / "runs"
    vq.morph(["a red apple", "a lemon"], film, plan, models=tiny, out=out, seconds=0.5, fps=20)
    read = probe(film)
    assert (read["frames"].shape, read["fps"]) == ((11, 64, 64, 3), 20)
    runs = [next(out.glob(f"*{name}")) for name in ("apple", "lemon")]
    for run, frame in zip(runs, (read["frames"][0], read["frames"][-1]), strict=True):
        # in patches of 4x4: yuv420p keeps one colour for each 2x2
        own, shown = (
            np.asarray(picture, float).reshape(16, 4, 16, 4, 3).mean((1, 3))
            for picture in (Image.open(run / "picture.png"), frame)
        )
        assert np.abs(own - shown).mean() < 5
    comment = metadata(film)
    assert "a lemon" in comment
    assert str(tmp_path) not in comment
    # a second film paints nothing again
    vq.morph([*map(str, runs)], tmp_path / "b.gif", plan, models=tiny, seconds=0.2, cyclic=True)
    vq.morph(["a red apple", "a lemon"], film, plan, models=tiny, out=out, seconds=0.2)
    assert sorted(out.glob("*")) == sorted(runs)


@pytest.mark.parametrize("through", ["latents", "targets"])
def test_an_interrupted_film_plays_and_resumes_to_the_same_frames(plan, tiny, tmp_path, through):
    how = {"seconds": 0.5, "fps": 12, "through": through, "iterations": 1, "out": tmp_path}
    sources = ["a red apple", "a lemon"]
    plan = plan.replace(seed=None)  # drawn once, also for the resumed film

    film = tmp_path / "torn.mp4"
    make = partial(vq.morph, sources, settings=plan, models=tiny, **how)
    assert torn(make, film, at=4, total=7) == 4
    seed = seed_of(film)
    vq.morph(sources, film, plan, models=tiny, **how)
    whole = vq.morph(sources, tmp_path / "w.mp4", plan.replace(seed=seed), models=tiny, **how)
    frames = probe(whole)["frames"]
    assert np.array_equal(frames, probe(film)["frames"])
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 1


def test_latents_of_other_sizes_or_models_are_refused(plan, tiny, tmp_path):
    runs = [
        vq.generate(plan.replace(im_shape=shape, total_iter=1), models=tiny, out=tmp_path).folder
        for shape in ((64, 64), (96, 64))
    ]
    with pytest.raises(ValueError, match=r"12 × 8 codes, but .* 8 × 8: a morph needs"):
        vq.morph(runs, tmp_path / "a.mp4", models=tiny)
    save_file({"z": torch.zeros(1, 3, 8, 8)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="a model with 3 channels, not tiny"):
        vq.morph([runs[0], str(tmp_path / "other.safetensors")], tmp_path / "a.mp4", models=tiny)
    with pytest.raises(ValueError, match="is not a sentence: through targets"):
        vq.morph([runs[0], "a cat"], tmp_path / "a.mp4", models=tiny, through="targets")


def test_the_command_line_makes_a_film(tmp_path, capsys):
    film = tmp_path / "a.mp4"
    words = ["morph", "a red apple", "a lemon", *CLI, "--to", str(film), "--out", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"video": str(film)}
    assert len(probe(film)["frames"]) == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a cat", "a dog", "--fps", "900"], "fps must be a number from 1 to 60, got 900"),
        (
            ["a cat", "a dog", "--blend", "cubic"],
            "blend must be one of spherical, linear, sine, got 'cubic'",
        ),
        (
            ["a cat", "a dog", "--iterations", "2.5"],
            "iterations must be a whole number from 1 to 100, got 2.5",
        ),
        (["a cat"], "needs two sources or more, got 1"),
        (["a cat", "a dog ^ a bird"], "give each phrase of a story as a sentence of its own"),
        (["a cat", "gone.safetensors"], "gone.safetensors cannot be read as weights: No such file"),
        (["a cat", "a dog", "--to", "/dev/null/a.mp4"], "/dev/null/a.mp4 cannot be written"),
        (
            ["a cat", "a dog", "--mask", "m.png", "--init-image", "i.png"],
            "mask cannot be kept in a morph through latents",
        ),
        (["a cat", "a dog", "--to", "a.avi"], "a.avi is not a film: choose"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["morph", *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
