"""Pictures from a path, a web address or memory, as tensors and as files beside a run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb.pictures import MOST_BYTES, as_png, copy_name, on_white, open_picture
from vqclip_nb.prompt_syntax import is_url
from vqclip_nb.storage.files import write_file
from vqclip_nb.untrusted.addresses import fetch_bytes
from vqclip_nb.untrusted.text import on_one_line

_SECONDS = 60  # for a whole picture from the web
_LONGEST_SIDE = 4096  # pixels: the longest that is painted


def read_picture(source: str) -> Image.Image:
    """The RGB picture at a path or an http(s) address, upright, transparent parts white.

    One with a longer side than a painted picture can have is made smaller. Raises ValueError if it
    cannot be read.
    """
    data = _fetch(source) if is_url(source) else source
    image = open_picture(data, source, upright=True)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return on_white(image)


def load_picture(source: str) -> Tensor:
    """`read_picture` as a tensor [1, 3, H, W] in [0,1]."""
    pixels = torch.from_numpy(np.array(read_picture(source)))  # (H, W, 3)
    return pixels.permute(2, 0, 1)[None] / 255  # (1, 3, H, W)


def kept_picture(picture: Image.Image | np.ndarray | Tensor, folder: Path) -> str:
    """Write a picture in memory to a PNG in `folder`, named after its content; returns the path.

    picture: PIL's, or [H, W] or [H, W, 3 or 4], uint8 or floats in [0,1]
    """
    if not isinstance(picture, Image.Image):
        pixels = np.asarray(picture)
        if pixels.dtype != np.uint8:
            pixels = (pixels.astype(np.float64).clip(0, 1) * 255).round().astype(np.uint8)
        try:
            picture = Image.fromarray(pixels)
        except (TypeError, ValueError):
            raise ValueError(
                f"An array of shape {pixels.shape} is not a picture: expected height, width and "
                "1, 3 or 4 channels."
            ) from None
    data = as_png(picture, None)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    return str(path)


def remembered(source: str, folder: Path, *, copied: bool = False) -> Tensor:
    """`load_picture` from the copy in `folder`, which the first call makes.

    copied: the copy was made before, so that `source` is not read; ValueError if it is missing
    """
    copy = folder / copy_name(source)
    if copied and not copy.is_file():
        raise ValueError(
            f"{folder} lacks {copy.name}, the copy of {on_one_line(source)}: put that picture there."
        )
    if not copy.is_file():
        data = as_png(read_picture(source), None)
        folder.mkdir(exist_ok=True)
        write_file(copy, data)
    return load_picture(str(copy))


def _fetch(url: str) -> bytes:
    """The content of a picture's file on the web; ValueError if it cannot be fetched or is too large."""
    try:
        return fetch_bytes(url, most=MOST_BYTES, seconds=_SECONDS)
    except ValueError as error:
        raise ValueError(f"{on_one_line(url)} could not be fetched: {error}.") from None
