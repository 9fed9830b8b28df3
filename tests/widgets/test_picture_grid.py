"""The section Grid: a picture for every pair of the values of two settings."""

import re

import pytest

import vqclip_nb as vq
from vqclip_nb.settings import specs
from vqclip_nb.widgets.picture_grid import GridForm


@pytest.fixture
def studio(quick, tiny) -> vq.Studio:
    out = quick.pop("out")
    return vq.Studio(vq.Settings(prompt="a lemon", **quick), models=tiny, out=out)


def _chosen(form: GridForm, across: tuple[str, str], down: tuple[str, str]) -> None:
    for axis, (name, values) in ((form.across, across), (form.down, down)):
        axis.menu.value, axis.text.value = name, values


def _painted(studio: vq.Studio) -> None:
    studio.panel.buttons["grid"].click()
    studio.result()


def test_a_grid_is_painted_and_shown_and_the_form_stays_as_it_was(studio):
    before = studio.panel.form.settings()
    _chosen(studio.panel.grid, ("w2", "0,5; 1"), ("prompt", "a pear; a <b>frog"))
    _painted(studio)
    shown = studio.panel.views["grid"].value
    assert re.findall("<th>([^<]*)</th>", shown) == [
        "",
        "w2 0.5",
        "w2 1",
        "a pear",
        "a &lt;b&gt;frog",
    ]
    runs = [vq.Settings.from_png(run / "picture.png") for run in studio.panel.history.runs]
    painted = [(run.prompt, run.w2) for run in reversed(runs)]
    assert painted == [("a pear", 0.5), ("a pear", 1), ("a <b>frog", 0.5), ("a <b>frog", 1)]
    assert len({run.seed for run in runs}) == 1
    assert studio.panel.form.settings() == before


def test_a_click_on_a_picture_of_the_grid_opens_its_run(studio):
    _chosen(studio.panel.grid, ("extras", "; neon"), ("nothing", ""))
    _painted(studio)
    (box,) = (each for each in studio.panel.everything() if "vq-cell" in each._dom_classes)
    first = studio.panel.history.runs[-1]
    assert first.name in studio.panel.views["grid"].value
    box.value = first.name  # as the page does
    assert studio.current.folder.path == first


def test_stop_ends_the_grid_and_shows_what_it_has(studio):
    _chosen(studio.panel.grid, ("seed", "1; 2; 3; 4"), ("nothing", ""))
    studio.panel.form.fields["total_iter"].value = 400
    studio.panel.buttons["grid"].click()
    while not (studio.current and studio.current.i):
        pass
    studio.panel.buttons["stop"].click()
    studio.result()
    assert studio.panel.views["grid"].value.count("<img") == 1
    assert len(studio.panel.history.runs) == 1


REFUSED = [
    (("w2", "1; many"), ("nothing", ""), "w2 must be a number from"),
    (("w2", "1"), ("w2", "2"), "across and down are both w2"),
    (("preset", "studio; fancy"), ("nothing", ""), "'fancy'"),
    (("im_shape", "64; 5"), ("nothing", ""), "im_shape must be"),
    (("seed", "1; x"), ("nothing", ""), "seed must be a whole number"),
    (("clip", "ViT-B/32 'RN50"), ("nothing", ""), "clip is"),
    (("models", "tiny; nowhere.ckpt"), ("nothing", ""), "nowhere.ckpt"),
    (("clamp", "on; perhaps"), ("nothing", ""), "clamp must be True or False"),
    (("seed", ";".join(map(str, range(13)))), ("w2", "0;0.1;0.2;0.3;0.4"), "65 pictures"),
]


@pytest.mark.parametrize(("across", "down", "says"), REFUSED)
def test_what_is_not_allowed_is_said_before_anything_is_painted(studio, across, down, says):
    _chosen(studio.panel.grid, across, down)
    _painted(studio)
    assert says in studio.panel.views["status"].value.replace("&#x27;", "'")
    assert studio.panel.history.runs == []


@pytest.mark.parametrize("name", ["preset", *specs()])
def test_every_field_can_be_chosen(name):
    form = GridForm()
    form.across.menu.value = name
    if form.across.text.value:  # what it suggests is allowed
        form.down.menu.value = "nothing"
        assert form.plans(vq.Settings()).plans
