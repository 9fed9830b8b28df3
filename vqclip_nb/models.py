"""The pair: load a generator and its critics by name or by path."""

from __future__ import annotations

import gc
import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from vqclip_nb.draft import Draft
from vqclip_nb.perceptor import Perceptor
from vqclip_nb.vqgan import VQGAN, Network
from vqclip_nb.weights import WeightsError, read_tensors, read_yaml

_PACKAGE = Path(__file__).parent
_REGISTRY = tomllib.loads((_PACKAGE / "registry.toml").read_text(encoding="utf-8"))


@dataclass
class Models:
    """A generator and its critics on one device.

    name, clip: what they were loaded by, as `Settings` has them
    draft: what paints the thumbnail that a run is pulled to, where the pair has it
    checksums: sha256 of each file that was loaded, by its name
    """

    name: str
    clip: tuple[str, ...]
    vqgan: VQGAN
    perceptors: list[Perceptor]
    device: torch.device
    draft: Draft | None = None
    checksums: dict[str, str] = field(default_factory=dict)

    def free(self) -> None:
        """Let go of the weights and give the GPU's memory back; the pair cannot be used again."""
        self.vqgan, self.perceptors, self.draft = None, [], None
        release_memory()


def load_models(
    name: str = "tiny", *, clip: str | Sequence[str] = (), device: str = "auto"
) -> Models:
    """Load a generator and its critics, frozen, in fp32.

    name: a registered generator, or the path of a `.ckpt`, `.pt` or `.safetensors` file beside
        which its yaml stands
    clip: registered critics, or paths of a CLIP state dict or TorchScript archive; empty takes the
        generator's own, or the embedded one
    device: auto (cuda, else mps, else cpu), cpu, cuda or mps
    """
    where = pick_device(device)
    files = find_files(name, clip)
    vqgan = VQGAN(load_network(files[0]).to(where))
    critics = [load_perceptor(file).to(where) for file in files[1:]]
    draft = None
    if drawn_by := _REGISTRY["vqgan"].get(name, {}).get("draft"):
        files.append(_PACKAGE / drawn_by)
        draft = Draft.from_state(read_tensors(files[-1])).to(where)
    named = (clip,) if isinstance(clip, str) else tuple(clip)
    sums = {file.name: _sha256(file) for file in files}
    return Models(name, named, vqgan, critics, where, draft, sums)


def find_files(name: str, clip: str | Sequence[str] = ()) -> list[Path]:
    """The generator's file and then each critic's; raises before anything is loaded."""
    critics = [clip] if isinstance(clip, str) else list(clip)
    return [
        _find("models", name, "vqgan"),
        *(_find("clip", critic, "clip") for critic in critics or ["tiny"]),
    ]


def registered(kind: str) -> list[str]:
    """Names of the generators ("vqgan") or the critics ("clip") that can be loaded by name."""
    return sorted(_REGISTRY[kind])


def is_embedded(name: str) -> bool:
    """Whether the package itself carries this generator."""
    return "file" in _REGISTRY["vqgan"].get(name, {})


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
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _find(setting: str, name: str, kind: str) -> Path:
    entry = _REGISTRY[kind].get(name)
    if entry is not None:
        return _PACKAGE / entry["file"]
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = ", ".join(_REGISTRY[kind])
    raise ValueError(
        f"{setting} is {name!r}: allowed is {known}, or the path of a checkpoint that exists."
    )


def load_network(file: Path) -> Network:
    """A VQGAN's parts from its weights and the yaml beside them.

    Raises WeightsError where the files are not what they should be or do not fit each other.
    """
    config = _vqgan_config(file)
    tensors = read_tensors(file)
    kept = ("encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv.")
    critic = "loss.discriminator."
    state = {k: v.float() for k, v in tensors.items() if k.startswith((*kept, critic))}
    network = Network(config, discriminator=any(k.startswith(critic) for k in state))
    _fill(network, state, file)
    return network


def _vqgan_config(file: Path) -> dict:
    described = [file.with_suffix(suffix) for suffix in (".yaml", ".yml")]
    found = next((path for path in described if path.is_file()), None)
    if found is None:
        raise WeightsError(f"{file} has no yaml beside it: put {described[0].name} next to it.")
    model = read_yaml(found).get("model", {})
    target = str(model.get("target", ""))
    if target.rsplit(".", 1)[-1] != "VQModel" or "params" not in model:
        raise WeightsError(f"{found} describes {target or 'no model'!r}: allowed is a VQModel.")
    return model["params"]


def _fill(network: torch.nn.Module, state: dict, file: Path) -> None:
    """Load strictly but for batch norm's step counters; say what does not fit."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, tensor)
        elif name not in state:
            raise WeightsError(f"{file} lacks {name}: it does not fit its yaml.")
        elif state[name].shape != tensor.shape:
            shapes = f"{tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
            raise WeightsError(f"{file} has {name} of shape {shapes}: it does not fit its yaml.")
    network.load_state_dict({name: state[name] for name in expected})


def load_perceptor(file: Path) -> Perceptor:
    """A critic from its weights and, where there is one, the list of its words beside them."""
    words = file.with_suffix(".words.json")
    known = json.loads(words.read_text(encoding="utf-8")) if words.is_file() else None
    try:
        return Perceptor.from_state(file.stem, read_tensors(file), known)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"{file} is no CLIP checkpoint: {error}.") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
