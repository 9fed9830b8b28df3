"""Find a VQGAN among the names in a checkpoint: behind a prefix, and its moving average (EMA)."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from vqclip_nb.models.errors import WeightsError

GENERATOR = ("encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv.")
DISCRIMINATOR = "loss.discriminator."
# What a prefix may consist of: containers, DataParallel, torch.compile, and models of which the
# VQGAN is a part. `online_model` stands beside `ema_model` in files of lucidrains/ema-pytorch.
_WRAPPERS = {"state_dict", "model", "module", "_orig_mod", "first_stage_model", "online_model"}
_AVERAGES = {"ema", "ema_model", "model_ema"}
_PART = re.compile(r"((?:.+?\.)??)(decoder|post_quant_conv)\.")  # with the prefix before it


def vqgan_names(names: list[str], file: Path) -> dict[str, str]:
    """The tensors that painting needs: {name in taming's VQModel: name in the file}.

    The average of the generator's weights takes their place where there is one, with a warning. The
    discriminator's stay: their batch norms have statistics of the weights as trained.

    file: named in messages

    Empty if there is nothing of a VQGAN. Raises WeightsError for several VQGANs, or for one behind
    an unknown prefix.
    """
    prefixes = _prefixes(names)
    trained = [prefix for prefix in prefixes if _words(prefix) <= _WRAPPERS]
    averaged = [p for p in prefixes if p not in trained and _words(p) <= _WRAPPERS | _AVERAGES]
    found = trained or averaged
    if prefixes and len(found) != 1:
        listed = ", ".join(map(repr, found or prefixes))
        raise WeightsError(
            f"{file} has a VQGAN under {listed}: save the one to use alone, without this prefix."
        )
    prefix = found[0] if found else ""  # without one, loading tells which part is missing
    own = _under(prefix, names)
    average = _average(own, names, prefix, averaged)
    if average:
        warnings.warn(f"{file.name} has an average (EMA) of its weights: using it.", stacklevel=2)
    return own | average


def _prefixes(names: list[str]) -> list[str]:
    """The prefixes behind which there are a decoder and what feeds it."""
    parts = {match.groups() for match in map(_PART.match, names) if match}
    both = {prefix for prefix, part in parts if part == "decoder"}
    return sorted(both & {prefix for prefix, part in parts if part == "post_quant_conv"})


def _words(prefix: str) -> set[str]:
    return set(prefix.split(".")[:-1])


def _under(prefix: str, names: list[str]) -> dict[str, str]:
    wanted = tuple(prefix + part for part in (*GENERATOR, DISCRIMINATOR))
    return {name.removeprefix(prefix): name for name in names if name.startswith(wanted)}


def _average(
    own: dict[str, str], names: list[str], prefix: str, averaged: list[str]
) -> dict[str, str]:
    """The average of the generator `own`, if it covers the decoder: {name: name in the file}."""
    kept = set(names)
    generator = [name for name in own if name.startswith(GENERATOR)]
    copies = [{name: p + name for name in generator} for p in averaged if p != prefix]
    # latent-diffusion's LitEma keeps parameters, not buffers, under their names without dots
    lit_ema = f"{prefix}model_ema."
    copies.append({name: lit_ema + name.replace(".", "") for name in generator})
    needed = {name for name in generator if name.startswith("decoder.")}
    for copy in copies:
        average = {name: at for name, at in copy.items() if at in kept}
        if needed and needed <= average.keys():
            return average
    return {}
