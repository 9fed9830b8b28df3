"""Styles that draw a picture with lines: ink, pencil, chalk, glowing tubes, a carved block."""

from __future__ import annotations

import numpy as np

from vqclip_nb.models.styles.raster import (
    along,
    blurred,
    contours,
    contrasty,
    covered,
    edges,
    extremes,
    lightness,
    mixed,
    noise,
    smooth,
    stripes,
    to_image,
    unit,
)

_GLOW = ((3.5, 1.3), (12, 1.6))  # around neon tubes: sigma and strength


def line_drawing(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Thin black contours on white paper."""
    width = draw.uniform(1.8, 2.4) * unit(image)
    return to_image(0.99 - 0.94 * contours(image, width, 0.09))


def neon(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Glowing tubes along the contours, in the picture's hues, on near black."""
    u = unit(image)
    distance, strength = edges(image, 1.5 * u, 0.12)
    tubes, core = (covered(distance, width * u) * strength for width in (1.6, 0.6))
    colour = blurred(image, 5 * u) * np.float32(1 / 255)
    low, high = extremes(colour)
    hue = (colour - low[..., None]) / np.maximum(high - low, np.float32(0.02))[..., None]
    spare = draw.permutation((1.0, draw.uniform(0, 1), 0.1))  # for greys
    hue = mixed(spare, hue, np.clip((high - low) * 8 - 1, 0, 1))
    light = hue * tubes[..., None]
    lamp = to_image(light)
    near, far = (blurred(lamp, sigma * u) * np.float32(share / 255) for sigma, share in _GLOW)
    light += (0.55 * core)[..., None] * (1 - light)  # the gas in the tube is nearly white
    night = np.float32((0.03, 0.02, 0.07)) + np.float32(0.05) * colour
    return to_image(night + light + near + far)


def pencil_sketch(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Grey hatching and soft outlines on off-white paper."""
    u, shape = unit(image), image.shape[:2]
    tone = contrasty(lightness(blurred(image, 1.5 * u)))
    wobble = 1.6 * u * noise(draw, shape, 7)
    tilt, period = draw.uniform(-52, -38), 6.5 * u
    graphite = 0.20 * np.clip(0.75 - tone, 0, 1)
    for angle, lightest in ((tilt, 0.68), (tilt + 80, 0.30)):
        darkness = np.clip((lightest - tone) * 2, 0, 1)
        lines = stripes(along(shape, angle + 90) + wobble, period)
        graphite += covered(lines, (0.05 + 0.22 * darkness) * period) * (0.55 * darkness)
    distance, strength = edges(image, 1.3 * u, 0.1)
    outline = (0.65 * covered(distance, 1.3 * u) + 0.2 * covered(distance, 2.6 * u)) * strength
    graphite = np.maximum(graphite, outline) + 0.3 * outline * graphite
    graphite *= np.clip(0.9 + 0.25 * noise(draw, shape, 110), 0.3, 1.1)
    return to_image(mixed((0.96, 0.95, 0.92), (0.20, 0.20, 0.22), np.clip(graphite, 0, 0.95)))


def woodcut(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Black ink on paper: lines that swell with the darkness and bend with the form."""
    u, shape = unit(image), image.shape[:2]
    grey = lightness(blurred(image, 1.5 * u))
    tone = 0.5 * grey + 0.5 * contrasty(grey)
    period = 7 * u
    bend = 16 * u * smooth(tone, 7 * u) + 1.2 * u * noise(draw, shape, 6)
    lines = stripes(along(shape, draw.uniform(75, 105)) + bend, period)
    darkness = np.clip((0.93 - tone) / 0.75, 0, 1) + 0.07 * noise(draw, shape, 24)
    ink = covered(lines, (darkness * 1.25 - 0.2) * period / 2 - 0.25)
    ink = np.maximum(ink, contours(image, 3.4 * u, 0.16))
    paper = np.float32((0.93, 0.87, 0.74)) + np.float32(0.02) * draw.standard_normal(3, np.float32)
    return to_image(mixed(paper, (0.07, 0.06, 0.06), ink))


def chalk(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """White, rough strokes on a green or black board: outlines, and light areas filled."""
    u, shape = unit(image), image.shape[:2]
    board = np.float32(((0.13, 0.26, 0.20), (0.14, 0.15, 0.16))[draw.integers(2)])
    tone = contrasty(lightness(blurred(image, 1.5 * u)))
    pressed = np.clip(tone * 1.6 - 0.7, 0, 1)
    position = along(shape, draw.uniform(35, 55)) + 1.2 * u * noise(draw, shape, 9)
    fill = covered(stripes(position, 8 * u), 2 * u) * 0.6 * pressed
    cover = np.maximum(contours(image, 4 * u, 0.13), fill + 0.2 * pressed)
    cover *= np.clip(0.92 + 0.5 * noise(draw, shape, 90), 0.15, 1)
    dust = 0.06 + 0.03 * noise(draw, shape, 5)
    return to_image(mixed(board, (0.96, 0.96, 0.92), np.maximum(cover, dust)))
