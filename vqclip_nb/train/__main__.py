"""`python -m vqclip_nb.train tiny`: train the embedded pair from its artwork."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path

import torch
import yaml
from safetensors.torch import save

from vqclip_nb.folder import write_file
from vqclip_nb.models import load_network, load_perceptor, pick_device
from vqclip_nb.vqgan import VQGAN

_SETTINGS = Path(__file__).with_name("tiny.toml")
_PACKAGE = Path(__file__).parents[1] / "tiny"


def main(arguments: list[str] | None = None) -> int:
    """Train what is asked for, within its time budget, and write it as the package reads it."""
    options = _parser().parse_args(arguments)
    settings = tomllib.loads(options.settings.read_text(encoding="utf-8"))
    torch.set_num_threads(options.threads or torch.get_num_threads())
    for part in list(_PARTS) if options.part == "all" else [options.part]:
        minutes = settings[part]["minutes"] if options.minutes is None else options.minutes
        _PARTS[part](settings, options.work, options.to, minutes)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vqclip_nb.train", description=__doc__)
    parser.add_argument("model", choices=["tiny"])
    parser.add_argument("--part", choices=["all", *_PARTS], default="all")
    parser.add_argument("--minutes", type=float, help="time budget of each part (default: recipe)")
    parser.add_argument("--settings", type=Path, default=_SETTINGS, help="the recipe, a toml file")
    parser.add_argument("--work", type=Path, default=Path("runs/train-tiny"), help="where to go on")
    parser.add_argument("--to", type=Path, default=_PACKAGE, help="where the weights go")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    return parser


def _artwork(settings: dict, work: Path):
    from vqclip_nb.train.artwork import load_artwork

    chosen = settings["artwork"]
    return load_artwork(chosen["painter"], chosen["names"], chosen["size"], work / "artwork")


def _critic(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.critic import CriticTrainer

    vqgan = _trained(to)
    trainer = CriticTrainer(
        settings["critic"], _artwork(settings, work), vqgan, device=vqgan.device
    )
    trainer.train(work / "critic.pt", minutes)
    _write(to / "clip.safetensors", trainer.average.published())
    words = json.dumps(trainer.average.words, ensure_ascii=False, indent=0)
    write_file(to / "clip.words.json", words.encode())


def _draft(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.drafts import DraftTrainer

    critic = to / "clip.safetensors"
    if not critic.exists():
        raise SystemExit(f"{critic} is missing: train the critic first (--part critic).")
    perceptor = load_perceptor(critic).to(pick_device("auto"))
    trainer = DraftTrainer(settings["draft"], _artwork(settings, work), perceptor)
    trainer.train(work / "draft.pt", minutes)
    _write(to / "draft.safetensors", trainer.draft.state_dict())


def _generator(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.generator import GeneratorTrainer

    trainer = GeneratorTrainer(settings["generator"], _artwork(settings, work), pick_device("auto"))
    trainer.train(work / "generator.pt", minutes)
    _write(to / "vqgan.safetensors", trainer.state_dict())
    model = {"target": "taming.models.vqgan.VQModel", "params": trainer.config}
    text = yaml.safe_dump({"model": model}, sort_keys=False)
    write_file(to / "vqgan.yaml", text.encode())


def _trained(to: Path) -> VQGAN:
    """The generator as the package reads it, which the critic's rivals are painted with."""
    path = to / "vqgan.safetensors"
    if not path.exists():
        raise SystemExit(f"{path} is missing: train the generator first (--part generator).")
    return VQGAN(load_network(path).to(pick_device("auto")))


_PARTS = {"generator": _generator, "critic": _critic, "draft": _draft}


def _write(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Weights as safetensors in fp16; whole numbers stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    write_file(path, save({k: v.contiguous() for k, v in half.items()}))


if __name__ == "__main__":
    sys.exit(main())
