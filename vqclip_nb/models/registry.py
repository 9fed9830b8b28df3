"""The models that can be loaded by name, and their cache on this machine.

An official model is downloaded once. The published files also contain optimizers and LPIPS; only
the tensors that painting needs are kept, as safetensors, which the next load maps.
"""

from __future__ import annotations

import os
import shutil
import tomllib
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vqclip_nb.models.download import (
    Download,
    FetchError,
    cache_folder,
    fetch,
    is_offline,
    record,
    recorded,
    sha256_of,
)
from vqclip_nb.models.safe_load import WeightsError, read_tensors

_PACKAGE = Path(__file__).parent
_TABLE = tomllib.loads((_PACKAGE / "registry.toml").read_text(encoding="utf-8"))
_DRIVE = "https://drive.google.com/uc?id="
_LARGEST_MEMBER = 4_000_000_000  # bytes; the published checkpoints have less than 1 GB


@dataclass(frozen=True)
class RegisteredModel:
    """A model that can be loaded by name; registry.toml documents the fields.

    kind: "vqgan" or "clip"
    """

    kind: str
    name: str
    licence: str
    figures: str
    bytes: int
    memory: str = ""
    file: str = ""
    draft: str = ""
    clip: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    sha256: str = ""
    member: str = ""
    discriminator: bool = True
    layout: str = ""
    codes: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    open_clip: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: str = ""
    interpolation: str = "bicubic"
    tokenizer: dict[str, str] = field(default_factory=dict)
    research_only: bool = False

    @property
    def embedded(self) -> bool:
        """Whether the package contains it."""
        return bool(self.file)

    @property
    def path(self) -> Path:
        """The file in the package or, once downloaded, in the cache."""
        if self.embedded:
            return _PACKAGE / self.file
        return cache_folder() / self.kind / f"{self.name.replace('/', '-')}.safetensors"

    @property
    def draft_path(self) -> Path | None:
        """The file of its draft, or None."""
        return _PACKAGE / self.draft if self.draft else None

    @property
    def cost(self) -> str:
        """The download that loading it needs, as text."""
        if self.embedded:
            return "in the package"
        if self.path.is_file():
            return "on this machine"
        return f"{self.bytes / 1e6:,.0f} MB to fetch" if self.bytes else "to fetch; size unknown"

    @property
    def original(self) -> Path:
        """The published file in the cache, where it can also be put by hand."""
        if self.member:
            return self.path.with_suffix(".zip")
        if self.urls[0].endswith(".safetensors"):
            return self.path.with_suffix(".published.safetensors")
        return self.path.with_suffix(".ckpt" if self.kind == "vqgan" else ".pt")

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Its download URLs, in order; those of VQCLIP_MIRROR come first."""
        own = [url for name, url in _own_mirrors() if name == self.name]
        return (*own, *self.urls)


def find_model(kind: str, name: str) -> RegisteredModel | None:
    """The registered model of that name, or None; kind: "vqgan" or "clip"."""
    found = _TABLE[kind].get(name)
    if found is None:
        return None
    found = {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}
    if layout := found.get("layout"):
        found["config"] = _TABLE["architectures"][layout] | {"n_embed": found["codes"]}
    return RegisteredModel(kind, name, **found)


def registered_models(kind: str) -> Iterator[RegisteredModel]:
    """All models of a kind, "vqgan" or "clip", the embedded ones first."""
    for name in _TABLE[kind]:
        yield find_model(kind, name)


def table() -> list[dict[str, str]]:
    """One row per model: its kind, download, memory, checksum, published figures and licence."""
    return [
        {
            "name": each.name,
            "kind": {"vqgan": "VQGAN", "clip": "CLIP"}[each.kind],
            "cost": each.cost,
            "memory": each.memory,
            "checksum": "known" if each.sha256 or each.embedded else "recorded at first use",
            "figures": each.figures,
            "licence": each.licence,
        }
        for kind in _TABLE
        if kind != "architectures"
        for each in registered_models(kind)
    ]


def ensure_cached(
    model: RegisteredModel, offline: bool, needed: Callable[[Path], dict[str, Tensor]]
) -> tuple[Path, str]:
    """Download an official model unless it is cached; returns its file and checksum.

    needed: reads the tensors to keep from the published file; raises WeightsError if it is invalid

    The checksum is that of the published file. Raises FetchError or WeightsError.
    """
    if model.path.is_file():
        if checksum := _verified(model.path):
            return model.path, checksum
        warnings.warn(
            f"{model.path} is not as it was kept: {model.name} is made again.", stacklevel=2
        )
        model.path.unlink()
    original = model.original
    if is_offline(offline) and not original.is_file():
        raise FetchError(
            f"{model.name} is not in {cache_folder()} and downloads are disabled (offline): "
            f"load it once online, or put its file at {original} by hand."
        )
    by_hand = original.is_file()
    if model.research_only and not by_hand:
        warnings.warn(
            f"{model.name} is for research only, by its licence ({model.licence}).", stacklevel=2
        )
    room = min(model.bytes, 1_500_000_000)  # upper bound of the tensors that are kept
    file = Download(original, model.mirrors, model.sha256, model.bytes, room)

    def read(published: Path) -> dict[str, Tensor]:
        with _unpacked(published, model.member) as unpacked:
            return needed(unpacked)

    checksum, tensors = fetch(file, read)
    _keep(model.path, tensors, checksum)
    if not by_hand:
        with suppress(OSError):  # harmless if it stays
            original.unlink()
    return model.path, checksum


@contextmanager
def _unpacked(original: Path, member: str) -> Iterator[Path]:
    """The published file; of a zip its member, unpacked beside it for as long as it is read."""
    if not member:
        yield original
        return
    unpacked = original.with_suffix(".ckpt")
    try:
        try:
            with zipfile.ZipFile(original) as packed:
                if packed.getinfo(member).file_size > _LARGEST_MEMBER:
                    raise WeightsError(f"{original} holds more than a checkpoint: delete it.")
                with packed.open(member) as source, unpacked.open("wb") as target:
                    shutil.copyfileobj(source, target)
        except (zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise WeightsError(
                f"{original} is not a zip file with {member}: delete it to download it again."
            ) from error
        yield unpacked
    finally:
        unpacked.unlink(missing_ok=True)


def _keep(path: Path, tensors: dict[str, Tensor], checksum: str) -> None:
    part = path.with_name(path.name + ".part")
    own = {name: tensor.clone() for name, tensor in tensors.items()}  # some share a storage
    try:
        save_file(own, part, metadata={"made_from": checksum})
        record(path, sha256_of(part))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FetchError(
            f"{path} could not be written ({error.strerror}): free disk space, or set VQCLIP_CACHE "
            "to another folder."
        ) from error


def _verified(path: Path) -> str:
    """The checksum of the published file that a kept one was made from; empty if it has changed.

    A file that an older version kept, without a record, is checked for what damage leaves.
    """
    try:
        known, found = recorded(path), sha256_of(path)
        if not known and all(each.isfinite().all() for each in read_tensors(path).values()):
            record(path, found)
        elif known != found:
            return ""
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("made_from", "")
    except WeightsError:
        return ""


def _own_mirrors() -> Iterator[tuple[str, str]]:
    """Parse VQCLIP_MIRROR: NAME=URL pairs separated by spaces; URL may be a Google Drive id."""
    for pair in os.environ.get("VQCLIP_MIRROR", "").split():
        name, _, url = pair.partition("=")
        if not url or all(find_model(kind, name) is None for kind in ("vqgan", "clip")):
            raise ValueError(
                f"VQCLIP_MIRROR has {pair!r}: allowed is NAME=URL, with a name listed by "
                "`vqclip models`."
            )
        yield name, url if "://" in url else _DRIVE + url
