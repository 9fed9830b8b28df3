"""Journeys: how the view moves, length, resuming, refusals."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from film_frames import probe, torn
from quick_runs import settings_of

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.films.journey import moved
from vqclip_nb.films.options import Journey
from vqclip_nb.films.resumable_writer import seed_of

README_PROMPTS = Path(__file__).parents[2] / "assets" / "prompts.txt"
CLI = ["--total-iter", "3", "--show-step", "3", "--im-shape", "64", "64", "--cutn", "2"]
CLI += ["--seed", "3", "--device", "cpu", "--frames", "4", "--iterations", "1"]


@pytest.fixture
def plan(quick):
    return settings_of(quick, prompt="a red apple ^ a lemon")


def _spot(x, y):
    """A soft spot around a pixel of a picture that is wider than high."""
    down, across = torch.meshgrid(torch.arange(48.0), torch.arange(96.0), indexing="ij")
    return (-((across - x) ** 2 + (down - y) ** 2) / 18).exp().expand(1, 3, -1, -1)


@pytest.mark.parametrize(
    ("motion", "to"),
    [
        ({"zoom": 1.25}, (47.5 + 1.25 * 20, 23.5 - 1.25 * 10)),
        ({"zoom": 1.0, "pan_x": 7.0, "pan_y": -4.0}, (60.5, 17.5)),
        # a quarter of a right angle, clockwise as it is seen
        (
            {"zoom": 1.0, "rotate": 22.5},
            (47.5 + 20 * 0.92388 + 10 * 0.38268, 23.5 + 20 * 0.38268 - 10 * 0.92388),
        ),
    ],
)
def test_the_view_moves_as_asked(motion, to):
    """A spot 20 pixels right of the middle and 10 above it."""
    x = moved(_spot(67.5, 13.5), Journey(**motion))[0, 0]
    down, across = torch.meshgrid(torch.arange(48.0), torch.arange(96.0), indexing="ij")
    near = (across - to[0]).hypot(down - to[1]) < 8  # elsewhere may be its mirror image
    weight = torch.where(near, x, 0.0) / x[near].sum()
    assert x[near].max() > 0.9
    assert ((weight * across).sum() - to[0]).abs() < 0.3
    assert ((weight * down).sum() - to[1]).abs() < 0.3


def test_beyond_the_edges_is_a_mirror_and_a_view_at_rest_changes_nothing():
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(moved(x, Journey(zoom=1.0)), x, atol=1e-5)
    panned = moved(x, Journey(zoom=1.0, pan_x=4.0))
    assert torch.allclose(panned[..., :12], x[..., 4:], atol=1e-4)
    assert torch.allclose(panned[..., 12:], x[..., -4:].flip(-1), atol=1e-4)


def test_an_interrupted_film_plays_and_resumes_to_the_same_frames(plan, tiny, tmp_path):
    how = {"frames": 7, "iterations": 1, "fps": 12, "out": tmp_path, "zoom": 1.05}
    plan = plan.replace(seed=None)  # drawn once, also for the resumed film

    film = tmp_path / "torn.mp4"
    assert torn(partial(vq.journey, plan, models=tiny, **how), film, at=5, total=7) == 5
    plan = plan.replace(seed=seed_of(film))
    vq.journey(plan, film, models=tiny, **how)
    whole = vq.journey(plan, tmp_path / "w.mp4", models=tiny, **how)
    read = probe(whole)
    assert (read["frames"].shape, read["fps"]) == ((7, 64, 64, 3), 12)
    assert np.array_equal(read["frames"], probe(film)["frames"])
    assert torn(partial(vq.journey, plan, models=tiny, **how), film, at=5, total=7) == 5
    with pytest.raises(ValueError, match="holds 5 frames of a film that differs in zoom, prompt"):
        vq.journey(plan.replace(prompt="a cat"), film, models=tiny, **how | {"zoom": 1.0})


def test_a_window_over_a_long_text_makes_the_film_of_the_story_that_it_shows(plan, tiny, tmp_path):
    frames = []
    for text, window in (("a cat:0.5 ^ cat dog:0.5 ^ dog hat:0.5", 0), ("a cat dog hat:0.5", 2)):
        settings = plan.replace(prompt=text, story_window=window)
        film = tmp_path / f"{window}.mp4"
        vq.journey(settings, film, models=tiny, out=tmp_path, frames=3, iterations=1)
        frames.append(probe(film)["frames"])
    assert np.array_equal(*frames)


def test_the_command_line_makes_a_film(tmp_path, capsys):
    film = tmp_path / "a.gif"
    words = ["journey", "a red apple", *CLI, "--to", str(film), "--out", str(tmp_path)]
    assert main([*words, "--rotate", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"video": str(film)}
    assert film.stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a cat", "--frames", "0"], "frames must be a whole number from 1 to 100000, got 0"),
        (["a cat", "--zoom", "3"], "zoom must be a number from 0.8 to 1.25, got 3"),
        (["a cat", "--models", "nope"], "models is 'nope': allowed is tiny"),
        ([" ^ "], "prompt must say what to paint"),
        (
            ["a cat", "--mask", "m.png", "--init-image", "i.png"],
            "mask keeps parts of a picture in place, but a journey moves",
        ),
        (["a cat", "--to", "/dev/null/a.mp4"], "/dev/null/a.mp4 cannot be written"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["journey", *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_long_flight_does_not_drift_to_mush(tiny, tmp_path):
    """The judge, who took no part, of every tenth frame among the README's sentences."""
    sentences = README_PROMPTS.read_text(encoding="utf-8").splitlines()[1:]
    place = sentences.index("a rocket in space")  # which the judge knows
    settings = vq.Settings(prompt=sentences[place], im_shape=(128, 128), seed=0)
    film = vq.journey(settings, tmp_path / "a.mp4", models=tiny, out=tmp_path, frames=121)
    frames = torch.from_numpy(probe(film)["frames"][::10].copy()).permute(0, 3, 1, 2) / 255
    judge = vq.load_judge()
    texts, seen = judge.encode_text(sentences), judge.encode_image(frames)
    cosines = torch.cosine_similarity(seen[:, None], texts[None], dim=-1)
    own = cosines[:, place]
    assert own[1:].mean() > 0.6 * own[0]
    assert own[-4:].mean() > 0.6 * own[0]
    assert (cosines > own[:, None]).sum(1).float().mean() < 2  # on average, better fitting ones
    edges = frames.diff(dim=-1).abs().mean((1, 2, 3))
    assert edges[1:].mean() > 0.7 * edges[0]
