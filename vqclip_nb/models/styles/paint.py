"""Styles of brushes: watercolour, oil, and the dabs of the impressionists."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vqclip_nb.models.styles.raster import (
    blurred,
    enlarged,
    lightness,
    noise,
    slopes,
    smooth,
    to_image,
    unit,
    vivid,
)

_DIRECTIONS = 32  # of brush strokes, in half a turn


def watercolour(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Pale, uneven washes with darker rims, on white paper that stays bare around them."""
    u, shape = unit(image), image.shape[:2]
    wash = vivid(blurred(_wavy(image, draw, 2.2 * u), 1.4 * u), 1.35)
    grey = wash.mean(-1)
    rims = np.clip(smooth(grey, 4 * u) - grey, 0, 1)  # pigment collects at the edge of a wash
    blotches = 0.16 * noise(draw, shape, 5) + 0.09 * noise(draw, shape, 14)
    grain = 0.06 * noise(draw, shape, 85)
    load = np.clip(0.68 + blotches + grain + 1.6 * rims, 0.15, 1.2)
    y, x = (np.arange(length, dtype=np.float32) + np.float32(0.5) for length in shape)
    inset = np.minimum(
        np.minimum(y, shape[0] - y)[:, None], np.minimum(x, shape[1] - x)[None]
    ) + 7 * u * noise(draw, shape, 9)
    painted = np.clip((inset - 8 * u) / (3 * u), 0, 1)
    paper = np.float32((0.99, 0.985, 0.97))
    return to_image(paper - (1 - wash) * (load * painted)[..., None])


def oil_painting(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Thick paint in long strokes along the contours, with light on their ridges."""
    u, shape = unit(image), image.shape[:2]
    base = _flat(image, max(2, round(4 * u)))
    angles = _flow(image, draw, 0.002)
    painted, relief = base.copy(), np.zeros(shape, np.float32)
    for length, width, spacing in ((38, 10, 11), (22, 6, 8)):
        centres = _scattered(draw, shape, spacing * u)
        turned = _at(angles, centres, shape)
        number, across = _strokes(shape, centres, turned, length * u, width * u)
        colours = _at(base, centres, shape)
        colours += np.float32(0.04) * draw.standard_normal((len(colours), 1), np.float32)
        stroke = colours[number]
        misfit = stroke - base
        # A stroke stays where its colour fits, or the contours would be lost.
        on = (number >= 0) & (np.einsum("hwc,hwc->hw", misfit, misfit) < 0.03)
        np.copyto(painted, stroke, where=on[..., None])
        np.copyto(relief, across, where=on)
    painted *= (1.02 + 0.17 * relief)[..., None]
    return to_image((painted - np.float32(0.5)) * np.float32(1.12) + np.float32(0.5))


def impressionist(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Short dabs of broken, bright colour that follow the picture."""
    u, shape = unit(image), image.shape[:2]
    bright = vivid(blurred(image, 1.5 * u), 1.6) * np.float32(0.9) + np.float32(0.08)
    angles = _flow(image, draw, 0.004)
    painted = bright * np.float32(0.75)
    for length, width, spacing in ((21, 9, 7.5), (15, 7, 7.5)):
        centres = _scattered(draw, shape, spacing * u)
        turned = _at(angles, centres, shape)
        turned = turned + 0.2 * draw.standard_normal(len(turned), np.float32)
        number, across = _strokes(shape, centres, turned, length * u, width * u)
        colours = _at(bright, centres, shape)
        colours += np.float32(0.055) * draw.standard_normal(colours.shape, np.float32)
        colours += np.float32(0.06) * draw.standard_normal((len(colours), 1), np.float32)
        shade = 1 - np.float32(0.16) * across * across * np.abs(across)
        np.copyto(painted, colours[number] * shade[..., None], where=(number >= 0)[..., None])
    return to_image(painted)


def _wavy(image: np.ndarray, draw: np.random.Generator, amplitude: float) -> np.ndarray:
    """The picture seen through rippled glass."""
    height, width = shape = image.shape[:2]
    down, across = (amplitude * noise(draw, shape, 22) for _ in range(2))
    y = np.clip(np.arange(height)[:, None] + down.astype(np.int32), 0, height - 1)
    x = np.clip(np.arange(width) + across.astype(np.int32), 0, width - 1)
    return image[y, x]


def _scattered(draw: np.random.Generator, shape: tuple[int, int], spacing: float) -> np.ndarray:
    """Points of a jittered grid in random order: [N, 2], y and x."""
    grid = [max(1, round(length / spacing)) for length in shape]
    cells = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"), -1).reshape(-1, 2)
    points = draw.permutation(cells + draw.uniform(0, 1, cells.shape))
    return (points * (np.array(shape) / grid)).astype(np.float32)


def _at(x: np.ndarray, points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values of [h, w, …] at points [N, 2] of a picture of this shape."""
    last = np.array(x.shape[:2]) - 1  # a rounded point can lie on the lower or right edge
    scaled = np.minimum((points * ((last + 1) / shape)).astype(int), last)
    return x[scaled[:, 0], scaled[:, 1]]


def _flow(image: np.ndarray, draw: np.random.Generator, calm: float) -> np.ndarray:
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


def _strokes(
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


def _flat(image: np.ndarray, side: int) -> np.ndarray:
    """Kuwahara's filter (Kuwahara et al. 1976): float32 [H, W, 3] in [0,1].

    Each pixel takes the mean colour of the one of four neighbouring squares with the least
    contrast.
    """
    height, width = image.shape[:2]
    padded = np.pad(image, ((side, side), (side, side), (0, 0)), "edge")
    light = lightness(padded)
    means = _box(padded * np.float32(1 / 255), side + 1)  # (H + side, W + side, 3)
    contrast = _box(light * light, side + 1) - np.square(_box(light, side + 1))
    best = np.full((height, width), np.inf, np.float32)
    painted = np.zeros((height, width, 3), np.float32)
    for y, x in ((0, 0), (0, side), (side, 0), (side, side)):
        spread = contrast[y : y + height, x : x + width]
        better = spread < best
        np.copyto(best, spread, where=better)
        np.copyto(painted, means[y : y + height, x : x + width], where=better[..., None])
    return painted


def _box(x: np.ndarray, side: int) -> np.ndarray:
    """Means over all squares of this side: [H - side + 1, W - side + 1, …]."""
    down = sum(x[i : len(x) - side + 1 + i] for i in range(side))
    width = x.shape[1]
    return sum(down[:, i : width - side + 1 + i] for i in range(side)) / np.float32(side**2)
