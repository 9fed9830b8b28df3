"""Styles that put a picture together from pieces: pixels, tiles, panes, triangles."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vqclip_nb.models.styles.raster import (
    blurred,
    contours,
    covered,
    lightness,
    mixed,
    noise,
    slopes,
    to_image,
    unit,
    vivid,
)


def pixel_art(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Thirty-two large pixels along the shorter side, in a palette of 32 colours."""
    height, width = image.shape[:2]
    rows, columns = (max(1, round(length / unit(image) / 8)) for length in (height, width))
    small = Image.fromarray(image).resize((columns, rows), Image.Resampling.BOX)
    crisp = np.asarray(small.filter(ImageFilter.UnsharpMask(radius=1, percent=90, threshold=0)))
    bright = Image.fromarray(to_image(vivid(crisp, 1.3)))
    few = np.asarray(bright.quantize(32, Image.Quantize.MEDIANCUT, kmeans=1).convert("RGB"))
    y, x = np.arange(height) * rows // height, np.arange(width) * columns // width
    return few[y[:, None], x]


def mosaic(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Tiles in slightly varied colours, cut along the contours, with grey joints between them."""
    u = unit(image)
    cells, border = _cells(draw, image.shape[:2], 15 * u, 0.3)
    piece, colours, distance = _cut(cells, border, blurred(image, 1.5 * u))
    grey = colours.mean(-1, keepdims=True)
    colours = grey + (colours - grey) * np.float32(1.3)
    colours = colours * (1 + 0.07 * draw.standard_normal((len(colours), 1), np.float32))
    tiles = (colours * 0.95 + 0.03).clip(0, 1)[piece]
    return to_image(mixed(tiles, (0.70, 0.67, 0.62), covered(distance, 0.75 * u)))


def stained_glass(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Panes of saturated colour that light shines through, in black lead."""
    u, shape = unit(image), image.shape[:2]
    cells, border = _cells(draw, shape, 36 * u, 0.9)
    soft = blurred(image, 2 * u)
    piece, colours, distance = _cut(cells, border, soft)
    colours = colours * (1 + 0.08 * draw.standard_normal(colours.shape, np.float32))
    painted = to_image(0.5 * colours[piece] + soft * np.float32(0.5 / 255))
    glow = 0.88 + 0.22 * np.minimum(distance / (9 * u), 1) + 0.04 * noise(draw, shape, 40)
    lead = np.maximum(covered(distance, 1.7 * u), contours(image, 3.0 * u, 0.24))
    glass = vivid(painted, 1.9) ** np.float32(0.85) * glow[..., None]
    return to_image(mixed(glass, (0.04, 0.04, 0.05), lead))


def low_poly(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Flat triangles whose corners lie on the contours."""
    soft = to_image(vivid(blurred(image, 2 * unit(image)), 1.25))
    triangles = _triangles(soft, _corners(image, draw, 14 * unit(image)))  # (N, 3, 2)
    middle = triangles.mean(1, keepdims=True)
    inside = np.concatenate([middle, 0.6 * middle + 0.4 * triangles], 1)  # (N, 4, 2)
    light = draw.standard_normal((len(triangles), 1))  # each faces another way
    colours = np.median(_seen(soft, inside), 1) * (1 + 0.08 * light) + 6 * light
    colours = np.clip(colours, 0, 255).astype(int)
    canvas = Image.fromarray(soft)
    pen = ImageDraw.Draw(canvas)
    for triangle, colour in zip(triangles.reshape(-1, 6).tolist(), colours.tolist(), strict=True):
        pen.polygon(triangle, fill=tuple(colour))
    return np.asarray(canvas)


def _cells(
    draw: np.random.Generator, shape: tuple[int, int], side: float, jitter: float
) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi cells of the points of a jittered grid (Worley 1996).

    side: of the grid's squares in pixels; jitter: as a share of it

    Returns the number [H, W] of the cell of each pixel, and the distance [H, W] from its border.
    """
    rows, columns = (int(np.ceil(length / side)) + 2 for length in shape)
    moved = draw.uniform(-jitter / 2, jitter / 2, (2, rows, columns)).astype(np.float32)
    y, x = (np.arange(length, dtype=np.float32) + np.float32(0.5) for length in shape)
    i, j = (y / side).astype(int), (x / side).astype(int)
    first = np.full(shape, np.inf, np.float32)
    second, cell = first.copy(), np.zeros(shape, np.int32)
    for di in range(3):
        for dj in range(3):
            down, across = (each.take(i + di, 0).take(j + dj, 1) for each in moved)  # (H, W)
            down += ((i + di - 0.5) - y / side).astype(np.float32)[:, None]
            across += ((j + dj - 0.5) - x / side).astype(np.float32)
            distance = np.sqrt(down * down + across * across)
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            first = np.where(nearer, distance, first)
            cell = np.where(nearer, ((i + di) * columns)[:, None] + (j + dj), cell)
    return cell, (second - first) * np.float32(side / 2)


def _cut(
    cells: np.ndarray, border: np.ndarray, soft: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of uint8 [H, W, 3], cut in two where a contour crosses them.

    Returns the number [H, W] of the piece of each pixel, the mean colours [pieces, 3] in [0,1], and
    the distance [H, W] from the border of the piece.
    """
    grey = lightness(soft)
    mean, square = _means([grey, grey * grey], cells).T
    spread = np.sqrt(np.maximum(square - mean * mean, 0))
    lighter = grey - mean[cells]
    cut = (spread > 0.055)[cells]
    piece = cells * 2 + (cut & (lighter > 0))
    steepness = np.hypot(*slopes(grey)) + np.float32(1e-3)
    distance = np.where(cut, np.minimum(border, np.abs(lighter) / steepness), border)
    return piece, _means([soft[..., channel] for channel in range(3)], piece) / 255, distance


def _means(planes: list[np.ndarray], index: np.ndarray) -> np.ndarray:
    """Means of planes [H, W] over the pixels with the same index: float32 [indices, planes]."""
    index = index.ravel()
    count = np.maximum(np.bincount(index), 1)
    sums = [np.bincount(index, plane.ravel()) for plane in planes]
    return (np.stack(sums, -1) / count[:, None]).astype(np.float32)


def _corners(image: np.ndarray, draw: np.random.Generator, side: float) -> np.ndarray:
    """A grid of points, moved to the strongest edge nearby: [rows, columns, 2], x and y."""
    shape = np.array(image.shape[:2])
    grid = np.maximum(np.round(shape / side).astype(int), 1)
    y, x = np.meshgrid(*(np.linspace(0, n, n + 1) for n in grid), indexing="ij")
    tries = 0.84 * draw.uniform(-0.5, 0.5, (12, *x.shape, 2))
    y, x = y + tries[..., 0], x + tries[..., 1]  # (tries, rows, columns)
    y[:, 0], y[:, -1], x[:, :, 0], x[:, :, -1] = 0, grid[0], 0, grid[1]
    edge = np.hypot(*slopes(blurred(image, max(0.8, side / 12)).astype(np.float32)))
    edge = edge.max(-1)
    points = np.stack([x * shape[1] / grid[1], y * shape[0] / grid[0]], -1)
    best = _seen(edge, points).argmax(0)
    return np.take_along_axis(points, best[None, ..., None], 0)[0]


def _triangles(soft: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The squares between the corners, each cut along the more even diagonal: [N, 3, 2]."""
    a, b, c, d = corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]
    falling = np.abs(_seen(soft, a) - _seen(soft, d)).sum(-1)
    rising = np.abs(_seen(soft, b) - _seen(soft, c)).sum(-1)
    fold = (falling < rising)[..., None, None]
    upper = np.where(fold, np.stack([a, b, d], 2), np.stack([a, b, c], 2))
    lower = np.where(fold, np.stack([a, c, d], 2), np.stack([b, c, d], 2))
    return np.concatenate([upper.reshape(-1, 3, 2), lower.reshape(-1, 3, 2)])


def _seen(x: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values of [H, W, …] at points […, 2], x and y."""
    height, width = x.shape[:2]
    across, down = np.clip(points[..., 0], 0, width - 1), np.clip(points[..., 1], 0, height - 1)
    return x[down.astype(int), across.astype(int)].astype(np.float32)
