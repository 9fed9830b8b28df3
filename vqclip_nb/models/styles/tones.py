"""Styles that change the tones of a picture and keep its detail."""

from __future__ import annotations

import numpy as np

from vqclip_nb.models.styles.raster import (
    blurred,
    contours,
    contrasty,
    covered,
    dots,
    extremes,
    lightness,
    mixed,
    smooth,
    to_image,
    unit,
    vivid,
)


def black_and_white(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A photograph in greys, with strong contrast."""
    grey = lightness(image)
    strong = grey + draw.uniform(0.5, 0.8) * (contrasty(grey) - grey)
    return to_image((strong - 0.5) * 1.08 + 0.5)


def sepia(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """An old photograph: browns, faded, and darker towards the corners."""
    grey = lightness(image)
    grey = grey + 0.5 * (contrasty(grey) - grey)
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in grey.shape)
    grey *= 1 - 0.1 * np.square(y[:, None] ** 2 + x**2)
    dark, light = (0.19, 0.11, 0.06), (0.97, 0.90, 0.76)
    warmth = np.float32((0.09, 0.01, -0.08)) * np.float32(draw.uniform(0.8, 1.2))
    return to_image(mixed(dark, light, grey) + warmth * (4 * grey * (1 - grey))[..., None])


def comic(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Flat, bright colours, black outlines, and black dots in the shadows."""
    u = unit(image)
    bright = vivid(blurred(image, 1.2 * u), 1.6)
    low, high = extremes(bright)
    saturation = np.round(4 - 4 * low / (high + np.float32(1e-3))) / 4
    value = (np.round(high * 3) + np.float32(0.3)) / np.float32(3.3)
    dull = (high[..., None] - bright) / (high - low + np.float32(1e-3))[..., None]
    flat = value[..., None] * (1 - saturation[..., None] * dull)
    tone = smooth(lightness(image), 2.5 * u)
    period = draw.uniform(6.5, 7.5) * u
    reach = (0.5 - tone) * np.float32(1.05 * period)
    shadow = covered(dots(tone.shape, period), reach) * (tone < 0.5)
    ink = np.maximum(shadow * np.float32(0.85), contours(image, 3.6 * u, 0.14))
    return to_image(mixed(flat, (0.03, 0.03, 0.05), ink))


# Dark to light.
_POP = (
    ((0.16, 0.05, 0.40), (0.95, 0.10, 0.55), (1.00, 0.55, 0.10), (1.00, 0.95, 0.25)),
    ((0.05, 0.10, 0.45), (0.00, 0.60, 0.85), (1.00, 0.30, 0.60), (1.00, 0.92, 0.30)),
    ((0.45, 0.00, 0.35), (0.95, 0.15, 0.15), (0.10, 0.80, 0.75), (0.98, 0.95, 0.45)),
    ((0.00, 0.25, 0.30), (0.55, 0.20, 0.80), (0.55, 0.90, 0.20), (1.00, 0.70, 0.85)),
    ((0.30, 0.00, 0.50), (0.00, 0.55, 0.45), (1.00, 0.45, 0.25), (0.60, 0.95, 1.00)),
)


def pop_art(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A screen print: four loud colours in place of the tones, with large dots."""
    u = unit(image)
    grey = contrasty(lightness(blurred(image, max(0.6, 1.5 * u))), 0.02)
    even = np.quantile(grey[::2, ::2], (0.25, 0.5, 0.75))  # keeps four colours in dark pictures
    limits = 0.5 * even + 0.5 * np.array((0.25, 0.5, 0.75))
    colours = np.float32(_POP[draw.integers(len(_POP))])
    tone = np.digitize(grey, limits)
    flat = colours[tone]
    tilt = draw.uniform(15, 75)
    dotted = covered(dots(grey.shape, 11 * u, tilt), 3.2 * u) * (tone == 2)
    flat = mixed(flat, colours[3], dotted)
    return to_image(mixed(flat, colours[0], contours(image, 2.6 * u, 0.25)))
