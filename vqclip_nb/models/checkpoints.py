"""Build a VQGAN and a CLIP from untrusted files, and validate them.

Loading is strict: every weight of the architecture must be present, finite and of the right shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.safe_load import WeightsError, read_tensors, read_yaml
from vqclip_nb.models.vqgan import Network
from vqclip_nb.models.words import Words

_KEPT = ("encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv.")
_DISCRIMINATOR = "loss.discriminator."
_FIRST_STAGE = "first_stage_model."  # prefix in a transformer checkpoint
_TARGETS = ("VQModel", "GumbelVQ")


def load_network(file: Path) -> Network:
    """Load a VQGAN from a checkpoint and the yaml beside it.

    Raises WeightsError if either file is invalid or if they do not match.
    """
    return build_network(_vqgan_config(file), vqgan_tensors(file), file)


def vqgan_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors that painting needs, also from the first stage of a transformer."""

    def wanted(name: str) -> bool:
        return name.removeprefix(_FIRST_STAGE).startswith((*_KEPT, _DISCRIMINATOR))

    return {k.removeprefix(_FIRST_STAGE): v for k, v in read_tensors(file, wanted).items()}


def build_network(
    config: dict, tensors: dict[str, Tensor], file: Path, *, checked: bool = False
) -> Network:
    """Build a VQGAN with the given weights.

    config: the `model.params` of a taming yaml; file: named in errors
    checked: skip the check for non-finite values
    """
    state = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    discriminator = _discriminator_of(state)
    if discriminator:
        config = config | {"lossconfig": {"params": discriminator}}
    gumbel = "quantize.embed.weight" in state
    try:
        with torch.device("meta"):  # skip the initialisation, which would be overwritten
            network = Network(config, discriminator=bool(discriminator), gumbel=gumbel)
    except (ValueError, RuntimeError, ArithmeticError, IndexError) as error:
        raise WeightsError(
            f"The yaml of {file} describes a VQGAN that cannot be built: {error}."
        ) from error
    _load_state(network, state, file)
    if not checked:
        _check_finite(state, file)
    return network


def _discriminator_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """Infer the discriminator's arguments from its weights; empty if the file has none.

    The published yaml files put them in different places, and those of transformers omit them.
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
    candidates = [file.with_suffix(suffix) for suffix in (".yaml", ".yml")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise WeightsError(f"{file} has no yaml beside it: put {candidates[0].name} next to it.")
    model = _dict(read_yaml(found), "model")
    if _kind(model) == "Net2NetTransformer":
        model = _dict(_dict(model, "params"), "first_stage_config")
    if _kind(model) not in _TARGETS or "params" not in model:
        raise WeightsError(
            f"{found} describes {str(model.get('target', 'nothing'))!r}: allowed are "
            f"{', '.join(_TARGETS)} and a Net2NetTransformer whose first stage is one of them."
        )
    return _validated(_dict(model, "params"), found)


def _kind(model: dict) -> str:
    """The class name in a yaml's `target`; it is compared, never imported."""
    return str(model.get("target", "")).rsplit(".", 1)[-1]


def _dict(tree: dict, key: str) -> dict:
    return tree[key] if isinstance(tree.get(key), dict) else {}


_LIMITS = {"z_channels": 4096, "resolution": 8192, "in_channels": 64, "out_ch": 64, "ch": 1024}
_LIMITS |= {"num_res_blocks": 16, "norm_groups": 1024}


def _validated(params: dict[str, Any], file: Path) -> dict[str, Any]:
    """The fields that are used; raises WeightsError if one is missing or out of range."""
    shape = _dict(params, "ddconfig")
    numbers = {f"ddconfig.{k}": (shape.get(k), most) for k, most in _LIMITS.items()}
    if "norm_groups" not in shape:
        del numbers["ddconfig.norm_groups"]
    numbers |= {"embed_dim": (params.get("embed_dim"), 4096)}
    numbers |= {"n_embed": (params.get("n_embed"), 2**20)}
    for name, most in (("ch_mult", 8), ("attn_resolutions", 8)):
        values = shape.get(name)
        if not isinstance(values, list) or len(values) > most:
            raise WeightsError(
                f"{file}: ddconfig.{name} is {values!r}, allowed is a list of at most {most} items."
            )
        numbers |= {f"ddconfig.{name}[{i}]": (value, 8192) for i, value in enumerate(values)}
    for name, (value, most) in numbers.items():
        if type(value) is not int or not 1 <= value <= most:
            raise WeightsError(f"{file}: {name} is {value!r}, allowed is 1 to {most}.")
    used = {k: shape[k] for k in ("ch_mult", "attn_resolutions", *_LIMITS) if k in shape}
    used |= {"double_z": False, "dropout": 0.0}
    return {"embed_dim": params["embed_dim"], "n_embed": params["n_embed"], "ddconfig": used}


def _load_state(network: torch.nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load strictly, except for batch norm's step counters; raises WeightsError on a mismatch."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=torch.long))
        elif name not in state:
            raise WeightsError(f"{file} lacks {name}: it does not match its yaml.")
        elif state[name].shape != tensor.shape:
            shapes = f"{tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
            raise WeightsError(f"{file} has {name} of shape {shapes}: it does not match its yaml.")
    network.load_state_dict({name: state[name] for name in expected}, assign=True)


def _check_finite(state: dict[str, Tensor], file: Path) -> None:
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{file} has non-finite values in {name}: get another copy of it.")


def load_perceptor(file: Path) -> Perceptor:
    """Load a CLIP from its weights and, if present, the `words.json` beside them."""
    table = file.with_name("words.json")
    words = Words.load(table) if table.is_file() else None
    return build_perceptor(file.stem, read_tensors(file), file, words=words)


def build_perceptor(
    name: str,
    state: dict[str, Tensor],
    file: Path,
    *,
    words: Words | None = None,
    checked: bool = False,
) -> Perceptor:
    """Build a CLIP with the given weights, under OpenAI's key names; file: named in errors.

    words: the words of its training captions and what is near to them, if known
    checked: skip the check for non-finite values
    """
    if not checked:
        _check_finite(state, file)
    try:
        return Perceptor.from_state(name, state, words)
    except (KeyError, IndexError, RuntimeError, AssertionError, ValueError, ArithmeticError) as e:
        raise WeightsError(f"{file} is not a CLIP checkpoint: {e}.") from e
