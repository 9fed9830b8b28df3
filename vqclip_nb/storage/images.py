"""Pictures from outside, a path or a web address, to tensors of the wanted size; and back to bytes."""

from __future__ import annotations

import hashlib
import io
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.prompt_syntax import is_url
from vqclip_nb.storage.metadata import as_png, copy_of
from vqclip_nb.storage.run_folder import write_file

_LARGEST = 64 * 2**20  # bytes of a fetched picture
_MOST_PIXELS = 100_000_000  # of any picture: a small file can unpack to fill the memory
_SECONDS = 20  # to wait for an answer


def to_bytes(x: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] in [0,1] to uint8 [B, H, W, 3], where they are."""
    scaled = x.detach().mul(255).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous()


def to_pixels(x: Tensor) -> np.ndarray:
    """Pictures [B, 3, H, W] in [0,1] to uint8 [B, H, W, 3]."""
    return to_bytes(x).cpu().numpy()


def load_picture(source: str) -> Tensor:
    """A picture [1, 3, H, W] in [0,1] from a path or an http(s) address.

    Upright as its camera meant it; what is transparent becomes white. Raises ValueError where
    there is none.
    """
    data = _fetched(source) if is_url(source) else _read(source)
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise ValueError(
                    f"{source} has {opened.width} × {opened.height} pixels: allowed are "
                    f"{_MOST_PIXELS // 1_000_000} million."
                )
            image = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{source} is no picture that can be read: {error}.") from None
    white = Image.new("RGBA", image.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, image).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255


def kept_picture(picture: Image.Image | np.ndarray | Tensor, folder: Path) -> str:
    """The path of a PNG in `folder` of a picture in memory, named after what it shows.

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
                f"An array of shape {pixels.shape} is no picture: expected height, width and "
                "1, 3 or 4 channels."
            ) from None
    data = as_png(picture, None)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    return str(path)


def remembered(source: str, folder: Path) -> Tensor:
    """`load_picture`, from its copy in `folder`; where there is none yet, it is made."""
    copy = folder / copy_of(source)
    if copy.is_file():
        return load_picture(str(copy))
    x = load_picture(source)
    pixels = (x[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    folder.mkdir(exist_ok=True)
    write_file(copy, as_png(Image.fromarray(pixels), None))
    return x


def fitted(x: Tensor, width: int, height: int) -> Tensor:
    """The picture [1, C, H, W] at `width` x `height`: its middle, as large as it fits."""
    scale = max(width / x.shape[-1], height / x.shape[-2])
    size = max(height, round(x.shape[-2] * scale)), max(width, round(x.shape[-1] * scale))
    x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return x[..., top : top + height, left : left + width]


def _read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read as a picture: {error.strerror}.") from None


def _fetched(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "vqclip_nb"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            data = answer.read(_LARGEST + 1)
    except (urllib.error.URLError, TimeoutError, ValueError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ValueError(f"{url} could not be fetched: {reason}.") from None
    if len(data) > _LARGEST:
        raise ValueError(f"{url} is larger than {_LARGEST // 2**20} MiB: give a smaller picture.")
    return data
