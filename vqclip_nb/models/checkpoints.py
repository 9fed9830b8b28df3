"""Build a VQGAN and a CLIP from untrusted files, and validate them.

Loading is strict: every weight of the architecture must be present, finite and of the right shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vqclip_nb.models.clip_model import Perceptor
from vqclip_nb.models.key_maps import taming_names
from vqclip_nb.models.safe_load import WeightsError, check_floats, read_tensors, read_yaml
from vqclip_nb.models.tensor_names import DISCRIMINATOR, vqgan_names
from vqclip_nb.models.vqgan import Network
from vqclip_nb.models.words import Words
from vqclip_nb.untrusted.text import reason_of, shown

# VQGANs of taming-transformers and latent-diffusion; the tensors have the same names in all
_TARGETS = ("VQModel", "VQNoDiscModel", "VQSegmentationModel", "EMAVQ", "GumbelVQ")
_TARGETS += ("VQModelInterface",)
_CHECKPOINTS = ("checkpoints", "ckpts")  # folders beside `configs`


def load_network(file: Path, config: Path | None = None) -> Network:
    """Load a VQGAN from a checkpoint.

    config: its yaml; by default the one beside it of the same name, or in `../configs`

    Raises WeightsError if either file is invalid or if they do not match.
    """
    return build_network(_vqgan_config(config or _yaml_of(file)), vqgan_tensors(file), file)


def checkpoint_in(folder: Path) -> Path:
    """The checkpoint in a folder that taming's training wrote; WeightsError if there is not one."""
    found = [file for name in _CHECKPOINTS for file in sorted((folder / name).glob("*.ckpt"))]
    found = [file for file in found if file.stem == "last"] or found
    if len(found) != 1:
        kept = "several checkpoints" if found else "no checkpoints/last.ckpt or ckpts/last.ckpt"
        raise WeightsError(f"{folder} has {kept}: give the path of a checkpoint.")
    return found[0]


def vqgan_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors that painting needs, under taming's names.

    See `vqgan_names` for where they are found, and `taming_names` for LlamaGen's files.
    """
    return taming_names(read_tensors(file, lambda names: vqgan_names(names, file)))


def build_network(
    config: dict, tensors: dict[str, Tensor], file: Path, *, checked: bool = False
) -> Network:
    """Build a VQGAN with the given weights.

    config: the `model.params` of a taming yaml; file: named in errors
    checked: skip the check for non-finite values
    """
    weights = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    check_floats(weights, file)
    state = tensors | {k: v.float() for k, v in weights.items()}
    discriminator = _discriminator_of(state)
    if discriminator:
        config = config | {"lossconfig": {"params": discriminator}}
    gumbel = "quantize.embed.weight" in state
    try:
        with torch.device("meta"):  # skip the initialisation, which would be overwritten
            network = Network(config, discriminator=bool(discriminator), gumbel=gumbel)
    except (ValueError, RuntimeError, ArithmeticError, IndexError) as error:
        raise WeightsError(
            f"The yaml of {file} describes a VQGAN that cannot be built: {reason_of(error)}."
        ) from error
    _load_state(network, state, file)
    if not checked:
        check_finite(state, file)
    return network


def _discriminator_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """Infer the discriminator's arguments from its weights; empty if the file has none.

    The published yaml files put them in different places, and those of transformers omit them.
    """
    own = {k: v for k, v in state.items() if k.startswith(DISCRIMINATOR)}
    kernels = [v for k, v in own.items() if k.endswith(".weight") and v.dim() == 4]
    first = own.get(f"{DISCRIMINATOR}main.0.weight")
    if first is None or first.dim() != 4:
        return {}
    return {
        "disc_in_channels": first.shape[1],
        "disc_ndf": first.shape[0],
        "disc_num_layers": min(len(kernels), _MOST_KERNELS) - 2,  # more will not fit
        "use_actnorm": any(k.endswith(".loc") for k in own),
    }


def _yaml_of(file: Path) -> Path:
    """The yaml of a checkpoint: beside it under its name, or where taming's training writes it."""
    beside = [file.with_suffix(suffix) for suffix in (".yaml", ".yml")]
    found = next((path for path in beside if path.is_file()), None) or _yaml_of_training(file)
    if found is None:
        raise WeightsError(
            f"{file} has no yaml beside it: put {beside[0].name} next to it, or give the path of "
            "another as config."
        )
    return found


def _yaml_of_training(file: Path) -> Path | None:
    """The yaml in the folder `configs` of taming's training, if the checkpoint is of one.

    A training that was continued wrote it again, and `*-lightning.yaml` describes no model.
    """
    if file.parent.name not in _CHECKPOINTS:
        return None
    folder = file.parent.with_name("configs")
    models = {path: read_yaml(path).get("model") for path in sorted(folder.glob("*.yaml"))}
    models = {path: model for path, model in models.items() if model}
    *earlier, latest = models or [None]
    if any(models[path] != models[latest] for path in earlier):
        raise WeightsError(f"{folder} describes several models: give the path of one as config.")
    return latest


def _vqgan_config(file: Path) -> dict[str, Any]:
    """The `model.params` of a VQGAN's yaml, or of the first stage of what it describes."""
    model = _dict(read_yaml(file), "model")
    model = _dict(_dict(model, "params"), "first_stage_config") or model
    if _kind(model) not in _TARGETS or "params" not in model:
        raise WeightsError(
            f"{file} describes {shown(model.get('target', 'nothing'))}: allowed are "
            f"{', '.join(_TARGETS)} and a model whose first stage is one of them."
        )
    return _validated(_dict(model, "params"), file)


def _kind(model: dict) -> str:
    """The class name in a yaml's `target`; it is compared, never imported."""
    return str(model.get("target", "")).rsplit(".", 1)[-1]


def _dict(tree: dict, key: str) -> dict:
    return tree[key] if isinstance(tree.get(key), dict) else {}


_MOST_TOKENS, _MOST_PATCHES = 512, 4096  # the largest published CLIPs have 77 and 577
_VOCABULARY = 49_408  # CLIP's tokens
_MOST_KERNELS = 8  # of a discriminator; published ones have 5
_LIMITS = {"z_channels": 4096, "resolution": 8192, "in_channels": 1024, "out_ch": 1024, "ch": 1024}
_LIMITS |= {"num_res_blocks": 16, "norm_groups": 1024}
# Options of other decoders, with the value that taming's has
_PLAIN = {"attn_type": "vanilla", "use_linear_attn": False, "tanh_out": False}
_PLAIN |= {"give_pre_end": False}


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
                f"{file}: ddconfig.{name} is {shown(values)}, allowed is a list of at most {most} items."
            )
        numbers |= {f"ddconfig.{name}[{i}]": (value, 8192) for i, value in enumerate(values)}
    for name, (value, most) in numbers.items():
        if type(value) is not int or not 1 <= value <= most:
            raise WeightsError(f"{file}: {name} is {shown(value)}, allowed is 1 to {most}.")
    used = {k: shape[k] for k in ("ch_mult", "attn_resolutions", *_LIMITS) if k in shape}
    used |= _options(shape, file) | {"double_z": False, "dropout": 0.0}
    return {"embed_dim": params["embed_dim"], "n_embed": params["n_embed"], "ddconfig": used}


def _options(shape: dict[str, Any], file: Path) -> dict[str, bool]:
    """Whether resampling has a convolution; raises WeightsError for what taming's VQGAN lacks."""
    if (shape["in_channels"], shape["out_ch"]) != (3, 3):
        raise WeightsError(
            f"{file} describes pictures of {shape['out_ch']} channels, such as maps of labels: give "
            "a VQGAN of red, green and blue."
        )
    resampling = shape.get("resamp_with_conv", True)
    for name, allowed in (_PLAIN | {"resamp_with_conv": bool(resampling)}).items():
        if shape.get(name, allowed) != allowed:
            raise WeightsError(f"{file}: ddconfig.{name} is {shape[name]!r}, allowed is {allowed}.")
    return {"resamp_with_conv": resampling}


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


def check_finite(state: dict[str, Tensor], file: Path) -> None:
    """Raise WeightsError if a weight is infinite or not a number; file: named in the error."""
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{file} has non-finite values in {name}: get another copy of it.")


def _check_sizes(state: dict[str, Tensor]) -> None:
    """Raise ValueError for a CLIP that lacks tokens, or of a size that only an attack would have."""
    tokens, patches = state["positional_embedding"], state.get("visual.positional_embedding")
    if patches is None:
        patches = state["visual.attnpool.positional_embedding"]
    known = state.get("token_embedding.weight")
    if known is not None and known.shape[0] < _VOCABULARY:
        raise ValueError(f"it knows {known.shape[0]} tokens, fewer than CLIP's {_VOCABULARY}")
    if tokens.shape[0] > _MOST_TOKENS or patches.shape[0] > _MOST_PATCHES:
        raise ValueError(
            f"it reads {tokens.shape[0]} tokens and {patches.shape[0]} patches, more than the "
            f"allowed {_MOST_TOKENS} and {_MOST_PATCHES}"
        )


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
    # TorchScript files hold sizes as numbers, and ours the ids of known tokens
    check_floats({k: v for k, v in state.items() if v.ndim and not k.endswith("ids")}, file)
    if not checked:
        check_finite(state, file)
    try:
        _check_sizes(state)
        return Perceptor.from_state(name, state, words)
    except (KeyError, IndexError, RuntimeError, AssertionError, ValueError, ArithmeticError) as e:
        raise WeightsError(f"{file} is not a CLIP checkpoint: {reason_of(e)}.") from e
