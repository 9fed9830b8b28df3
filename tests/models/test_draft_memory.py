"""The draft's file: written by the training, checked when it is read."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vqclip_nb.models.draft.layout import sketch
from vqclip_nb.models.draft.memory import HOWS, MASK
from vqclip_nb.models.draft.place import NAMES, possible
from vqclip_nb.models.draft.stored import load_draft
from vqclip_nb.models.draft.things import all_things, index_of
from vqclip_nb.models.registry import find_model
from vqclip_nb.models.safe_load import WeightsError
from vqclip_nb.train import draft_memory
from vqclip_nb.train.compositions.drawings import SIDE, Drawings
from vqclip_nb.train.draft_memory import square, write_draft

_FILE = find_model("vqgan", "tiny").draft_path


@pytest.fixture
def copied(tmp_path) -> Path:
    for suffix in (".safetensors", ".json"):
        shutil.copyfile(_FILE.with_suffix(suffix), tmp_path / f"draft{suffix}")
    return tmp_path / "draft.safetensors"


def _drawings() -> Drawings:
    """An apple, a pear that is twice as wide as high, a wide dog in two colours and a square one.

    The square dog is clip art.
    """
    things = index_of(["apple", "pear", "dog", "dog", "dog"])
    pictures, sizes = np.zeros((5, SIDE, SIDE, 4), np.uint8), np.zeros((5, 2), np.int64)
    colours = [(200, 20, 20), (40, 180, 40), (120, 80, 30), (20, 40, 200), (230, 230, 230)]
    for i, (height, colour) in enumerate(zip((SIDE, 80, 100, 100, SIDE), colours, strict=True)):
        top = (SIDE - height) // 2
        pictures[i, top : top + height] = (*colour, 255)
        sizes[i] = SIDE, height
    source = np.array(["icons"] * 4 + ["openclipart"])
    return Drawings(np.array(things), pictures, sizes, np.zeros(5, bool), source)


@pytest.fixture(scope="module")
def written(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("draft")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draft_memory, "possible", lambda name: possible(name)[:1])
        write_draft(folder, tiny.vqgan, _drawings(), side=64, height=64)
    return folder / "draft.safetensors"


def test_what_is_written_is_remembered(written, tiny):
    memory = load_draft(written, len(tiny.vqgan.codebook)).memory
    assert {all_things()[i].name for i in memory.of} == {"apple", "pear", "dog"}
    assert {place.name for place in memory.places} == set(NAMES)
    (pear,) = memory.of[index_of(["pear"])[0]]
    width, height = memory.sizes[pear]
    assert width == pytest.approx(2 * height, abs=2)
    (apple,) = memory.of[index_of(["apple"])[0]]
    picture = np.asarray(memory.draw_things(tiny.vqgan, [apple, pear])[apple])
    assert picture[..., 0].mean() > picture[..., 1:].mean() + 80  # red


def test_clip_art_is_a_makeshift_for_icons(written, tiny):
    memory = load_draft(written, len(tiny.vqgan.codebook)).memory
    shapes = [memory.sizes[drawing] for drawing in memory.of[index_of(["dog"])[0]]]
    assert len(shapes) == 2
    assert all(width > height for width, height in shapes)


def test_a_written_draft_draws_a_sentence(written, tiny):
    draft = load_draft(written, len(tiny.vqgan.codebook))
    composition = draft.read("two dogs in a meadow")
    image = sketch(composition, draft.memory, tiny.vqgan, (96, 64), random.Random(0))
    assert image.shape == (64, 96, 3)
    assert draft.read("apples").items[0].name == "apple"  # plurals are in the table


def test_the_embedded_memory_is_small_and_holds_what_people_ask_for(tiny):
    assert _FILE.stat().st_size < 6.5 * 2**20
    memory = tiny.draft.memory
    assert set(memory.places) == {place for name in NAMES for place in possible(name)}
    remembered = {all_things()[i].name for i in memory.of}
    assert {"cat", "dog", "house", "tree", "ship", "lighthouse", "car", "apple"} <= remembered


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (32, 64), (192, 48)])
def test_places_have_their_regions_in_pictures_of_each_shape(written, tiny, size):
    memory = load_draft(written, len(tiny.vqgan.codebook)).memory
    for index in range(0, len(memory.places), 4):
        how = next(how for how in HOWS if memory.region(index, how))
        ground = memory.draw_place(tiny.vqgan, index, size, how, random.Random(index))
        assert ground.image.shape == (size[1], size[0], 3)
        region = getattr(ground, how)
        assert 0 <= region.left < region.right <= 1
        assert 0 <= region.top < region.bottom <= 1


def test_colours_fill_the_square_around_a_drawing():
    picture = np.zeros((SIDE, 40, 4), np.uint8)
    picture[..., 0], picture[..., 3] = 200, 255
    filled, mask = square(picture, 64)
    assert filled.shape == (64, 64, 3)
    assert np.abs(filled.astype(int) - (200, 0, 0)).max() < 8
    assert mask.shape == (MASK, MASK)
    assert 0.15 < (mask > 127).mean() < 0.3


_DAMAGE = {
    "a tensor is missing": lambda tensors, table: tensors.pop("codes"),
    "a code is too large": lambda tensors, table: tensors.update(
        codes=tensors["codes"].long().clamp_min(60_000).to(torch.uint16)
    ),
    "a mask is missing": lambda tensors, table: tensors.update(masks=tensors["masks"][:100]),
    "masks without end": lambda tensors, table: tensors.update(masks=_bomb()),
    "a drawing is missing": lambda tensors, table: table["drawings"].pop(),
    "a thing is unknown": lambda tensors, table: table["drawings"].__setitem__(0, "whole zorblax"),
    "a place is impossible": lambda tensors, table: table["places_in_memory"].__setitem__(
        0, ["cave", "dawn", "snow", None]
    ),
    "no list": lambda tensors, table: table.update(drawings={"a": 1}),
    "a plural of nothing": lambda tensors, table: table["plurals"].update(zorblaxes="zorblax"),
    "a trait is unknown": lambda tensors, table: table["traits"]["sky"].append(["x", "time", "y"]),
    "the regions have another shape": lambda tensors, table: tensors.update(
        regions=tensors["regions"][:, :2].contiguous()
    ),
}


def _bomb() -> torch.Tensor:
    import zlib

    return torch.frombuffer(bytearray(zlib.compress(bytes(2**27))), dtype=torch.uint8)


@pytest.mark.parametrize("damage", _DAMAGE)
def test_a_damaged_draft_is_refused(copied, damage):
    tensors, table = load_file(copied), json.loads(copied.with_suffix(".json").read_text())
    _DAMAGE[damage](tensors, table)
    save_file(tensors, copied)
    copied.with_suffix(".json").write_text(json.dumps(table))
    with pytest.raises(WeightsError, match="--part draft"):
        load_draft(copied, 4096)


def test_a_draft_without_its_table_is_refused(copied):
    copied.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"draft\.json"):
        load_draft(copied, 4096)


def test_a_draft_of_a_larger_codebook_is_refused(copied):
    with pytest.raises(WeightsError, match="codes that the VQGAN does not have"):
        load_draft(copied, 16)
