"""Figures for people, and the form that is made from the settings."""

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.settings import specs
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.sweeps.sweep import sweep
from vqclip_nb.widgets.plots import plot_history
from vqclip_nb.widgets.settings_form import FRONT


def test_a_contact_sheet_holds_every_picture_unchanged():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    sheet = contact_sheet([Image.new("RGB", (32, 32), c) for c in colours], columns=2, gap=4)
    assert sheet.size == (2 * 36 + 4, 2 * 36 + 4)
    pixels = np.asarray(sheet)
    assert [tuple(pixels[y, x]) for x, y in ((4, 4), (40, 4), (4, 40))] == colours
    assert tuple(pixels[40, 40]) == (255, 255, 255)


def test_captions_take_room_below_their_picture():
    image = Image.new("RGB", (64, 64), (9, 9, 9))
    plain, captioned = (
        contact_sheet([image]),
        contact_sheet([image], ["a rather long caption here"]),
    )
    assert captioned.height > plain.height
    assert captioned.width == plain.width
    assert np.asarray(captioned)[72:].min() < 128  # ink


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])


def test_the_curve_shows_every_part():
    row = {"seconds": 1.0, "loss": 1.0, "similarity": 0.1, "clip": 0.9, "gan": 0.1}
    figure = plot_history([row | {"iteration": i} for i in range(1, 9)])
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["loss", "clip", "gan"]


def test_a_sweep_paints_the_grid_in_order_with_one_seed(quick, tiny):
    out = quick.pop("out")
    grid = {"prompt": ["a cat", "a dog"], "w1": [1.0, 2.0]}
    results = sweep(grid, vq.Settings(**quick).replace(total_iter=1), out=out)
    made = [vq.Settings.from_png(result.folder / "picture.png") for result in results]
    assert [(s.prompt, s.w1) for s in made] == [
        ("a cat", 1.0),
        ("a cat", 2.0),
        ("a dog", 1.0),
        ("a dog", 2.0),
    ]
    assert len({s.seed for s in made}) == 1
    assert Image.open(out / "sheet.png").width > 4 * 64


def test_the_form_gives_back_the_settings_that_it_was_made_from():
    settings = vq.Settings(prompt="a cat", w2=0.7, im_shape=(192, 130), seed=4, cutn=9)
    assert vq.Form(settings).settings() == settings


def test_a_form_of_every_field_gives_back_its_settings():
    settings = vq.Settings(prompt="a ^ b", tile=True, optimizer="SGD", clip=("a.pt", "b.pt"))
    assert vq.Form(settings, names=tuple(specs())).settings() == settings


def test_the_form_has_a_field_for_each_seed_parameter_and_shows_its_help():
    form = vq.Form()
    assert list(form.fields) == list(FRONT)
    for name in FRONT:
        widget = form.fields[name]
        inner = widget.children[0] if isinstance(widget, widgets.Box) else widget
        assert specs()[name].help in inner.tooltip


def test_what_is_typed_into_the_form_is_what_is_painted():
    form = vq.Form()
    form.fields["prompt"].value = "a penguin"
    form.fields["noise_factor"].value = 0.25
    form.fields["seed"].value = " 12 "
    form.fields["im_shape"].children[0].value = 384
    settings = form.settings()
    assert (settings.prompt, settings.noise_factor) == ("a penguin", 0.25)
    assert (settings.seed, settings.im_shape) == (12, (384, 256))


def test_a_seed_that_is_not_a_number_is_refused_by_the_settings_sentence():
    form = vq.Form()
    form.fields["seed"].value = "lucky"
    with pytest.raises(
        ValueError, match="seed must be a whole number from 0 to 4294967295, or None, got 'lucky'"
    ):
        form.settings()


def test_the_form_shows_unknown_words_as_they_are_typed(tiny):
    form = vq.Form(vq.Settings(prompt="a cat"), perceptor=tiny.perceptors[0])
    assert form.hint.value == ""
    form.fields["extras"].value = "with an aple <b>"
    assert "apple" in form.hint.value
    assert "<b>'" not in form.hint.value
    form.fields["extras"].value = ""
    assert form.hint.value == ""
