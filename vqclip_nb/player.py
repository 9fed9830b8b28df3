"""Films as HTML that plays in a notebook's page and needs nothing else to be there."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from IPython.display import HTML

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
