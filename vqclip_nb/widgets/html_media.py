"""Films, pictures and files as HTML that keeps saved notebooks small.

A notebook saves what its widgets show. So pictures are compressed, and films and zips are links to
the notebook server; without a server, a film is embedded as a small copy, a zip shown as a path.
"""

from __future__ import annotations

import base64
import html
import json
import math
import os
import tempfile
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from vqclip_nb.pictures import data_url, open_picture
from vqclip_nb.storage.colab import on_colab, on_kaggle
from vqclip_nb.storage.ffmpeg import shrink
from vqclip_nb.widgets.in_page import enlarged

_KINDS = {".mp4": "video/mp4", ".gif": "image/gif"}
_PICTURE, _THUMBNAIL, _FILM = 30_000, 1_200, 35_000  # bytes; larger ones are compressed
_WIDEST = 512  # pixels of a picture in a page
_SHEET = 1080  # pixels of a row of pictures
_FILLS = 'style="width:100%"'


def play(*films: str | Path, captions: Sequence[str] = (), width: int = 384):
    """Films side by side, embedded unchanged, each with its caption and a link to save it.

    captions: by default the names of the files; width: pixels of each
    """
    from IPython.display import HTML

    paths = [Path(film) for film in films]
    captions = captions or [film.stem for film in paths]
    shown = [
        _figure(film, _data(film.read_bytes(), film.suffix), caption, width)
        for film, caption in zip(paths, captions, strict=True)
    ]
    return HTML(f'<div style="display:flex;flex-wrap:wrap;gap:1em">{"".join(shown)}</div>')


def sheet(images: Sequence[Image.Image | Path], captions: Sequence[str] = (), columns: int = 4):
    """Pictures in rows that fill the page, each above its caption.

    images: PIL's, or files
    """
    from IPython.display import HTML

    cells = []
    for image, caption in zip_longest(images, captions, fillvalue=""):
        opened = open_picture(image) if isinstance(image, Path) else image
        shown = _compressed(opened, caption, _SHEET // columns, 'style="width:100%;margin:0"')
        cells.append(
            f'<figure style="margin:0">{shown}'
            f'<figcaption style="font-size:14px;line-height:1.35">{html.escape(caption)}'
            "</figcaption></figure>"
        )
    style = f"display:grid;gap:12px;grid-template-columns:repeat({columns},minmax(0,1fr))"
    return HTML(f'<div style="{style};max-width:{_SHEET}px">{"".join(cells)}</div>')


def figure(film: Path, caption: str, width: int = 384) -> str:
    """A film for a panel: linked if a server serves it, else embedded as a small copy."""
    address = served(film)
    if address is not None:
        return _figure(film, address, caption, width)
    shown, kind = film.read_bytes(), film.suffix
    if len(shown) > _FILM:
        with tempfile.TemporaryDirectory() as folder:
            small = Path(folder, "small.mp4")
            shrink(film, small, _FILM)
            shown, kind = small.read_bytes(), ".mp4"
    return _in_figure(_data(shown, kind), kind, width, caption)


def link(file: Path) -> str:
    """A link that downloads a file; without a server, its path."""
    address, name = served(file), html.escape(file.name, quote=True)
    if address is None:
        return f"{html.escape(str(file))} is ready."
    address = html.escape(f"{address}&download=1", quote=True)
    return f'<a download="{name}" href="{address}">{name}</a>'


def served(file: Path) -> str | None:
    """The URL of a file on the notebook server that started this kernel; None without one.

    Jupyter writes each server's root folder and base URL to a file named after its process. The
    URL ends with the time of the last change, so that a page never shows an older version.
    """
    server = os.environ.get("JPY_PARENT_PID")
    if not server or on_colab() or on_kaggle():  # their pages come from other servers
        return None
    from jupyter_core.paths import jupyter_runtime_dir

    for name, root in (("jpserver", "root_dir"), ("nbserver", "notebook_dir")):
        info = Path(jupyter_runtime_dir(), f"{name}-{server}.json")
        try:
            known = json.loads(info.read_text(encoding="utf-8"))
            path = file.resolve().relative_to(Path(known[root]).resolve())
            version = file.stat().st_mtime_ns
        except (OSError, ValueError, KeyError):
            continue
        hidden = any(part.startswith(".") for part in path.parts)  # not served by Jupyter
        if not hidden:
            return f"{known['base_url']}files/{quote(path.as_posix())}?version={version}"
    return None


def still(image: Image.Image | Path, alt: str, width: int | None = None) -> str:
    """A picture, or its file, as compressed HTML; by default enlarged to a comfortable width."""
    if isinstance(image, Path):
        with Image.open(image) as opened:
            return still(opened, alt, width)
    width = width or max(image.width, min(448, 4 * image.width))
    return (  # a page limits an image to its own size, a box not
        f'<div style="display:inline-block;width:{width}px;max-width:100%">'
        f"{_compressed(image, alt, width, _FILLS)}</div>"
    )


def framed(
    images: Sequence[Image.Image], alt: str, step: int = 0, files: Sequence[Path] = ()
) -> str:
    """The pictures of a batch in the panel's frame, which they fill at any size; a click enlarges.

    step: which step they are of, 0 for the current one; files: whose pictures they are, if any
    """
    columns = math.ceil(len(images) ** 0.5)
    width, height = images[0].size
    cells = []
    for number, image in enumerate(images, 1):
        attributes = f'data-step="{step}" {enlarged()}'
        if number <= len(files) and (address := served(files[number - 1])):
            attributes += f' data-full="{html.escape(address)}"'
        name = f"{alt}, picture {number}" if len(images) > 1 else alt
        cells.append(_compressed(image, name, max(width, 448) // columns, attributes))
    rows = math.ceil(len(images) / columns)
    return in_frame("".join(cells), (columns * width, rows * height), columns)


def in_frame(content: str, size: tuple[int, int], columns: int = 1) -> str:
    """HTML in a frame of the proportions of a picture of this size."""
    width, height = size
    style = f"--vq-ratio:{width}/{height};--vq-columns:{columns}"
    return f'<div class="vq-frame" style="{style}">{content}</div>'


def _compressed(image: Image.Image, alt: str, width: int, attributes: str = "") -> str:
    """An <img> of a picture that is shown `width` pixels wide."""
    small, most = image.convert("RGB"), min(max(width**2 // 6, _THUMBNAIL), _PICTURE)
    small.thumbnail((min(width, _WIDEST),) * 2)
    return f'<img alt="{html.escape(alt)}" {attributes} src="{data_url(small, most)}">'


def _figure(film: Path, address: str, caption: str, width: int) -> str:
    """A film with its caption and a link to save it."""
    name, href = (html.escape(text, quote=True) for text in (film.name, address))
    save = f' · <a download="{name}" href="{href}">save {name}</a>'
    return _in_figure(address, film.suffix, width, caption, save)


def _in_figure(address: str, kind: str, width: int, caption: str, more: str = "") -> str:
    """A film, .mp4 or .gif, above its caption, which is also the text for screen readers."""
    caption, address = (html.escape(text, quote=True) for text in (caption, address))
    shown = (
        f'<video controls autoplay loop muted playsinline width="{width}" aria-label="{caption}" '
    )
    shown += f'src="{address}"></video>'
    if kind == ".gif":
        shown = f'<img width="{width}" alt="{caption}" src="{address}">'
    return f'<figure style="margin:0">{shown}<figcaption>{caption}{more}</figcaption></figure>'


def _data(data: bytes, kind: str) -> str:
    """A film as a data: URL."""
    return f"data:{_KINDS[kind]};base64,{base64.b64encode(data).decode()}"
