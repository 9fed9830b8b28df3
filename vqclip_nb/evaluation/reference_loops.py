"""Reference implementations of the public VQGAN+CLIP loops, written for clarity, not for speed.

A test runs ten steps of each with the latent and the random numbers of the package's loop, and
expects the same losses and gradients. Sources: the notebook that this project started from
("classic"), Katherine Crowson's notebooks, nerdyrodent's `generate.py`.

Deliberate differences from the originals are listed in this folder's README.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.crop_changes import Erase, Jitter, Sharpness, Warp
from vqclip_nb.core.notebook_cutouts import PeerDraws
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.vqgan import VQGAN

Cut = Callable[[Tensor, PeerDraws | None], Tensor]


class ReplaceGrad(torch.autograd.Function):
    """Return `x_forward`; pass the gradient to `x_backward` (Crowson)."""

    @staticmethod
    def forward(ctx, x_forward: Tensor, x_backward: Tensor) -> Tensor:
        ctx.shape = x_backward.shape
        return x_forward

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor]:
        return None, grad.sum_to_size(ctx.shape)


class ClampWithGrad(torch.autograd.Function):
    """Clamp to [0,1]; a gradient passes if its descent leads back inside (Crowson)."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (grad * (x - x.clamp(0, 1)) >= 0)


class ClassicLoop:
    """The classic notebook: no quantizer, negative cosine, AdamW with weight decay, no clamp.

    z: leaf [1, C, h, w]; target, exclude: raw embeddings [1, E]
    cut: maps the picture and the draws to the crops (default: `crops_of`)
    """

    def __init__(
        self,
        vqgan: VQGAN,
        perceptor: Perceptor,
        z: Tensor,
        target: Tensor,
        exclude: Tensor | None = None,
        cut: Cut | None = None,
    ) -> None:
        self.vqgan, self.perceptor, self.z = vqgan, perceptor, z
        self.cut = cut or crops_of
        self.target, self.exclude = target, exclude
        self.optimizer = torch.optim.AdamW([z], lr=0.5, weight_decay=0.15)

    def loss(self, draws: PeerDraws | None) -> Tensor:
        """-cos(target, crops) + 0.5 cos(exclude, crops), the mean over crops."""
        x = self.picture()
        emb = self.perceptor.encode_image(self.cut(x, draws))
        loss = -torch.cosine_similarity(self.target, emb).mean()
        if self.exclude is not None:
            loss = loss + 0.5 * torch.cosine_similarity(self.exclude, emb).mean()
        return loss

    def picture(self) -> Tensor:
        """The current picture, [1, 3, H, W] in [0,1]."""
        return self.vqgan.decode(self.z)

    def step(self, draws: PeerDraws | None) -> float:
        """One AdamW step; returns the loss."""
        self.optimizer.zero_grad()
        loss = self.loss(draws)
        loss.backward()
        self.optimizer.step()
        return loss.item()


class CodebookLoop:
    """Crowson and nerdyrodent: nearest codes, squared great-circle distance, Adam, clamped z.

    prompts: a raw embedding [1, E], a weight and a stop each
    learning_rate: 0.05 for Crowson, 0.1 for nerdyrodent
    init_weight: nerdyrodent's; weight of an L2 penalty on z that decays with the iterations
    cut: maps the picture and the draws to the crops (default: `crops_of`)
    """

    def __init__(
        self,
        vqgan: VQGAN,
        perceptor: Perceptor,
        z: Tensor,
        prompts: list[tuple[Tensor, float, float]],
        learning_rate: float,
        init_weight: float = 0.0,
        cut: Cut | None = None,
    ) -> None:
        self.vqgan, self.perceptor, self.z, self.prompts = vqgan, perceptor, z, prompts
        self.cut = cut or crops_of
        self.optimizer = torch.optim.Adam([z], lr=learning_rate)
        self.init_weight, self.i = init_weight, 0

    def loss(self, draws: PeerDraws | None) -> Tensor:
        """The sum of the prompt losses and of the L2 penalty."""
        x = self.picture()
        emb = self.perceptor.encode_image(self.cut(x, draws))
        loss = sum(self.prompt_loss(emb, *prompt) for prompt in self.prompts)
        if self.init_weight:
            loss = loss + F.mse_loss(self.z, torch.zeros_like(self.z)) * (
                self.init_weight / (2 * (2 * self.i + 1))
            )
        return loss

    def picture(self) -> Tensor:
        """The current picture, [1, 3, H, W] in [0,1]."""
        return self.vqgan.decode(self.quantized())

    def quantized(self) -> Tensor:
        """The nearest codes, with a straight-through gradient to z."""
        x, codebook = self.z.movedim(1, 3), self.vqgan.codebook
        d = x.pow(2).sum(-1, keepdim=True) + codebook.pow(2).sum(1) - 2 * x @ codebook.T
        x_q = F.one_hot(d.argmin(-1), len(codebook)).to(d.dtype) @ codebook
        return ReplaceGrad.apply(x_q, x).movedim(3, 1)

    @staticmethod
    def prompt_loss(emb: Tensor, prompt: Tensor, weight: float, stop: float) -> Tensor:
        """|w| mean(D sign(w)), D = 2 arcsin(|a - b| / 2)^2; no gradient for D below `stop`."""
        a = F.normalize(emb.unsqueeze(1), dim=2)
        b = F.normalize(prompt.unsqueeze(0), dim=2)
        d = a.sub(b).norm(dim=2).div(2).arcsin().pow(2).mul(2)
        d = d * torch.tensor(weight).sign()
        return abs(weight) * ReplaceGrad.apply(d, torch.maximum(d, torch.tensor(stop))).mean()

    def step(self, draws: PeerDraws | None) -> float:
        """One Adam step, then clamp z to the codebook's range per channel; returns the loss."""
        self.optimizer.zero_grad()
        loss = self.loss(draws)
        loss.backward()
        self.optimizer.step()
        low, high = self.vqgan.codebook.amin(0), self.vqgan.codebook.amax(0)
        with torch.no_grad():
            self.z.copy_(
                self.z.maximum(low[None, :, None, None]).minimum(high[None, :, None, None])
            )
        self.i += 1
        return loss.item()


def crops_of(x: Tensor, draws: PeerDraws) -> Tensor:
    """Cut the crops described by `draws`, one after the other."""
    x = _bordered(x, draws)
    for change in draws.whole:
        x = changed(x, change, 0)
    crops = []
    for number in range(len(draws.noise)):
        crop = _pooled(x, draws) if draws.boxes is None else _boxed(x, draws, number)
        for change in draws.augments:
            crop = changed(crop, change, number)
        if draws.clamped:
            crop = ClampWithGrad.apply(crop)
        crops.append(crop + draws.noise[number])
    return torch.cat(crops)


def _bordered(x: Tensor, draws: PeerDraws) -> Tensor:
    """The picture with black around it."""
    across, down = draws.pad
    height, width = x.shape[-2:]
    wide = torch.zeros(1, 3, height + 2 * down, width + 2 * across)
    wide[..., down : down + height, across : across + width] = x
    return wide


def _pooled(x: Tensor, draws: PeerDraws) -> Tensor:
    size = draws.noise.shape[-1]
    average = torch.nn.AdaptiveAvgPool2d((size, size))(x)
    return (average + torch.nn.AdaptiveMaxPool2d((size, size))(x)) / 2


def _boxed(x: Tensor, draws: PeerDraws, number: int) -> Tensor:
    size = draws.noise.shape[-1]
    left, top, side = draws.boxes[number].tolist()
    crop = x[..., top : top + side, left : left + side]
    if draws.smooth:
        return resample(crop, size)
    return F.interpolate(crop, (size, size), mode="bilinear", align_corners=True)


def resample(x: Tensor, size: int) -> Tensor:
    """Resample pictures [B, C, H, W] to [B, C, size, size] as Crowson does.

    A Lanczos filter (a = 2, reflect padding) along each axis that shrinks, then bicubic
    interpolation with aligned corners.
    """
    for axis in (2, 3):
        length = x.shape[axis]
        if size < length:
            taps = _lanczos(size / length).to(x)
            reach = len(taps) // 2
            pads = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
            shape = (-1, 1) if axis == 2 else (1, -1)
            kernel = taps.view(1, 1, *shape).expand(x.shape[1], -1, -1, -1)
            x = F.conv2d(F.pad(x, pads, mode="reflect"), kernel, groups=x.shape[1])
    return F.interpolate(x, (size, size), mode="bicubic", align_corners=True)


def _lanczos(ratio: float, a: int = 2) -> Tensor:
    """The filter's taps for an output `ratio` times as long; they sum to 1."""
    reach = math.ceil(a / ratio + 1) - 2
    at = torch.arange(-reach, reach + 1) * ratio
    taps = torch.where(at.abs() < a, at.sinc() * (at / a).sinc(), torch.zeros_like(at))
    return taps / taps.sum()


def changed(x: Tensor, change: Warp | Jitter | Sharpness | Erase, number: int) -> Tensor:
    """Apply one augmentation to the crop with index `number`, [1, 3, S, S]."""
    if isinstance(change, Warp):
        return _warped(x, change, number)
    if isinstance(change, Erase):
        return _erased(x, change, number)
    if not change.chosen[number]:
        return x
    y = x.clamp(0, 1)
    if isinstance(change, Jitter):
        y = torch.clamp(y * change.brightness[number], 0, 1)
        grey = _grey(y).mean()
        y = torch.clamp(grey + (y - grey) * change.contrast[number], 0, 1)
        y = torch.clamp(torch.lerp(_grey(y), y, change.saturation[number]), 0, 1)
        return _hue_turned(y, change.hue[number])
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]).expand(3, 1, 3, 3) / 13
    blurred = y.clone()
    blurred[..., 1:-1, 1:-1] = F.conv2d(y, kernel, groups=3)
    return torch.clamp(torch.lerp(blurred, y, change.factor[number]), 0, 1)


def _warped(x: Tensor, change: Warp, number: int) -> Tensor:
    side_y, side_x = x.shape[-2:]
    (a, b, c), (d, e, f), (g, h, i) = change.matrix[number].tolist()
    grid = torch.zeros(1, side_y, side_x, 2)
    for row in range(side_y):
        for column in range(side_x):
            u, v = (2 * column + 1) / side_x - 1, (2 * row + 1) / side_y - 1
            depth = g * u + h * v + i
            grid[0, row, column, 0] = (a * u + b * v + c) / depth
            grid[0, row, column, 1] = (d * u + e * v + f) / depth
    return F.grid_sample(
        x, grid, mode=change.mode, padding_mode=change.padding, align_corners=False
    )


def _erased(x: Tensor, change: Erase, number: int) -> Tensor:
    side_y, side_x = x.shape[-2:]
    left, top, right, bottom = change.box[number].tolist()
    kept = torch.ones(1, 1, side_y, side_x)
    for row in range(side_y):
        for column in range(side_x):
            u, v = (column + 0.5) / side_x, (row + 0.5) / side_y
            if left <= u < right and top <= v < bottom:
                kept[..., row, column] = 0
    return x * kept


def _grey(x: Tensor) -> Tensor:
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _hue_turned(x: Tensor, turn: Tensor) -> Tensor:
    """RGB to HSV, another hue, and back, by the six sectors of the colour circle."""
    value, strongest = x.max(1)
    chroma = value - x.min(1).values
    divisor = torch.where(chroma == 0, torch.ones_like(chroma), chroma)
    red, green, blue = x.unbind(1)
    hues = torch.stack([(green - blue), (blue - red), (red - green)]) / divisor
    hues = hues + torch.tensor([0.0, 2, 4]).view(3, 1, 1, 1)
    hue = (hues.gather(0, strongest[None])[0] + 6 * turn) % 6
    sector = hue.floor().long() % 6
    share = hue - hue.floor()
    low, falling, rising = value - chroma, value - chroma * share, value - chroma * (1 - share)
    around = torch.stack([value, falling, low, low, rising, value])  # red, from sector 0 to 5
    channels = [around.gather(0, (sector[None] + start) % 6)[0] for start in (0, 4, 2)]
    return torch.stack(channels, 1)
