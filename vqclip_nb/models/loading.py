"""The pair: load a generator and its critics by name or by path."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vqclip_nb.models.checkpoints import (
    load_network,
    load_perceptor,
    network_of,
    perceptor_of,
    vqgan_tensors,
)
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.download import sha256_of
from vqclip_nb.models.draft import Draft
from vqclip_nb.models.half_precision import pick_precision
from vqclip_nb.models.open_clip import PREFIX, check_name, load_open_clip
from vqclip_nb.models.registry import Entry, entries, entry, ready
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.models.vqgan import VQGAN, Network
from vqclip_nb.settings import Settings


@dataclass
class Models:
    """A generator and its critics on one device.

    name, clip: what they were loaded by, as `Settings` has them
    precision: what was asked for, as `Settings` has it
    draft: what paints the thumbnail that a run is pulled to, where the pair has it
    checksums: sha256 of each file that was loaded, by its name
    """

    name: str
    clip: tuple[str, ...]
    vqgan: VQGAN
    perceptors: list[Perceptor]
    device: torch.device
    precision: str = "auto"
    draft: Draft | None = None
    checksums: dict[str, str] = field(default_factory=dict)

    def fit(self, settings: Settings) -> bool:
        """Whether they are what the settings name."""
        here = self.name, self.clip, self.device, self.precision
        asked = settings.models, settings.clip, pick_device(settings.device), settings.precision
        return here == asked

    def free(self) -> None:
        """Let go of the weights and give the GPU's memory back; the pair cannot be used again."""
        self.vqgan, self.perceptors, self.draft = None, [], None
        release_memory()


def load_models(
    name: str = "tiny",
    *,
    clip: str | Sequence[str] = (),
    device: str = "auto",
    precision: str = "auto",
    offline: bool = False,
) -> Models:
    """Load a generator and its critics, frozen; official ones are fetched if need be.

    name: a registered generator; or the path of a `.ckpt`, `.pt` or `.safetensors` file beside
        which its yaml stands; or the folder of a pair that `vqclip_nb.train` has written
    clip: registered critics, paths of a CLIP state dict or TorchScript archive, or open_clip's
        (`open_clip:MODEL/WEIGHTS`); empty takes the generator's own, or the embedded one
    device: auto (cuda, else mps, else cpu), cpu, cuda or mps
    precision: auto (on a GPU bf16, or fp16 where it has no bf16; else fp32), fp32, bf16 or fp16
    offline: fetch nothing; so does the environment's HF_HUB_OFFLINE=1

    Raises ValueError (WeightsError where a file is not what it should be) or FetchError.
    """
    where = pick_device(device)
    dtype = pick_precision(precision, where)
    generator, critics, drawn_by = _sources(name, clip)
    named, sums = (clip,) if isinstance(clip, str) else tuple(clip), {}
    network = _loaded_network(generator, offline, sums)
    vqgan = VQGAN(network.to(where)).use(dtype)
    perceptors = [_loaded_critic(critic, offline, sums).to(where).use(dtype) for critic in critics]
    draft = None
    if drawn_by:
        draft = Draft.from_state(read_tensors(drawn_by)).to(where)
        sums[drawn_by.name] = sha256_of(drawn_by)
    return Models(name, named, vqgan, perceptors, where, precision, draft, sums)


def load_for(settings: Settings, *, offline: bool = False) -> Models:
    """What the settings name, loaded; raises as `load_models` does."""
    named = {name: getattr(settings, name) for name in ("clip", "device", "precision")}
    return load_models(settings.models, **named, offline=offline)


def load_latents(source: str, models: Models) -> Tensor | None:
    """The latents [N, C, h, w] of another run: of its folder, or of a `.safetensors` file in it.

    None if `source` is neither, e.g. an image. Raises ValueError if it has no latents of `models`.
    """
    path = Path(source).expanduser()
    if source and path.is_dir():
        path = path / "state.safetensors"
    if path.suffix != ".safetensors":
        return None
    if not path.is_file():
        raise ValueError(f"init_image is {str(path)!r}: there is no such file.")
    z = read_tensors(path).get("z")
    channels = models.vqgan.codebook.shape[1]
    if z is None or z.ndim != 4 or z.shape[1] != channels:
        raise ValueError(
            f"{path} holds no latents of {models.name}, which have {channels} channels."
        )
    return z


def check_names(name: str, clip: str | Sequence[str] = ()) -> None:
    """Raise ValueError where there is no such generator or critic; loads and fetches nothing."""
    _sources(name, clip)


def registered(kind: str) -> list[str]:
    """Names of the generators ("vqgan") or the critics ("clip") that can be loaded by name."""
    return [each.name for each in entries(kind)]


def is_embedded(name: str) -> bool:
    """Whether the package itself carries this generator."""
    found = entry("vqgan", name)
    return found is not None and found.embedded


def pick_device(name: str) -> torch.device:
    """The device for a setting; raises ValueError where it is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available()}
    there["mps"] = torch.backends.mps.is_available()
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there.get(name):
        found = ", ".join(device for device, yes in there.items() if yes)
        raise ValueError(f"device is {name!r}, which this machine lacks: allowed is auto, {found}.")
    return torch.device(name)


def release_memory() -> None:
    """Collect what nobody holds and give cached GPU memory back to the system."""
    gc.collect()
    if torch.cuda.is_available() and not torch.cuda.is_current_stream_capturing():
        torch.cuda.empty_cache()


_Source = Entry | Path | str  # a name of open_clip's


def _sources(name: str, clip: str | Sequence[str]) -> tuple[_Source, list[_Source], Path | None]:
    """Where the generator, its critics and its draft come from."""
    asked = [clip] if isinstance(clip, str) else list(clip)
    folder = Path(name).expanduser()
    if entry("vqgan", name) is None and (folder / "vqgan.safetensors").is_file():
        own, drawn_by = folder / "clip.safetensors", folder / "draft.safetensors"
        critics = [_source("clip", each, "clip") for each in asked]
        critics = critics or [own if own.is_file() else entry("clip", "tiny")]
        return folder / "vqgan.safetensors", critics, drawn_by if drawn_by.is_file() else None
    generator = _source("models", name, "vqgan")
    usual = generator.clip if isinstance(generator, Entry) else ("tiny",)
    critics = [_source("clip", each, "clip") for each in asked or usual]
    return generator, critics, generator.draft_path if isinstance(generator, Entry) else None


def _source(setting: str, name: str, kind: str) -> _Source:
    found = entry(kind, name)
    if found is not None:
        return found
    if kind == "clip" and name.startswith(PREFIX):
        check_name(name)
        return name
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = ", ".join(registered(kind))
    raise ValueError(
        f"{setting} is {name!r}: allowed is {known}, or the path of a checkpoint that exists."
    )


def _loaded_network(source: _Source, offline: bool, sums: dict[str, str]) -> Network:
    """The generator's parts; notes the checksum of their file."""
    if isinstance(source, Path) or source.embedded:
        file = source if isinstance(source, Path) else source.path
        sums[file.name] = sha256_of(file)
        return load_network(file)

    def needed(original: Path) -> dict[str, Tensor]:
        return network_of(source.config, vqgan_tensors(original), original).state_dict()

    file, sums[source.name] = ready(source, offline, needed)
    return network_of(source.config, read_tensors(file), file, checked=True)


def _loaded_critic(source: _Source, offline: bool, sums: dict[str, str]) -> Perceptor:
    """A critic; notes the checksum of its file."""
    if isinstance(source, str):
        return load_open_clip(source, offline)
    if isinstance(source, Path) or source.embedded:
        file = source if isinstance(source, Path) else source.path
        sums[file.name] = sha256_of(file)
        return load_perceptor(file)

    def needed(original: Path) -> dict[str, Tensor]:
        state = read_tensors(original)
        perceptor_of(source.name, state, original)
        return state

    file, sums[source.name] = ready(source, offline, needed)
    return perceptor_of(source.name, read_tensors(file), file, checked=True)
