"""Oil paint: flat strokes with sharp edges."""

from __future__ import annotations

import random

import numpy as np

_LUMA = np.float32((0.299, 0.587, 0.114))  # Rec. 601


def oil_painting(image: np.ndarray, rng: random.Random) -> np.ndarray:
    """A picture as an oil painting: uint8 [H, W, 3].

    Implements Kuwahara's filter (Kuwahara et al. 1976): each pixel takes the mean colour of the one
    of four neighbouring squares with the least contrast. Then canvas and brush add a little relief.
    """
    height, width = image.shape[:2]
    side = max(2, round(min(height, width) / 48))
    padded = np.pad(image, ((side, side), (side, side), (0, 0)), "edge").astype(np.float32)
    light = padded @ _LUMA
    planes = np.concatenate([padded, light[..., None], light[..., None] ** 2], -1)
    means = _box(planes, side + 1)  # (H + side, W + side, 5)
    contrast = means[..., 4] - means[..., 3] ** 2
    corners = [(y, x) for y in (0, side) for x in (0, side)]
    spread = np.stack([contrast[y : y + height, x : x + width] for y, x in corners])  # (4, H, W)
    best = spread.argmin(0)
    painted = np.zeros((height, width, 3), np.float32)
    for i, (y, x) in enumerate(corners):
        chosen = best == i
        painted[chosen] = means[y : y + height, x : x + width, :3][chosen]
    relief = np.random.default_rng(rng.getrandbits(62)).normal(0, 1, (height, width // 4 + 1))
    strokes = np.repeat(relief.astype(np.float32), 4, 1)[:, :width]
    painted = (painted - 128) * 1.08 + 128 + 5 * strokes[..., None]
    return np.clip(painted, 0, 255).astype(np.uint8)


def _box(planes: np.ndarray, side: int) -> np.ndarray:
    """Means over all squares of this side: [H - side + 1, W - side + 1, C]."""
    down = sum(planes[i : len(planes) - side + 1 + i] for i in range(side))
    width = planes.shape[1]
    return sum(down[:, i : width - side + 1 + i] for i in range(side)) / side**2
