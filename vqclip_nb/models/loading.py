"""Load a VQGAN and its CLIPs, by name or by path."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vqclip_nb.models.checkpoints import (
    build_network,
    build_perceptor,
    checkpoint_in,
    load_network,
    load_perceptor,
    vqgan_tensors,
)
from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.download import sha256_of
from vqclip_nb.models.draft.stored import Draft, load_draft
from vqclip_nb.models.half_precision import pick_precision
from vqclip_nb.models.open_clip import (
    PREFIX,
    check_name,
    check_packages,
    load_open_clip,
    load_registered,
)
from vqclip_nb.models.registry import (
    RegisteredModel,
    ensure_cached,
    find_model,
    registered_models,
)
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.models.vqgan import VQGAN, Network
from vqclip_nb.settings import Settings
from vqclip_nb.untrusted.text import shown


@dataclass
class Models:
    """A VQGAN and its CLIPs on one device.

    name, clip, precision, config: the arguments of `load_models`, as in `Settings`
    draft: memory of drawings and places, from which the draft of a run is made, or None
    checksums: SHA-256 of each loaded file, by file or model name
    """

    name: str
    clip: tuple[str, ...]
    vqgan: VQGAN
    perceptors: list[Perceptor]
    device: torch.device
    precision: str = "auto"
    draft: Draft | None = None
    checksums: dict[str, str] = field(default_factory=dict)
    config: str = ""

    def fit(self, settings: Settings) -> bool:
        """Whether these are the models, device and precision of the settings."""
        here = self.name, self.clip, self.config, self.device, self.precision
        asked = settings.models, settings.clip, settings.config
        return here == (*asked, pick_device(settings.device), settings.precision)

    def free(self) -> None:
        """Release the weights and the GPU memory; the models cannot be used afterwards."""
        self.vqgan, self.perceptors, self.draft = None, [], None
        release_memory()


def load_models(
    name: str = "tiny",
    *,
    clip: str | Sequence[str] = (),
    config: str = "",
    device: str = "auto",
    precision: str = "auto",
    offline: bool = False,
) -> Models:
    """Load a VQGAN and its CLIPs, frozen; official models are downloaded if they are not cached.

    name: a registered VQGAN; or the path of a `.ckpt`, `.pt` or `.safetensors` file; or a folder
        written by `vqclip_nb.train` or by taming's training
    clip: registered CLIPs, paths of CLIP state dicts or TorchScript archives, or models of
        open_clip (`open_clip:MODEL/WEIGHTS`); if empty, the CLIP that the VQGAN is registered with,
        or the embedded one
    config: the path of the yaml of a checkpoint that is given by path; by default the yaml of the
        same name beside it, or the one in `../configs`
    device: auto (cuda, else mps, else cpu), cpu, cuda, cuda:1 or mps
    precision: auto (on a GPU bf16 if it is supported natively, else fp16; fp32 elsewhere), fp32,
        bf16 or fp16
    offline: forbid downloads, as the environment variable HF_HUB_OFFLINE=1 does

    Raises ValueError (WeightsError for an invalid file) or FetchError.
    """
    where = pick_device(device)
    dtype = pick_precision(precision, where)
    generator, clips, draft_file = _sources(name, clip, config)
    named, sums = (clip,) if isinstance(clip, str) else tuple(clip), {}
    network = _load_network(generator, config, offline, sums)
    vqgan = VQGAN(network.to(where)).use(dtype)
    perceptors = [_load_perceptor(source, offline, sums).to(where).use(dtype) for source in clips]
    draft = None
    if draft_file:
        draft = load_draft(draft_file, len(vqgan.codebook))
        for file in (draft_file, draft_file.with_suffix(".json")):
            sums[file.name] = sha256_of(file)
    return Models(name, named, vqgan, perceptors, where, precision, draft, sums, config)


def load_for(settings: Settings, *, offline: bool = False) -> Models:
    """Load the models that the settings name; raises as `load_models` and `check_confirmed` do."""
    check_confirmed(settings)
    found = find_model("vqgan", settings.models)
    if settings.gan_weight and found is not None and not found.discriminator:
        raise ValueError(no_discriminator(settings.gan_weight, settings.models))
    named = {name: getattr(settings, name) for name in ("clip", "config", "device", "precision")}
    return load_models(settings.models, **named, offline=offline)


def check_confirmed(settings: Settings) -> None:
    """Raise ValueError if settings from a file would read what the person has not confirmed."""
    if unconfirmed := to_confirm(settings):
        raise ValueError(
            f"The settings come from a file and would read {', '.join(map(shown, unconfirmed))}: "
            "if you trust that, use settings.confirmed()."
        )


def to_confirm(settings: Settings) -> list[str]:
    """What settings from a file would read and the person has not confirmed.

    Models that are registered may be loaded: their addresses are those of this package.
    """
    known = {*registered("vqgan"), *registered("clip")}
    return [source for source in settings.unconfirmed if source not in known]


def no_discriminator(gan_weight: float, models: str) -> str:
    """What to tell a person who asks a discriminator that the models lack."""
    return f"gan_weight is {gan_weight:g}, but {models} has no discriminator: set gan_weight to 0."


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


def check_names(name: str, clip: str | Sequence[str] = (), config: str = "") -> None:
    """Raise ValueError if there is no such VQGAN, CLIP or yaml; loads and downloads nothing."""
    _sources(name, clip, config)


def registered(kind: str) -> list[str]:
    """Names of the registered models of a kind, "vqgan" or "clip"."""
    return [model.name for model in registered_models(kind)]


def is_embedded(name: str) -> bool:
    """Whether the package contains this VQGAN."""
    found = find_model("vqgan", name)
    return found is not None and found.embedded


def pick_device(name: str) -> torch.device:
    """The device for auto, cpu, cuda, cuda:1 or mps; raises ValueError if the machine lacks it."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = {"cuda": gpus > 0, "mps": torch.backends.mps.is_available(), "cpu": True}
    found = [device for device, yes in there.items() if yes]
    found += [f"cuda:{number}" for number in range(gpus)]
    if name == "auto":
        name = found[0]
    if name not in found:
        raise ValueError(
            f"device is {name!r}, which this machine lacks: allowed is auto, {', '.join(found)}."
        )
    return torch.device(name)


def release_memory() -> None:
    """Collect garbage and return cached GPU memory to the system."""
    gc.collect()
    if torch.cuda.is_available() and not torch.cuda.is_current_stream_capturing():
        torch.cuda.empty_cache()


_Source = RegisteredModel | Path | str  # str: a model of open_clip


def _sources(
    name: str, clip: str | Sequence[str], config: str
) -> tuple[_Source, list[_Source], Path | None]:
    """The sources of the VQGAN, of its CLIPs and of its draft."""
    if config and find_model("vqgan", name) is not None:
        raise ValueError(f"config describes a checkpoint that is given by path, not {name}.")
    if config and not Path(config).expanduser().is_file():
        raise ValueError(f"config is {config!r}: give the path of an existing yaml.")
    asked = [clip] if isinstance(clip, str) else list(clip)
    folder = Path(name).expanduser()
    if find_model("vqgan", name) is None and (folder / "vqgan.safetensors").is_file():
        own, draft_file = folder / "clip.safetensors", folder / "draft.safetensors"
        clips = [_source("clip", each, "clip") for each in asked]
        clips = clips or [own if own.is_file() else find_model("clip", "tiny")]
        return folder / "vqgan.safetensors", clips, draft_file if draft_file.is_file() else None
    generator = _source("models", name, "vqgan")
    is_registered = isinstance(generator, RegisteredModel)
    default = generator.clip if is_registered else ("tiny",)
    clips = [_source("clip", each, "clip") for each in asked or default]
    return generator, clips, generator.draft_path if is_registered else None


def _source(setting: str, name: str, kind: str) -> _Source:
    found = find_model(kind, name)
    if found is not None:
        if found.open_clip:
            check_packages(found)
        return found
    if kind == "clip" and name.startswith(PREFIX):
        check_name(name)
        return name
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if kind == "vqgan" and path.is_dir():
        return checkpoint_in(path)
    known = ", ".join(registered(kind))
    raise ValueError(
        f"{setting} is {shown(name)}: allowed is {known}, or the path of an existing checkpoint."
    )


def _load_network(source: _Source, config: str, offline: bool, sums: dict[str, str]) -> Network:
    """Load a VQGAN and store the checksum of its file in `sums`."""
    if isinstance(source, Path) or source.embedded:
        file = source if isinstance(source, Path) else source.path
        sums[file.name] = sha256_of(file)
        return load_network(file, Path(config).expanduser() if config else None)

    def needed(original: Path) -> dict[str, Tensor]:
        return build_network(source.config, vqgan_tensors(original), original).state_dict()

    file, sums[source.name] = ensure_cached(source, offline, needed)
    return build_network(source.config, read_tensors(file), file, checked=True)


def _load_perceptor(source: _Source, offline: bool, sums: dict[str, str]) -> Perceptor:
    """Load a CLIP and store the checksum of its file in `sums`."""
    if isinstance(source, str):
        return load_open_clip(source, offline)
    if isinstance(source, Path) or source.embedded:
        file = source if isinstance(source, Path) else source.path
        sums[file.name] = sha256_of(file)
        return load_perceptor(file)
    if source.open_clip:
        perceptor, sums[source.name] = load_registered(source, offline)
        return perceptor

    def needed(original: Path) -> dict[str, Tensor]:
        state = read_tensors(original)
        build_perceptor(source.name, state, original)
        return state

    file, sums[source.name] = ensure_cached(source, offline, needed)
    return build_perceptor(source.name, read_tensors(file), file, checked=True)
