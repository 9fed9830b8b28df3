"""What can be loaded by name, and where on this machine it is kept.

An official model is fetched once. Of its file, in which optimizers and LPIPS ride along, only what
painting needs is kept, as safetensors that the next load maps instead of reading.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vqclip_nb.models.download import Download, FetchError, fetch

_PACKAGE = Path(__file__).parent
_TABLE = tomllib.loads((_PACKAGE / "registry.toml").read_text(encoding="utf-8"))
_DRIVE = "https://drive.google.com/uc?id="


@dataclass(frozen=True)
class Entry:
    """A model that can be loaded by name; the fields are those of registry.toml.

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
    layout: str = ""
    codes: int = 0
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether the package itself carries it."""
        return bool(self.file)

    @property
    def path(self) -> Path:
        """Where it is, or will be once it is fetched."""
        if self.embedded:
            return _PACKAGE / self.file
        return cache_folder() / self.kind / f"{self.name.replace('/', '-')}.safetensors"

    @property
    def draft_path(self) -> Path | None:
        """The draft's file, where the pair has one."""
        return _PACKAGE / self.draft if self.draft else None

    @property
    def cost(self) -> str:
        """What loading it fetches, in words."""
        if self.embedded:
            return "in the package"
        return "on this machine" if self.path.is_file() else f"{self.bytes / 1e6:,.0f} MB to fetch"

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Where its file is fetched: first the user's own copy, where VQCLIP_MIRROR names one."""
        own = [url for name, url in _own_mirrors() if name == self.name]
        return (*own, *self.urls)


def entry(kind: str, name: str) -> Entry | None:
    """The model of that name, or None."""
    found = _TABLE[kind].get(name)
    if found is None:
        return None
    found = {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}
    if layout := found.get("layout"):
        found["config"] = _TABLE["architectures"][layout] | {"n_embed": found["codes"]}
    return Entry(kind, name, **found)


def entries(kind: str) -> Iterator[Entry]:
    """All generators ("vqgan") or critics ("clip"), the embedded ones first."""
    for name in _TABLE[kind]:
        yield entry(kind, name)


def table() -> list[dict[str, str]]:
    """A row for each model: what it is, whether it is here, what it costs to fetch."""
    return [
        {
            "name": each.name,
            "kind": {"vqgan": "generator", "clip": "critic"}[each.kind],
            "cost": each.cost,
            "memory": each.memory,
            "checksum": "known" if each.sha256 or each.embedded else "recorded at first use",
            "figures": each.figures,
            "licence": each.licence,
        }
        for kind in _TABLE
        if kind != "architectures"
        for each in entries(kind)
    ]


def cache_folder() -> Path:
    """Where official models are kept: VQCLIP_CACHE, or where this platform keeps caches.

    On Colab, `os.environ["VQCLIP_CACHE"] = str(vq.drive_folder("models"))` keeps them in Google
    Drive, so that tomorrow's session fetches nothing.
    """
    chosen = os.environ.get("VQCLIP_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("vqclip_nb")


def is_offline(asked: bool) -> bool:
    """Whether nothing may be fetched: asked for, or by HF_HUB_OFFLINE."""
    return asked or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def ready(
    model: Entry, offline: bool, needed: Callable[[Path], dict[str, Tensor]]
) -> tuple[Path, str]:
    """An official model's file on this machine and its checksum; it is fetched if need be.

    needed: reads from the fetched file what is kept of it, and refuses what it cannot use

    The checksum is that of the published file. Raises FetchError or WeightsError.
    """
    if model.path.is_file():
        return model.path, _made_from(model.path)
    original = model.path.with_suffix(".ckpt" if model.kind == "vqgan" else ".pt")
    if is_offline(offline) and not original.is_file():
        raise FetchError(
            f"{model.name} is not in {cache_folder()} and nothing may be fetched (offline): "
            f"load it once with a network, or put its file at {original} by hand."
        )
    by_hand = original.is_file()
    room = min(model.bytes, 1_500_000_000)  # what is kept is a part of the file
    checksum = fetch(Download(original, model.mirrors, model.sha256, model.bytes, room))
    _keep(model.path, needed(original), checksum)
    if not by_hand:
        with suppress(OSError):  # it is only in the way
            original.unlink()
    return model.path, checksum


def _keep(path: Path, tensors: dict[str, Tensor], checksum: str) -> None:
    part = path.with_name(path.name + ".part")
    own = {name: tensor.clone() for name, tensor in tensors.items()}  # some share their storage
    try:
        save_file(own, part, metadata={"made_from": checksum})
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FetchError(
            f"{path} could not be written ({error.strerror}): make room, or set VQCLIP_CACHE to "
            "another folder."
        ) from error


def _made_from(path: Path) -> str:
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get("made_from", "")


def _own_mirrors() -> Iterator[tuple[str, str]]:
    """Pairs name=url of VQCLIP_MIRROR, between spaces; a bare Google Drive id is a url too."""
    for pair in os.environ.get("VQCLIP_MIRROR", "").split():
        name, _, url = pair.partition("=")
        if not url or all(entry(kind, name) is None for kind in ("vqgan", "clip")):
            raise ValueError(
                f"VQCLIP_MIRROR has {pair!r}: allowed is NAME=URL, with a name that "
                "`vqclip models` lists."
            )
        yield name, url if "://" in url else _DRIVE + url
