"""A folder of the user's pictures: read once, shrunk, and cut into random crops for training.

The files are untrusted: broken, oversized and unsupported files are reported and skipped, and
symbolic links are not followed.
"""

from __future__ import annotations

import io
import os
import random
import struct
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "GIF"]
_LARGEST = 64 * 2**20  # bytes of a file
_MOST_PIXELS = 100_000_000  # a small file can decompress to more than the memory
_SPARE = (
    1.5  # short side of a kept picture over the crop size; leaves room to shift and scale crops
)
_LONGEST = 2  # most long side over short side
_MEMORY = 2**30  # bytes of all kept pictures
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, struct.error, zlib.error)
_BROKEN += (TypeError, LookupError, ArithmeticError, AttributeError)  # of a mangled EXIF block
_BROKEN += (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Pictures:
    """Shrunk pictures in memory, each uint8 [3, H, W] with at least `size` pixels per side.

    With crops of 128 pixels, a picture takes about 150 KB.

    names: paths relative to the folder
    size: side of the crops in pixels
    """

    names: list[str]
    kept: list[Tensor]
    size: int

    def __len__(self) -> int:
        return len(self.names)

    def only(self, names: Collection[str]) -> Pictures:
        """The pictures with these names, in the present order."""
        chosen = [(n, x) for n, x in zip(self.names, self.kept, strict=True) if n in names]
        return Pictures([n for n, _ in chosen], [x for _, x in chosen], self.size)

    def crops(self, count: int, generator: torch.Generator) -> Tensor:
        """Random square crops of random pictures, half of them mirrored: [count, 3, size, size]."""
        return torch.cat([self._crop(generator) for _ in range(count)])

    def middles(self, most: int) -> Iterator[Tensor]:
        """Centre crops [1, 3, size, size] of at most `most` pictures, evenly spaced."""
        for i in range(min(most, len(self))):
            x = self.kept[i * len(self) // min(most, len(self))]
            side = min(x.shape[1:])
            top, left = (x.shape[1] - side) // 2, (x.shape[2] - side) // 2
            yield self._fitted(x[:, top : top + side, left : left + side])

    def _crop(self, generator: torch.Generator) -> Tensor:
        def drawn(count: int) -> int:
            return int(torch.randint(count, (), generator=generator))

        x = self.kept[drawn(len(self))]
        side = self.size + drawn(min(x.shape[1:]) - self.size + 1)
        top, left = (drawn(length - side + 1) for length in x.shape[1:])
        crop = self._fitted(x[:, top : top + side, left : left + side])
        return crop.flip(-1) if drawn(2) else crop

    def _fitted(self, square: Tensor) -> Tensor:
        """Resize a square, uint8 [3, S, S], to [1, 3, size, size] in [0,1]."""
        x = square[None] / 255
        if x.shape[-1] != self.size:
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        return x


def read_pictures(
    folder: Path, size: int, seed: int = 0, *, tell: Callable[[str], None] = lambda line: None
) -> Pictures:
    """Read the pictures in a folder and its subfolders.

    They are shrunk and kept in memory, up to 1 GiB; of more pictures, a random sample is used.

    seed: of the sample
    tell: called with a line about each file that is skipped

    Raises ValueError if there is no such folder or no usable picture in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the folder with your pictures.")
    files = sorted(_files(folder, tell))
    most = _MEMORY // int((_SPARE * size) ** 2 * _LONGEST * 3)
    if len(files) > most:
        tell(f"{folder} holds {len(files)} pictures: {most} of them are used.")
        files = sorted(random.Random(seed).sample(files, most))
    names, kept = [], []
    for file in tqdm(files, "reading", unit="picture", leave=False, delay=2):
        try:
            kept.append(_shrunk(file, size))
            names.append(file.relative_to(folder).as_posix())
        except _BROKEN as error:
            tell(_left_out(file, error))
    if not names:
        raise ValueError(
            f"{folder} holds no usable picture: give a folder with PNG, JPEG, WebP, BMP or GIF "
            f"files of at least {size} × {size} pixels."
        )
    return Pictures(names, kept, size)


def _files(folder: Path, tell: Callable[[str], None]) -> Iterator[Path]:
    """Files with a picture's suffix; hidden files and folders are ignored."""

    def unread(error: OSError) -> None:
        tell(_left_out(error.filename, error))

    for path, folders, names in os.walk(folder, onerror=unread):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(path, name)
            if name.startswith(".") or file.suffix.lower() not in _SUFFIXES:
                continue
            if file.is_symlink() or not file.is_file():
                tell(_left_out(file, "it is a link or not a regular file"))
            else:
                yield file


def _shrunk(file: Path, size: int) -> Tensor:
    """Read a picture as uint8 [3, H, W], upright and on white; raises one of `_BROKEN`."""
    with open(file, "rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 2**20} MiB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > _MOST_PIXELS:
        most = _MOST_PIXELS // 1_000_000
        raise ValueError(
            f"it has {image.width} × {image.height} pixels, allowed are at most {most} million"
        )
    if min(image.size) < size:
        raise ValueError(
            f"it has {image.width} × {image.height} pixels, less than a crop of {size} × {size}"
        )
    if image.mode.startswith(("I", "F")):
        raise ValueError("it has more than 8 bits per channel")
    image.draft("RGB", (round(size * _SPARE),) * 2)  # a JPEG is decoded at a fraction of its size
    image = _on_white(ImageOps.exif_transpose(image), size)
    most = _LONGEST * min(image.size)
    image = ImageOps.fit(image, (min(image.width, most), min(image.height, most)))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _on_white(image: Image.Image, size: int) -> Image.Image:
    """Shrink the short side to the kept size and convert to RGB, with white for transparency."""
    clear = image.has_transparency_data
    image = image.convert("RGBA" if clear else "RGB")
    scale = min(1.0, size * _SPARE / min(image.size))
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    if not clear:
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _left_out(place: str | Path, reason: object) -> str:
    """A line that says why a file was skipped, with printable characters only."""
    reason = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    text = f"{place} was skipped: {reason}."
    return "".join(letter if letter.isprintable() else " " for letter in text)
