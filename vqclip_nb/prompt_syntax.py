"""What a person writes as a prompt, taken apart: a story of phrases, prompts, weights and stops.

phrase ^ phrase            a story: one after the other while it is painted
prompt | prompt            several at once
text:weight:stop           how much it counts, and the loss at which it counts no more
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
    """One prompt: its text, weight, and the loss below which its gradient stops."""

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
    """Whether a text is a web address."""
    return text.lower().startswith(("http://", "https://"))


def parse_story(text: str) -> list[list[Prompt]]:
    """The prompts of each phrase; blank prompts and phrases are left out.

    Raises ValueError where a weight is not finite.
    """
    phrases = [parse_prompts(phrase) for phrase in text.split("^")]
    return [phrase for phrase in phrases if phrase]


def parse_prompts(text: str) -> list[Prompt]:
    """The prompts between the bars of one phrase; blank ones are left out."""
    return [parse_prompt(part.strip()) for part in text.split("|") if part.strip()]


def parse_prompt(text: str) -> Prompt:
    """Text, weight and stop, as a person means them.

    A colon between two whole numbers belongs to the text ("ratio 16:9"), unless the number after
    it has a sign or a decimal point ("Area 51:0.5"). So does the port of a web address.
    """
    for colon in re.finditer(":", text):
        found = _WEIGHTS.match(text, colon.start())
        before = text[: colon.start()]
        if found is None or not before.strip() or _belongs(before, found[1]):
            continue
        weight, stop = float(found[1]), float(found[2] or "-inf")
        if not math.isfinite(weight):
            raise ValueError(f"The weight in {text!r} is {weight}: allowed is a finite number.")
        return Prompt(before.strip(), weight, stop)
    return Prompt(text)


def parse_augments(text: str) -> list[tuple[str, float]]:
    """Names and strengths of augmentations, "affine:15 erase:0.3", in their order.

    Raises ValueError for a name or a strength that there is not.
    """
    wanted = []
    for part in text.split():
        name, _, strength = part.partition(":")
        if name not in AUGMENTS or not re.fullmatch(_NUMBER, strength) or float(strength) < 0:
            allowed = ", ".join(AUGMENTS)
            raise ValueError(
                f"augment has {part!r}: allowed is name:strength, with a name of {allowed}."
            )
        wanted.append((name, float(strength)))
    return wanted


def _belongs(before: str, number: str) -> bool:
    """Whether the number after a colon is part of the text before it."""
    if not number.isdigit():
        return False
    return before[-1].isdigit() or re.search(r"://[^/]*$", before) is not None


def slug(text: str) -> str:
    """Its words as part of a file's name: small letters, digits and -, at most 40."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:40].strip("-")
