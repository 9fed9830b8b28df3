"""Pastes drawings into a picture: colour, light, mirror and contact shadow.

Pictures are uint8 [H, W, 3], drawings uint8 [h, w, 4], premultiplied.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

RGB: dict[str, tuple[float, float, float]] = {  # of the named colours, in [0,1]
    "red": (0.86, 0.15, 0.16),
    "orange": (0.97, 0.55, 0.13),
    "yellow": (0.98, 0.85, 0.20),
    "green": (0.20, 0.66, 0.30),
    "dark green": (0.08, 0.36, 0.18),
    "turquoise": (0.20, 0.75, 0.73),
    "light blue": (0.60, 0.82, 0.95),
    "blue": (0.16, 0.40, 0.85),
    "dark blue": (0.07, 0.13, 0.42),
    "purple": (0.50, 0.22, 0.65),
    "pink": (0.97, 0.60, 0.74),
    "brown": (0.48, 0.30, 0.17),
    "beige": (0.93, 0.86, 0.72),
    "grey": (0.55, 0.56, 0.58),
    "black": (0.06, 0.06, 0.07),
    "white": (0.97, 0.97, 0.97),
}
_SEEN = 0.3  # share of a thing's own colours that no night hides, or it would be lost in the dark
_LUMA = np.float32((0.299, 0.587, 0.114))  # Rec. 601


@dataclass(frozen=True)
class Sprite:
    """A drawing in the picture; left, top, width and height in pixels.

    depth: 0 far away to 1 in front
    shadow: whether it stands on something that shows its shadow
    """

    drawing: int
    left: float
    top: float
    width: float
    height: float
    depth: float = 0.5
    colour: str | None = None
    mirror: bool = False
    shadow: bool = False

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def moved(self, dx: float, dy: float) -> Sprite:
        return replace(self, left=self.left + dx, top=self.top + dy)


def paste(image: np.ndarray, rgba: np.ndarray, left: int, top: int) -> None:
    """Put a drawing [h, w, 4] into the picture, in place; what is outside is cut off."""
    height, width = image.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + rgba.shape[1], width), min(top + rgba.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    part = rgba[y0 - top : y1 - top, x0 - left : x1 - left]
    under = image[y0:y1, x0:x1]
    behind = under.astype(np.uint16) * (255 - part[..., 3:]) // 255
    image[y0:y1, x0:x1] = np.minimum(behind + part[..., :3], 255)


def paste_all(
    image: np.ndarray,
    sprites: Sequence[Sprite],
    drawn: Callable[[Sprite], np.ndarray],
    light: tuple[float, float, float] = (1.0, 1.0, 1.0),
    shadow: float = 0.0,
) -> None:
    """Put sprites into a picture, in place, in its light and with their shadows.

    drawn: the drawing of a sprite at its size, uint8 [h, w, 4]
    light, shadow: see `place.Ground`
    """
    if light != (1.0, 1.0, 1.0):
        light = tuple(_SEEN + (1 - _SEEN) * part for part in light)
    for sprite in sprites:
        if sprite.shadow:
            paste_shadow(image, sprite, shadow)
        paste(image, lit(drawn(sprite), light), round(sprite.left), round(sprite.top))


def plain_background(
    colour: tuple[float, float, float], size: tuple[int, int], rng: random.Random
) -> np.ndarray:
    """A plain colour, in some pictures a little brighter at one side or in the middle."""
    width, height = size
    flat = np.full((height, width, 3), np.float32(colour) * 255, np.float32)
    if rng.random() < 0.5:
        slope = np.float32([rng.uniform(-18, 18), rng.uniform(-18, 18)])
        down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
        across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
        flat += (slope[0] * down + slope[1] * across)[..., None]
    return np.clip(flat, 0, 255).astype(np.uint8)


def resized(picture: np.ndarray, width: int, height: int, mirror: bool) -> np.ndarray:
    """A drawing at another size: uint8 [height, width, 4], premultiplied as before."""
    if mirror:
        picture = picture[:, ::-1]
    image = Image.fromarray(np.ascontiguousarray(picture)).convert("RGBA")
    bands = Image.merge("CMYK", image.split())  # four plain channels: no second premultiplication
    return np.asarray(bands.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))


def lit(rgba: np.ndarray, light: tuple[float, float, float]) -> np.ndarray:
    """A drawing in the light of the place."""
    if light == (1.0, 1.0, 1.0):
        return np.minimum(rgba, np.maximum(rgba[..., 3:], 1))  # bicubic filters overshoot
    factors = np.array([round(256 * part) for part in light] + [256], np.uint16)
    shaded = (rgba * factors >> 8).astype(np.uint8)
    return np.minimum(shaded, np.maximum(rgba[..., 3:], 1))


def recoloured(rgba: np.ndarray, colour: str, *, all_over: bool = False) -> np.ndarray:
    """A drawing in a named colour, with its shading.

    Only what has the drawing's main hue changes, so that the wheels and windows of a red car stay
    as they are. A drawing without a main hue changes where it is not black, or everywhere if it is
    black almost everywhere.

    all_over: change every pixel, for silhouettes
    """
    alpha = rgba[..., 3].astype(np.float32) / 255
    rgb = rgba[..., :3].astype(np.float32) / np.maximum(alpha * 255, 1)[..., None]  # (h, w, 3)
    light = rgb @ _LUMA
    share = np.ones_like(alpha) if all_over else _main_part(rgb, light, alpha)
    weight = share * alpha
    middle = (light * weight).sum() / max(weight.sum(), 1e-3)
    target = np.float32(RGB[colour])
    shade = 1 + 0.9 * (light - middle)
    if colour == "white":
        shade = np.minimum(0.96 + 0.6 * (light - middle), 1.03)
    painted = np.clip(target * shade[..., None], 0, 1)
    if colour == "black":
        painted = np.clip(target + 0.35 * np.maximum(light - middle + 0.15, 0)[..., None], 0, 1)
    mixed = rgb + (painted - rgb) * share[..., None]
    out = rgba.copy()
    out[..., :3] = np.clip(mixed, 0, 1) * alpha[..., None] * 255
    return out


def _main_part(rgb: np.ndarray, light: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """How much each pixel belongs to the drawing's main colour: [h, w] in [0,1]."""
    top = rgb.max(-1)
    saturation = (top - rgb.min(-1)) / np.maximum(top, 0.05)
    vivid = np.clip((saturation - 0.2) * 5, 0, 1) * np.clip((top - 0.15) * 5, 0, 1)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    hue = np.arctan2(np.float32(3**0.5) * (green - blue), 2 * red - green - blue)
    weight = vivid * alpha
    bins = ((hue + np.pi) * (24 / (2 * np.pi))).astype(np.int32) % 24
    counts = np.bincount(bins.ravel(), weight.ravel(), 24)
    smooth = counts + 0.7 * (np.roll(counts, 1) + np.roll(counts, -1))
    main = (smooth.argmax() + 0.5) * (2 * np.pi / 24) - np.pi
    away = np.abs((hue - main + np.pi) % (2 * np.pi) - np.pi)
    share = vivid * np.clip(2.2 - away * 2.6, 0, 1)
    if (share * alpha).sum() > 0.22 * alpha.sum():
        return share
    share = np.clip((light - 0.22) * 6, 0, 1)
    black = (share * alpha).sum() < 0.25 * alpha.sum()  # a silhouette
    return np.ones_like(share) if black else share


def paste_shadow(image: np.ndarray, sprite: Sprite, darkness: float) -> None:
    """A soft ellipse on the ground at the feet, in place."""
    height, width = image.shape[:2]
    half = sprite.width * 0.46
    flat = max(min(half * 0.2, height * 0.035), 1.5)
    x, y = sprite.left + sprite.width / 2, sprite.bottom - flat * 0.25
    x0, x1 = max(int(x - half), 0), min(int(x + half) + 2, width)
    y0, y1 = max(int(y - flat), 0), min(int(y + flat) + 2, height)
    if x0 >= x1 or y0 >= y1:
        return
    across = ((np.arange(x0, x1, dtype=np.float32) + 0.5 - x) / half) ** 2
    down = ((np.arange(y0, y1, dtype=np.float32) + 0.5 - y) / flat) ** 2
    inside = np.clip(1 - down[:, None] - across[None], 0, 0.5) * 2  # (y, x)
    factor = 1 - darkness * inside
    image[y0:y1, x0:x1] = image[y0:y1, x0:x1] * factor[..., None]
