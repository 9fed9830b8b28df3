"""What each kind of film can be told: defaults, help and what is allowed, once for every form.

Nothing heavy is imported here: a wrong value is told before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from vqclip_nb.storage.ffmpeg import FPS


def option(default: Any, told: str, allowed: tuple) -> Any:
    """A field of `Options`: its default, its help, the values or the range that are allowed."""
    return field(default=default, metadata={"help": told, "allowed": allowed})


@dataclass(frozen=True)
class Options:
    """Checked fields; ValueError with one sentence where a value is not allowed."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value, allowed = getattr(self, each.name), each.metadata["allowed"]
            if each.type in ("float", "int"):
                rule = f"{allowed[0]} to {allowed[1]}"
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if not number or not allowed[0] <= value <= allowed[1]:
                    raise ValueError(f"{each.name} is {value!r}: allowed is {rule}.")
                if each.type == "int" and int(value) != value:
                    raise ValueError(
                        f"{each.name} is {value!r}: allowed are whole numbers, {rule}."
                    )
                object.__setattr__(self, each.name, int(value) if each.type == "int" else value)
            elif value not in allowed:
                rule = " or ".join(map(str, allowed))
                raise ValueError(f"{each.name} is {value!r}: allowed is {rule}.")


@dataclass(frozen=True)
class Cut(Options):
    """How a film is cut; ValueError with one sentence where a value is not allowed."""

    seconds: float = option(0.0, "Length without the hold; 0: one frame an iteration.", (0, 3600))
    fps: float = option(FPS, "Frames a second.", (1, 60))
    hold: float = option(0.0, "Seconds for which the last picture stays.", (0, 60))
    pace: str = option(
        "iterations", "Equal steps of iterations, or of change.", ("iterations", "change")
    )
    ping_pong: bool = option(False, "There and back, to loop without a jump.", (False, True))
    caption: bool = option(False, "Prompt, iteration and loss below the picture.", (False, True))
    format: str = option("mp4", "The kind of file.", ("mp4", "gif"))


_BLENDS = ("spherical", "linear", "sine")


@dataclass(frozen=True)
class Morph(Options):
    """How pictures pass into each other; ValueError where a value is not allowed."""

    seconds: float = option(4.0, "Length of each passage.", (0.1, 600))
    fps: float = option(FPS, "Frames a second.", (1, 60))
    blend: str = option(
        "spherical", "Along which way, and sine: with a pause at its ends.", _BLENDS
    )
    hold: float = option(0.0, "Seconds for which each key picture stays.", (0, 60))
    cyclic: bool = option(False, "The last passes into the first, to loop.", (False, True))
    through: str = option(
        "latents", "What is blended: latents, or CLIP's targets, painted.", ("latents", "targets")
    )
    iterations: int = option(3, "Iterations of painting a frame, through targets.", (1, 100))

    def course(self, keys: int) -> list[tuple[int, float]]:
        """For each frame the key picture it comes from and how far it is to the next, 0 to 1.

        The first key has one frame, each passage seconds x fps up to and with its end, each hold
        hold x fps more. A loop lacks the last frame, which is the first one again.
        """
        steps, still = max(1, round(self.seconds * self.fps)), round(self.hold * self.fps)
        frames = [(0, 0.0)] * (1 + still)
        for key in range(keys if self.cyclic else keys - 1):
            frames += [(key, step / steps) for step in range(1, steps)]
            frames += [((key + 1) % keys, 0.0)] * (1 + still)
        return frames[: -1 - still] if self.cyclic else frames


@dataclass(frozen=True)
class Journey(Options):
    """How the view moves; ValueError where a value is not allowed."""

    frames: int = option(300, "Number of frames.", (1, 100_000))
    fps: float = option(FPS, "Frames a second.", (1, 60))
    zoom: float = option(1.02, "How much closer the view comes in each frame.", (0.8, 1.25))
    pan_x: float = option(0.0, "Pixels that the view moves right in each frame.", (-256, 256))
    pan_y: float = option(0.0, "Pixels that the view moves down in each frame.", (-256, 256))
    rotate: float = option(0.0, "Degrees that the picture turns in each frame.", (-45, 45))
    iterations: int = option(2, "Iterations of painting a frame.", (1, 100))
