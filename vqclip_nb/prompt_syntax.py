"""Parse prompts: phrases of a story, weights and stops.

phrase ^ phrase            a story: the phrases follow each other during the run
prompt | prompt            several prompts at once
text:weight:stop           its weight, and the loss below which it has no gradient
cat.png, https://…/cat.png a picture to resemble
noise#7                    a random direction, from seed 7

PROMPTS.md has a table of examples, with their meaning here and in nerdyrodent/VQGAN-CLIP.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

AUGMENTS = ("flip", "affine", "rotate", "perspective", "crop", "elastic", "spline", "jitter")
AUGMENTS += ("sharpen", "sharpness", "noise", "erase")
AUGMENT_CODES = ("Ji", "Sh", "Gn", "Pe", "Ro", "Af", "Et", "Ts", "Cr", "Er", "Re")  # nerdyrodent's
_STRONGEST = 360.0  # of an augmentation: degrees
# Possessive (++), so that a long row of digits is not tried again from every length of it.
_NUMBER = r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?"
# Phones and word processors replace the hyphen of "-1" by a dash or a true minus.
_MINUS = "‐‑‒–—−﹣－"
_AS_TYPED = str.maketrans(dict.fromkeys(_MINUS, "-") | {",": "."})
_SIGN = f"[-+{_MINUS}]?"
_WEIGHT = rf"{_SIGN}(?:(?:\d++(?:\.\d*+|,\d++)?|[.,]\d++)(?:e{_SIGN}\d++)?|inf|nan)"
_WEIGHTS = re.compile(rf":\s*+({_WEIGHT})\s*+(?::\s*+({_WEIGHT}))?\s*+$", re.IGNORECASE)
_WHOLE_WORD = re.compile(r"(?:^|[^\w.,-])\d+(?:[.,]\d+)*$")  # a number, unlike the 3 of "mp3"
_PICTURE = re.compile(r"\.(png|jpe?g|webp|gif|bmp|tiff?)$", re.IGNORECASE)
_ROOT = re.compile(r"(?:\.{0,2}|~[^\s\\/]*|[a-z]:)[\\/]", re.IGNORECASE)  # how a path starts
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
        return "picture" if _is_picture(self.text) else "text"

    @property
    def noise_seed(self) -> int:
        """The seed of a noise prompt."""
        return int(_NOISE.match(self.text)[1])

    def __str__(self) -> str:
        """What `parse_prompt` reads as this prompt."""
        if parse_prompt(self.text) == self:
            return self.text
        return f"{self.text}:{self.weight}:{self.stop}"


@dataclass(frozen=True)
class Augments:
    """Augmentations of the crops.

    wanted: names with strengths, and codes without one, in order
    replace: whether they replace the cut method's own or follow them
    """

    wanted: tuple[tuple[str, float | None], ...] = ()
    replace: bool = False


def is_url(text: str) -> bool:
    """Whether a text is an http or https address."""
    return text.lower().startswith(("http://", "https://"))


def parse_story(text: str, window: int = 0) -> list[list[Prompt]]:
    """The prompts of each phrase of a story; skips blank prompts and phrases.

    window: most words of a sentence that are painted at a time; a longer sentence becomes several
        phrases, over which a window of so many words slides; 0: no limit

    Raises ValueError for a weight or a stop that is not allowed.
    """
    phrases = [parse_prompts(phrase) for phrase in text.split("^")]
    return [part for phrase in phrases if phrase for part in _slid(phrase, window)]


def parse_prompts(text: str) -> list[Prompt]:
    """The prompts of one phrase, which bars separate; skips blank ones."""
    return [parse_prompt(part.strip()) for part in text.split("|") if part.strip()]


def parse_prompt(text: str) -> Prompt:
    """Split a prompt into text, weight and stop.

    A colon between a number and a whole number belongs to the text ("ratio 16:9"), unless the
    second has a sign or a decimal point ("Area 51:0.5"). The port of a web address also belongs to
    it. Raises ValueError for a weight that is not finite, or a stop of inf or nan.
    """
    for colon in re.finditer(":", text):
        found = _WEIGHTS.match(text, colon.start())
        before = text[: colon.start()]
        if found is None or not before.strip() or _is_text(before, found[1]):
            continue
        weight, stop = (float((n or "-inf").translate(_AS_TYPED)) for n in found.groups())
        if not math.isfinite(weight):
            raise ValueError(f"The weight in {text[:99]!r} must be a finite number, got {weight}.")
        if not stop < math.inf:  # also nan
            raise ValueError(
                f"The stop in {text[:99]!r} must be a number, got {stop}: leave it out to never stop."
            )
        return Prompt(before.strip(), weight, stop)
    return Prompt(text)


def parse_augments(text: str) -> Augments:
    """Augmentations such as "affine:15 erase:0.3", or "only Ro Pe Er" to replace the method's own.

    A code of nerdyrodent's stands for one with its strength; "none" removes the method's own.
    Raises ValueError for an unknown name or a strength out of range.
    """
    parts, wanted = text.split(), []
    if parts == ["none"]:
        return Augments(replace=True)
    replace = parts[:1] == ["only"]
    for part in parts[replace:]:
        name, colon, strength = part.partition(":")
        number = float(strength) if re.fullmatch(_NUMBER, strength) else -1.0
        if not colon and name in AUGMENT_CODES:
            wanted.append((name, None))
        elif name in AUGMENTS and 0 <= number <= _STRONGEST:
            wanted.append((name, number))
        else:
            raise ValueError(
                f"augment must list name:strength, with a strength from 0 to {_STRONGEST:g} and a "
                f"name from {', '.join(AUGMENTS)}, or codes from {', '.join(AUGMENT_CODES)}, after "
                f"'only' to replace the method's own, or be 'none'; got {part[:99]!r}."
            )
    if replace and not wanted:
        raise ValueError("augment must name augmentations after 'only'; 'none' removes them all.")
    return Augments(tuple(wanted), replace)


def _is_text(before: str, number: str) -> bool:
    """Whether the number after a colon is part of the text, as in "16:9", and not a weight."""
    if not number.isdigit():
        return False
    return bool(_WHOLE_WORD.search(before) or re.search(r"://[^/]*$", before))


def _is_picture(text: str) -> bool:
    """Whether the whole text is the path or url of a picture; a sentence may end in one's name.

    Nothing is looked up on the disk: the same prompt means the same on every machine. So a file's
    name with a space in it must have a folder that starts the path: "./my cat.png".
    """
    if is_url(text):
        return bool(_PICTURE.search(re.split("[?#]", text)[0]))
    folder, name = re.fullmatch(r"(.*[\\/])?(.*)", text, re.DOTALL).groups()
    is_path = not re.search(r"\s", text) or _ROOT.match(text)
    is_path = is_path or (folder and "://" not in folder and not re.search(r"\s", name))
    return bool(is_path and _PICTURE.search(name))


def _slid(phrase: list[Prompt], window: int) -> list[list[Prompt]]:
    """The phrases that a window sliding over a phrase's sentences shows, half a window apart.

    The last window ends with the last word. Shorter sentences, pictures and noise stay in all.
    """
    shown = [_windows(prompt, window) for prompt in phrase]
    count = max(len(each) for each in shown)
    return [[each[number * len(each) // count] for each in shown] for number in range(count)]


def _windows(prompt: Prompt, window: int) -> list[Prompt]:
    words = prompt.text.split()
    if not window or len(words) <= window or prompt.kind != "text":
        return [prompt]
    last = len(words) - window
    begins = [*range(0, last, max(1, window // 2)), last]
    return [replace(prompt, text=" ".join(words[begin:][:window])) for begin in begins]


def slug(text: str) -> str:
    """The text as part of a file name: lower-case letters, digits and hyphens, at most 40."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:40].strip("-")
