"""Compositions: things in places, with captions, for the training.

`load_drawings` rasterises the drawings of `drawings.csv` once, `compose` draws a random picture of
them and `caption_of` says what it shows, with templates for CLIP (`PAIR`) or for the judge
(`JUDGE`). `with_error` falsifies one fact.
"""

from vqclip_nb.models.draft.composition import Composition, Item, facts
from vqclip_nb.models.draft.things import Thing, all_things
from vqclip_nb.train.compositions.casting import Cast
from vqclip_nb.train.compositions.compose import as_tensor, compose
from vqclip_nb.train.compositions.composition import with_error
from vqclip_nb.train.compositions.describe import JUDGE, PAIR, caption_of, vocabulary
from vqclip_nb.train.compositions.drawings import Drawings, load_drawings

__all__ = [
    "JUDGE",
    "PAIR",
    "Cast",
    "Composition",
    "Drawings",
    "Item",
    "Thing",
    "all_things",
    "as_tensor",
    "caption_of",
    "compose",
    "facts",
    "load_drawings",
    "vocabulary",
    "with_error",
]
