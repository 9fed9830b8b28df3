"""The public loops as their users run them, for timing comparisons.

They use kornia's augmentations, cut one crop after the other, concatenate the batch and keep the
weights in torch's default memory format. The loops are those of `reference_loops`; only the random
crops differ.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import transforms

from vqclip_nb.core import latents
from vqclip_nb.evaluation.reference_loops import ClampWithGrad, ClassicLoop, CodebookLoop, resample
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.frozen_decoder import thaw
from vqclip_nb.models.loading import Models
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.settings import Settings

NAMES = ("nerdyrodent", "crowson", "classic")


@dataclass(frozen=True)
class PublicLoop:
    """A public loop in progress; each call runs one iteration and returns the loss."""

    loop: ClassicLoop | CodebookLoop

    def __call__(self) -> float:
        return self.loop.step(None)

    def picture(self) -> Tensor:
        """The picture after the last iteration, [1, 3, H, W] in [0,1]."""
        with torch.no_grad():
            return self.loop.picture()


def check(name: str) -> None:
    """Raise ValueError if there is no such loop or its dependencies are not installed."""
    if name not in NAMES:
        raise ValueError(f"against is {name!r}: allowed is {', '.join(NAMES)}.")
    if name == "nerdyrodent" and importlib.util.find_spec("kornia") is None:
        raise ValueError("kornia is missing: pip install kornia.")


def public_loop(name: str, models: Models, settings: Settings) -> PublicLoop:
    """Start a public loop with the prompt, size, crops and seed of the settings.

    nerdyrodent needs kornia. Only the first CLIP is used, as in the originals.
    """
    check(name)
    vqgan, perceptor = _as_loaded(models)
    width, height = (side // vqgan.factor for side in settings.im_shape)
    z = latents.begin(vqgan, settings.start, settings.seed or 0, 1, height, width)
    z = z.detach().clone().requires_grad_()
    target = perceptor.encode_text(settings.prompt)
    crops = _CROPS[name](perceptor.input_size, settings.cutn)

    def cut(x: Tensor, _: object) -> Tensor:
        return crops(x)

    if name == "classic":
        loop = ClassicLoop(vqgan, perceptor, z, target, cut=cut)
    else:
        prompts = [(target, 1.0, -math.inf)]
        loop = CodebookLoop(vqgan, perceptor, z, prompts, settings.learning_rate, cut=cut)
    return PublicLoop(loop)


def _as_loaded(models: Models) -> tuple[VQGAN, Perceptor]:
    """Copies in fp32, in the memory format of a loaded checkpoint.

    Batch norms stay fused into their convolutions, so that with a ResNet CLIP the public loops are
    slightly slower than measured here.
    """
    vqgan = copy.deepcopy(models.vqgan).use(torch.float32)
    perceptor = copy.deepcopy(models.perceptors[0]).use(torch.float32)
    thaw(vqgan.network.decoder)
    for network in (vqgan.network, perceptor.model):
        network.to(memory_format=torch.contiguous_format)
    return vqgan, perceptor


class _Latest(nn.Module):
    """nerdyrodent's `latest`: each crop pools the whole picture, then Af, Pe, Ji and Er."""

    def __init__(self, size: int, cutn: int) -> None:
        super().__init__()
        from kornia import augmentation as kornia

        self.cutn = cutn
        self.average, self.maximum = nn.AdaptiveAvgPool2d(size), nn.AdaptiveMaxPool2d(size)
        self.augments = nn.Sequential(
            kornia.RandomAffine(15, 0.1, shear=5, p=0.7, padding_mode="zeros", keepdim=True),
            kornia.RandomPerspective(0.7, p=0.7),
            kornia.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.7),
            kornia.RandomErasing((0.1, 0.4), (0.3, 1 / 0.3), same_on_batch=True, p=0.7),
        )

    def forward(self, x: Tensor) -> Tensor:
        crops = torch.cat([(self.average(x) + self.maximum(x)) / 2 for _ in range(self.cutn)])
        return _noisy(self.augments(crops), 0.1)


class _Original(nn.Module):
    """Crowson's original: random squares of any size, resampled."""

    def __init__(self, size: int, cutn: int) -> None:
        super().__init__()
        self.size, self.cutn = size, cutn

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        longest, shortest = min(height, width), min(height, width, self.size)
        crops = []
        for _ in range(self.cutn):
            side = int(torch.rand(()) * (longest - shortest) + shortest)
            left, top = (int(torch.randint(0, room - side + 1, ())) for room in (width, height))
            crops.append(resample(x[..., top : top + side, left : left + side], self.size))
        return ClampWithGrad.apply(torch.cat(crops))


class _Padded(nn.Module):
    """The classic notebook's: one random rotation and flip, then squares of the padded picture."""

    def __init__(self, size: int, cutn: int) -> None:
        super().__init__()
        self.size, self.cutn = size, cutn
        self.transform = nn.Sequential(
            transforms.RandomHorizontalFlip(), transforms.RandomAffine(30, (0.2, 0.2), fill=0)
        )

    def forward(self, x: Tensor) -> Tensor:
        side = min(x.shape[-2:])
        x = self.transform(F.pad(x, [side // 2] * 4))
        crops = []
        for _ in range(self.cutn):
            gap = int((1.2 + 0.3 * torch.randn(())).clamp(0.43, 1.9) * side)
            left, top = (int(torch.randint(0, 2 * side - gap, ())) for _ in range(2))
            crop = x[..., top : top + gap, left : left + gap]
            crops.append(F.interpolate(crop, (self.size,) * 2, mode="bilinear", align_corners=True))
        return _noisy(torch.cat(crops), 0.22)


def _noisy(crops: Tensor, factor: float) -> Tensor:
    sigma = crops.new_empty(len(crops), 1, 1, 1).uniform_(0, factor)
    return crops + sigma * torch.randn_like(crops)


_CROPS = {"nerdyrodent": _Latest, "crowson": _Original, "classic": _Padded}
