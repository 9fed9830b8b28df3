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

from vqclip_nb.checkpoints import load_network
from vqclip_nb.folder import write_file
from vqclip_nb.models import load_models, pick_device
from vqclip_nb.vqgan import VQGAN
from vqclip_nb.weights import read_tensors

_SETTINGS = Path(__file__).with_name("tiny.toml")
_PACKAGE = Path(__file__).parents[1] / "tiny"


def main(arguments: list[str] | None = None) -> int:
    """Train what is asked for, within its time budget, and write it as the package reads it."""
    options = _parser().parse_args(arguments)
    settings = tomllib.loads(options.settings.read_text(encoding="utf-8"))
    torch.set_num_threads(options.threads or torch.get_num_threads())
    every = [part for part in _PARTS if part != "compare"]
    for part in every if options.part == "all" else [options.part]:
        minutes = options.minutes
        if minutes is None:
            minutes = settings[part].get("minutes", 0.0)
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


def _artwork(settings: dict, work: Path, owner: str = "painter"):
    from vqclip_nb.train.artwork import load_artwork

    chosen = settings["artwork"]
    return load_artwork(chosen[owner], chosen["names"], chosen["size"], work / "artwork")


def _critic(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.captions import PAIR
    from vqclip_nb.train.critic import CriticTrainer

    vqgan, artwork = _trained(to), _artwork(settings, work)
    trainer = CriticTrainer(settings["critic"], artwork, PAIR, vqgan=vqgan, device=vqgan.device)
    trainer.train(work / "critic.pt", minutes)
    _write_clip(to / "clip.safetensors", trainer.average)


def _judge(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.captions import JUDGE
    from vqclip_nb.train.critic import CriticTrainer
    from vqclip_nb.train.towers import lite_tower

    chosen, artwork = settings["judge"], _artwork(settings, work, "judge")
    visual = lite_tower(chosen["architecture"])
    trainer = CriticTrainer(chosen, artwork, JUDGE, visual=visual, device=pick_device("auto"))
    trainer.train(work / "judge.pt", minutes)
    _write_clip(to / "judge.safetensors", trainer.average)


def _draft(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.drafts import DraftTrainer

    trainer = DraftTrainer(settings["draft"], _artwork(settings, work), pick_device("auto"))
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


def _drawings(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """No training: the sheets of the lessons."""
    from vqclip_nb.train.lesson_drawings import write_drawings

    write_drawings(_artwork(settings, work), _artwork(settings, work, "judge"), to)


def _report(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """No budget: it takes as long as it takes."""
    from vqclip_nb.train.report import Report

    models, judge = _whole(to)
    drawings = (_artwork(settings, work, owner) for owner in ("painter", "judge"))
    report = Report(models, judge, *drawings, settings["report"])
    for name, value in report.write(work / "report").items():
        print(f"{name:45} {value:8.3f}")


def _compare(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """No budget either; not a part of `all`."""
    from vqclip_nb.train.compare import Comparison

    comparison = Comparison(*_whole(to), _artwork(settings, work), settings["compare"])
    for name, (best, five) in comparison.write(work / "compare").items():
        print(f"{name:30} first {best:.2f}, in five {five:.2f}")


def _whole(to: Path):
    """The pair with its draft, and the judge, from the folder that they were written to."""
    from vqclip_nb.judge import build_judge

    models = load_models(str(to))
    return models, build_judge(read_tensors(to / "judge.safetensors"), [])


# In the order in which they are trained: each learns from those before it.
_PARTS = {"generator": _generator, "critic": _critic, "draft": _draft, "judge": _judge}
_PARTS |= {"drawings": _drawings, "report": _report, "compare": _compare}


def _write_clip(path: Path, model) -> None:
    """A critic's weights, and the words that it knows beside them."""
    _write(path, model.published())
    words = json.dumps(model.words, ensure_ascii=False, indent=0)
    write_file(path.with_suffix(".words.json"), words.encode())


def _write(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Weights as safetensors in fp16; whole numbers stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    write_file(path, save({k: v.contiguous() for k, v in half.items()}))


if __name__ == "__main__":
    sys.exit(main())
