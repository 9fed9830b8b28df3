"""Fine-tune a VQGAN on a folder of pictures, with the losses of the embedded model's recipe.

Training uses random crops. Every tenth picture is held out to measure the error on new pictures.
"""

from __future__ import annotations

import json
import math
import pickle
import shlex
import shutil
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from taming.modules.discriminator.model import weights_init
from taming.modules.util import ActNorm
from taming.modules.vqvae.quantize import GumbelQuantize
from torch import Tensor, nn

from vqclip_nb.models.loading import check_names, load_models
from vqclip_nb.models.registry import find_model
from vqclip_nb.models.vqgan import VQGAN, Network
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.generator import VQGANTrainer, write_vqgan
from vqclip_nb.train.picture_folder import Pictures, read_pictures
from vqclip_nb.train.session import Session

_RECIPE = Path(__file__).with_name("tiny.toml")
_STATE, _REPORT, _WEIGHTS = "finetune.pt", "finetune.json", "vqgan.safetensors"
# copied with a VQGAN
_PAIR = ("clip.safetensors", "words.json", "draft.safetensors", "draft.json")
_MEASURED = 48  # most pictures measured, held out and trained on
# Differences from the recipe, each chosen by the error on held-out pictures: the PatchGAN starts
# late, because it undoes half of the gain of the other losses; unused codes are not moved, because
# that did not help and other pictures may need them. Small changes of the weights need fp32.
_OWN = {"discriminator_start": 0.7, "dead_after": 2**62, "bf16": False}


@dataclass(frozen=True)
class FinetunePlan:
    """Settings of a fine-tuning; a resumed one must have the same.

    folder: the folder of pictures
    models: the model to start from, as for `load_models`
    size: side of the crops in pixels
    batch: crops per step
    learning_rate: peak learning rate of Adam
    """

    folder: str
    models: str = "tiny"
    size: int = 128
    batch: int = 4
    learning_rate: float = 2e-4
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("size", 64, 512), ("batch", 1, 256), ("seed", 0, 2**63 - 1)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}: allowed is {least} to {most}.")
        if not 0 < self.learning_rate <= 0.1:
            raise ValueError(
                f"learning_rate is {self.learning_rate}: allowed is more than 0, at most 0.1."
            )


def finetune(
    plan: FinetunePlan, to: Path, *, minutes: float, tell: Callable[[str], None] = lambda line: None
) -> dict:
    """Train for `minutes` in total, and write a folder for `load_models`.

    It resumes from the folder `to` if that holds a training. KeyboardInterrupt stops it early and
    writes the current weights. tell: called with a line about each picture that is skipped

    Returns the content of `finetune.json`: the plan, `finished`, `seconds`, `steps`, the names
    `held_out`, and `error`: mean L1 distance in [0,1] and PSNR in dB, of pictures held out and
    trained on, `before` and `after`. Raises ValueError, FetchError or OSError before the training
    starts.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes is {minutes}: allowed is more than 0.")
    check_names(plan.models)
    former = _former(plan, to)
    pictures = read_pictures(Path(plan.folder), plan.size, plan.seed, tell=tell)
    held_out = former.get("held_out", pictures.names[9::10])
    shown = _divided(pictures, held_out)
    original = _original(plan)
    trainer = FinetuneTrainer(plan, original.network, shown["trained on"])
    session = _session(trainer, to, minutes)
    report = asdict(plan) | {"minutes": minutes, "pictures": len(pictures), "held_out": held_out}
    before = {name: measured(original, group) for name, group in shown.items()}
    _prepare_folder(to, plan.models, report)
    with suppress(KeyboardInterrupt):  # the session saves the state
        trainer.run(session)
    write_vqgan(to, trainer.state_dict(), trainer.config)
    tuned = _loaded(str(to))
    after = {name: measured(tuned, group) for name, group in shown.items()}
    report |= {"finished": session.progress >= 1, "seconds": round(session.seconds, 1)}
    report |= {"steps": session.step}
    report["error"] = {n: {"before": before[n], "after": after[n]} for n in shown}
    _write_report(to, report)
    return report


def painting_command(models: str, to: Path) -> str:
    """The command that paints with a model fine-tuned from `models`."""
    found = find_model("vqgan", models)
    official = found is not None and not found.embedded  # its CLIP is not in the folder
    clip = f" --clip {shlex.quote(found.clip[0])}" if official else ""
    return f"vqclip 'a red apple' --models {shlex.quote(str(to))}{clip}"


class FinetuneTrainer(VQGANTrainer):
    """Trains a copy of a VQGAN on crops of pictures, with a new discriminator if it has none."""

    def __init__(self, plan: FinetunePlan, network: Network, pictures: Pictures) -> None:
        settings = tomllib.loads(_RECIPE.read_text(encoding="utf-8"))["generator"]
        self.plan, self.pictures = plan, pictures
        settings |= _OWN | {"learning_rate": plan.learning_rate}
        self.config = described(network, settings)
        torch.manual_seed(plan.seed)
        device = network.encoder.conv_in.weight.device
        copy = Network(self.config, discriminator=True).to(device)
        copy.loss.discriminator.apply(weights_init)
        copy.load_state_dict(network.state_dict(), strict=hasattr(network, "loss"))
        super().__init__(copy, settings, torch.Generator().manual_seed(plan.seed))
        self.codes.begin_from_codes()

    def _pictures(self, progress: float) -> Tensor:
        x = self.pictures.crops(self.plan.batch, self.generator)
        return x.to(self.codes.codebook.device)


def described(network: Network, settings: dict) -> dict:
    """Infer the `model.params` of a taming yaml from a network.

    settings: the recipe's `[generator]`, for a new discriminator
    """
    encoder, decoder = network.encoder, network.decoder
    levels = list(encoder.down)
    shape = {
        "norm_groups": encoder.norm_out.num_groups,
        "double_z": False,
        "z_channels": encoder.conv_out.out_channels,
        "resolution": encoder.resolution,
        "in_channels": encoder.in_channels,
        "out_ch": decoder.conv_out.out_channels,
        "ch": encoder.ch,
        "ch_mult": [level.block[0].out_channels // encoder.ch for level in levels],
        "num_res_blocks": encoder.num_res_blocks,
        "attn_resolutions": [
            encoder.resolution // 2**i for i, level in enumerate(levels) if len(level.attn)
        ],
        "dropout": 0.0,
    }
    codes, width = network.quantize.embedding.weight.shape
    loss = {
        "target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator",
        "params": _discriminator(network, settings),
    }
    return {"embed_dim": width, "n_embed": codes, "ddconfig": shape, "lossconfig": loss}


@torch.no_grad()
def measured(vqgan: VQGAN, pictures: Pictures) -> dict[str, float]:
    """Mean reconstruction error of the centre crops of up to 48 pictures.

    l1: L1 distance in [0,1]; psnr: in dB
    """
    l1, psnr = [], []
    for x in pictures.middles(_MEASURED):
        x = x.to(vqgan.device)
        error = vqgan.decode(vqgan.quantize(vqgan.encode(x))[0]) - x
        l1.append(error.abs().mean().item())
        psnr.append(-10 * math.log10(max(error.square().mean().item(), 1e-10)))
    return {"l1": sum(l1) / len(l1), "psnr": sum(psnr) / len(psnr)}


def _discriminator(network: Network, settings: dict) -> dict:
    """The arguments of its discriminator, or of a new one."""
    if not hasattr(network, "loss"):
        return {
            "disc_in_channels": 3,
            "disc_ndf": settings["discriminator_ndf"],
            "disc_num_layers": settings["discriminator_layers"],
        }
    layers = list(network.loss.discriminator.main)
    return {
        "disc_in_channels": layers[0].in_channels,
        "disc_ndf": layers[0].out_channels,
        "disc_num_layers": sum(isinstance(layer, nn.Conv2d) for layer in layers) - 2,
        "use_actnorm": any(isinstance(layer, ActNorm) for layer in layers),
    }


def _former(plan: FinetunePlan, to: Path) -> dict:
    """The held-out names of the training in `to`, if any; raises ValueError if plans differ."""
    if not (to / _STATE).exists():
        if (to / _WEIGHTS).exists():
            raise ValueError(
                f"{to} holds a VQGAN, but no {_STATE} to resume from: give another --to."
            )
        return {}
    try:
        report = json.loads((to / _REPORT).read_text(encoding="utf-8"))
        former, held_out = {name: report[name] for name in asdict(plan)}, report["held_out"]
    except (OSError, ValueError, TypeError, KeyError):
        raise ValueError(f"{to / _REPORT} cannot be read: give another --to.") from None
    for name, value in asdict(plan).items():
        if former[name] != value:
            raise ValueError(
                f"{to} was started with {name} {former[name]!r}, not {value!r}: give the same value, "
                "or another --to."
            )
    return {"held_out": held_out}


def _divided(pictures: Pictures, held_out: list[str]) -> dict[str, Pictures]:
    """The pictures to train on and, if there are any, those held out."""
    held, seen = pictures.only(held_out), pictures.only(set(pictures.names) - set(held_out))
    if not len(seen):
        raise ValueError("All pictures in the folder are held out: add some to train on.")
    return ({"held out": held} if len(held) else {}) | {"trained on": seen}


def _original(plan: FinetunePlan) -> VQGAN:
    """Load the model to start from; raises ValueError if it cannot be fine-tuned."""
    found = find_model("vqgan", plan.models)
    vqgan = None if found and found.layout.startswith("gumbel") else _loaded(plan.models)
    if vqgan is None or isinstance(vqgan.network.quantize, GumbelQuantize):
        raise ValueError(
            f"models is {plan.models!r}, a GumbelVQ, which cannot be fine-tuned: allowed is a "
            "VQModel, such as tiny or imagenet_f16_16384."
        )
    if vqgan.network.encoder.in_channels != 3:
        raise ValueError(
            f"models is {plan.models!r}, which does not read RGB pictures: give another model."
        )
    if plan.size % vqgan.factor:
        raise ValueError(
            f"size is {plan.size}: allowed is a multiple of {vqgan.factor}, the pixels per code."
        )
    return vqgan


def _loaded(name: str) -> VQGAN:
    """Load a VQGAN in fp32, with the embedded CLIP to avoid downloading another."""
    return load_models(name, clip="tiny", precision="fp32").vqgan


def _session(trainer: FinetuneTrainer, to: Path, minutes: float) -> Session:
    try:
        return trainer.session(to / _STATE, minutes)
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{to / _STATE} cannot be resumed from ({type(error).__name__}): give another --to."
        ) from error


def _prepare_folder(to: Path, models: str, report: dict) -> None:
    """Create the folder with the report, and copy CLIP and draft from beside the VQGAN."""
    to.mkdir(parents=True, exist_ok=True)
    found = find_model("vqgan", models)
    home = found.path.parent if found else Path(models).expanduser()
    for name in _PAIR:
        if (home / name).is_file() and not (to / name).exists():
            shutil.copyfile(home / name, to / name)
    _write_report(to, report)


def _write_report(to: Path, report: dict) -> None:
    write_file(to / _REPORT, (json.dumps(report, indent=2) + "\n").encode())
