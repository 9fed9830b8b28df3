"""Compositions: what is drawn and where, and what captions say of it."""

import random
import re
from dataclasses import fields

import numpy as np
import pytest

from vqclip_nb.models.draft.composition import KINDS
from vqclip_nb.models.draft.paint import paste, recoloured
from vqclip_nb.models.draft.things import things_called
from vqclip_nb.models.styles import COLOURLESS, STYLES, SYNONYMS
from vqclip_nb.train.compositions import (
    JUDGE,
    PAIR,
    Cast,
    Composition,
    Drawings,
    Item,
    all_things,
    caption_of,
    compose,
    facts,
    vocabulary,
    with_error,
)
from vqclip_nb.train.compositions.composition import CONTRADICTIONS, other_colour
from vqclip_nb.train.compositions.describe import words_of
from vqclip_nb.train.compositions.drawings import SIDE, trimmed
from vqclip_nb.train.compositions.nouns import counted, is_plural, with_article
from vqclip_nb.train.places import Place

_SIZE = 64
_MANY = 700


@pytest.fixture(scope="module")
def composed(cast):
    """Many compositions without a style."""
    kinds = [None, "scene", "plain"]
    return [
        compose(cast, random.Random(seed), _SIZE, kind=kinds[seed % 3], styled=0)
        for seed in range(_MANY)
    ]


def _boxes(composition, layout) -> list[list[tuple[int, float, float, float, float]]]:
    """For each item its boxes, with their ranks in the order of painting."""
    return [
        [(i, *box[1:5]) for i, box in enumerate(layout) if box[0] in things_called(item.name)]
        for item in composition.items
    ]


def _top(box):
    return box[2] - box[4] / 2


def _bottom(box):
    return box[2] + box[4] / 2


def _overlap(a, b):
    """Of the two boxes in x, as a share of the narrower one."""
    shared = min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2)
    return shared / min(a[3], b[3])


_DRAWN = {
    "next to": lambda a, b: _overlap(a, b) < 0.1,
    "near": lambda a, b: _overlap(a, b) < 0.1,
    "and": lambda a, b: _overlap(a, b) < 0.3,
    "with": lambda a, b: _overlap(a, b) < 0.3,
    "above": lambda a, b: _bottom(a) <= _top(b) + 0.02 and _overlap(a, b) > 0.2,
    "below": lambda a, b: _top(a) >= _bottom(b) - 0.02 and _overlap(a, b) > 0.2,
    "under": lambda a, b: a[2] > b[2] and _overlap(a, b) > 0.4 and a[0] > b[0],
    "on": lambda a, b: a[2] < b[2] and _bottom(a) > _top(b) - 0.02 and _overlap(a, b) > 0.4,
    "in": lambda a, b: _top(a) < _top(b) < _bottom(a) and a[0] < b[0] and _overlap(a, b) > 0.4,
    "in front of": lambda a, b: _bottom(a) > _bottom(b) and a[0] > b[0] and _overlap(a, b) > 0.2,
    "behind": lambda a, b: _bottom(a) < _bottom(b) and a[0] < b[0] and _overlap(a, b) > 0.2,
    "wearing": lambda a, b: b[0] > a[0] and _overlap(a, b) > 0.9 and _top(b) < _bottom(a),
    "riding": lambda a, b: a[2] < b[2] and _bottom(a) > _top(b) - 0.02 and _overlap(a, b) > 0.5,
    "holding": lambda a, b: b[0] > a[0] and _overlap(a, b) > 0.05 and a[4] > b[4] * 0.8,
}


def test_the_same_seed_composes_the_same_and_another_seed_something_else(cast):
    first, again, other = (compose(cast, random.Random(seed), _SIZE) for seed in (3, 3, 4))
    assert np.array_equal(first[0], again[0])
    assert first[1:] == again[1:]
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_composed_at_each_size(cast, kind):
    for seed, size in enumerate((32, 64, (96, 48), (48, 96))):
        width, height = (size, size) if isinstance(size, int) else size
        image, composition, _ = compose(cast, random.Random(seed), size, kind=kind)
        assert image.shape == (height, width, 3)
        assert image.dtype == np.uint8
        assert composition.kind == kind


def test_things_are_inside_of_the_picture_and_large_enough(composed):
    for _, composition, layout in composed:
        if composition.kind == "pattern":
            continue
        for _, x, y, width, height, depth in layout:
            assert x - width / 2 > -0.03
            assert x + width / 2 < 1.03
            assert y - height / 2 > -0.03
            assert y + height / 2 < 1.03
            assert max(width, height) > 0.09
            assert 0 <= depth <= 1


def test_every_relation_is_drawn_as_it_is_said(composed):
    seen = dict.fromkeys(CONTRADICTIONS, 0)
    for _, composition, layout in composed:
        relation = composition.relation
        if relation is None or composition.kind == "pattern" or len(composition.items) != 2:
            continue
        boxes = _boxes(composition, layout)
        if len(boxes[0]) != composition.items[0].number or not boxes[1] or boxes[0][0] in boxes[1]:
            continue  # a name that means both things
        seen[relation] += 1
        first, second = boxes
        if relation == "between":
            left, right = sorted(box[1] for box in second)
            assert left < first[0][1] < right
        else:
            for box in first:
                assert _DRAWN[relation](box, second[0]), (relation, composition.items, layout)
    assert min(seen.values()) > 0, seen


def test_things_are_where_they_belong(composed):
    for _, composition, layout in composed:
        if composition.kind != "scene" or len(composition.items) != 1:
            continue
        thing = all_things()[layout[0][0]]
        assert thing.part == "whole"
        allowed = {"table": "stand", "deep": "stand"}
        manners = {allowed.get(where, where) for where in thing.where}
        assert composition.how in manners or "space" in manners
        if composition.how == "stand":
            assert layout[0][2] + layout[0][4] / 2 > 0.6  # no floating cows


def test_a_mouse_beside_a_house_is_smaller_but_visible(composed):
    pairs = 0
    for _, composition, layout in composed:
        if composition.relation in ("next to", "near") and composition.place:
            a, b = sorted(layout, key=lambda box: all_things()[box[0]].size)
            if all_things()[b[0]].size > 20 * all_things()[a[0]].size:
                pairs += 1
                assert max(a[3:5]) < max(b[3:5])
    assert pairs


def test_captions_mention_what_the_composition_has(composed):
    for i, (_, composition, _) in enumerate(composed):
        for templates in (PAIR, JUDGE):
            caption = caption_of(composition, templates, random.Random(i))
            assert "{" not in caption
            assert "None" not in caption
            for item in composition.items:
                noun = item.name.split()[-1]
                plural = counted(item.name, 2).split()[-1]
                assert noun in caption or plural in caption
                assert item.colour is None or item.colour in caption
                if item.number > 1:
                    assert counted(item.name, item.number).split()[0] in caption
            assert composition.background is None or composition.background in caption


def test_exactly_one_fact_differs_in_a_composition_with_an_error(composed):
    kinds = set()
    for i, (_, composition, _) in enumerate(composed):
        wrong = with_error(composition, random.Random(i))
        true, false = facts(composition), facts(wrong)
        assert true.keys() == false.keys()
        differing = [fact for fact in true if true[fact] != false[fact]]
        assert len(differing) == 1
        kinds.add(differing[0].split()[0])
        if differing[0] == "relation":
            assert wrong.relation in CONTRADICTIONS[composition.relation]
    assert kinds >= {"thing", "colour", "number", "relation", "place", "time", "background"}


def test_an_error_is_worded_differently_and_each_fact_can_be_wrong():
    place = Place("beach", "night", "storm")
    composition = Composition(
        "scene",
        (Item("dog", "brown"), Item("tree", number=2)),
        relation="between",
        place=place,
        say=("name", "time", "weather"),
        style="mosaic",
    )
    seen = set()
    for seed in range(150):
        wrong = with_error(composition, random.Random(seed))
        true, false = facts(composition), facts(wrong)
        seen |= {fact for fact in true if true[fact] != false[fact]}
        for templates in (PAIR, JUDGE):
            sentences = {
                caption_of(each, templates, random.Random(seed)) for each in (composition, wrong)
            }
            assert len(sentences) == 2
    assert seen == {
        *("thing 0", "thing 1", "colour 0", "number 1", "relation"),
        *("place", "time", "weather", "style"),
    }


def test_wrong_things_are_no_other_words_for_the_right_one():
    for name in ("dog", "tree", "boat", "rose", "cup"):
        composition = Composition("plain", (Item(name),))
        for seed in range(60):
            wrong = with_error(composition, random.Random(seed)).items[0].name
            assert not set(things_called(wrong)) & set(things_called(name))
            assert wrong != name


@pytest.mark.parametrize(
    ("name", "also"),
    [("owl", "bird"), ("bird", "penguin"), ("rose", "flower"), ("king", "man"), ("cat", "kitten")],
)
def test_wrong_things_are_not_true_of_the_right_one_either(name, also):
    composition = Composition("plain", (Item(name),))
    assert also not in {
        with_error(composition, random.Random(seed)).items[0].name for seed in range(400)
    }


def test_the_templates_of_the_pair_and_of_the_judge_are_disjoint():
    for field in ("bare", "plain", "portrait", "still_life", "pattern", "styled", "scene"):
        assert not set(getattr(PAIR, field)) & set(getattr(JUDGE, field))


def test_captions_use_words_of_the_vocabulary_only(cast, composed):
    known = set(vocabulary())
    styled = [compose(cast, random.Random(i), 16, styled=1) for i in range(40)]
    for i, (_, composition, _) in enumerate([*composed, *styled]):
        for each in (composition, with_error(composition, random.Random(i))):
            for templates in (PAIR, JUDGE):
                words = words_of(caption_of(each, templates, random.Random(i)))
                assert known.issuperset(words), set(words) - known


def test_a_style_hides_colours_that_it_does_not_show(cast):
    for seed in range(60):
        _, composition, _ = compose(cast, random.Random(seed), 16, styled=1)
        assert composition.style in STYLES
        if composition.style in COLOURLESS:
            assert composition.background is None
            assert not any(item.colour for item in composition.items)


def test_a_style_is_named_in_captions_and_no_name_of_a_style_is_a_name_of_a_thing():
    for style in STYLES:
        composition = Composition("plain", (Item("dog"),), style=style)
        for seed in range(20):
            for templates in (PAIR, JUDGE):
                caption = caption_of(composition, templates, random.Random(seed))
                assert style in caption
    named = {name for thing in all_things() for name in (thing.spoken, thing.name, *thing.aliases)}
    assert named.isdisjoint([*STYLES, *SYNONYMS])


def test_numbers_are_drawn(composed):
    for _, composition, layout in composed:
        if len(composition.items) == 1 and composition.items[0].number > 1:
            assert len(layout) == composition.items[0].number


def test_nouns():
    assert counted("glass of milk", 2) == "two glasses of milk"
    assert counted("mouse", 3) == "three mice"
    assert with_article("octopus") == "an octopus"
    assert with_article("trousers") == "trousers"
    assert is_plural("sunglasses")
    assert not is_plural("bunch of flowers")


def test_the_table_has_every_name_of_the_drawings_and_no_head_that_stands():
    names = {(thing.name, thing.part) for thing in all_things()}
    assert len(names) == len(all_things())
    for thing in all_things():
        assert thing.size > 0
        assert thing.part == "whole" or not thing.where
        assert not re.search(r"[A-Z]", thing.name)


def test_a_main_colour_changes_and_the_wheels_stay():
    car = np.zeros((20, 20, 4), np.uint8)
    car[..., 3] = 255
    car[:14, :, 0] = 220  # red above
    car[14:, :, :3] = 20  # black wheels
    blue = recoloured(car, "blue").astype(int)
    assert (blue[:14, :, 2] > blue[:14, :, 0] + 60).all()
    assert np.abs(blue[14:] - car[14:]).max() < 5


def test_a_black_drawing_can_be_white():
    cow = np.zeros((20, 20, 4), np.uint8)
    cow[2:18, 2:18] = (10, 10, 10, 255)
    white = recoloured(cow, "white")
    assert white[2:18, 2:18, :3].min() > 200
    assert white[0].max() == 0


def test_a_drawing_is_cut_off_at_the_edges_of_the_picture():
    image = np.zeros((8, 8, 3), np.uint8)
    paste(image, np.full((6, 6, 4), 255, np.uint8), -3, 5)
    assert image[5:, :3].min() == 255
    assert image[:5].max() == image[:, 3:].max() == 0


def test_drawings_are_trimmed_and_come_back_from_their_file(cast, tmp_path):
    from PIL import Image

    assert trimmed(Image.new("RGBA", (30, 30))) is None
    image = Image.new("RGBA", (100, 100))
    image.paste((200, 10, 10, 255), (20, 40, 60, 60))
    assert trimmed(image).shape == (SIDE // 2, SIDE, 4)
    cast.drawings.save(tmp_path / "drawings.npz")
    loaded = Drawings.load(tmp_path / "drawings.npz")
    assert np.array_equal(loaded.pictures, cast.drawings.pictures)
    assert np.array_equal(loaded.thing, cast.drawings.thing)


def test_other_colours_are_clearly_different():
    for seed in range(40):
        assert other_colour("blue", random.Random(seed)) not in ("blue", "light blue", "turquoise")


def test_a_kind_of_scene_that_the_drawings_do_not_suffice_for_is_left_out(drawings):
    penguins = drawings.thing == next(iter(things_called("penguin")))
    arrays = {field.name: getattr(drawings, field.name)[penguins] for field in fields(drawings)}
    few = Cast(Drawings(**arrays))
    with pytest.raises(ValueError, match="do not suffice for a composition of the kind 'still"):
        compose(few, random.Random(0), 64, kind="still life")
    kinds = {compose(few, random.Random(seed), 64)[1].kind for seed in range(60)}
    assert "plain" in kinds
    assert "still life" not in kinds
