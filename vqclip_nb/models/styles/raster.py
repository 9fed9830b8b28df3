"""What the styles share: blur, noise, contours, stripes, dots, Voronoi cells and brush strokes.

Lengths are in pixels. The random numbers are drawn on grids whose sizes depend on the aspect of a
picture only, so that a style looks the same at every size.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

_LUMA = np.float32((0.299, 0.587, 0.114)) / 255  # Rec. 601
_DIRECTIONS = 32  # of brush strokes, in half a turn


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
    """float32 [H, W, 3] in [0,1] with the saturation multiplied."""
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
    """Gaussian blur of uint8 [H, W] or [H, W, 3]."""
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


class Cells:
    """Voronoi cells of the points of a jittered grid (Worley 1996).

    index: [H, W], the cell of each pixel; number: of cells
    border: [H, W], distance of each pixel from the border of its cell
    """

    def __init__(
        self, draw: np.random.Generator, shape: tuple[int, int], side: float, jitter: float
    ) -> None:
        rows, columns = (int(np.ceil(length / side)) + 2 for length in shape)
        moved = draw.uniform(-jitter / 2, jitter / 2, (2, rows, columns)).astype(np.float32)
        y, x = (np.arange(length, dtype=np.float32) + np.float32(0.5) for length in shape)
        i, j = (y / side).astype(int), (x / side).astype(int)
        first = np.full(shape, np.inf, np.float32)
        second, self.index = first.copy(), np.zeros(shape, np.int32)
        for di in range(3):
            for dj in range(3):
                down, across = (each.take(i + di, 0).take(j + dj, 1) for each in moved)
                down = down + ((i + di - 0.5) - y / side).astype(np.float32)[:, None]
                across = across + ((j + dj - 0.5) - x / side).astype(np.float32)
                distance = np.sqrt(down * down + across * across)
                nearer = distance < first
                second = np.where(nearer, first, np.minimum(second, distance))
                first = np.where(nearer, distance, first)
                cell = ((i + di) * columns)[:, None] + (j + dj)
                self.index = np.where(nearer, cell, self.index)
        self.border = (second - first) * np.float32(side / 2)
        self.number = rows * columns

    def means(self, x: np.ndarray, index: np.ndarray | None = None, parts: int = 1) -> np.ndarray:
        """Means of [H, W, C] or [H, W] in each cell: [number, C] or [number].

        index, parts: cells that have been cut into `parts`, and the index of each pixel's piece
        """
        index = (self.index if index is None else index).ravel()
        number = self.number * parts
        count = np.maximum(np.bincount(index, minlength=number), 1)
        planes = x.reshape(len(index), -1).T
        sums = [np.bincount(index, plane, number) / count for plane in planes]
        means = np.stack(sums, -1).astype(np.float32)
        return means if x.ndim == 3 else means[:, 0]


def flow(image: np.ndarray, draw: np.random.Generator, calm: float) -> np.ndarray:
    """Angles [h, w] along the contours of a picture, in radians, on a grid of a quarter of its size.

    calm: how much a random, slowly turning direction counts, where the picture has few edges
    """
    grid = tuple(max(2, length // 4) for length in image.shape[:2])
    small = Image.fromarray(image).resize(grid[::-1], Image.Resampling.BOX)
    down, across = slopes(lightness(np.asarray(small)))
    # Opposite slopes are the same direction: the double angle can be averaged, the angle cannot.
    fields = []
    for field in (across * across - down * down, 2 * down * across):
        coarse = [max(2, length // 4) for length in grid]
        average = Image.fromarray(field).resize(coarse[::-1], Image.Resampling.BOX)
        fields.append(enlarged(np.asarray(average), grid))
    turn = 0.9 * noise(draw, grid, 3)
    calm_x, calm_y = -np.float32(calm) * np.cos(turn), -np.float32(calm) * np.sin(turn)
    return 0.5 * np.arctan2(fields[1] + calm_y, fields[0] + calm_x) + np.float32(np.pi / 2)


def strokes(
    shape: tuple[int, int], centres: np.ndarray, angles: np.ndarray, length: float, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Brush strokes over each other, the later the higher.

    centres: [N, 2], y and x in pixels; angles: [N], in radians

    Returns the number [H, W] of the stroke on top, -1 for none, and the position [H, W] across it,
    from -1 to 1.
    """
    down, across, side = _brush(length, width)
    margin = int(max(length, width) / 2) + 1
    stride = shape[1] + 2 * margin
    direction = np.rint(angles * (_DIRECTIONS / np.pi)).astype(np.int32) % _DIRECTIONS
    middle = (centres[:, 0].astype(np.int32) + margin) * stride + centres[:, 1].astype(np.int32)
    pixels = (middle + margin)[:, None] + (down * stride + across)[direction]  # (N, P)
    top = np.full((shape[0] + 2 * margin) * stride, -1, np.int32)
    top[pixels.ravel()] = np.arange(pixels.size, dtype=np.int32)  # of equal ones the last counts
    top = top.reshape(-1, stride)[margin:-margin, margin:-margin]
    number, pixel = np.divmod(top, np.int32(pixels.shape[1]))
    return number, side[direction[number], pixel]


def _brush(length: float, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels of a stroke in each direction: rows, columns and positions across, each [D, P]."""
    reach = int(max(length, width) / 2) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, 1, -1).astype(np.float32)
    angles = np.arange(_DIRECTIONS, dtype=np.float32)[:, None] * np.float32(np.pi / _DIRECTIONS)
    forth = (x * np.cos(angles) + y * np.sin(angles)) * np.float32(2 / length)
    side = (y * np.cos(angles) - x * np.sin(angles)) * np.float32(2 / width)
    forth, square = forth * forth, side * side
    inside = forth * forth + square * square <= 1  # a rectangle with round corners
    inside[:, reach * (2 * reach + 1) + reach] = True
    direction, pixel = np.nonzero(inside)
    count = np.bincount(direction)
    place = np.arange(len(pixel)) - np.repeat(count.cumsum() - count, count)
    # Directions with fewer pixels repeat the middle one.
    pixels = np.full((_DIRECTIONS, count.max()), reach * (2 * reach + 1) + reach)
    pixels[direction, place] = pixel
    rows, columns = (each[0].astype(np.int32)[pixels] for each in (y, x))
    return rows, columns, np.take_along_axis(side, pixels, 1)
