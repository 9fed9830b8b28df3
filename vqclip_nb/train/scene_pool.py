"""A pool of drawn compositions on disk, from which CLIP's and the judges' training draws batches.

Drawing a composition takes about as long as training on it, and a training sees each several times.
So they are drawn once, by several processes, into one array that is mapped into memory.
"""

from __future__ import annotations

import json
import math
import os
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from vqclip_nb.train.compositions import (
    Cast,
    Composition,
    Drawings,
    Item,
    as_tensor,
    compose,
)
from vqclip_nb.train.places import Place

_CHUNK = 500  # compositions that a process draws at a time


@dataclass(frozen=True)
class Scene:
    """What a picture of the pool shows.

    things: indices in `all_things()` of all drawings in it
    """

    composition: Composition
    things: tuple[int, ...]


class ScenePool:
    """Drawn compositions.

    pictures: uint8 [N, S, S, 3]; scenes: what they show
    """

    def __init__(self, pictures: np.ndarray, scenes: list[Scene]) -> None:
        self.pictures, self.scenes = pictures, scenes

    def batch(self, number: int, size: int, generator: torch.Generator) -> tuple[Tensor, list[int]]:
        """Random pictures [n, 3, size, size] in [0,1], and their numbers in the pool.

        Each is mirrored in half of the cases and shows 75 to 100 % of the width, like a crop in a
        painting.
        """
        chosen = torch.randint(len(self.scenes), (number,), generator=generator).tolist()
        x = as_tensor(self.pictures[chosen], torch.device("cpu"))
        drawn = torch.rand(number, 4, generator=generator) * 2 - 1
        scale = 0.875 + 0.125 * drawn[:, 0]
        theta = torch.zeros(number, 2, 3)
        theta[:, 0, 0] = scale * drawn[:, 1].sign()
        theta[:, 1, 1] = scale
        theta[:, :, 2] = drawn[:, 2:] * (1 - scale[:, None])
        grid = F.affine_grid(theta, [number, 3, size, size], align_corners=False)
        x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return x, chosen


def load_pool(
    folder: Path, drawings: Drawings, number: int, size: int, *, styled: float, seed: int
) -> ScenePool:
    """Read the pool in `folder`, or draw it there with all CPU cores; delete it to draw another.

    number: compositions; size: side in pixels; styled: share with a style
    """
    pictures, facts = folder / "pictures.npy", folder / "scenes.jsonl"
    if not facts.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shape = (math.ceil(number / _CHUNK) * _CHUNK, size, size, 3)
        array = np.lib.format.open_memmap(pictures, "w+", np.uint8, shape)
        with open(folder / "scenes.part", "w", encoding="utf-8") as file:
            for i, (drawn, lines) in enumerate(_drawn(drawings, shape, styled, seed)):
                array[i * _CHUNK : (i + 1) * _CHUNK] = drawn
                file.writelines(line + "\n" for line in lines)
        array.flush()
        os.replace(folder / "scenes.part", facts)
    with open(facts, encoding="utf-8") as file:
        scenes = [_scene(json.loads(line)) for line in file]
    return ScenePool(np.load(pictures, mmap_mode="r"), scenes)


def _drawn(drawings: Drawings, shape: tuple[int, ...], styled: float, seed: int):
    """Chunks of pictures and of lines, in order."""
    tasks = [(seed * 10**6 + i, shape[1], styled) for i in range(shape[0] // _CHUNK)]
    with ProcessPoolExecutor(initializer=_begin, initargs=(drawings,)) as processes:
        yield from tqdm(processes.map(_chunk, tasks), "scenes", len(tasks), mininterval=10)


_cast: list[Cast] = []  # of a process


def _begin(drawings: Drawings) -> None:
    torch.set_num_threads(1)
    _cast[:] = [Cast(drawings)]


def _chunk(task: tuple[int, int, float]) -> tuple[np.ndarray, list[str]]:
    seed, size, styled = task
    rng, pictures, lines = random.Random(seed), [], []
    for _ in range(_CHUNK):
        image, composition, layout = compose(_cast[0], rng, size, styled=styled)
        pictures.append(image)
        things = sorted({row[0] for row in layout})
        lines.append(json.dumps({"composition": asdict(composition), "things": things}))
    return np.stack(pictures), lines


def _scene(row: dict) -> Scene:
    facts = row["composition"]
    facts["items"] = tuple(Item(**item) for item in facts["items"])
    facts["say"] = tuple(facts["say"])
    facts["place"] = facts["place"] and Place(**facts["place"])
    return Scene(Composition(**facts), tuple(row["things"]))
