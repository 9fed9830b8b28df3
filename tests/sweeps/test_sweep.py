"""Many runs: what is planned, what is painted again and what is not, the sheets, the workers."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from quick_runs import settings_of

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.sweeps import painting
from vqclip_nb.sweeps.grid import combinations, in_words, read_sweep
from vqclip_nb.sweeps.html_page import Figure, write_page

PROMPTS = ["a red apple", "a lemon"]


@pytest.fixture
def settings(quick) -> vq.Settings:
    return settings_of(quick, total_iter=4, show_step=2, cutn=2)


def _pictures(painted) -> list[np.ndarray]:
    return [np.asarray(each.images[0]) for each in painted]


def _equal(ones, others) -> bool:
    return all(itertools.starmap(np.array_equal, zip(ones, others, strict=True)))


def test_a_grid_is_every_combination_with_one_seed():
    plans = combinations({"prompt": PROMPTS, "w2": [0.5, 1.0]}, vq.Settings(extras="neon"))
    seen = [(plan.settings.prompt, plan.settings.w2) for plan in plans]
    assert seen == [(prompt, w2) for prompt in PROMPTS for w2 in (0.5, 1.0)]
    assert len({plan.settings.seed for plan in plans}) == 1
    assert plans[0].values == {"prompt": "a red apple", "w2": 0.5}


def test_what_distinguishes_a_run_in_words():
    assert in_words({"prompt": "a cat", "extras": "", "seed": 3}) == "no extras, seed 3"


def test_a_preset_in_the_grid_leaves_what_was_chosen():
    grid = {"preset": ["studio", "crowson"]}
    studio, crowson = combinations(grid, vq.Settings(seed=1, learning_rate=0.3))
    assert studio.settings == vq.Settings(seed=1, learning_rate=0.3)
    assert crowson.settings == vq.Settings.preset("crowson", seed=1, learning_rate=0.3)


def test_the_same_settings_have_the_same_name_in_every_grid():
    (one,) = combinations({"prompt": ["a lemon"]}, vq.Settings(seed=3, threads=2))
    two, same = combinations({"seed": [2, 3]}, vq.Settings(prompt="a lemon", threads=1))
    assert one.name == same.name != two.name
    assert re.fullmatch(r"a-lemon-[0-9a-f]{12}", one.name)
    assert len(combinations({"seed": [3, 3, 4]}, vq.Settings())) == 2
    assert len({p.name for p in combinations({"threads": [1, 2]}, vq.Settings(seed=3))}) == 2


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "grid is empty"),
        ({"colour": ["red"]}, "'colour' is not a setting"),
        ({"prompt": "a cat"}, "grid's prompt is 'a cat': give a list"),
        ({"seed": []}, r"grid's seed is \[\]"),
        ({"w1": [1, 99]}, "w1 must be a number from -10 to 10, got 99"),
        ({"preset": ["nice"]}, "preset is 'nice': allowed is one of studio"),
        ({"models": ["tiny", "nope"]}, "models is 'nope'"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_is_painted(grid, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        vq.sweep(grid, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=60), st.sampled_from(["a.toml", "a.txt"]))
def test_any_file_is_a_grid_or_a_sentence(tmp_path_factory, text, name):
    file = tmp_path_factory.getbasetemp() / name
    file.write_text(text, encoding="utf-8")
    with contextlib.suppress(ValueError):
        grid, others = read_sweep(file)
        assert isinstance(grid, dict)
        assert isinstance(others, dict)


def test_what_is_done_is_not_painted_again_and_what_is_half_done_is_resumed(
    settings, tmp_path, monkeypatch
):
    grid = {"prompt": PROMPTS, "seed": [1, 2]}
    whole = vq.sweep(grid, settings, out=tmp_path / "whole")
    out, real, begun = tmp_path / "out", painting.Run, []

    class Interrupted(real):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            if more.get("saved") is None:  # not a run that continues
                begun.append(self.folder.path.name)

        def __iter__(self):
            for it in super().__iter__():
                yield it
                if len(begun) == 3 and it.i == 3:
                    raise KeyboardInterrupt

    monkeypatch.setattr(painting, "Run", Interrupted)
    painted = vq.sweep(grid, settings, out=out)
    assert _equal(_pictures(painted), _pictures(whole[:2]))
    assert (out / "sheet.png").is_file()
    begun.append("so that nothing stops")
    painted = vq.sweep(grid, settings, out=out)
    assert _equal(_pictures(painted), _pictures(whole))
    assert len(begun) == 5  # each of four was begun once
    folders = [path.name for path in out.iterdir() if path.is_dir()]
    assert sorted(folders) == sorted(each.folder.name for each in whole)


def test_a_seed_that_was_drawn_is_that_of_the_resumed_sweep(settings, tmp_path):
    settings = settings.replace(seed=None, total_iter=1)
    (first,) = vq.sweep({"prompt": PROMPTS[:1]}, settings, out=tmp_path)
    again, other = vq.sweep({"prompt": PROMPTS}, settings, out=tmp_path)
    assert again.folder == first.folder
    assert again.settings.seed == other.settings.seed is not None
    (elsewhere,) = vq.sweep({"prompt": PROMPTS[:1]}, settings, out=tmp_path / "elsewhere")
    assert elsewhere.settings.seed != first.settings.seed


def test_a_folder_that_cannot_be_written_is_reported_before_anything_is_painted(settings):
    with pytest.raises(ValueError, match="out is '/dev/null/x', where nothing can be written"):
        vq.sweep({"seed": [1]}, settings, out="/dev/null/x")


def test_a_run_that_fails_is_reported_and_the_others_continue(settings, tmp_path):
    grid = {"init_image": ["nowhere.png", ""]}
    with pytest.warns(UserWarning, match=r"1 of 2 runs failed: .*nowhere\.png cannot be read"):
        painted = vq.sweep(grid, settings, out=tmp_path)
    assert [each.values for each in painted] == [{"init_image": ""}]


@pytest.mark.parametrize("damage", ["state", "history", "picture", "film"])
def test_one_damaged_run_stops_no_sweep(damage, settings, tmp_path):
    grid = {"seed": [1, 2]}
    whole = vq.sweep(grid, settings, out=tmp_path)
    files = {"state": "state.safetensors", "history": "history.csv"}
    files |= {"picture": "picture.png", "film": "timelapse.mp4"}
    (whole[0].folder / files[damage]).write_bytes(b"\0" * 50)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        painted = vq.sweep(grid, settings, out=tmp_path)
    assert [each.values for each in painted] == [{"seed": 1}, {"seed": 2}]
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == (1 if damage == "picture" else 2)
    said = " ".join(str(each.message) for each in caught)
    words = {"state": "continues from step 4", "picture": "left out of the sheets"}
    assert words.get(damage, "") in said
    assert RunFolder(whole[0].folder).is_done()


def test_a_run_that_cannot_be_continued_is_named_and_the_others_are_painted(settings, tmp_path):
    (first,) = vq.sweep({"seed": [1]}, settings, out=tmp_path)
    for file in first.folder.rglob("*.safetensors"):
        file.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"1 of 2 runs failed: .*state\.safetensors is damaged"):
        painted = vq.sweep({"seed": [1, 2]}, settings, out=tmp_path)
    assert [each.values for each in painted] == [{"seed": 2}]


def test_what_a_sweep_returns_is_what_the_runs_left(settings, tmp_path):
    (painted,) = vq.sweep({"seed": [5]}, settings.replace(batch_size=2), out=tmp_path)
    alone = vq.generate(painted.settings, out=tmp_path / "alone")
    assert _equal(map(np.asarray, painted.images), map(np.asarray, alone.images))
    assert np.array_equal(painted.latents, alone.latents)
    assert [row["iteration"] for row in painted.history] == [1, 2, 3, 4]


@pytest.mark.parametrize("score", ["clip", "judge"])
def test_the_page_begins_with_the_best_and_shows_the_settings(settings, tmp_path, score):
    painted = vq.sweep({"prompt": PROMPTS, "w1": [1, 2]}, settings, out=tmp_path, score=score)
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    scores = [float(value) for value in re.findall(r"score (-?[\d.]+)", page)]
    assert scores == sorted(scores, reverse=True)
    if score == "clip":
        ends = [each.history[-1]["similarity"] for each in painted]
        assert scores == pytest.approx(sorted(ends, reverse=True), abs=0.001)
    assert page.count("<figure>") == 4
    assert page.count("w1: 2") == 2  # on hover
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.width > 4 * 64


def test_an_unknown_score_is_refused(tmp_path):
    with pytest.raises(ValueError, match="score is 'me': allowed is clip or judge"):
        vq.sweep({"seed": [1]}, out=tmp_path, score="me")
    with pytest.raises(ValueError, match="workers is 0"):
        vq.sweep({"seed": [1]}, out=tmp_path, workers=0)
    with pytest.raises(ValueError, match="columns is -5"):
        vq.sweep({"seed": [1]}, out=tmp_path, columns=-5)


def test_the_command_line_paints_a_toml_file(tmp_path, capsys):
    file, out = tmp_path / "fruit.toml", tmp_path / "out"
    file.write_text(
        '[settings]\npreset = "nerdyrodent"\ntotal_iter = 2\nim_shape = [64, 64]\n'
        '[grid]\nprompt = ["a red apple", "a lemon"]\nseed = [1, 2]\n'
    )
    words = ["sweep", str(file), "--cutn", "2", "--device", "cpu", "--out", str(out), "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    made = [vq.Settings.from_png(picture) for picture in facts["pictures"]]
    assert [(s.prompt, s.seed) for s in made] == [
        ("a red apple", 1),
        ("a red apple", 2),
        ("a lemon", 1),
        ("a lemon", 2),
    ]
    assert {(s.cutn, s.cut_method, s.total_iter) for s in made} == {(2, "latest", 2)}
    assert Path(facts["page"]).is_file()


def test_the_command_line_explains_how_to_continue(tmp_path, capsys):
    (tmp_path / "a.toml").write_text('[grid]\ninit_image = ["nowhere.png"]\n')
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["sweep", str(tmp_path / "a.toml"), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert "1 of 1 runs failed: nowhere.png cannot be read" in printed
    assert "run the same command again to continue" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt = 3", "should have two tables"),
        ("[grid", "cannot be read"),
        ("[settings]\ncutn = 4", "grid is empty"),
        ('[grid]\nprompt = ["a"]\n[settings]\nlight = 1', "'light' is not a setting"),
    ],
)
def test_a_wrong_file_gets_one_sentence(text, message, tmp_path, capsys):
    file = tmp_path / "a.toml"
    file.write_text(text)
    assert main(["sweep", str(file), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


def test_without_ray_several_workers_are_refused_with_what_to_install(
    settings, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="which is not installed: pip install ray"):
        vq.sweep({"seed": [1]}, settings.replace(threads=1), workers=2, out=tmp_path)


def test_a_gallery_loads_into_the_studio(settings, tmp_path):
    painted = vq.sweep({"seed": [1, 2], "w1": [1, 2]}, settings, out=tmp_path)
    studio = vq.Studio(out=tmp_path)
    gallery = vq.Gallery(painted * 8, studio)
    cells = gallery.widget.children[-1].children
    assert len(cells) == 24
    assert "seed 2, w1 1" in cells[2].children[0].value
    cells[2].children[1].click()
    assert studio.panel.form.settings() == painted[2].settings
    previous, following, where = gallery.widget.children[0].children
    following.click()
    assert (where.value, following.disabled) == ("25 to 32 of 32", True)
    assert len(gallery.widget.children[-1].children) == 8
    previous.click()
    assert previous.disabled


PLAN = """
import resource, vqclip_nb as vq
from vqclip_nb.sweeps.grid import combinations
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
grid = {"prompt": [f"a red apple {i}" for i in range(100)], "seed": list(range(100))}
plans = combinations(grid, vq.Settings(extras="neon"))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(plans), (after - before) / 1024)
"""


@pytest.mark.slow
def test_ten_thousand_runs_are_planned_in_little_memory():
    done = subprocess.run([sys.executable, "-c", PLAN], capture_output=True, check=True, text=True)
    number, megabytes = map(float, done.stdout.split())
    assert number == 10_000
    assert megabytes < 200


@pytest.mark.slow
def test_a_page_of_five_hundred_pictures_opens_with_those_in_view(browser, tmp_path):
    noise = np.random.default_rng(1)
    pictures = [noise.integers(0, 255, (16, 16, 3), np.uint8) for _ in range(500)]
    entries = [
        Figure(Image.fromarray(x).resize((128, 128)), f"seed {i}", "a red apple", score=i / 500)
        for i, x in enumerate(pictures)
    ]
    write_page(tmp_path / "page.html", entries, "Sweep")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri(), wait_until="load")
    page.wait_for_function("document.images[0].complete && document.images[0].naturalWidth")
    assert page.evaluate("[...document.images].filter(i => i.complete).length") < 250
    assert page.locator("figure").count() == 500
    page.close()


@pytest.mark.slow
def test_on_workers_the_pictures_are_the_same_and_a_lost_worker_loses_nothing(settings, tmp_path):
    """12 runs; a worker is killed while it paints one of them."""
    grid = {"prompt": [*PROMPTS, "a penguin"], "seed": [1, 2], "w1": [1.0, 2.0]}
    settings = settings.replace(total_iter=12, threads=1)
    here = vq.sweep(grid, settings, out=tmp_path / "here")
    out, killed = tmp_path / "there", []
    killer = threading.Thread(target=_kill_a_worker, args=(out, killed), daemon=True)
    killer.start()
    there = vq.sweep(grid, settings, workers=2, out=out)
    killer.join()
    assert len(there) == 12
    assert _equal(_pictures(here), _pictures(there))
    (half_done,) = killed
    assert half_done in {each.folder.name for each in there}
    # a run that began anew would have a second folder, as none begins in one that is there
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == sorted(
        each.folder.name for each in there
    )


def _kill_a_worker(out: Path, killed: list[str]) -> None:
    """Kill the process that paints, once there is a run in the middle."""
    while not killed:
        time.sleep(0.01)
        for state in out.glob("[!.]*/state.safetensors"):
            header = RunFolder(state.parent).load_header()
            if 2 <= header.get("i", 0) <= 8:
                painters = _painters()
                if painters:
                    os.kill(painters[0], signal.SIGKILL)
                    killed.append(state.parent.name)
                    break


def _painters() -> list[int]:
    """The processes of Ray that paint."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"ray::_painted"):
                found.append(int(process.name))
    return found
