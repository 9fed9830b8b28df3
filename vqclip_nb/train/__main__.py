"""Train the embedded pair from its artwork, or fine-tune a VQGAN on pictures of one's own."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import torch

from vqclip_nb.models.checkpoints import load_network
from vqclip_nb.models.loading import load_models, pick_device
from vqclip_nb.models.safe_load import read_tensors
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.storage.files import write_file
from vqclip_nb.train.finetune import Plan, finetune, painting_command
from vqclip_nb.train.generator import GeneratorTrainer, write_vqgan, write_weights

_SETTINGS = Path(__file__).with_name("tiny.toml")
_PACKAGE = Path(__file__).parents[1] / "models" / "tiny"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 with one sentence if it could not, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vqclip_nb.train", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_tiny(commands)
    _add_finetune(commands)
    return parser


def _add_tiny(commands) -> None:
    parser = commands.add_parser("tiny", help="train the embedded pair from its artwork")
    parser.add_argument("--part", choices=["all", *_PARTS], default="all")
    parser.add_argument("--minutes", type=float, help="time budget of each part (default: recipe)")
    parser.add_argument("--settings", type=Path, default=_SETTINGS, help="the recipe, a toml file")
    parser.add_argument("--work", type=Path, default=Path("runs/train-tiny"), help="where to go on")
    parser.add_argument("--to", type=Path, default=_PACKAGE, help="where the weights go")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.set_defaults(run=_tiny)


def _add_finetune(commands) -> None:
    parser = commands.add_parser(
        "finetune",
        help="teach a VQGAN your own pictures",
        description="Teach a trained VQGAN your own pictures, so that it paints as they look.",
        epilog="Every tenth picture is held out, to tell how well new ones are drawn. Interrupted "
        "with Ctrl-C, it writes what was learned; the same command goes on, and with more "
        "--minutes after its end. `vqclip 'a red apple' --models OUT` paints with it, and so does "
        "`vq.load_models('OUT')`; with an official model, give its critic too: --clip ViT-B/32.",
    )
    parser.add_argument("folder", metavar="DIR", help="holds the pictures, in folders or not")
    for name, kind, what in (
        ("models", str, "what to begin with: a name of `vqclip models`, a checkpoint or a folder"),
        ("size", int, "pixels of a crop's side; smaller pictures are left out"),
        ("batch", int, "crops a step"),
        ("learning_rate", float, "of Adam, at its height"),
        ("seed", int, "of the crops"),
    ):
        default = getattr(Plan, name)
        text = f"{what} (default: {default})"
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default, help=text)
    parser.add_argument("--minutes", type=float, default=10, help="to train in all (default: 10)")
    parser.add_argument(
        "--to",
        metavar="OUT",
        type=Path,
        default=Path("runs/finetuned"),
        help="the new model's folder (default: runs/finetuned)",
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.set_defaults(run=_finetune)


def _tiny(options: argparse.Namespace) -> int:
    """Train what is asked for, within its time budget, and write it as the package reads it."""
    settings = tomllib.loads(options.settings.read_text(encoding="utf-8"))
    every = [part for part in _PARTS if part != "compare"]
    for part in every if options.part == "all" else [options.part]:
        minutes = options.minutes
        if minutes is None:
            minutes = settings[part].get("minutes", 0.0)
        _PARTS[part](settings, options.work, options.to, minutes)
    return 0


def _finetune(options: argparse.Namespace) -> int:
    def tell(line: str) -> None:
        print(f"vqclip_nb.train: {line}", file=sys.stderr)

    try:
        plan = Plan(**{each.name: getattr(options, each.name) for each in fields(Plan)})
        report = finetune(plan, options.to, minutes=options.minutes, tell=tell)
    except (ValueError, OSError) as error:
        tell(str(error))
        return 2
    except ModuleNotFoundError as error:
        tell(f"{error.name} is missing: install what training takes, pip install -e '.[train]'.")
        return 2
    except KeyboardInterrupt:
        return 130
    for name, error in report["error"].items():
        before, after = error["before"], error["after"]
        print(
            f"{name:10}  L1 {before['l1']:.4f} -> {after['l1']:.4f}, "
            f"PSNR {before['psnr']:.2f} -> {after['psnr']:.2f} dB"
        )
    print(f"{report['steps']} steps in {report['seconds'] / 60:.1f} minutes")
    print(f"paint with  {painting_command(plan.models, options.to)}")
    if not report["finished"]:
        print("interrupted; the same command goes on")
    return 0 if report["finished"] else 130


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
    write_weights(to / "draft.safetensors", trainer.draft.state_dict())


def _generator(settings: dict, work: Path, to: Path, minutes: float) -> None:
    trainer = GeneratorTrainer(settings["generator"], _artwork(settings, work), pick_device("auto"))
    trainer.train(work / "generator.pt", minutes)
    write_vqgan(to, trainer.state_dict(), trainer.config)


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
    from vqclip_nb.models.judge import build_judge

    models = load_models(str(to))
    return models, build_judge(read_tensors(to / "judge.safetensors"), [])


# In the order in which they are trained: each learns from those before it.
_PARTS = {"generator": _generator, "critic": _critic, "draft": _draft, "judge": _judge}
_PARTS |= {"drawings": _drawings, "report": _report, "compare": _compare}


def _write_clip(path: Path, model) -> None:
    """A critic's weights, and the words that it knows beside them."""
    write_weights(path, model.published())
    words = json.dumps(model.words, ensure_ascii=False, indent=0)
    write_file(path.with_suffix(".words.json"), words.encode())


if __name__ == "__main__":
    sys.exit(main())
