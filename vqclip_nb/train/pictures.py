"""A folder of one's own pictures, read once, shrunk, and cut into crops to learn from.

The files may be strangers': what is broken, absurdly large or of another format is named and left
out, and no link is followed.
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
_LARGEST = 64 * 2**20  # bytes of a picture's file
_MOST_PIXELS = 100_000_000  # a small file can unpack to fill the memory
_SPARE = 1.5  # the kept picture's short side, in crops: room to move a crop and to vary its scale
_LONGEST = 2  # its long side, in short ones
_MEMORY = 2**30  # bytes of all kept pictures
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, struct.error, zlib.error)
_BROKEN += (TypeError, LookupError, ArithmeticError, AttributeError)  # of a mangled EXIF block
_BROKEN += (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Pictures:
    """Pictures that lie in memory shrunk, each uint8 [3, H, W] with `size` pixels a side or more.

    At 128 pixels a crop, each takes some 150 KB, a thousand 150 MB.

    names: their paths below the folder
    size: pixels of a crop's side
    """

    names: list[str]
    kept: list[Tensor]
    size: int

    def __len__(self) -> int:
        return len(self.names)

    def only(self, names: Collection[str]) -> Pictures:
        """Those with these names, in their order here."""
        chosen = [(n, x) for n, x in zip(self.names, self.kept, strict=True) if n in names]
        return Pictures([n for n, _ in chosen], [x for _, x in chosen], self.size)

    def crops(self, count: int, generator: torch.Generator) -> Tensor:
        """Random squares of random pictures, half of them mirrored: [count, 3, size, size]."""
        return torch.cat([self._crop(generator) for _ in range(count)])

    def middles(self, most: int) -> Iterator[Tensor]:
        """The middle square of at most `most` pictures, spread evenly: [1, 3, size, size]."""
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
        """A square [3, S, S] in bytes to [1, 3, size, size] in [0,1]."""
        x = square[None] / 255
        if x.shape[-1] != self.size:
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        return x


def read_pictures(
    folder: Path, size: int, seed: int = 0, *, tell: Callable[[str], None] = lambda line: None
) -> Pictures:
    """The pictures in a folder and in those within it.

    They are kept shrunk, and as many as a gigabyte holds: of more, some are drawn by the seed.

    tell: is given a line about each that is left out

    Raises ValueError where there is no folder, or no picture in it that can be used.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one that holds your pictures.")
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
            f"{folder} holds no picture that can be used: give a folder with PNG, JPEG, WebP, BMP "
            f"or GIF files of at least {size} × {size} pixels."
        )
    return Pictures(names, kept, size)


def _files(folder: Path, tell: Callable[[str], None]) -> Iterator[Path]:
    """What is named like a picture; hidden files and folders are not looked at."""

    def unread(error: OSError) -> None:
        tell(_left_out(error.filename, error))

    for path, folders, names in os.walk(folder, onerror=unread):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(path, name)
            if name.startswith(".") or file.suffix.lower() not in _SUFFIXES:
                continue
            if file.is_symlink() or not file.is_file():
                tell(_left_out(file, "it is a link or no plain file"))
            else:
                yield file


def _shrunk(file: Path, size: int) -> Tensor:
    """A picture uint8 [3, H, W], upright and on white; raises one of `_BROKEN`."""
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
            f"it has {image.width} × {image.height} pixels, allowed are {most} million"
        )
    if min(image.size) < size:
        raise ValueError(f"it has {image.width} × {image.height} pixels, a crop {size} × {size}")
    if image.mode.startswith(("I", "F")):
        raise ValueError("it has more than 8 bits a channel")
    image.draft("RGB", (round(size * _SPARE),) * 2)  # a JPEG is decoded at a fraction of its size
    image = _on_white(ImageOps.exif_transpose(image), size)
    most = _LONGEST * min(image.size)
    image = ImageOps.fit(image, (min(image.width, most), min(image.height, most)))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _on_white(image: Image.Image, size: int) -> Image.Image:
    """The whole picture in RGB, its short side as long as is kept, or as it is if that is less."""
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
    """One line, of which every character can be printed."""
    reason = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    text = f"{place} was left out: {reason}."
    return "".join(letter if letter.isprintable() else " " for letter in text)
