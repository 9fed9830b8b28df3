"""Drawings by the tests, compositions of them, and a small recipe."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import vqclip_nb as vq
from vqclip_nb.train.compositions import Cast, Drawings, all_things
from vqclip_nb.train.compositions.drawings import SIDE
from vqclip_nb.train.scene_pool import ScenePool, load_pool

_NAMES = [
    "dog",
    "cat",
    "horse",
    "cow",
    "mouse",
    "bird",
    "butterfly",
    "fish",
    "shark",
    "duck",
    "whale",
    "man",
    "woman",
    "girl",
    "boy",
    "king",
    "robot",
    "astronaut",
    "house",
    "lighthouse",
    "castle",
    "tree",
    "flower",
    "rose",
    "car",
    "bicycle",
    "ship",
    "sailboat",
    "airplane",
    "balloon",
    "rocket",
    "ufo",
    "apple",
    "banana",
    "pear",
    "lemon",
    "bread",
    "table",
    "chair",
    "bowl",
    "basket",
    "bucket",
    "vase",
    "hat",
    "crown",
    "sunglasses",
    "umbrella",
    "book",
    "teapot",
    "candle",
    "star",
    "heart",
    "cloud",
    "sofa",
    "mushroom",
    "penguin",
    "dragon",
    "canoe",
    "sunflower",
    "sword",
    "bouquet",
    "glasses",
    "crab",
]
_NAMES += ["palm tree", "cat face", "dog face", "man face", "wooden crate"]


def _blob(seed: int) -> np.ndarray:
    """An ellipse of some colour and aspect: uint8 [h, w, 4], premultiplied."""
    rng = np.random.default_rng(seed)
    width, height = (SIDE, int(rng.integers(60, 161)))[:: rng.choice((-1, 1))]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[x**2 + y**2 <= 1.3] = (*rng.integers(40, 250, 3), 255)
    return rgba


@pytest.fixture(scope="session")
def drawings() -> Drawings:
    """Ellipses in place of drawings, of things of many kinds."""
    things = [
        i
        for i, thing in enumerate(all_things())
        if thing.name in _NAMES and (thing.part == "whole" or "face" in thing.name)
    ]
    pictures = np.zeros((len(things), SIDE, SIDE, 4), np.uint8)
    sizes = np.zeros((len(things), 2), np.int64)
    for row, thing in enumerate(things):
        blob = _blob(thing)
        height, width = blob.shape[:2]
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        pictures[row, top : top + height, left : left + width] = blob
        sizes[row] = width, height
    silhouette = np.zeros(len(things), bool)
    source = np.array(["tests"] * len(things))
    return Drawings(np.array(things), pictures, sizes, silhouette, source)


@pytest.fixture(scope="session")
def cast(drawings) -> Cast:
    return Cast(drawings)


@pytest.fixture(scope="session")
def pool(drawings, tmp_path_factory) -> ScenePool:
    folder = tmp_path_factory.mktemp("pool")
    return load_pool(folder, drawings, number=60, size=56, styled=0.3, seed=1)


@pytest.fixture(scope="session")
def recipe() -> dict:
    """The recipe of the embedded models, in small."""
    recipe = tomllib.loads((Path(vq.__file__).parent / "train" / "tiny.toml").read_text())
    recipe["pool"] |= {"number": 60}
    recipe["clip"] |= {"batch": 8, "radius": 0.5}
    recipe["clip"]["architecture"] |= {"vision_width": 16}
    recipe["clip"]["rivals"] |= {"pool": 4, "batch": 3, "steps": 12, "cutn": 4, "size": 64}
    recipe["clip"]["rivals"]["sketch"] |= {"steps": 150, "pool": 128, "batch": 16}
    for judge in recipe["judges"].values():
        judge |= {"batch": 8, "drawings": ["tests"]}
    recipe["draft"] |= {"side": 32, "height": 64}
    recipe["report"] |= {"pictures": 12, "cases": 3, "seeds": 1, "styled": ["an apple"]}
    recipe["report"]["changes"] = {"total_iter": 2, "im_shape": [64, 64]}
    recipe["generator"] |= {"batch": 2}
    recipe["generator"]["architecture"] |= {"resolution": 64}
    return recipe
