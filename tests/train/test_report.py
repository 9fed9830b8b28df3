"""The report and the comparison of presets, with few pictures of few iterations."""

import json

import pytest

import vqclip_nb as vq
from vqclip_nb.train import compare
from vqclip_nb.train.battery import names_in
from vqclip_nb.train.compare import Comparison
from vqclip_nb.train.report import Report

# captions have words that the CLIP of another vocabulary does not know
pytestmark = pytest.mark.filterwarnings("ignore:clip (reads|never saw)")


@pytest.fixture(scope="module")
def judge():
    return vq.load_judge("cpu")


def test_the_report_measures_every_model_and_keeps_what_it_painted(
    tiny, judge, drawings, recipe, tmp_path
):
    judges = {"lite": (judge, drawings)}
    figures = Report(tiny, drawings, judges, recipe["report"]).write(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == figures
    assert 10 < figures["PSNR, no style"] < 40
    shares = [value for name, value in figures.items() if "PSNR" not in name]
    assert all(0 <= share <= 1 for share in shares)
    for kind in ("scenes", "things"):
        for way in ("", " without draft"):
            assert f"lite: painted {kind}{way}, standard error" in figures
            assert (tmp_path / f"{kind}{way}.png").exists()
    painted = set(tmp_path.joinpath("painted").iterdir())
    again = Report(tiny, drawings, judges, recipe["report"]).write(tmp_path)
    assert again == figures
    assert set(tmp_path.joinpath("painted").iterdir()) == painted


def test_the_comparison_scores_every_way(tiny, judge, drawings, cast, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "PRESETS", {"studio": {}})
    monkeypatch.setattr(compare, "INGREDIENTS", {"no draft": {"draft_weight": 0.0}})
    settings = {"cases": 2, "seconds": 0.01, "seed": 3}
    comparison = Comparison(tiny, {"lite": judge}, cast, names_in([drawings]), settings)
    table = comparison.write(tmp_path)
    assert table.keys() == {"studio", "no draft"}
    assert all(scores.keys() == {"things", "scenes"} for scores in table.values())
    lines = (tmp_path / "compare.md").read_text().splitlines()
    assert lines[0] == "| way | iterations | things, lite | scenes, lite |"
    assert len(lines) == 4
