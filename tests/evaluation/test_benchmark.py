"""The benchmark measures what it reports."""

import json
from functools import partial

import pytest
import torch
from quick_runs import settings_of
from torch.utils.flop_counter import FlopCounterMode

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.evaluation import benchmark, public_loops

CPU = torch.device("cpu")


@pytest.fixture
def plan(quick) -> vq.Settings:
    return settings_of(quick)


def test_the_median_of_each_way_is_its_own(monkeypatch):
    clock = [0]
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])
    takes = {"short": iter([1, 9, 2]), "long": iter([60, 50, 10])}

    def way(name: str) -> None:
        clock[0] += next(takes[name])

    ways = {name: partial(way, name) for name in takes}
    assert benchmark.in_turn(ways, 3, CPU) == {"short": 2, "long": 50}


def test_the_share_is_the_networks_work_over_what_the_machine_could_do(plan, tiny, monkeypatch):
    """Time and rate cancel out, since both depend on the load of the machine."""
    monkeypatch.setattr(benchmark, "matmul_rate", lambda device: 1e9)
    rows = [benchmark.measure(plan.replace(cutn=cutn), tiny, iterations=1) for cutn in (2, 6)]
    few, many = (row.share * row.seconds * 1e9 for row in rows)
    perceptor = tiny.perceptors[0]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        perceptor.encode_image(torch.rand(1, 3, perceptor.input_size, perceptor.input_size))
    # a backward pass to the pixels only takes as many operations as a forward pass
    assert (many - few) / 4 == pytest.approx(2 * counter.get_total_flops(), rel=0.1)
    assert [(row.width, row.height, row.cutn, row.plain) for row in rows] == [
        (64, 64, 2, None),
        (64, 64, 6, None),
    ]


def test_the_machines_rate_is_a_rate():
    assert 1e8 < benchmark.matmul_rate(CPU) < 1e15


@pytest.mark.parametrize("name", public_loops.NAMES)
def test_a_public_loop_paints(name, plan, tiny):
    settings = vq.Settings.preset(name, im_shape=(64, 64), cutn=8, seed=1, prompt="a red heart")
    step = public_loops.public_loop(name, tiny, settings)
    losses = [step() for _ in range(30)]
    assert sum(losses[-5:]) < sum(losses[:5])


def test_a_public_loop_leaves_the_models_as_they_were(plan, tiny):
    public_loops.public_loop("crowson", tiny, plan)()
    weight = tiny.vqgan.network.decoder.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_the_command_prints_a_table_and_json(capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "matmul_rate", lambda device: 1e9)  # eight large products
    monkeypatch.setattr(benchmark, "_WARM", 1)
    some = ["bench", "--size", "64", "--cutn", "2", "4", "--iterations", "2", "--device", "cpu"]
    assert main([*some, "--against", "crowson"]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert main([*some, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["cutn"] for row in rows] == [2, 4]
    assert all(row["seconds"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--against", "nobody"], "nobody"),
        (["--cutn", "0"], "cutn"),
        (["--models", "nowhere"], "nowhere"),
        (["--untrained"], "models is 'tiny'"),
        (["--untrained", "--models", "sflckr", "--clip", "tiny"], "clip is 'tiny'"),
        (["--iterations", "0"], "iterations must be 1 or more, got 0"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(wrong, told, capsys):
    assert main(["bench", *wrong]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.slow
def test_official_architectures_are_measured_without_their_files(monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    some = ["--models", "gumbel_f8", "--size", "64", "--cutn", "1", "--iterations", "1"]
    assert main(["bench", "--untrained", "--device", "cpu", "--json", *some]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["models"], row["width"]) == ("gumbel_f8", 64)
    assert row["seconds"] > 0
