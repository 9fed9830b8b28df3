"""Films and pictures as HTML that needs nothing else to be there than a notebook's page."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from IPython.display import HTML
from PIL import Image

from vqclip_nb.metadata import as_png

_KINDS = {".mp4": "video/mp4", ".gif": "image/gif"}


def play(*films: str | Path, captions: Sequence[str] = (), width: int = 384) -> HTML:
    """Films side by side, each with its caption and a link that saves it.

    captions: what each shows; by default the names of the files; width: pixels of each
    """
    paths = [Path(film) for film in films]
    captions = captions or [film.stem for film in paths]
    shown = [figure(*each, width) for each in zip(paths, captions, strict=True)]
    return HTML(f'<div style="display:flex;flex-wrap:wrap;gap:1em">{"".join(shown)}</div>')


def figure(film: Path, caption: str, width: int = 384) -> str:
    """A film that plays, its caption and a link that saves it."""
    name = html.escape(film.name, quote=True)
    save = f'<a download="{name}" href="{_address(film)}">save {name}</a>'
    words = f"<figcaption>{html.escape(caption)} · {save}</figcaption>"
    return f'<figure style="margin:0">{_player(film, caption, width)}{words}</figure>'


def still(image: Image.Image, alt: str, width: int | None = None) -> str:
    """A picture as HTML, enlarged to a comfortable size."""
    width = width or max(image.width, min(448, 4 * image.width))
    encoded = base64.b64encode(as_png(image, None)).decode()
    return (  # the box gives the size: pages limit a picture to its own
        f'<div style="display:inline-block;width:{width}px"><img alt="{html.escape(alt)}" '
        f'style="width:100%" src="data:image/png;base64,{encoded}"></div>'
    )


def _player(film: Path, label: str, width: int) -> str:
    """A film, .mp4 or .gif, as HTML; label: what it shows, for who does not see it."""
    label = html.escape(label, quote=True)
    if film.suffix == ".gif":
        return f'<img width="{width}" alt="{label}" src="{_address(film)}">'
    return (
        f'<video controls autoplay loop muted playsinline width="{width}" aria-label="{label}" '
        f'src="{_address(film)}"></video>'
    )


def _address(film: Path) -> str:
    """The film itself as an address."""
    return f"data:{_KINDS[film.suffix]};base64,{base64.b64encode(film.read_bytes()).decode()}"
