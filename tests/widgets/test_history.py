"""The section Runs: what was painted before, also by a kernel that is gone."""

import contextlib
from pathlib import Path

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.widgets import studio as studios


@pytest.fixture
def out(quick, tiny) -> Path:
    """A folder with two runs; the prompt of the later one was changed while it was painted."""
    folder = quick.pop("out")
    vq.generate("a red apple", models=tiny, out=folder, **quick)
    settings = vq.Settings(prompt="a pear", **quick).updated(4, prompt="a <b>frog", w2=0.5)
    for _ in vq.Run(settings, models=tiny, out=folder):
        pass
    return folder


@pytest.fixture
def studio(out, tiny, quick) -> vq.Studio:
    """A panel of a new kernel."""
    return vq.Studio(vq.Settings(prompt="a lemon", **quick), models=tiny, out=out)


def _named(studio: vq.Studio, word: str) -> Path:
    return next(run for run in studio.panel.history.runs if word in run.name)


def _press(studio: vq.Studio, name: str) -> None:
    assert not studio.panel.buttons[name].disabled
    studio.panel.buttons[name].click()


def _seen(studio: vq.Studio) -> list[str]:
    """The words below the thumbnails."""
    shown = studio.panel.history.widget.children[1].value
    return [part.split("</i>")[0] for part in shown.split("<i>")[1:]]


def test_runs_are_found_by_their_latest_prompt_their_note_and_their_star(studio, out):
    history = studio.panel.history
    assert _seen(studio) == ["a &lt;b&gt;frog", "a red apple"]  # the latest first
    history.choose(_named(studio, "apple"))
    history.star.value, history.note.value = True, "for the poster <i>"
    for search, found in (("frog", 1), ("poster", 1), ("RED apple", 1), ("pear", 1), ("cow", 0)):
        history.search.value = search
        assert len(_seen(studio)) == found, search
    history.search.value, history.only_starred.value = "", True
    assert _seen(studio) == ["a red apple"]
    later = vq.Studio(models=studio._models, out=out).panel.history  # another kernel
    later.choose(_named(studio, "apple"))
    assert (later.star.value, later.note.value) == (True, "for the poster <i>")


def test_a_click_on_a_thumbnail_chooses_its_run(studio):
    (box,) = (each for each in studio.panel.everything() if "vq-pick" in each._dom_classes)
    for word in ("apple", "pear"):
        box.value = _named(studio, word).name  # as the page does
        assert studio.panel.history.chosen == _named(studio, word)
    box.value = "../elsewhere"
    assert studio.panel.history.chosen == _named(studio, "pear")


def test_a_run_of_a_dead_kernel_is_opened_scrubbed_and_painted_further(studio, monkeypatch):
    monkeypatch.setattr(studios, "_MORE", 2)
    studio.panel.history.choose(_named(studio, "pear"))
    _press(studio, "open")
    assert "a &lt;b&gt;frog, iteration 6" in studio.panel.views["picture"].value
    assert studio.panel.views["curve"].value.count("<polyline") >= 2
    studio.panel.steps.value = 3
    assert "step 3" in studio.panel.views["picture"].value
    before = studio.current.result()
    _press(studio, "more")
    after = studio.result()
    assert after.folder == before.folder
    assert len(after.history) == len(before.history) + 2
    _press(studio, "fork")
    assert studio.result().folder != before.folder
    assert studio.current.settings.init_image.startswith(str(before.folder))


def test_what_is_left_of_a_stopped_run_is_painted(studio, quick, tiny, out):
    run = vq.Run(vq.Settings(prompt="a star", **quick), models=tiny, out=out)
    with contextlib.closing(iter(run)) as iterations:
        next(iterations)
    studio.panel.list_runs(out)
    studio.panel.history.choose(_named(studio, "star"))
    _press(studio, "finish")
    whole = vq.generate("a star", models=tiny, out=out / "whole", **quick)
    assert torch.equal(studio.result().latents, whole.latents)


def test_the_settings_of_a_picture_are_those_after_its_live_changes(studio):
    studio.panel.history.choose(_named(studio, "pear"))
    _press(studio, "use")
    settings = studio.panel.form.settings()
    assert (settings.prompt, settings.w2, settings.updates) == ("a <b>frog", 0.5, ())
    _press(studio, "load")  # to paint it again as it was
    assert studio.panel.form.settings().prompt == "a pear"


def test_several_runs_are_set_beside_each_other_and_a_wipe_uncovers_the_last(studio):
    for word in ("apple", "pear"):
        studio.panel.history.choose(_named(studio, word))
        _press(studio, "beside")
    shown = studio.panel.views["pair"].value
    assert [shown.count(f"picture {letter}") for letter in "ABC"] == [1, 1, 0]
    assert shown.count('type="range"') == 1
    assert "<td>a red apple</td><td>a pear</td>" in shown
    _press(studio, "apart")
    assert studio.panel.views["pair"].value == ""
    assert studio.panel.buttons["apart"].disabled


def test_a_damaged_run_is_listed_and_the_others_work(studio, out):
    damaged = _named(studio, "apple")
    (damaged / "picture.png").write_bytes(b"no picture")
    (damaged / "settings.json").write_text("[" * 100_000)
    (damaged / "note.json").write_text('{"star": 1}')
    studio.panel.list_runs(out)
    assert _seen(studio) == ["a &lt;b&gt;frog", damaged.name]
    studio.panel.history.choose(damaged)
    assert not studio.panel.history.star.value
    _press(studio, "beside")
    assert "vq-error" in studio.panel.views["status"].value
    studio.panel.history.choose(_named(studio, "pear"))
    _press(studio, "open")
    assert "frog" in studio.panel.views["picture"].value
