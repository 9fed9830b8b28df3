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

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from vqclip_nb.prompt_syntax import is_url, parse_story
from vqclip_nb.untrusted.files import read_file, read_stream
from vqclip_nb.untrusted.text import on_one_line, reason_of

MOST_BYTES = 64 * 2**20  # of a picture's file
_MOST_PIXELS = 100_000_000  # a small file can unpack to fill the memory
_LONGEST_PATH = 1000  # characters, in an error
_MOST_SCANS = 100  # of a progressive JPEG, each of which goes over all pixels; cameras write ten
# what cameras, browsers and painting programs write; Pillow reads fifty more, some by other programs
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
_CHUNK = "vqclip_nb"  # the name of the PNG text chunk
_SENTENCES = ("prompt", "extras", "exclude")
_COPY = re.compile(r"[0-9a-f]{16}\.(png|safetensors)")
_WEIGHTS = (".pt", ".pth", ".bin", ".safetensors")  # of CLIPs by path; their names have slashes too


def open_picture(
    source: str | Path | bytes,
    name: str = "",
    *,
    most_pixels: int = _MOST_PIXELS,
    formats: Sequence[str] = _FORMATS,
    upright: bool = False,
) -> Image.Image:
    """Decode an untrusted picture file within limits on its bytes and pixels.

    source: a path, or the content of a file
    name: what error messages call it; by default the path
    formats: Pillow's names of the allowed formats
    upright: rotate it by the orientation that the camera recorded

    Pictures of more than 8 bits a channel, and those of floats in [0,1], get 8 bits.

    Raises ValueError with one sentence if it cannot be read or is too large.
    """
    name = on_one_line(name or str(source), _LONGEST_PATH)
    data = source if isinstance(source, bytes) else _read(source, name)
    try:
        if data.count(b"\xff\xda") > _MOST_SCANS and data[:2] == b"\xff\xd8":
            raise ValueError("it has more scans than any camera writes")
        Image.init()
        formats = [each for each in formats if each in Image.OPEN]  # AVIF is not in every build
        with warnings.catch_warnings():  # the limit below replaces Pillow's
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=formats)
        size = image.width * image.height
        if size <= most_pixels:
            image.load()
            image = _in_8_bits(image)
            return ImageOps.exif_transpose(image) if upright else image
    except Exception as error:  # a broken file can raise anything
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "unknown format" if unknown else reason_of(error)
        raise ValueError(f"{name} is not a picture that can be read: {reason}.") from None
    raise ValueError(
        f"{name} has {image.width} × {image.height} pixels, more than the allowed "
        f"{most_pixels / 1e6:.0f} million: use a smaller picture."
    )


def read_limited(file: IO[bytes], name: str, most: int | None = None) -> bytes:
    """The content of an untrusted file; ValueError if it has more than `most` bytes.

    Whatever size a server or an archive claims, no more than that is read.
    """
    try:
        return read_stream(file, MOST_BYTES if most is None else most)
    except ValueError as error:
        raise ValueError(f"{name} {str(error).removeprefix('it ')}.") from None


def _in_8_bits(image: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel; Pillow's own conversion would make it white or black.

    Raises ValueError if its values are in no known range.
    """
    if not image.mode.startswith(("I", "F")):
        return image if image.mode != "LAB" else image.convert("RGB")
    values = np.asarray(image)
    most = 1 if image.mode == "F" else 0xFFFF
    if not (values.min() >= 0 and values.max() <= most):  # false for nan
        raise ValueError(
            f"its values are from {values.min():g} to {values.max():g}, allowed is 0 to {most}: "
            "save it with 8 bits"
        )
    return Image.fromarray((values * np.float32(255 / most)).round().astype(np.uint8))


def on_white(image: Image.Image) -> Image.Image:
    """The picture in RGB, transparent parts white."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
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
    for name in ("models", "config"):
        values[name] = _last_part(values[name])
    values["clip"] = [_last_part(x) if x.endswith(_WEIGHTS) else x for x in values["clip"]]
    updates = [_with_sources(update, name_of) for update in values.pop("updates")]
    return {"settings": values, "updates": updates, "inputs": inputs}


def sources_in(settings: Mapping) -> list[str]:
    """What a run with these settings would read: paths, addresses and names of models.

    settings: all or some names and values, live changes included
    """
    found: list[str] = []

    def note(source: str) -> str:
        found.append(source)
        return source

    for values in (settings, *settings.get("updates", ())):
        _with_sources(values, note)
    models = [settings.get("models"), settings.get("config"), *(settings.get("clip") or ())]
    return list(dict.fromkeys(filter(None, [*found, *models])))


def copy_name(source: str) -> str:
    """The name of the copy, in a run's `inputs`, of the picture or the latents from a source."""
    kind = ".safetensors" if source.endswith(".safetensors") else ".png"
    return hashlib.sha256(source.encode()).hexdigest()[:16] + kind


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
        return read_file(path, MOST_BYTES)
    except ValueError as error:
        raise ValueError(f"{name} cannot be read as a picture: {error}.") from None


def _last_part(path: str) -> str:
    """The last part of a path of any system; a name stays."""
    return PureWindowsPath(path).name or path
