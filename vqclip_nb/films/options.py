"""The options of each kind of film, in the field system of `settings`.

Imports no torch, so that a wrong value is reported before torch is imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from vqclip_nb.settings import Checked, field
from vqclip_nb.storage.ffmpeg import FPS


@dataclass(frozen=True)
class Cut(Checked):
    """How the film of a run is cut."""

    seconds: float = field(
        0.0, "Length without the hold; 0: one frame per iteration.", 0, 3600, unit="seconds"
    )
    fps: float = field(FPS, "Frame rate.", 1, 60, unit="frames/s")
    hold: float = field(0.0, "How long the last picture stays.", 0, 60, unit="seconds")
    pace: str = field(
        "iterations",
        "Frames at equal steps of iterations, or of change in the picture.",
        choices=("iterations", "change"),
    )
    ping_pong: bool = field(False, "Play forwards, then backwards, to loop without a jump.")
    caption: bool = field(False, "Show prompt, iteration and loss below the picture.")
    interpolate: float = field(
        0.0,
        "Frame rate to which ffmpeg interpolates, along the motion; 0: off.",
        0,
        60,
        unit="frames/s",
    )
    format: str = field("mp4", "File format.", choices=("mp4", "gif"))


@dataclass(frozen=True)
class Morph(Checked):
    """How key pictures turn into each other."""

    seconds: float = field(4.0, "Length of each transition.", 0.1, 600, unit="seconds")
    fps: float = field(FPS, "Frame rate.", 1, 60, unit="frames/s")
    blend: str = field(
        "spherical",
        "Interpolation: spherical keeps the contrast; sine is linear with a pause at both ends.",
        choices=("spherical", "linear", "sine"),
    )
    hold: float = field(0.0, "How long each key picture stays.", 0, 60, unit="seconds")
    cyclic: bool = field(False, "Add a transition from the last picture to the first, to loop.")
    through: str = field(
        "latents",
        "What is interpolated: latents, or the targets of CLIP, with painting in each frame.",
        choices=("latents", "targets"),
    )
    iterations: int = field(3, "Painting per frame, through targets.", 1, 100, unit="iterations")

    def course(self, keys: int) -> list[tuple[int, float]]:
        """For each frame the key picture it starts from, and the share of the way to the next one.

        The first key has one frame, each transition seconds x fps frames up to and including its
        end, each hold hold x fps more. A loop omits the last frame, which equals the first.
        """
        steps, still = max(1, round(self.seconds * self.fps)), round(self.hold * self.fps)
        frames = [(0, 0.0)] * (1 + still)
        for key in range(keys if self.cyclic else keys - 1):
            frames += [(key, step / steps) for step in range(1, steps)]
            frames += [((key + 1) % keys, 0.0)] * (1 + still)
        return frames[: -1 - still] if self.cyclic else frames


@dataclass(frozen=True)
class Journey(Checked):
    """How the view moves through a prompt."""

    frames: int = field(300, "Length of the film.", 1, 100_000, unit="frames")
    fps: float = field(FPS, "Frame rate.", 1, 60, unit="frames/s")
    zoom: float = field(1.02, "Magnification per frame; above 1 the view moves in.", 0.8, 1.25)
    pan_x: float = field(0.0, "Movement to the right per frame.", -256, 256, unit="pixels")
    pan_y: float = field(0.0, "Movement down per frame.", -256, 256, unit="pixels")
    rotate: float = field(0.0, "Rotation of the picture per frame.", -45, 45, unit="degrees")
    iterations: int = field(2, "Painting per frame.", 1, 100, unit="iterations")


@dataclass(frozen=True)
class Restyle(Checked):
    """How the frames of a film are painted over."""

    iterations: int = field(2, "Painting per frame after the first.", 1, 100, unit="iterations")
    steady: float = field(
        0.95, "Share of a frame's painting that moves on into the next frame; 0: flickers.", 0, 1
    )
    fps: float = field(0.0, "Frame rate; 0: the film's own.", 0, 60, unit="frames/s")


Options = Cut | Morph | Journey | Restyle
