"""A race reports when our picture reached the public loop's score, or that it never did."""

import json

import pytest
import torch
from quick_runs import settings_of
from torch.nn import functional as F

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.evaluation import public_loops
from vqclip_nb.evaluation.time_to_score import Lap, as_table, race


@pytest.fixture
def ours(quick) -> vq.Settings:
    return settings_of(quick)


def test_the_score_is_that_of_the_public_loops_own_picture(ours, tiny):
    (lap,) = race(["a castle"], "crowson", ours, iterations=3, cutn=4, models=tiny)
    plan = {"im_shape": (64, 64), "cutn": 4, "seed": 5, "prompt": "a castle"}
    loop = public_loops.public_loop("crowson", tiny, vq.Settings.preset("crowson", **plan))
    judge, scores = vq.load_judge("cpu"), []
    torch.manual_seed(5)
    for _ in range(3):
        loop()
        emb = judge.encode_image(loop.picture())
        scores.append(F.cosine_similarity(emb, judge.encode_text("a castle")).item())
    assert lap.score == pytest.approx(scores[-1], abs=1e-3)
    assert abs(lap.score - scores[-2]) > 5e-3
    assert lap.plain_iterations == 3


def test_a_race_that_is_won_says_when(ours, tiny):
    (lap,) = race(["a castle"], "crowson", ours, iterations=1, cutn=2, models=tiny)
    assert lap.ours_score >= lap.score
    assert 1 <= lap.ours_iterations <= ours.total_iter
    assert lap.ours_seconds > 0


def test_a_race_that_is_not_won_says_so(ours, tiny):
    still = ours.replace(total_iter=2, learning_rate=0.0001, draft_weight=0)
    (lap,) = race(["a castle"], "crowson", still, iterations=30, cutn=8, models=tiny)
    assert (lap.ours_seconds, lap.ours_iterations) == (None, 2)
    assert lap.ours_score < lap.score


def test_the_last_line_has_the_median_and_the_worst():
    laps = [Lap("a", 0.2, 40.0, 300, seconds, 7, 0.3) for seconds in (1.0, 3.0, 2.0)]
    assert as_table(laps, "crowson").splitlines()[-1].endswith(" 0.0500, 0.0750 |")
    laps[0] = Lap("a", 0.2, 40.0, 300, None, 150, 0.1)
    assert "not in 150 iterations, 0.100 at best | never |" in as_table(laps, "crowson")
    assert as_table(laps, "crowson").splitlines()[-1].endswith(" 0.0750, never |")


def test_the_command_prints_a_table_and_json(capsys):
    some = ["bench", "--against", "crowson", "--size", "64", "--cutn", "2", "--iterations", "1"]
    some += ["--device", "cpu", "--race", "a castle", "a cactus"]
    assert main(some) == 0
    said = capsys.readouterr()
    table = [line for line in said.out.splitlines() if line.startswith("|")]
    assert len(table) == 5
    assert len({line.count("|") for line in table}) == 1
    assert said.err.splitlines() == ["1 of 2: a castle", "2 of 2: a cactus"]
    assert main([*some, "--json"]) == 0
    laps = json.loads(capsys.readouterr().out)
    assert [(lap["prompt"], lap["plain_iterations"]) for lap in laps] == [
        ("a castle", 1),
        ("a cactus", 1),
    ]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--race", "a cat"], "add --against NAME"),
        (["--race", "a cat", "--against", "studio"], "against is 'studio'"),
        (["--race", "a cat", "--against", "crowson", "--preset", "nobody"], "nobody"),
        (
            ["--race", "a cat", "--against", "crowson", "--size", "64", "128"],
            "size must be one value in a race, got [64, 128]",
        ),
        (
            ["--race", "a cat", "--against", "crowson", "--cutn", "2", "4"],
            "cutn must be one value in a race",
        ),
        (
            ["--race", "a cat", "--against", "crowson", "--cutn", "0"],
            "cutn must be a whole number from 1 to 512, got 0",
        ),
        (
            ["--race", "a cat", "--against", "crowson", "--iterations", "0"],
            "iterations must be 1 or more, got 0",
        ),
        (["--race", "a cat", "", "--against", "crowson"], "race has ''"),
        (["--race", "a cat | a dog:0.5", "--against", "crowson"], "a dog:0.5"),
    ],
)
def test_wrong_arguments_are_reported_before_models_load(wrong, told, monkeypatch, capsys):
    monkeypatch.setattr(
        "vqclip_nb.evaluation.time_to_score.load_for", lambda *_: pytest.fail("models were loaded")
    )
    assert main(["bench", *wrong]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_missing_kornia_is_reported_before_models_load(monkeypatch, capsys):
    monkeypatch.setattr(
        "vqclip_nb.evaluation.time_to_score.load_for", lambda *_: pytest.fail("models were loaded")
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["bench", "--race", "a cat", "--against", "nerdyrodent"]) == 2
    assert "kornia is missing" in capsys.readouterr().err
