"""Pictures from a path, a web address or memory, as tensors and as files beside a run."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqclip_nb.pictures import as_png, copy_name, on_white, open_picture, read_limited
from vqclip_nb.prompt_syntax import is_url
from vqclip_nb.storage.files import write_file

_SECONDS = 20  # to wait for a server's answer


def read_picture(source: str) -> Image.Image:
    """The RGB picture at a path or an http(s) address, upright, transparent parts white.

    Raises ValueError if it cannot be read.
    """
    data = _fetch(source) if is_url(source) else source
    return on_white(open_picture(data, source, upright=True))


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


def remembered(source: str, folder: Path) -> Tensor:
    """`load_picture` from the copy in `folder`, which the first call makes."""
    copy = folder / copy_name(source)
    if not copy.is_file():
        data = as_png(read_picture(source), None)
        folder.mkdir(exist_ok=True)
        write_file(copy, data)
    return load_picture(str(copy))


def _fetch(url: str) -> bytes:
    """The content of a picture's file on the web; ValueError if it cannot be fetched or is too large."""
    request = urllib.request.Request(url, headers={"User-Agent": "vqclip_nb"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return read_limited(answer, "it")
    except (ValueError, OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)).rstrip(".")
        raise ValueError(f"{url} could not be fetched: {reason}.") from None
