"""Train the embedded models, or fine-tune a VQGAN on your own pictures."""

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
from vqclip_nb.train.finetune import FinetunePlan, finetune, painting_command
from vqclip_nb.train.generator import GeneratorTrainer, write_vqgan, write_weights

_SETTINGS = Path(__file__).with_name("tiny.toml")
_PACKAGE = Path(__file__).parents[1] / "models" / "tiny"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns 0, or 2 after an error message, or 130 if interrupted."""
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
    parser = commands.add_parser("tiny", help="train the embedded models on emoji artwork")
    parser.add_argument("--part", choices=["all", *_PARTS], default="all", help="what to train")
    parser.add_argument("--minutes", type=float, help="time budget of each part (default: recipe)")
    parser.add_argument("--settings", type=Path, default=_SETTINGS, help="the recipe, a toml file")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/train-tiny"), help="folder to resume from"
    )
    parser.add_argument("--to", type=Path, default=_PACKAGE, help="folder for the weights")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.set_defaults(run=_tiny)


def _add_finetune(commands) -> None:
    parser = commands.add_parser(
        "finetune",
        help="fine-tune a VQGAN on your own pictures",
        description="Fine-tune a trained VQGAN on your own pictures, so that it paints in their "
        "style.",
        epilog="Every tenth picture is held out to measure the error on new pictures. Ctrl-C stops "
        "and writes the current weights; the same command resumes, also after the end with more "
        "--minutes. Paint with `vqclip 'a red apple' --models OUT` or `vq.load_models('OUT')`; for "
        "an official model, name its CLIP too: --clip ViT-B/32.",
    )
    parser.add_argument("folder", metavar="DIR", help="folder of pictures; subfolders are included")
    for name, kind, what in (
        ("models", str, "model to start from: a name of `vqclip models`, a checkpoint or a folder"),
        ("size", int, "side of the crops in pixels; smaller pictures are skipped"),
        ("batch", int, "crops per step"),
        ("learning_rate", float, "peak learning rate of Adam"),
        ("seed", int, "seed of the crops"),
    ):
        default = getattr(FinetunePlan, name)
        text = f"{what} (default: {default})"
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default, help=text)
    parser.add_argument(
        "--minutes", type=float, default=10, help="total training time (default: 10)"
    )
    parser.add_argument(
        "--to",
        metavar="OUT",
        type=Path,
        default=Path("runs/finetuned"),
        help="folder for the new model (default: runs/finetuned)",
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.set_defaults(run=_finetune)


def _tiny(options: argparse.Namespace) -> int:
    """Train the requested parts within their time budgets and write their weights."""
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
        plan = FinetunePlan(
            **{each.name: getattr(options, each.name) for each in fields(FinetunePlan)}
        )
        report = finetune(plan, options.to, minutes=options.minutes, tell=tell)
    except (ValueError, OSError) as error:
        tell(str(error))
        return 2
    except ModuleNotFoundError as error:
        tell(f"{error.name} is missing: pip install -e '.[train]'.")
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
        print("interrupted; run the same command again to resume")
    return 0 if report["finished"] else 130


def _artwork(settings: dict, work: Path, owner: str = "painter"):
    from vqclip_nb.train.artwork import load_artwork

    chosen = settings["artwork"]
    return load_artwork(chosen[owner], chosen["names"], chosen["size"], work / "artwork")


def _clip(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.captions import PAIR
    from vqclip_nb.train.clip_trainer import CLIPTrainer

    vqgan, artwork = _trained(to), _artwork(settings, work)
    trainer = CLIPTrainer(settings["clip"], artwork, PAIR, vqgan=vqgan, device=vqgan.device)
    trainer.train(work / "clip.pt", minutes)
    _write_clip(to / "clip.safetensors", trainer.average)


def _judge(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.captions import JUDGE
    from vqclip_nb.train.clip_trainer import CLIPTrainer
    from vqclip_nb.train.towers import lite_tower

    chosen, artwork = settings["judge"], _artwork(settings, work, "judge")
    visual = lite_tower(chosen["architecture"])
    trainer = CLIPTrainer(chosen, artwork, JUDGE, visual=visual, device=pick_device("auto"))
    trainer.train(work / "judge.pt", minutes)
    _write_clip(to / "judge.safetensors", trainer.average)


def _drawn(work: Path):
    """Load the rasterised drawings of the painter's artists."""
    from vqclip_nb.train.compositions.drawings import Drawings

    path = work / "drawings_a.npz"
    if not path.exists():
        raise SystemExit(f"{path} is missing: write it with compositions.load_drawings.")
    return Drawings.load(path)


def _draft(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the memory of the draft; no training."""
    from vqclip_nb.train.draft_memory import write_draft

    chosen = settings["draft"]
    write_draft(to, _trained(to), _drawn(work), side=chosen["side"], height=chosen["height"])


def _generator(settings: dict, work: Path, to: Path, minutes: float) -> None:
    trainer = GeneratorTrainer(settings["generator"], _artwork(settings, work), pick_device("auto"))
    trainer.train(work / "generator.pt", minutes)
    write_vqgan(to, trainer.state_dict(), trainer.config)


def _trained(to: Path) -> VQGAN:
    """Load the trained VQGAN, which paints the rivals in the training of CLIP."""
    path = to / "vqgan.safetensors"
    if not path.exists():
        raise SystemExit(f"{path} is missing: train the generator first (--part generator).")
    return VQGAN(load_network(path).to(pick_device("auto")))


def _drawings(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the drawings of the lessons; no training."""
    from vqclip_nb.train.lesson_drawings import write_drawings

    write_drawings(_artwork(settings, work), _artwork(settings, work, "judge"), to)


def _report(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the report; ignores the time budget."""
    from vqclip_nb.train.report import Report

    models, judge = _load_trained(to)
    drawings = (_artwork(settings, work, owner) for owner in ("painter", "judge"))
    report = Report(models, judge, *drawings, settings["report"])
    for name, value in report.write(work / "report").items():
        print(f"{name:45} {value:8.3f}")


def _compare(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the comparison of presets; ignores the time budget and is not part of `all`."""
    from vqclip_nb.train.compare import Comparison

    comparison = Comparison(*_load_trained(to), _artwork(settings, work), settings["compare"])
    for name, (best, five) in comparison.write(work / "compare").items():
        print(f"{name:30} first {best:.2f}, in five {five:.2f}")


def _load_trained(to: Path):
    """Load VQGAN, CLIP, draft and judge from the folder that they were written to."""
    from vqclip_nb.models.judge import build_judge

    models = load_models(str(to))
    return models, build_judge(read_tensors(to / "judge.safetensors"), [])


# in the order of training: each part may need the previous ones
_PARTS = {"generator": _generator, "clip": _clip, "draft": _draft, "judge": _judge}
_PARTS |= {"drawings": _drawings, "report": _report, "compare": _compare}


def _write_clip(path: Path, model) -> None:
    """Write the weights of a CLIP, and its list of known words beside them."""
    write_weights(path, model.published())
    words = json.dumps(model.words, ensure_ascii=False, indent=0)
    write_file(path.with_suffix(".words.json"), words.encode())


if __name__ == "__main__":
    sys.exit(main())
