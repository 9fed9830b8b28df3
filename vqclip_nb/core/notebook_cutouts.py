"""The cutouts of the public notebooks, for painting as they do and for comparisons.

Geometry and augmentations follow the projects' code (nerdyrodent's `generate.py`, Crowson's
notebooks, the seed). The random numbers are drawn apart, so that crops are a pure function of the
picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import augmentations, resampling
from vqclip_nb.core.augmentations import Chances

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class PeerDraws:
    """Random numbers for the n crops of one picture.

    boxes: left, top and side [n, 3] in pixels of the padded picture; None for the pooled whole
    pad: width of the black border, at the sides and at top and bottom
    whole: augmentations of the picture before it is cut; augments: of the crops, in this order
    noise: [n, 3, S, S], added last
    smooth: resample crops by Lanczos and bicubic instead of bilinear
    """

    boxes: Tensor | None
    noise: Tensor
    augments: tuple = ()
    whole: tuple = ()
    pad: tuple[int, int] = (0, 0)
    smooth: bool = True


def apply(x: Tensor, draws: PeerDraws) -> Tensor:
    """Crops [n, 3, S, S] of one picture [1, 3, H, W]."""
    n, _, size, _ = draws.noise.shape
    for change in draws.whole:
        x = change.apply(x)
    if draws.boxes is None:
        pooled = (F.adaptive_avg_pool2d(x, size) + F.adaptive_max_pool2d(x, size)) / 2
        crops = pooled.expand(n, -1, -1, -1)
    else:
        (across, down), (left, top, side) = draws.pad, draws.boxes.unbind(1)
        boxes = torch.stack([left - across, top - down, side], 1)  # in pixels of x itself
        crops = resampling.crops(x, boxes, size, min(x.shape[-2:]), smooth=draws.smooth)
    for change in draws.augments:
        crops = change.apply(crops)
    return crops + draws.noise


def draw(
    method: str,
    generator: torch.Generator,
    cutn: int,
    size: int,
    shape: tuple[int, int],
    cut_pow: float,
    noise_factor: float,
    device: torch.device = _CPU,
) -> PeerDraws:
    """Draw the crops of one picture of `shape` (H, W) by one of `METHODS`; noise on `device`."""
    chances = Chances(generator, cutn)
    draws = METHODS[method](chances, size, shape, cut_pow)
    return replace(draws, noise=draw_noise(generator, cutn, size, noise_factor, device))


def draw_noise(
    generator: torch.Generator,
    cutn: int,
    size: int,
    noise_factor: float,
    device: torch.device = _CPU,
) -> Tensor:
    """Noise [cutn, 3, size, size]; each crop's standard deviation is drawn from [0, noise_factor].

    A GPU draws it itself, seeded by `generator`: noise is most of an iteration's random numbers.
    """
    sigma = noise_factor * torch.rand(cutn, 1, 1, 1, generator=generator)
    if device.type == "cuda":
        seed = torch.randint(2**62, (), generator=generator)
        generator = torch.Generator(device).manual_seed(int(seed))
    noise = torch.randn(cutn, 3, size, size, generator=generator, device=generator.device)
    return noise.mul_(sigma.to(noise.device))


_NONE = torch.empty(0)


def _squares(chances: Chances, size: int, shape: tuple[int, int], cut_pow: float) -> Tensor:
    """Squares inside the picture, with sides between the perceptor's input size and the shorter side."""
    height, width = shape
    longest, shortest = min(height, width), min(height, width, size)
    share = chances.uniform(0, 1) ** cut_pow
    side = (share * (longest - shortest) + shortest).int()
    left = (chances.uniform(0, 1) * (width - side + 1)).int().clamp_max(width - side)
    top = (chances.uniform(0, 1) * (height - side + 1)).int().clamp_max(height - side)
    return torch.stack([left, top, side], 1)


def _original(chances: Chances, size: int, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    return PeerDraws(_squares(chances, size, shape, cut_pow), _NONE)


def _updated(chances: Chances, size: int, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    boxes = _squares(chances, size, shape, cut_pow)
    changes = (
        augmentations.flip(chances, 1.0),
        augmentations.jitter(chances, 0.01, 0.7, light=False),
        augmentations.sharpen(chances, 0.3, 0.4),
        augmentations.affine(chances, 30, 0.8, padding="border"),
        augmentations.perspective(chances, 0.2, 0.4),
    )
    return PeerDraws(boxes, _NONE, changes)


def _nrupdated(chances: Chances, size: int, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    boxes = _squares(chances, size, shape, cut_pow)
    changes = (augmentations.perspective(chances, 0.5), augmentations.affine(chances, 30))
    return PeerDraws(boxes, _NONE, changes)


def _updatedpooling(
    chances: Chances, size: int, shape: tuple[int, int], cut_pow: float
) -> PeerDraws:
    changes = (
        augmentations.affine(chances, 15, 0.7, padding="border"),
        augmentations.perspective(chances, 0.7, 0.7),
        augmentations.jitter(chances, 0.1, 0.7, light=False),
        augmentations.erase(chances, 0.4, 0.7),
    )
    return PeerDraws(None, _NONE, changes)


def _latest(chances: Chances, size: int, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    changes = (
        augmentations.affine(chances, 15, 0.7, shear=5),
        augmentations.perspective(chances, 0.7, 0.7),
        augmentations.jitter(chances, 0.1, 0.7),
        augmentations.erase(chances, 0.4, 0.7),
    )
    return PeerDraws(None, _NONE, changes)


def _padded(chances: Chances, size: int, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    """The seed's: the picture is flipped, rotated and moved once for all crops, in a black border.

    A crop's side is N(1.2, 0.3) times the picture's, clamped to [0.43, 1.9]. The seed uses one side
    for both axes, which cuts wrong crops of pictures that are not square; here it is the shorter.
    """
    height, width = shape
    once = Chances(chances.generator, 1)
    whole = augmentations.flip(once, 1.0), augmentations.affine(once, 30, 1.0, translate=0.2)
    scale = torch.randn(chances.n, generator=chances.generator) * 0.3 + 1.2
    side = (scale.clamp(0.43, 1.9) * min(shape)).int()
    across, down = width // 2, height // 2
    left = (chances.uniform(0, 1) * (width + 2 * across - side)).int()
    top = (chances.uniform(0, 1) * (height + 2 * down - side)).int()
    boxes = torch.stack([left, top, side], 1)
    return PeerDraws(boxes, _NONE, whole=whole, pad=(across, down), smooth=False)


METHODS: dict[str, Callable[[Chances, int, tuple[int, int], float], PeerDraws]] = {
    "original": _original,
    "updated": _updated,
    "nrupdated": _nrupdated,
    "updatedpooling": _updatedpooling,
    "latest": _latest,
    "padded": _padded,
}
