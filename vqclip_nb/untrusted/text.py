"""Texts from outside: how they are shown in a sentence, and which characters are refused."""

from __future__ import annotations

import re
import reprlib

# Control characters but tab and line breaks; marks that reorder what is read; halves of a character,
# which no file can hold. What joins letters and emoji (U+200C, U+200D) is not among them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LONGEST = 200  # characters of a value or a reason in a sentence
_DIGITS = 4000  # of a whole number; Python refuses to write longer ones


def hidden_character(text: str) -> str:
    """The first character that would be invisible or reorder the text, as "U+202E"; or empty."""
    found = _HIDDEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def shown(value: object) -> str:
    """The value as Python writes it, on one line, escaped and shortened, whatever it is."""
    text = _SHORT.repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def on_one_line(text: str, most: int = _LONGEST) -> str:
    """The text on one line of at most `most` characters, what is not printable escaped."""
    line = " ".join(text[: 4 * most].split())
    line = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def reason_of(error: BaseException) -> str:
    """Why something failed, as part of a sentence: one line without its full stop."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return on_one_line(str(said)).rstrip(". ")


class _Short(reprlib.Repr):
    """A repr that takes no long time and no long line, also for values that nest or repeat."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 100, 100
        self.maxlong = 40

    def repr_int(self, x: int, level: int) -> str:
        """Numbers too long to write are described."""
        if abs(x).bit_length() > 3 * _DIGITS:
            return f"a number of about {x.bit_length() * 3 // 10} digits"
        return super().repr_int(x, level)


_SHORT = _Short()
