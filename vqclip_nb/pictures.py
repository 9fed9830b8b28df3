"""Picture files: opening untrusted ones within limits, and the provenance that ours carry.

Provenance is a record of JSON types. "settings" and "updates" (the log of live changes) are those
of the run without local paths, "inputs" maps each picture that it began with to its copy in the
run's folder, and "pixels" is a checksum of the picture. A PNG carries the record in a text chunk, a
film in its comment.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from vqclip_nb.prompt_syntax import is_url, parse_story

MOST_BYTES = 64 * 2**20  # of a picture's file
_MOST_PIXELS = 100_000_000  # a small file can unpack to fill the memory
_CHUNK = "vqclip_nb"  # the name of the PNG text chunk
_SENTENCES = ("prompt", "extras", "exclude")
_COPY = re.compile(r"[0-9a-f]{16}\.png")


def open_picture(
    source: str | Path | bytes,
    name: str = "",
    *,
    most_pixels: int = _MOST_PIXELS,
    formats: Sequence[str] | None = None,
    upright: bool = False,
) -> Image.Image:
    """Decode an untrusted picture file within limits on its bytes and pixels.

    source: a path, or the content of a file
    name: what error messages call it; by default the path
    formats: Pillow's names of the allowed formats; by default all that Pillow decodes by itself
    upright: rotate it by the orientation that the camera recorded

    Raises ValueError with one sentence if it cannot be read or is too large.
    """
    name = name or str(source)
    data = source if isinstance(source, bytes) else _read(source, name)
    if formats is None:
        Image.init()
        formats = [each for each in Image.ID if each != "EPS"]  # Pillow would run Ghostscript
    try:
        with warnings.catch_warnings():  # the limit below replaces Pillow's
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=formats)
        size = image.width * image.height
        if size <= most_pixels:
            image.load()
            return ImageOps.exif_transpose(image) if upright else image
    except Exception as error:  # a broken file can raise anything
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise ValueError(f"{name} is not a picture that can be read: {reason}.") from None
    raise ValueError(
        f"{name} has {image.width} × {image.height} pixels, more than the allowed "
        f"{most_pixels / 1e6:.0f} million: use a smaller picture."
    )


def read_limited(file: IO[bytes], name: str, most: int | None = None) -> bytes:
    """The content of an untrusted file; ValueError if it has more than `most` bytes.

    Whatever size a server or an archive claims, no more than that is read.
    """
    most = MOST_BYTES if most is None else most
    data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name} is larger than the allowed {most // 2**20} MiB.")
    return data


def on_white(image: Image.Image) -> Image.Image:
    """The picture in RGB, transparent parts white."""
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def as_png(image: Image.Image, record: dict | None) -> bytes:
    """A PNG file that carries the record, if any, with a checksum of its pixels."""
    info = PngInfo()
    if record is not None:
        info.add_itxt(_CHUNK, json.dumps(record | {"pixels": checksum(image)}))
    data = io.BytesIO()
    image.save(data, "PNG", pnginfo=info)
    return data.getvalue()


def data_url(image: Image.Image, most: int) -> str:
    """The RGB picture as a data: URL: a PNG, or a JPEG if that has more than `most` bytes."""
    for options in ({"format": "png"}, *({"format": "jpeg", "quality": q} for q in (90, 75, 50))):
        file = io.BytesIO()
        image.save(file, **options)
        if file.tell() <= most:
            break
    data = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{options['format']};base64,{data}"


def provenance_in(image: Image.Image) -> str:
    """The record that an opened picture carries, as untrusted JSON; empty if it carries none."""
    return getattr(image, "text", {}).get(_CHUNK, "")


def provenance_of(path: str | Path) -> str:
    """`provenance_in` a file; empty also if that is not a readable picture."""
    try:
        return provenance_in(open_picture(path))
    except ValueError:
        return ""


def checksum(image: Image.Image) -> str:
    """A checksum of the pixels."""
    return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def portable(settings: Mapping) -> dict:
    """The "settings", "updates" and "inputs" of a record; of local paths only the names remain.

    settings: names and values, as `Settings.to_dict` returns them
    """
    inputs: dict[str, str] = {}

    def name_of(source: str) -> str:
        name = source if is_url(source) else _last_part(source)
        inputs[name] = copy_name(source)
        return name

    values = _with_sources(settings, name_of)
    values["models"] = _last_part(values["models"])
    values["clip"] = [_last_part(each) for each in values["clip"]]
    updates = [_with_sources(update, name_of) for update in values.pop("updates")]
    return {"settings": values, "updates": updates, "inputs": inputs}


def copy_name(source: str) -> str:
    """The name of the copy, in a run's `inputs`, of the picture from a path or web address."""
    return hashlib.sha256(source.encode()).hexdigest()[:16] + ".png"


def with_copies(settings: Mapping, inputs: Mapping, picture: Path) -> dict:
    """The settings with each picture that the run of `picture` kept a copy of replaced by that.

    inputs: those of the untrusted record; a copy is only looked for in the run's own folder
    """

    def found(name: str) -> str:
        copy = inputs.get(name)
        if isinstance(copy, str) and _COPY.fullmatch(copy):
            for folder in picture.resolve().parents[:2]:  # of picture.png, and of steps/000050.png
                if (folder / "inputs" / copy).is_file():
                    return str(folder / "inputs" / copy)
        return name

    updates = [_with_sources(update, found) for update in settings["updates"]]
    return _with_sources(settings, found) | {"updates": updates}


def _with_sources(settings: Mapping, change: Callable[[str], str]) -> dict:
    """The settings with the path or web address of each picture in them changed."""
    values = dict(settings)
    for name in ("init_image", "mask"):
        if values.get(name):
            values[name] = change(values[name])
    for name in _SENTENCES:
        for prompt in (each for phrase in parse_story(values.get(name, "")) for each in phrase):
            if prompt.kind == "picture":
                values[name] = values[name].replace(prompt.text, change(prompt.text))
    return values


def _read(path: str | Path, name: str) -> bytes:
    try:
        file = open(Path(path).expanduser(), "rb")  # noqa: SIM115 - closed below
    except (OSError, RuntimeError, ValueError) as error:  # also ~nobody, and a null character
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise ValueError(f"{name} cannot be read as a picture: {reason}.") from None
    with file:
        return read_limited(file, name)


def _last_part(path: str) -> str:
    """The last part of a path of any system; a name stays."""
    return PureWindowsPath(path).name or path
