"""The Studio without a browser: what buttons and fields do to the loop, and what is shown."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets as widgets
import pytest
import torch
from film_frames import probe
from PIL import Image, ImageChops, ImageStat

import vqclip_nb as vq
from vqclip_nb.accel import executor
from vqclip_nb.prompt_syntax import slug
from vqclip_nb.settings import specs
from vqclip_nb.widgets import panel as panels
from vqclip_nb.widgets import studio as studios
from vqclip_nb.widgets.fields import parts_of
from vqclip_nb.widgets.help_page import EXAMPLES
from vqclip_nb.widgets.plots import curve_svg
from vqclip_nb.widgets.word_chips import words_of


@pytest.fixture
def studio(quick, tiny, monkeypatch) -> vq.Studio:
    monkeypatch.setattr(panels, "_SETTLED", 0)  # what a test types is complete
    out = quick.pop("out")
    return vq.Studio(vq.Settings(prompt="a red apple", **quick), models=tiny, out=out)


def _press(studio: vq.Studio, name: str) -> None:
    button = studio.panel.buttons[name]
    assert not button.disabled, name
    button.click()


def _at(studio: vq.Studio, monkeypatch, **doing) -> None:
    """Do something when an iteration has been shown: i4=callable."""
    real = studio._show

    def show(it):
        real(it)
        if f"i{it.i}" in doing:
            doing[f"i{it.i}"]()

    monkeypatch.setattr(studio, "_show", show)


def _set(studio: vq.Studio, name: str, value: object) -> None:
    studio.panel.form.fields[name].value = value


def _iteration_shown(studio: vq.Studio) -> int:
    return int(re.search(r"iteration (\d+)", studio.panel.views["picture"].value)[1])


@pytest.fixture
def on_colab(monkeypatch):
    """A page that does not show what a thread changes."""
    monkeypatch.setattr(studios, "can_paint_on_thread", lambda: False)


@pytest.fixture
def unresponsive(on_colab, monkeypatch):
    """A kernel that receives no events while a cell runs, as ipykernel 6 without jupyter-ui-poll."""

    @contextlib.contextmanager
    def deaf():
        yield None

    monkeypatch.setattr(studios, "delivered", deaf)


def test_where_buttons_do_not_work_the_panel_says_so_and_offers_none(
    studio, unresponsive, monkeypatch
):
    texts, usable = [], []

    def look():
        texts.append(studio.panel.views["notes"].value + studio.panel.views["status"].value)
        usable.extend(name for name, b in studio.panel.buttons.items() if not b.disabled)

    _at(studio, monkeypatch, i1=look, i3=look)
    result = studio.run(wait=True)  # paints once, since nobody could press Start
    assert len(result.history) == 6
    assert all(
        "Buttons do not work while this cell runs: change the form" in text for text in texts
    )
    assert not any("press Start" in text for text in texts)
    assert usable == []
    _press(studio, "start")
    assert "Run the panel&#x27;s cell again to paint" in studio.panel.views["status"].value


def test_a_failing_device_is_reported_and_what_was_painted_is_kept(studio, monkeypatch):
    def broken():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    _at(studio, monkeypatch, i3=broken)
    result = studio.run(wait=False)
    assert "CUDA error" in studio.panel.views["status"].value
    assert len(result.history) == 3
    assert (result.folder / "picture.png").exists()


def test_a_recording_that_fails_is_noted_and_painting_continues(studio, monkeypatch):
    def broken(step, inputs):
        raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(executor, "can_record", lambda step: True)
    monkeypatch.setattr(executor, "Recording", broken)
    assert len(studio.run(wait=False).history) == 6
    assert "could not record the iteration" in studio.panel.views["notes"].value


def test_a_notebook_is_saved_with_at_most_300_kilobytes_of_the_panel(studio, monkeypatch):
    """Picture, strip, curve, film, zip and a comparison, where no server serves the files."""
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    studio.panel.fill(im_shape=(256, 256), total_iter=12, show_step=1)
    for _ in range(2):
        studio.run(wait=False)
    studio.panel.come_into_view()
    for name in ("film", "zip", "beside"):
        _press(studio, name)
    views = {name: len(view.value) for name, view in studio.panel.views.items()}
    assert min(views[name] for name in ("picture", "strip", "curve", "film", "pair")) > 1000
    assert _saved(studio.panel.widget) < 300_000, views


def _saved(panel: widgets.Widget) -> int:
    """Bytes of a panel in a notebook's file, where front ends leave out what has its default."""
    state, parts = widgets.Widget.get_manager_state(drop_defaults=True)["state"], {}

    def add(widget: widgets.Widget) -> None:
        parts[widget.model_id] = state[widget.model_id]
        for name in widget.keys:
            value = getattr(widget, name)
            for part in value if isinstance(value, list | tuple) else [value]:
                if isinstance(part, widgets.Widget) and part.model_id not in parts:
                    add(part)

    add(panel)
    return len(json.dumps(parts))


def test_on_colab_a_zip_goes_through_its_page_alone(studio, monkeypatch):
    saved, files = [], types.ModuleType("google.colab.files")
    files.download = saved.append
    package = types.ModuleType("google.colab")
    package.files = files
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.files", files)
    result = studio.run(wait=False)
    _press(studio, "zip")
    assert saved == [f"{result.folder}.zip"]
    assert studio.panel.views["link"].value == f"{result.folder}.zip is ready."


def test_run_paints_the_forms_settings_and_returns_the_result(studio):
    _set(studio, "prompt", "a green apple")
    result = studio.run(wait=False)
    assert vq.Settings.from_png(result.folder / "picture.png").prompt == "a green apple"
    assert len(result.history) == 6
    assert _iteration_shown(studio) == 6
    assert [label for label, _ in studio.panel.steps.options] == ["now", "3", "6"]
    assert studio.panel.views["scroll"].value == ""
    assert studio.panel.views["strip"].value.count("<img") == 2
    assert studio.panel.progress.value == studio.panel.progress.max == 6


def test_a_field_that_changes_while_it_paints_changes_the_next_iteration(studio, monkeypatch):
    _at(
        studio,
        monkeypatch,
        i2=lambda: _set(studio, "w2", 0.7),
        i4=lambda: _set(studio, "prompt", "a frog"),
    )
    studio.run(wait=False)
    assert studio.current.plan.updates == (
        {"iteration": 3, "w2": 0.7},
        {"iteration": 5, "prompt": "a frog"},
    )
    assert "from iteration 3: w2 0.7" in studio.panel.views["curve"].value


def test_pause_waits_for_go_on(studio, monkeypatch):
    stood = []

    def go_on():
        stood.append((studio.current.i, studio.panel.views["status"].value))
        _press(studio, "resume")

    def pause():
        _press(studio, "pause")
        threading.Timer(0.5, go_on).start()

    _at(studio, monkeypatch, i3=pause)
    studio.run(wait=False)
    assert stood[0][0] == 3
    assert "Paused at 3 of 6" in stood[0][1]
    assert studio.current.i == 6


def test_stop_keeps_the_picture_and_more_continues(studio, monkeypatch):
    _at(studio, monkeypatch, i4=lambda: _press(studio, "stop"))
    assert len(studio.run(wait=False).history) == 4
    folder = studio.current.folder.path
    assert vq.Run.resume(folder, models=studio.current.models).i == 4
    monkeypatch.undo()
    _at(studio, monkeypatch, i7=lambda: _press(studio, "stop"))
    _press(studio, "more")
    assert len(studio.result().history) == 7
    assert studio.current.folder.path == folder
    assert studio.current.settings.total_iter == 56


def test_more_applies_the_forms_changes_and_ignores_a_bad_value(studio, monkeypatch):
    studio.run(wait=False)
    _set(studio, "w2", 0.7)
    _at(studio, monkeypatch, i7=lambda: _press(studio, "stop"))
    _press(studio, "more")
    studio.result()
    assert studio.current.settings.w2 == 0.7
    monkeypatch.undo()
    _set(studio, "seed", "often")
    _at(studio, monkeypatch, i8=lambda: _press(studio, "stop"))
    _press(studio, "more")
    studio.result()
    assert studio.current.i == 8
    assert studio.panel.buttons["stop"].disabled


def test_a_warning_stands_in_the_panel_until_something_else_is_painted(studio, recwarn):
    _set(studio, "prompt", "a red xylqzjj")
    studio.run(wait=False)
    assert "never saw" in studio.panel.views["notes"].value
    _set(studio, "prompt", "a red apple")
    studio.run(wait=False)
    assert studio.panel.views["notes"].value == ""
    assert not [w for w in recwarn if "never saw" in str(w.message)]


def test_a_bad_value_turns_red_says_why_and_stops_start(studio):
    _set(studio, "seed", "often")
    field, note = studio.panel.form.rows["seed"].children
    assert "vq-wrong" in field._dom_classes
    assert (
        "seed must be a whole number from 0 to 4294967295, or None, got &#x27;often&#x27;"
        in note.value
    )
    assert studio.panel.buttons["start"].disabled
    _set(studio, "seed", "5")
    assert "vq-wrong" not in field._dom_classes
    assert note.value == ""
    assert not studio.panel.buttons["start"].disabled


def test_what_is_started_while_something_paints_waits_in_line(studio, monkeypatch):
    said, labels = [], set()

    def person():
        if said:
            return  # only while the first is painted
        for seed, button in (("7", "start"), ("8", "four")):
            _set(studio, "seed", seed)
            _press(studio, button)
        _set(studio, "seed", "9")  # not for those in line

    def look():
        said.append(studio.panel.views["status"].value)
        labels.add(studio.panel.buttons["start"].description)

    _at(studio, monkeypatch, i2=person, i4=look)
    studio.run()
    assert len(studio.result().images) == 4
    runs = [vq.Settings.from_png(run / "picture.png") for run in studio.panel.history.runs]
    assert [run.seed for run in runs[::-1]] == [5, 7, 8]
    assert "2 more in line" in said[0]
    assert "in line" not in said[-1]
    assert labels == {"Next"}
    assert studio.panel.buttons["start"].description == "Start"


def test_stop_also_ends_the_line(studio, monkeypatch):
    _at(
        studio,
        monkeypatch,
        i2=lambda: _press(studio, "start"),
        i4=lambda: _press(studio, "stop"),
    )
    studio.run()
    assert len(studio.result().history) == 4
    assert len(studio.panel.history.runs) == 1


def test_a_value_that_only_the_run_can_refuse_is_reported_and_ends_nothing(studio, monkeypatch):
    _at(studio, monkeypatch, i2=lambda: _set(studio, "prompt", "nowhere.png"))
    assert len(studio.run(wait=False).history) == 6
    _set(studio, "prompt", "nowhere.png")
    assert studio.run(wait=False).folder == studio.current.folder.path  # the latest run's
    assert "nowhere.png cannot be read as a picture" in studio.panel.views["status"].value


def test_on_colab_the_cell_paints_again_and_again_until_it_is_ended(studio, on_colab):
    painted, ended = [], []

    def person():
        for again in (True, False):
            while not studio._painting:
                time.sleep(0.01)
            while studio._painting or studio.panel.buttons["start"].disabled:
                time.sleep(0.01)
            painted.append(studio.current.folder.path)
            _press(studio, "start" if again else "close")
        ended.append(True)

    thread = threading.Thread(target=person)
    thread.start()
    result = studio.run(wait=True)
    thread.join()
    assert len(set(painted)) == 2
    assert result.folder == painted[-1]
    assert ended


def test_an_interrupt_ends_the_loop_and_keeps_what_was_painted(studio, monkeypatch):
    _at(studio, monkeypatch, i3=lambda: os.kill(os.getpid(), signal.SIGINT))
    assert studio.run(wait=False).folder == studio.current.folder.path
    assert "Interrupted" in studio.panel.views["status"].value
    assert 3 <= vq.Run.resume(studio.current.folder.path, models=studio.current.models).i <= 4
    assert not studio.panel.buttons["start"].disabled


def test_the_slider_shows_a_step_and_a_fork_begins_with_it(studio):
    studio.run(wait=False)
    first = studio.current
    studio.panel.steps.value = 3
    assert "step 3" in studio.panel.views["picture"].value
    _set(studio, "prompt", "a pear")
    _press(studio, "fork")
    studio.result()
    assert studio.current.folder.path != first.folder.path
    assert studio.current.settings.init_image == str(first.folder.latents_of(3))
    assert studio.current.settings.prompt == "a pear"


def test_a_thumbnail_that_is_clicked_shows_its_step_as_often_as_one_likes(studio):
    studio.run(wait=False)
    (box,) = (each for each in studio.panel.everything() if "vq-goto" in each._dom_classes)
    for step, seen in (("3", "step 3"), ("0", "iteration 6"), ("3", "step 3"), ("99", "step 3")):
        box.value = step  # as the page does
        assert f"a red apple, {seen}" in studio.panel.views["picture"].value


def test_the_seed_that_was_drawn_is_shown_and_can_be_kept(studio):
    studio.panel.fill(seed=None)
    first = studio.run(wait=False)
    seed = studio.current.settings.seed
    assert studio.panel.views["seed"].value == f"seed {seed}"
    _press(studio, "lock")
    assert studio.panel.buttons["lock"].disabled  # it is kept already
    assert torch.equal(studio.run(wait=False).latents, first.latents)
    _press(studio, "dice")
    assert studio.panel.form.settings().seed is None
    studio.run(wait=False)
    assert studio.current.settings.seed != seed


def test_four_at_once_are_a_grid_in_which_each_can_be_clicked(studio):
    _press(studio, "four")
    assert len(studio.result().images) == 4
    assert studio.panel.form.settings().batch_size == 1  # the next Start paints one
    for step in (0, 3):
        studio.panel.steps.value = step
        shown = studio.panel.views["picture"].value
        assert len(set(re.findall(r'src="(data:[^"]*)"', shown))) == 4
        assert shown.count(f'data-step="{step}"') == shown.count("onclick=") == 4


def test_a_step_is_painted_on_at_twice_the_size(studio):
    first = studio.run(wait=False)
    studio.panel.steps.value = 3
    _press(studio, "upscale")
    larger = studio.result()
    assert larger.images[0].size == tuple(2 * side for side in first.images[0].size)
    with Image.open(larger.folder / "steps" / "000003.png") as begun:
        difference = ImageChops.difference(begun.resize((16, 16)), first.images[0].resize((16, 16)))
    assert max(ImageStat.Stat(difference).mean) < 25  # the same picture, painted on
    assert studio.panel.form.settings().im_shape == first.images[0].size  # the next Start is quick


def test_film_and_zip_are_offered_in_the_page(studio):
    studio.run(wait=False)
    _press(studio, "film")
    assert 'src="data:video/mp4;base64,' in studio.panel.views["film"].value
    studio.panel.film.fields["format"].value = "gif"
    studio.panel.film.fields["hold"].value = 1.0
    _press(studio, "film")
    shown = studio.panel.views["film"].value
    assert 'src="data:video/mp4;base64,' in shown  # a small copy
    assert shown.endswith("film.gif")
    _press(studio, "zip")
    assert studio.panel.views["link"].value.endswith(".zip is ready.")


def _film(studio: vq.Studio, kind: str, **fields) -> None:
    studio.panel.film.kind.value = kind
    for name, value in fields.items():
        studio.panel.film.fields[name].value = value


def _films(studio: vq.Studio) -> list[Path]:
    return sorted((studio.out / "films").iterdir())


def test_a_morph_passes_through_the_phrases_of_the_prompt(studio):
    _set(studio, "prompt", "a red apple ^ a lemon")
    assert studio.panel.buttons["film"].disabled  # no run is there
    _film(studio, "morph", seconds=0.5, fps=12)
    _press(studio, "film")
    assert studio.result().folder.name.endswith("a-lemon")  # the latest of its runs
    (film,) = _films(studio)
    assert len(probe(film)["frames"]) == 7
    assert 'src="data:video/mp4;base64,' in studio.panel.views["film"].value
    assert f"Saved as {film}" in studio.panel.views["film"].value
    assert "frame 7 of the film" in studio.panel.views["picture"].value
    runs = studio.panel.history.runs
    assert {run.name.split("-", 2)[2] for run in runs} == {"a-red-apple", "a-lemon"}
    _film(studio, "morph", format="gif")
    studio.panel.film.sources.value = " ^ ".join(map(str, runs))
    _press(studio, "film")
    studio.result()
    assert {film.suffix for film in _films(studio)} == {".mp4", ".gif"}
    again = vq.Studio(studio.panel.form.settings(), models=studio.current.models, out=studio.out)
    _film(again, "morph", seconds=0.4)
    _press(again, "film")
    assert len(again.result().history) == 6  # of a run that was there
    assert len(studio.panel.history.runs) == 2  # nothing was painted again


def test_a_stopped_film_resumes_and_another_has_another_name(studio, monkeypatch):
    _film(studio, "journey", frames=6, iterations=1)
    real, shown = studio.panel.show_frame, []

    def show(number, total, frame):
        real(number, total, frame)
        shown.append(number)
        if number == 3 and shown.count(3) == 1:
            assert studio.panel.buttons["pause"].disabled
            assert studio.panel.buttons["more"].disabled
            _press(studio, "stop")

    monkeypatch.setattr(studio.panel, "show_frame", show)
    monkeypatch.setattr("vqclip_nb.widgets.studio._EVERY", 0.0)
    _press(studio, "film")
    studio.result()
    assert "Stopped" in studio.panel.views["status"].value
    film = next(path for path in _films(studio) if path.suffix == ".mp4")
    assert len(probe(film)["frames"]) == 3
    assert f"Saved as {film}" in studio.panel.views["film"].value
    _press(studio, "film")
    studio.result()
    assert shown == [1, 2, 3, 4, 5, 6]
    assert _films(studio) == [film]
    assert len(probe(film)["frames"]) == 6
    _press(studio, "film")
    studio.result()
    assert len(_films(studio)) == 2


def test_stop_ends_a_film_while_its_first_picture_is_painted(studio, monkeypatch):
    _film(studio, "journey", frames=3)
    _at(studio, monkeypatch, i2=lambda: _press(studio, "stop"))
    _press(studio, "film")
    studio.result()
    assert "Stopped" in studio.panel.views["status"].value
    assert studio.current.i == 2
    assert vq.Run.resume(studio.current.folder.path, models=studio.current.models).i == 2
    assert not studio.panel.buttons["start"].disabled


def test_a_film_that_cannot_be_made_is_reported(studio):
    _film(studio, "morph")
    _press(studio, "film")
    assert studio.result() is None  # nothing was ever painted
    assert "needs two sources or more" in studio.panel.views["status"].value
    _press(studio, "start")
    assert len(studio.result().history) == 6


def test_a_run_of_the_history_loads_into_the_form_and_stands_beside_another(studio):
    studio.run(wait=False)
    _set(studio, "prompt", "a pear")
    _set(studio, "w2", 0.9)
    studio.run(wait=False)
    panel = studio.panel
    assert len(panel.history.runs) == 2
    panel.history.choose(next(run for run in panel.history.runs if "apple" in run.name))
    _press(studio, "beside")
    table = panel.views["pair"].value
    assert "<td>a pear</td><td>a red apple</td>" in table
    assert "<td>0.9</td><td>1.0</td>" in table
    assert "learning_rate" not in table
    _press(studio, "load")
    assert panel.form.settings().prompt == "a red apple"
    assert panel.form.settings().w2 == 1.0


def test_the_form_follows_changes_that_are_replayed(studio, monkeypatch):
    _at(studio, monkeypatch, i2=lambda: _set(studio, "prompt", "a frog"))
    studio.run(wait=False)
    monkeypatch.undo()
    _press(studio, "load")
    assert studio.panel.form.settings().prompt == "a red apple"
    studio.run(wait=False)
    assert studio.panel.form.settings().prompt == "a frog"
    assert studio.current.plan.updates == ({"iteration": 3, "prompt": "a frog"},)
    studio.run(wait=False)
    assert studio.current.plan.updates == ()


def test_menus_fill_in_several_fields_and_show_what_is_active(studio):
    menus = studio.panel.menus
    assert menus["preset"].value == "modified"  # four crops
    menus["quality"].value = "draft"
    menus["aspect"].value = "wide 16:9"
    menus["style"].value = "neon"
    settings = studio.panel.form.settings()
    assert (settings.total_iter, settings.cutn) == (10, 8)
    assert settings.im_shape == (80, 48)
    assert settings.extras == "neon"
    menus["preset"].value = "classic"
    assert studio.panel.form.settings().quantizer == "none"
    assert menus["quality"].value == "modified"  # classic has 32 crops
    _set(studio, "learning_rate", 0.3)
    assert menus["preset"].value == "modified"
    menus["preset"].value = "studio"
    assert menus["preset"].value == "studio"
    defaults = vq.Settings()
    kept = ("prompt", "extras", "total_iter", "show_step", "im_shape", "seed", "device")
    values = studio.panel.form.settings().to_dict()
    assert values == defaults.to_dict() | {name: values[name] for name in kept}


def test_reset_shows_the_initial_values_and_keeps_the_prompt(studio):
    before = studio.panel.form.settings()
    studio.panel.menus["preset"].value = "classic"
    _set(studio, "prompt", "a frog")
    _press(studio, "reset")
    assert studio.panel.form.settings() == before.replace(prompt="a frog")


def test_a_box_takes_any_allowed_number_and_its_slider_follows(studio):
    field, note = studio.panel.form.rows["w1"].children
    field.box.value = "0,5"
    assert studio.panel.form.settings().w1 == field.slider.value == 0.5
    field.box.value = "-7"
    assert studio.panel.form.settings().w1 == -7
    assert field.slider.value == 0
    assert field.box.value == "-7"
    field.box.value = "11"
    assert "w1 must be a number from -10 to 10, got 11.0" in note.value
    assert "vq-wrong" in field.box._dom_classes
    assert field.box.value == "11"
    field.slider.value = 1.25
    assert studio.panel.form.settings().w1 == 1.25
    assert note.value == ""
    rate = studio.panel.form.fields["learning_rate"]
    rate.slider.value = 0.5
    assert studio.panel.form.settings().learning_rate == 0.5


def test_a_search_finds_fields_by_name_and_by_help(studio):
    form = studio.panel.form
    found = form.rows_about("cpu threads", ["threads", "tile", "device"])
    assert found == [form.rows["threads"]]
    assert form.rows_about("seamlessly", ["threads", "tile"]) == [form.rows["tile"]]


def test_fields_that_are_not_live_say_so_while_a_run_is_painted(studio, monkeypatch):
    seen = []
    _at(studio, monkeypatch, i2=lambda: seen.extend(studio.panel.widget._dom_classes))
    studio.run(wait=False)
    assert "vq-painting" in seen
    assert "vq-painting" not in studio.panel.widget._dom_classes
    marked = {n for n, row in studio.panel.form.rows.items() if "vq-next-run" in row._dom_classes}
    assert marked == {name for name, spec in specs().items() if not spec.live}


@pytest.mark.parametrize("prompt", EXAMPLES)
def test_an_example_has_only_words_that_clip_knows(prompt, tiny):
    words = " ".join(word[0] for word in words_of(prompt))
    assert not tiny.perceptors[0].unknown_words(words)
    assert not tiny.perceptors[0].replaced_words(words)


def test_an_example_paints_and_so_does_enter(studio, monkeypatch):
    studio.panel.examples[1].click()
    assert studio.panel.form.settings().prompt == EXAMPLES[1]
    assert studio.result().folder.name.endswith(slug(EXAMPLES[1]))
    monkeypatch.setattr(studio, "_paint", lambda event: painted.append(event))
    painted = []
    _set(studio, "prompt", EXAMPLES[1] + "\n")
    studio.result()
    assert painted == ["start"]
    assert studio.panel.form.settings().prompt == EXAMPLES[1]
    _set(studio, "prompt", "a cat\non a mat")  # pasted
    studio.result()
    assert painted == ["start"]
    assert studio.panel.form.settings().prompt == "a cat on a mat"


def test_an_empty_prompt_offers_the_latest_ones(studio):
    _set(studio, "extras", "on a rainy day")
    studio.run(wait=False)
    assert studio.panel.form.fields["extras"].options[:2] == ("on a rainy day", "pixel art")
    _set(studio, "prompt", "")
    chip = studio.panel.chips.widget.children[0]
    assert chip.description == "a red apple"
    chip.click()
    assert studio.panel.form.settings().prompt == "a red apple"


def test_start_answers_at_once_and_paints_the_picture_that_a_cell_paints(studio, monkeypatch):
    in_cell = studio.run(wait=False)
    said, real = [], studio.panel.say
    monkeypatch.setattr(studio.panel, "say", lambda text: (said.append(text), real(text)))
    begin, go = studio._paint, threading.Event()
    monkeypatch.setattr(studio, "_paint", lambda event: (go.wait(), begin(event)))
    assert studio.run() is None
    assert said == ["Starting …"]
    go.set()
    on_thread = studio.result()
    assert on_thread.folder != in_cell.folder
    assert torch.equal(on_thread.latents, in_cell.latents)
    assert on_thread.images == in_cell.images


def test_a_program_that_ends_stops_its_thread_and_keeps_the_picture(tmp_path):
    lines = ["import vqclip_nb as vq, time", f"vq.Studio(vq.Settings({_SMALL}), out='runs').run()"]
    lines += ["while not list(__import__('pathlib').Path('runs').glob('[!.]*/steps/000005.png')):"]
    lines += ["    time.sleep(0.05)"]
    program = "\n".join(lines)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=120)
    (folder,) = (tmp_path / "runs").iterdir()
    assert 5 <= vq.Run.resume(folder).i < 5000


_SMALL = "total_iter=5000, show_step=5, cutn=2, im_shape=(64, 64), seed=1, device='cpu'"


def test_two_panels_paint_one_after_the_other_and_keep_their_own_changes(quick, tiny, monkeypatch):
    out = quick.pop("out")
    settings = vq.Settings(prompt="a red apple", **quick)
    first, second = (vq.Studio(settings, models=tiny, out=out / name) for name in "ab")
    waited = []

    def begin_another():
        _press(second, "start")
        _set(second, "w2", 0.2)
        _set(first, "w2", 0.7)
        time.sleep(0.3)
        waited.append((second.panel.views["status"].value, second.current))

    _at(first, monkeypatch, i2=begin_another)
    _press(first, "start")
    assert len(first.result().history) == len(second.result().history) == 6
    assert "Waiting until the other panel has finished" in waited[0][0]
    assert waited[0][1] is None
    assert first.current.plan.updates == ({"iteration": 3, "w2": 0.7},)
    assert second.current.settings.w2 == 0.2


def test_a_cell_that_runs_again_stops_the_panel_that_it_made_before(quick, tiny, monkeypatch):
    monkeypatch.setattr(studios, "cell_id", lambda: "a cell")
    settings = vq.Settings(**{k: v for k, v in quick.items() if k != "out"} | {"total_iter": 1000})
    first = vq.Studio(settings, models=tiny, out=quick["out"])
    _at(first, monkeypatch, i2=lambda: vq.Studio(settings, models=tiny, out=quick["out"]))
    first.run()
    assert len(first.result().history) == 2


def test_a_fork_at_now_takes_the_latest_step_and_its_settings_start_again(studio, monkeypatch):
    studio.run(wait=False)
    first = studio.current
    _press(studio, "fork")
    fork = studio.result()
    shutil.rmtree(first.folder.path)
    studio.panel.list_runs(studio.out)
    studio.panel.history.choose(fork.folder)
    _press(studio, "load")
    begun = Path(studio.panel.form.settings().init_image)
    assert begun.parent == fork.folder / "inputs"
    _press(studio, "start")
    again = studio.result()
    assert again.folder != fork.folder
    assert torch.equal(again.latents, fork.latents)


def test_every_field_is_heard_while_a_cell_runs(studio):
    """Those that are out of view too: they belong to the kinds of film that are not chosen."""
    everything = set(studio.panel.everything())
    boxes = [field for fields in studio.panel.film.boxes.values() for field in fields.values()]
    parts = [part for field in boxes for part in parts_of(field)]
    parts += [p for field in studio.panel.form.fields.values() for p in parts_of(field)]
    assert everything.issuperset([*parts, studio.panel.film.sources])


def test_the_list_of_runs_is_new_when_it_comes_into_view(studio, quick, tiny):
    vq.generate("a pear", models=tiny, **(quick | {"total_iter": 1, "out": studio.out}))
    studio.panel.sections.selected_index = 1
    name = studio.panel.history.runs[0].name
    assert name.endswith("a-pear")


def test_a_prompt_that_is_being_typed_is_used_when_it_is_complete(studio, monkeypatch):
    monkeypatch.setattr(panels, "_SETTLED", 60)
    _at(
        studio,
        monkeypatch,
        i2=lambda: _set(studio, "prompt", "a fro"),
        i4=lambda: _set(studio, "prompt", "a frog\n"),
    )
    studio.run(wait=False)
    assert studio.current.plan.updates == ({"iteration": 5, "prompt": "a frog"},)


def test_unknown_words_are_shown_before_anything_is_painted(tmp_path):
    studio = vq.Studio(vq.Settings(prompt="a red aple", device="cpu"), out=tmp_path)
    assert "aple" in studio.panel.form.hint.value


def test_an_uploaded_checkpoint_is_kept_and_painted_with(studio, quick):
    folder = Path(vq.__file__).parent / "models" / "tiny"
    files = {"../mine.safetensors": "vqgan.safetensors", "..": "vqgan.yaml"}
    files |= {"mine.yaml": "vqgan.yaml"}
    studio.panel.upload.value = tuple(
        {"name": name, "content": memoryview((folder / file).read_bytes())}
        | {"type": "", "size": 0, "last_modified": datetime.now(UTC)}
        for name, file in files.items()
    )
    kept = studio.out / "uploads"
    assert sorted(p.name for p in kept.iterdir()) == ["mine.safetensors", "mine.yaml"]
    assert studio.panel.form.settings().models == str(kept / "mine.safetensors")
    result = studio.run(wait=False)
    assert "mine.safetensors" in (result.folder / "settings.json").read_text()


def test_every_control_has_a_label_and_every_picture_a_text(studio):
    studio.run(wait=False)
    for field in studio.panel.form.fields.values():
        assert all(part.description for part in parts_of(field))
    assert all(button.description for button in studio.panel.buttons.values())
    pictures = re.findall(r"<img[^>]*>", "".join(v.value for v in studio.panel.views.values()))
    assert pictures
    assert all('alt="' in picture for picture in pictures)


def test_a_curve_has_a_line_for_each_part_and_a_mark_for_each_change():
    row = {"seconds": 1.0, "loss": 1.0, "similarity": 0.1, "clip": 0.9, "gan": 0.1}
    history = [row | {"iteration": i} for i in range(1, 9)]
    drawn = curve_svg(history, [{"iteration": 5, "prompt": "<b>"}])
    assert drawn.count("<polyline") == 3
    assert "from iteration 5: prompt &lt;b&gt;" in drawn
    assert "loss over the iterations, 1.000 at iteration 8" in drawn
    assert "<svg" in curve_svg([])


def test_the_form_shows_what_a_model_costs():
    form = vq.Form(names=("models", "clip"))
    form.fields["models"].value = "imagenet_f16_16384"
    form.fields["clip"].value = "ViT-B/32 RN50"
    shown = [row.children[1].value for row in form.rows.values()]
    assert "imagenet_f16_16384: 980 MB to fetch" in shown[0]
    assert "ViT-B/32: 354 MB to fetch; RN50: 256 MB to fetch" in shown[1]
