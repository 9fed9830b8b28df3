"""Offer a run's files in a notebook."""

from __future__ import annotations

import shutil
from pathlib import Path

from vqclip_nb.storage.colab import download, on_colab
from vqclip_nb.widgets.html_media import link


def zipped(folder: Path) -> Path:
    """A run's folder as one zip beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def offer_download(folder: Path) -> None:
    """Zip a run's folder: Colab downloads it, Jupyter shows a link, others show its path."""
    archive = zipped(folder)
    if on_colab():
        download(archive)
    else:
        from IPython.display import HTML, display

        display(HTML(link(archive)))
