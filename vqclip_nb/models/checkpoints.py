"""A VQGAN and a CLIP from files of strangers: what is used of them, and what is refused.

Loading is strict: every weight that the architecture has must be there, of its shape and finite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.safe_load import WeightsError, read_tensors, read_yaml
from vqclip_nb.models.vqgan import Network

_KEPT = ("encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv.")
_DISCRIMINATOR = "loss.discriminator."
_FIRST_STAGE = "first_stage_model."  # of a transformer's checkpoint
_TARGETS = ("VQModel", "GumbelVQ")


def load_network(file: Path) -> Network:
    """A VQGAN's parts from its weights and the yaml beside them.

    Raises WeightsError where the files are not what they should be or do not fit each other.
    """
    return network_of(_vqgan_config(file), vqgan_tensors(file), file)


def vqgan_tensors(file: Path) -> dict[str, Tensor]:
    """What painting needs, also from inside a transformer's checkpoint, under a VQGAN's names."""

    def wanted(name: str) -> bool:
        return name.removeprefix(_FIRST_STAGE).startswith((*_KEPT, _DISCRIMINATOR))

    return {k.removeprefix(_FIRST_STAGE): v for k, v in read_tensors(file, wanted).items()}


def network_of(
    config: dict, tensors: dict[str, Tensor], file: Path, *, checked: bool = False
) -> Network:
    """The parts with these weights; file: where they are from.

    checked: whether the numbers are known to be finite
    """
    state = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    discriminator = _discriminator_of(state)
    if discriminator:
        config = config | {"lossconfig": {"params": discriminator}}
    gumbel = "quantize.embed.weight" in state
    try:
        with torch.device("meta"):  # without numbers, which would be thrown away
            network = Network(config, discriminator=bool(discriminator), gumbel=gumbel)
    except (ValueError, RuntimeError, ArithmeticError, IndexError) as error:
        raise WeightsError(f"{file} describes no VQGAN that can be built: {error}.") from error
    _fill(network, state, file)
    if not checked:
        _want_finite(state, file)
    return network


def _discriminator_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """The discriminator's shape, read off its weights; empty where there is none.

    The published yaml files do not say it in one place, and those of a transformer not at all.
    """
    own = {k: v for k, v in state.items() if k.startswith(_DISCRIMINATOR)}
    kernels = [v for k, v in own.items() if k.endswith(".weight") and v.dim() == 4]
    first = own.get(f"{_DISCRIMINATOR}main.0.weight")
    if first is None or first.dim() != 4:
        return {}
    return {
        "disc_in_channels": first.shape[1],
        "disc_ndf": first.shape[0],
        "disc_num_layers": len(kernels) - 2,
        "use_actnorm": any(k.endswith(".loc") for k in own),
    }


def _vqgan_config(file: Path) -> dict[str, Any]:
    described = [file.with_suffix(suffix) for suffix in (".yaml", ".yml")]
    found = next((path for path in described if path.is_file()), None)
    if found is None:
        raise WeightsError(f"{file} has no yaml beside it: put {described[0].name} next to it.")
    model = _dict(read_yaml(found), "model")
    if _kind(model) == "Net2NetTransformer":
        model = _dict(_dict(model, "params"), "first_stage_config")
    if _kind(model) not in _TARGETS or "params" not in model:
        raise WeightsError(
            f"{found} describes {str(model.get('target', 'nothing'))!r}: allowed is a "
            f"{' or a '.join(_TARGETS)}, or a Net2NetTransformer whose first stage is one."
        )
    return _sane(_dict(model, "params"), found)


def _kind(model: dict) -> str:
    """The last part of a yaml's `target`, which is compared and never imported."""
    return str(model.get("target", "")).rsplit(".", 1)[-1]


def _dict(tree: dict, key: str) -> dict:
    return tree[key] if isinstance(tree.get(key), dict) else {}


_LIMITS = {"z_channels": 4096, "resolution": 8192, "in_channels": 64, "out_ch": 64, "ch": 1024}
_LIMITS |= {"num_res_blocks": 16, "norm_groups": 1024}


def _sane(params: dict[str, Any], file: Path) -> dict[str, Any]:
    """What of a stranger's description is used; refused where a value is missing or absurd."""
    shape = _dict(params, "ddconfig")
    numbers = {f"ddconfig.{k}": (shape.get(k), most) for k, most in _LIMITS.items()}
    if "norm_groups" not in shape:
        del numbers["ddconfig.norm_groups"]
    numbers |= {"embed_dim": (params.get("embed_dim"), 4096)}
    numbers |= {"n_embed": (params.get("n_embed"), 2**20)}
    for name, most in (("ch_mult", 8), ("attn_resolutions", 8)):
        values = shape.get(name)
        if not isinstance(values, list) or len(values) > most:
            raise WeightsError(f"{file}: ddconfig.{name} is {values!r}, allowed is a short list.")
        numbers |= {f"ddconfig.{name}[{i}]": (value, 8192) for i, value in enumerate(values)}
    for name, (value, most) in numbers.items():
        if type(value) is not int or not 1 <= value <= most:
            raise WeightsError(f"{file}: {name} is {value!r}, allowed is 1 to {most}.")
    used = {k: shape[k] for k in ("ch_mult", "attn_resolutions", *_LIMITS) if k in shape}
    used |= {"double_z": False, "dropout": 0.0}
    return {"embed_dim": params["embed_dim"], "n_embed": params["n_embed"], "ddconfig": used}


def _fill(network: torch.nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load strictly but for batch norm's step counters; say what does not fit."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=torch.long))
        elif name not in state:
            raise WeightsError(f"{file} lacks {name}: it does not fit its yaml.")
        elif state[name].shape != tensor.shape:
            shapes = f"{tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
            raise WeightsError(f"{file} has {name} of shape {shapes}: it does not fit its yaml.")
    network.load_state_dict({name: state[name] for name in expected}, assign=True)


def _want_finite(state: dict[str, Tensor], file: Path) -> None:
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{file} has numbers in {name} that are not finite: it is broken.")


def load_perceptor(file: Path) -> Perceptor:
    """A critic from its weights and, where there is one, the list of its words beside them."""
    words = file.with_suffix(".words.json")
    known = json.loads(words.read_text(encoding="utf-8")) if words.is_file() else None
    return perceptor_of(file.stem, read_tensors(file), file, words=known)


def perceptor_of(
    name: str,
    state: dict[str, Tensor],
    file: Path,
    *,
    words: list[str] | None = None,
    checked: bool = False,
) -> Perceptor:
    """The critic with these weights under OpenAI's names; file: where they are from.

    checked: whether the numbers are known to be finite
    """
    if not checked:
        _want_finite(state, file)
    try:
        return Perceptor.from_state(name, state, words)
    except (KeyError, IndexError, RuntimeError, AssertionError, ValueError, ArithmeticError) as e:
        raise WeightsError(f"{file} is no CLIP checkpoint: {e}.") from e
