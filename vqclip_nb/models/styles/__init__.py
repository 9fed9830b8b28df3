"""Sixteen styles of pictures, as filters; the draft and the scenes of the training apply them.

`in_style` applies one of `STYLES`. `COLOURLESS` are those that do not show the colours of things,
and `SYNONYMS` maps what people call a style, in lower case, to its name in `STYLES`.
"""

from vqclip_nb.models.styles.filters import COLOURLESS, STYLES, in_style
from vqclip_nb.models.styles.words import SYNONYMS

__all__ = ["COLOURLESS", "STYLES", "SYNONYMS", "in_style"]
