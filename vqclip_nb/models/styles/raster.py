"""What the styles share: colours, blur, noise, contours, stripes and dots.

Lengths are in pixels. The random numbers are drawn on grids whose sizes depend on the aspect of a
picture only, so that a style looks the same at every size.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

_LUMA = np.float32((0.299, 0.587, 0.114)) / 255  # Rec. 601


def unit(image: np.ndarray) -> float:
    """The length of 1/256 of the shorter side."""
    return min(image.shape[:2]) / 256


def lightness(image: np.ndarray) -> np.ndarray:
    """Rec. 601 luma of uint8 [H, W, 3]: float32 [H, W] in [0,1]."""
    red, green, blue = (image[..., c] * _LUMA[c] for c in range(3))
    return red + green + blue


def contrasty(grey: np.ndarray, cutoff: float = 0.01) -> np.ndarray:
    """[H, W] in [0,1], stretched so that only the share `cutoff` at each end is black or white."""
    low, high = np.quantile(grey[::2, ::2], (cutoff, 1 - cutoff))
    return np.clip((grey - low) / max(high - low, 0.15), 0, 1)


def vivid(image: np.ndarray, saturation: float) -> np.ndarray:
    """uint8 [H, W, 3] with the saturation multiplied: float32 in [0,1]."""
    grey = lightness(image)[..., None]
    return np.clip(grey + (image * np.float32(1 / 255) - grey) * np.float32(saturation), 0, 1)


def to_image(x: np.ndarray) -> np.ndarray:
    """[H, W] or [H, W, 3] in [0,1] as uint8 [H, W, 3]."""
    x = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    return x if x.ndim == 3 else np.repeat(x[..., None], 3, 2)


def mixed(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours [3] or [H, W, 3] mixed by a share [H, W]: float32 [H, W, 3]."""
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return low + (high - low) * share[..., None]


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of uint8 [H, W] or [H, W, 3]; for speed, wide ones blur a smaller copy."""
    picture = Image.fromarray(image)
    factor = int(sigma / 2.5)
    if factor < 2:
        return np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)))
    small = picture.reduce(factor).filter(ImageFilter.GaussianBlur(sigma / factor))
    return np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC))


def extremes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimum and maximum [H, W] over the channels of [H, W, 3]; faster than `x.min(-1)`."""
    red, green, blue = (x[..., channel] for channel in range(3))
    low, high = np.minimum(red, green), np.maximum(red, green)
    return np.minimum(low, blue), np.maximum(high, blue)


def smooth(x: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of float32 [H, W] in [0,1], with a resolution of 8 bits."""
    return blurred((x * 255).astype(np.uint8), sigma) * np.float32(1 / 255)


def enlarged(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A float32 grid, interpolated to [H, W]."""
    size = shape[1], shape[0]
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))


def noise(draw: np.random.Generator, shape: tuple[int, int], cells: float) -> np.ndarray:
    """Smooth noise [H, W] around 0, mostly within 1; `cells` blotches along the shorter side."""
    side = min(shape) / cells
    grid = [max(2, round(length / side)) for length in shape]
    return enlarged(draw.standard_normal(grid, np.float32), shape)


def slopes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences of [H, W] or [H, W, C], down and across."""
    padded = np.pad(x, ((1, 1), (1, 1), *[(0, 0)] * (x.ndim - 2)), "edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) * np.float32(0.5)
    across = (padded[1:-1, 2:] - padded[1:-1, :-2]) * np.float32(0.5)
    return down, across


def contours(image: np.ndarray, width: float, weakest: float = 0.1) -> np.ndarray:
    """Lines of even width along the edges of uint8 [H, W, 3]: coverage [H, W] in [0,1].

    weakest: see `edges`
    """
    distance, strength = edges(image, 0.45 * width, weakest)
    return covered(distance, width / 2) * strength


def edges(image: np.ndarray, sigma: float, weakest: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance [H, W] of each pixel from the nearest edge, and its strength in [0,1].

    sigma: of the blur that removes smaller detail
    weakest: contrast, as a distance in the colour cube, above which something is an edge

    The slope g of a blurred edge is a Gaussian bell: g' / g = -distance / sigma**2.
    """
    sigma = max(0.9, sigma)
    soft = blurred(image, sigma)
    squares = np.float32(0)
    for channel in range(3):
        down, across = slopes(soft[..., channel] * np.float32(1 / 255))
        squares = squares + down * down + across * across
    slope = np.sqrt(squares)
    down, across = slopes(slope)
    steepness = np.sqrt(down * down + across * across)
    distance = steepness * np.float32(sigma**2 + 0.3) / (slope + np.float32(1e-4))
    contrast = slope * np.float32(sigma * 2.5)  # of an ideal edge: its slope times sqrt(2 pi) sigma
    return distance, np.clip(contrast / weakest - 1, 0, 1)


def covered(distance: np.ndarray, reach: np.ndarray | float) -> np.ndarray:
    """Coverage in [0,1] of a pixel at this distance from the middle of a line or a dot."""
    return np.clip(reach + np.float32(0.5) - distance, 0, 1)


def stripes(position: np.ndarray, period: float) -> np.ndarray:
    """Distance of each position from the middle of the nearest of parallel lines."""
    phase = position * np.float32(1 / period)
    return np.abs(phase - np.round(phase)) * np.float32(period)


def dots(shape: tuple[int, int], period: float, tilt: float = 45) -> np.ndarray:
    """Distance [H, W] from the middle of the nearest dot of a tilted square grid."""
    return np.hypot(*(stripes(along(shape, angle), period) for angle in (tilt, tilt + 90)))


def along(shape: tuple[int, int], angle: float) -> np.ndarray:
    """Position [H, W] of each pixel along a direction; 90 degrees point down."""
    y, x = (np.arange(length, dtype=np.float32) + np.float32(0.5) for length in shape)
    radians = np.deg2rad(angle)
    return (y * np.float32(np.sin(radians)))[:, None] + x * np.float32(np.cos(radians))
