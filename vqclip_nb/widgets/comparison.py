"""Pictures beside each other, with the settings that differ."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

from PIL import Image

from vqclip_nb.pictures import open_picture
from vqclip_nb.settings import Settings, change_in_words
from vqclip_nb.widgets.html_media import still

_WIDTH = 208  # pixels of a picture in the table
MOST = 6  # pictures


def beside(files: Sequence[Path]) -> str:
    """A table of pictures and of their settings that differ; below it a wipe of the last two.

    Raises ValueError if a file is no picture of a run.
    """
    images = [open_picture(file) for file in files]
    every = [Settings.from_png(file).to_dict() for file in files]
    for each in every:
        each["updates"] = "; ".join(map(change_in_words, each["updates"]))
    names = [name for name in every[0] if any(each[name] != every[0][name] for each in every)]
    cells = "".join(
        f"<td>{letter}<br>{still(image, f'picture {letter}', _WIDTH)}</td>"
        for letter, image in zip(ascii_uppercase, images, strict=False)
    )
    rows = "".join(
        f"<tr><th>{name}</th>"
        + "".join(f"<td>{html.escape(str(each[name]))}</td>" for each in every)
        + "</tr>"
        for name in names
    )
    return f"<table><tr><td></td>{cells}</tr>{rows}</table>{_wipe(images[-2:])}"


def _wipe(images: Sequence[Image.Image]) -> str:
    """Two pictures over each other, and a slider that uncovers one; nothing for other shapes."""
    if len(images) < 2 or len({image.width / image.height for image in images}) > 1:
        return ""
    shown = "".join(still(image, "", 380) for image in images)
    moved = "this.parentNode.style.setProperty('--vq-at', this.value + '%')"
    return (
        f'<div class="vq-wipe">{shown}<input type="range" min="0" max="100" value="50" '
        f'aria-label="wipe between the last two pictures" oninput="{moved}"></div>'
    )
