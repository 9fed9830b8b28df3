"""Loads the draft: its memory and its phrases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqclip_nb.models.draft.composition import Composition
from vqclip_nb.models.draft.memory import Memory
from vqclip_nb.models.draft.phrases import Phrases
from vqclip_nb.models.draft.reading import in_words, read
from vqclip_nb.models.safe_load import WeightsError, read_tensors
from vqclip_nb.models.styles.filters import STYLES
from vqclip_nb.models.styles.words import SYNONYMS
from vqclip_nb.untrusted.files import parse_json, read_file
from vqclip_nb.untrusted.text import reason_of

_LARGEST = 4 * 2**20  # bytes of the table


@dataclass(frozen=True)
class Draft:
    """A memory, and the phrases that name what is in it."""

    memory: Memory
    phrases: Phrases

    def read(self, text: str) -> Composition:
        """What a sentence mentions, see `reading.read`."""
        return read(text, self.phrases)

    def understood(self, text: str) -> str:
        """The same in words: "things: lighthouse; weather: storm"; empty if it is nothing."""
        return in_words(self.read(text))


def load_draft(path: Path, codes: int) -> Draft:
    """Load `draft.safetensors` and the `.json` beside it.

    codes: size of the VQGAN's codebook

    Raises WeightsError.
    """
    tensors, table = read_tensors(path), _read_table(path.with_suffix(".json"))
    try:
        drawings, places = _list(table, "drawings"), _list(table, "places_in_memory")
        memory = Memory.unpack(tensors, drawings, places, codes)
        return Draft(memory, Phrases.build(table, {style: style for style in STYLES} | SYNONYMS))
    except Exception as error:  # an untrusted file can fail in any way
        raise WeightsError(
            f"{path} is no draft of this VQGAN: {reason_of(error)}. Write it again with "
            "`python -m vqclip_nb.train tiny --part draft`."
        ) from error


def _read_table(path: Path) -> dict[str, Any]:
    try:
        table = parse_json(read_file(path, _LARGEST))
    except ValueError as error:
        raise WeightsError(
            f"{path} cannot be read as the draft's phrases: {error}. Write it again with "
            "`python -m vqclip_nb.train tiny --part draft`."
        ) from error
    if not isinstance(table, dict):
        raise WeightsError(f"{path} is no table of phrases.")
    return table


def _list(table: dict[str, Any], name: str) -> list:
    if not isinstance(table.get(name), list):
        raise ValueError(f"{name!r} must be a list")
    return table[name]
