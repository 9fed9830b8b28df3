"""The battery: unseen sentences that are painted, and judges that rank them.

A painting is right if its judge ranks its sentence first among many. The judges' own wordings of the
sentences are ranked, not those that were painted, and the share on real pictures of the same
sentences is the ceiling.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.train.compositions import (
    JUDGE,
    PAIR,
    Cast,
    Composition,
    Drawings,
    all_things,
    caption_of,
    compose,
)
from vqclip_nb.train.retrieval import pictures_of, texts_of

# kind of composition and number of sentences among which the right one must be first
KINDS = {"things": ("plain", 200), "scenes": ("scene", 100)}
_CONTEXT = 22  # words; longer sentences are left out, so that every text encoder reads all


@dataclass(frozen=True)
class Case:
    """A sentence, in the wording of the pair and of the judges, and a picture that shows it.

    image: uint8 [S, S, 3]
    """

    composition: Composition
    prompt: str
    judged: str
    image: np.ndarray


def cases(kind: str, number: int, cast: Cast, known: set[str], size: int, seed: int) -> list[Case]:
    """So many different sentences of one of `KINDS`, without a style.

    known: names of things; others do not occur
    """
    found: dict[str, Case] = {}
    for i in range(100 * number):
        rng = random.Random(seed * 10**6 + i)
        image, composition, _ = compose(cast, rng, size, kind=KINDS[kind][0], styled=0.0)
        prompt, judged = (caption_of(composition, each, rng) for each in (PAIR, JUDGE))
        fair = all(item.name in known for item in composition.items)
        if fair and judged not in found and len(judged.split()) <= _CONTEXT:
            found[judged] = Case(composition, prompt, judged, image)
        if len(found) == number:
            return list(found.values())
    raise ValueError(f"too few of the {len(known)} known things for {number} sentences: {kind}")


def names_in(drawings: Iterable[Drawings]) -> set[str]:
    """The spoken names of the things that each artist drew."""
    spoken = [{all_things()[i].spoken for i in each.of} for each in drawings]
    return set.intersection(*spoken)


def right(
    perceptor: Perceptor,
    pictures: Tensor,
    sentences: list[str],
    among: int,
) -> tuple[float, float]:
    """Share of pictures whose sentence is first among `among`, and its standard error.

    pictures: [k*n, 3, H, W], k pictures of each of the n sentences, the sentences' order k times
    among: each sentence competes with those that follow it in the list, the same for each picture

    The error is that of the mean over sentences: pictures of one sentence are not independent.
    """
    emb, texts = pictures_of(perceptor, pictures), texts_of(perceptor, sentences)
    n, k = len(texts), len(emb) // len(texts)
    rivals = (torch.arange(n)[:, None] + torch.arange(1, min(among, n))) % n  # (n, among - 1)
    logits = (emb @ texts.T).view(k, n, n)
    own = logits.diagonal(dim1=1, dim2=2)  # (k, n)
    best = logits.gather(2, rivals.expand(k, -1, -1)).amax(2)
    won = (own > best).float().mean(0)  # (n,), share of the k pictures
    return won.mean().item(), (won.std() / n**0.5).item()


def measured(
    judges: dict[str, Perceptor], kind: str, tested: list[Case], pictures: Tensor
) -> dict[str, tuple[float, float]]:
    """`right` by each judge."""
    sentences, among = [case.judged for case in tested], KINDS[kind][1]
    return {name: right(judge, pictures, sentences, among) for name, judge in judges.items()}


def painted(tested: list[Case], seeds: int, paint: Callable[[str, int], Tensor]) -> Tensor:
    """Pictures [seeds*n, 3, H, W] by paint(prompt, seed)."""
    return torch.cat([paint(case.prompt, seed) for seed in range(seeds) for case in tested])
