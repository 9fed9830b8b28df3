"""Parse prompts: phrases of a story, weights and stops.

phrase ^ phrase            a story: the phrases follow each other during the run
prompt | prompt            several prompts at once
text:weight:stop           its weight, and the loss below which it has no gradient
cat.png, https://…/cat.png a picture to resemble
noise#7                    a random direction, from seed 7
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

AUGMENTS = ("flip", "affine", "perspective", "jitter", "sharpen", "erase")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_WEIGHTS = re.compile(rf":\s*({_NUMBER})\s*(?::\s*({_NUMBER}|-inf))?\s*$", re.IGNORECASE)
_PICTURE = re.compile(r"\.(png|jpe?g|webp|gif|bmp|tiff?)$", re.IGNORECASE)
_NOISE = re.compile(r"noise#(\d{1,18})$", re.IGNORECASE)


@dataclass(frozen=True)
class Prompt:
    """One prompt: its text, its weight, and the loss below which it has no gradient."""

    text: str
    weight: float = 1.0
    stop: float = -math.inf

    @property
    def kind(self) -> str:
        """ "text", "picture" (a path or url) or "noise"."""
        if _NOISE.match(self.text):
            return "noise"
        address = self.text.split("?")[0] if is_url(self.text) else self.text
        return "picture" if _PICTURE.search(address) else "text"

    @property
    def noise_seed(self) -> int:
        """The seed of a noise prompt."""
        return int(_NOISE.match(self.text)[1])


def is_url(text: str) -> bool:
    """Whether a text is an http or https address."""
    return text.lower().startswith(("http://", "https://"))


def parse_story(text: str) -> list[list[Prompt]]:
    """The prompts of each phrase of a story; skips blank prompts and phrases.

    Raises ValueError if a weight is not finite.
    """
    phrases = [parse_prompts(phrase) for phrase in text.split("^")]
    return [phrase for phrase in phrases if phrase]


def parse_prompts(text: str) -> list[Prompt]:
    """The prompts of one phrase, which bars separate; skips blank ones."""
    return [parse_prompt(part.strip()) for part in text.split("|") if part.strip()]


def parse_prompt(text: str) -> Prompt:
    """Split a prompt into text, weight and stop.

    A colon between two whole numbers belongs to the text ("ratio 16:9"), unless the number after
    it has a sign or a decimal point ("Area 51:0.5"). The port of a web address also belongs to it.
    """
    for colon in re.finditer(":", text):
        found = _WEIGHTS.match(text, colon.start())
        before = text[: colon.start()]
        if found is None or not before.strip() or _is_text(before, found[1]):
            continue
        weight, stop = float(found[1]), float(found[2] or "-inf")
        if not math.isfinite(weight):
            raise ValueError(f"The weight in {text!r} must be a finite number, got {weight}.")
        return Prompt(before.strip(), weight, stop)
    return Prompt(text)


def parse_augments(text: str) -> list[tuple[str, float]]:
    """Names and strengths of augmentations such as "affine:15 erase:0.3", in order.

    Raises ValueError for an unknown name or a strength below 0.
    """
    wanted = []
    for part in text.split():
        name, _, strength = part.partition(":")
        if name not in AUGMENTS or not re.fullmatch(_NUMBER, strength) or float(strength) < 0:
            raise ValueError(
                "augment must list name:strength, with a strength of 0 or more and a name from "
                f"{', '.join(AUGMENTS)}, got {part!r}."
            )
        wanted.append((name, float(strength)))
    return wanted


def _is_text(before: str, number: str) -> bool:
    """Whether the number after a colon is part of the text, as in "16:9", and not a weight."""
    if not number.isdigit():
        return False
    return before[-1].isdigit() or re.search(r"://[^/]*$", before) is not None


def slug(text: str) -> str:
    """The text as part of a file name: lower-case letters, digits and hyphens, at most 40."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:40].strip("-")
