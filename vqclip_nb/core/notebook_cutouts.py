"""The cutouts of the public notebooks, for painting as they do and for comparisons.

Geometry and augmentations follow the projects' code (nerdyrodent's `generate.py`, Crowson's
notebooks, the seed). The random numbers are drawn apart, so that crops are a pure function of the
picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core import augmentations, resampling
from vqclip_nb.core.augmentations import AUGMENTS, Chances, on_device
from vqclip_nb.core.crop_changes import Warp
from vqclip_nb.models.vqgan import clamp_with_grad
from vqclip_nb.prompt_syntax import Augments

_CPU = torch.device("cpu")
_OWN = Augments()  # the method's own augmentations, and no others


@dataclass(frozen=True)
class PeerDraws:
    """Random numbers for the n crops of one picture.

    boxes: left, top and side [n, 3] in pixels of the padded picture; None for the pooled whole
    pad: width of the black border, at the sides and at top and bottom
    whole: augmentations of the padded picture before it is cut; augments: of the crops, in order
    noise: [n, 3, S, S], added last
    smooth: resample crops by Lanczos and bicubic instead of bilinear
    clamped: clamp the resampled crops, which can overshoot, to [0,1]
    """

    boxes: Tensor | None
    noise: Tensor
    augments: tuple = ()
    whole: tuple = ()
    pad: tuple[int, int] = (0, 0)
    smooth: bool = True
    clamped: bool = False


def apply(x: Tensor, draws: PeerDraws) -> Tensor:
    """Crops [n, 3, S, S] of one picture [1, 3, H, W]."""
    n, _, size, _ = draws.noise.shape
    (across, down), boxes = draws.pad, draws.boxes
    x = F.pad(x, (across, across, down, down))
    for change in draws.whole:
        x = change.apply(x)
    if boxes is None:
        pooled = (F.adaptive_avg_pool2d(x, size) + F.adaptive_max_pool2d(x, size)) / 2
        crops = pooled.expand(n, -1, -1, -1)
    else:
        crops = resampling.crops(x, boxes, size, min(x.shape[-2:]), smooth=draws.smooth)
    for change in draws.augments:
        crops = change.apply(crops)
    if draws.clamped:
        crops = clamp_with_grad(crops)
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
    augments: Augments = _OWN,
) -> PeerDraws:
    """Draw the crops of one picture of `shape` (H, W) by one of `METHODS`; noise on `device`.

    augments: if they replace the method's own
    """
    chances = Chances(generator, cutn, size, device)
    draws = METHODS[method](chances, shape, cut_pow)
    if augments.replace:
        draws = replace(draws, whole=(), augments=drawn(augments, chances, method))
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
    generator = on_device(generator, device)
    noise = torch.randn(cutn, 3, size, size, generator=generator, device=generator.device)
    return noise.mul_(sigma.to(noise.device))


def drawn(augments: Augments, chances: Chances, method: str) -> tuple:
    """Draw the augmentations that were asked for; a code's strength depends on the method."""
    found = []
    for name, strength in augments.wanted:
        if strength is not None:
            found.append(AUGMENTS[name](chances, strength))
        elif name != "Cr":  # crops of their own size: kornia's RandomCrop changes nothing
            found.append(_by_code(name, chances, method))
    return tuple(found)


def _by_code(code: str, chances: Chances, method: str) -> object:
    """One of the augmentations of nerdyrodent's `-aug`."""
    if code == "Af":
        return augmentations.affine(chances, 30 if method == "nrupdated" else 15, shear=5)
    if code == "Pe":
        return augmentations.perspective(chances, 0.5 if method == "nrupdated" else 0.7)
    name, strength = _CODES[code]
    return AUGMENTS[name](chances, strength)


_CODES = {
    "Ji": ("jitter", 0.1),
    "Sh": ("sharpness", 0.3),
    "Gn": ("noise", 1.0),
    "Ro": ("rotate", 15.0),
    "Et": ("elastic", 1.0),
    "Ts": ("spline", 0.8),
    "Er": ("erase", 0.4),
    "Re": ("crop", 0.1),
}
_NERDY = Augments((("Af", None), ("Pe", None), ("Ji", None), ("Er", None)))
_NONE = torch.empty(0)


def _squares(chances: Chances, shape: tuple[int, int], cut_pow: float) -> Tensor:
    """Squares inside the picture, with sides between the perceptor's input size and the shorter side."""
    height, width = shape
    longest, shortest = min(height, width), min(height, width, chances.size)
    share = chances.uniform(0, 1) ** cut_pow
    side = (share * (longest - shortest) + shortest).int()
    left = (chances.uniform(0, 1) * (width - side + 1)).int().clamp_max(width - side)
    top = (chances.uniform(0, 1) * (height - side + 1)).int().clamp_max(height - side)
    return torch.stack([left, top, side], 1)


def _original(chances: Chances, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    return PeerDraws(_squares(chances, shape, cut_pow), _NONE, clamped=True)


def _updated(chances: Chances, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    boxes = _squares(chances, shape, cut_pow)
    changes = (
        augmentations.flip(chances, 1.0),
        augmentations.jitter(chances, 0.01, 0.7, light=False),
        augmentations.sharpness(chances, 0.3, 0.4),
        augmentations.affine(chances, 30, 0.8, padding="border"),
        augmentations.perspective(chances, 0.2, 0.4),
    )
    return PeerDraws(boxes, _NONE, changes)


def _nrupdated(chances: Chances, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    boxes = _squares(chances, shape, cut_pow)
    return PeerDraws(boxes, _NONE, drawn(_NERDY, chances, "nrupdated"))


def _updatedpooling(chances: Chances, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    changes = (
        augmentations.affine(chances, 15, 0.7, padding="border"),
        augmentations.perspective(chances, 0.7, 0.7),
        augmentations.jitter(chances, 0.1, 0.7, light=False),
        augmentations.erase(chances, 0.4, 0.7),
    )
    return PeerDraws(None, _NONE, changes)


def _latest(chances: Chances, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    return PeerDraws(None, _NONE, drawn(_NERDY, chances, "latest"))


def _padded(chances: Chances, shape: tuple[int, int], cut_pow: float) -> PeerDraws:
    """The seed's: the picture in a black border is flipped, turned and moved once for all crops.

    A crop's side is N(1.2, 0.3) times the picture's, clamped to [0.43, 1.9]. The seed uses one side
    for both axes, which cuts wrong crops of pictures that are not square; here it is the shorter.
    """
    height, width = shape
    across, down = width // 2, height // 2
    frame = height + 2 * down, width + 2 * across
    once = replace(chances, n=1)
    whole = augmentations.flip(once, 1.0), _turn(once, frame)
    scale = torch.randn(chances.n, generator=chances.generator) * 0.3 + 1.2
    side = (scale.clamp(0.43, 1.9) * min(shape)).int()
    left = (chances.uniform(0, 1) * (frame[1] - side)).int()
    top = (chances.uniform(0, 1) * (frame[0] - side)).int()
    boxes = torch.stack([left, top, side], 1)
    return PeerDraws(boxes, _NONE, whole=whole, pad=(across, down), smooth=False)


def _turn(chances: Chances, frame: tuple[int, int]) -> Warp:
    """torchvision's RandomAffine(30, (0.2, 0.2)): whole pixels, and the nearest of them.

    Turned in pixels, since a frame (H, W) in [-1,1] is as high as it is wide.
    """
    height, width = frame
    angle = math.pi / 6 * chances.uniform(-1, 1)
    moves = [(0.2 * side * chances.uniform(-1, 1)).round() for side in (width, height)]
    pixels = augmentations.placed(angle, *moves)
    unit = torch.tensor([width / 2, height / 2, 1.0])
    return Warp(pixels * unit / unit[:, None], mode="nearest")


METHODS: dict[str, Callable[[Chances, tuple[int, int], float], PeerDraws]] = {
    "original": _original,
    "updated": _updated,
    "nrupdated": _nrupdated,
    "updatedpooling": _updatedpooling,
    "latest": _latest,
    "padded": _padded,
}
