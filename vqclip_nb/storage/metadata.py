"""What a picture or film says of its making: enough to make it again, and no local path."""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vqclip_nb.prompt_syntax import is_url, parse_story
from vqclip_nb.settings import Settings

KEY = "vqclip_nb"  # the PNG text chunk; films have it as their comment
_SENTENCES = ("prompt", "extras", "exclude")
_COPY = re.compile(r"[0-9a-f]{16}\.png")


def portable(plan: Settings) -> dict:
    """The settings and their log as JSON types; of local paths only the names are left.

    "inputs" tells which file of a run's folder is the copy of which picture.
    """
    inputs: dict[str, str] = {}

    def named(source: str) -> str:
        if is_url(source):
            inputs[source] = copy_of(source)
            return source
        inputs[_name(source)] = copy_of(source)
        return _name(source)

    values = _with_sources(plan.to_dict(), named)
    values["models"], values["clip"] = _name(plan.models), [_name(each) for each in plan.clip]
    updates = [_with_sources(update, named) for update in values.pop("updates")]
    return {"settings": values, "updates": updates, "inputs": inputs}


def copy_of(source: str) -> str:
    """The name, in a run's `inputs`, of the copy of the picture from a path or address."""
    return hashlib.sha256(source.encode()).hexdigest()[:16] + ".png"


def as_png(image: Image.Image, said: dict | None) -> bytes:
    """A PNG file that says `said`, and by a checksum of which pixels."""
    info = PngInfo()
    if said is not None:
        info.add_itxt(KEY, json.dumps(said | {"pixels": _checksum(image)}))
    data = io.BytesIO()
    image.save(data, "PNG", pnginfo=info)
    return data.getvalue()


def settings_of(path: str | Path) -> Settings:
    """The settings, with the log of live changes, that a PNG says it was made with.

    Pictures that it began with are taken from its run's folder, if it is still there. Warns where
    the picture was changed since. Raises ValueError where it says nothing that can be read.
    """
    path = Path(path)
    text, checksum = _text_of(path)
    try:
        said = json.loads(text)
        values, inputs = said["settings"] | {"updates": said["updates"]}, dict(said["inputs"])
        changed = said["pixels"] != checksum
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} carries settings that cannot be read.") from None
    values = Settings.from_dict(values).to_dict()
    if changed:
        warnings.warn(
            f"{path} was changed after it was painted: its settings made the original.",
            stacklevel=3,
        )

    def found(name: str) -> str:
        copy = inputs.get(name)
        if isinstance(copy, str) and _COPY.fullmatch(copy):
            for folder in path.resolve().parents[:2]:  # of picture.png, and of steps/000050.png
                if (folder / "inputs" / copy).is_file():
                    return str(folder / "inputs" / copy)
        return name

    updates = [_with_sources(update, found) for update in values["updates"]]
    return Settings.from_dict(_with_sources(values, found) | {"updates": updates})


def said_by(path: Path) -> str:
    """What a picture says of its making, as it says it; empty where it says nothing."""
    try:
        return _text_of(path)[0]
    except ValueError:
        return ""


def _text_of(path: Path) -> tuple[str, str]:
    """The chunk that says how the picture was made, and the checksum of its pixels."""
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", {}).get(KEY)
            checksum = _checksum(image)
    except FileNotFoundError:
        raise ValueError(f"{path} is not there.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is no picture that can be read: {error}.") from None
    if text is None:
        raise ValueError(f"{path} carries no settings: it was not painted by vqclip_nb.")
    return text, checksum


def _checksum(image: Image.Image) -> str:
    return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def _with_sources(values: dict, change: Callable[[str], str]) -> dict:
    """Settings with the path or address of each picture in them changed."""
    values = dict(values)
    for name in ("init_image", "mask"):
        if values.get(name):
            values[name] = change(values[name])
    for name in _SENTENCES:
        for prompt in (each for phrase in parse_story(values.get(name, "")) for each in phrase):
            if prompt.kind == "picture":
                values[name] = values[name].replace(prompt.text, change(prompt.text))
    return values


def _name(path: str) -> str:
    """The last part of a path of any system; a name stays."""
    return PureWindowsPath(path).name or path
