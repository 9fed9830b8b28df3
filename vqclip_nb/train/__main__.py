"""Train the embedded models, or fine-tune a VQGAN on your own pictures."""

from __future__ import annotations

import argparse
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import torch

from vqclip_nb.models.checkpoints import load_network
from vqclip_nb.models.loading import load_models, pick_device
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.models.words import Words
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
    parser = commands.add_parser("tiny", help="train the embedded models on drawings")
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
    every = [part for part in _PARTS if part not in _ON_REQUEST]
    for part in every if options.part == "all" else [options.part]:
        minutes = options.minutes
        if minutes is None:
            minutes = settings.get(part, {}).get("minutes", 0.0)
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


def _drawings(settings: dict, work: Path, owner: str = "painter"):
    """The drawings of the painter's artists or the judges'."""
    from vqclip_nb.train.compositions import load_drawings

    chosen, group = settings["drawings"], {"painter": "a", "judges": "b"}[owner]
    return load_drawings(work / "drawings", group, chosen[owner], chosen["names"])


def _pool(settings: dict, work: Path, name: str):
    """Drawn compositions for the training of CLIP or of a judge."""
    from vqclip_nb.train.scene_pool import load_pool

    if name == "clip":
        drawings = _drawings(settings, work)
    else:
        artists = settings["judges"][name]["drawings"]
        drawings = _drawings(settings, work, "judges").of_sources(artists)
    return load_pool(work / f"pool_{name}", drawings, **settings["pool"])


def _generator(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.compositions import Cast

    chosen, cast = settings["generator"], Cast(_drawings(settings, work))
    size = chosen["architecture"]["resolution"]
    trainer = GeneratorTrainer(chosen, cast, size, pick_device("auto"))
    trainer.train(work / "generator.pt", minutes)
    write_vqgan(to, trainer.state_dict(), trainer.config)


def _clip(settings: dict, work: Path, to: Path, minutes: float) -> None:
    from vqclip_nb.train.clip_trainer import CLIPTrainer
    from vqclip_nb.train.compositions import PAIR, Cast

    rivals = _trained(to), Cast(_drawings(settings, work))
    pool, device = _pool(settings, work, "clip"), pick_device("auto")
    trainer = CLIPTrainer(settings["clip"], pool, PAIR, rivals=rivals, device=device)
    trainer.train(work / "clip.pt", minutes)
    write_weights(to / "clip.safetensors", trainer.average.published())
    write_file(to / "words.json", Words(trainer.average.words).to_json().encode())


def _judges(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Train each judge for its own share of the minutes."""
    from vqclip_nb.train.clip_trainer import CLIPTrainer
    from vqclip_nb.train.compositions import JUDGE
    from vqclip_nb.train.towers import lite_tower

    total = sum(judge["minutes"] for judge in settings["judges"].values())
    for name, chosen in settings["judges"].items():
        visual = lite_tower(chosen["architecture"]) if name == "lite" else None
        pool, device = _pool(settings, work, name), pick_device("auto")
        trainer = CLIPTrainer(chosen, pool, JUDGE, visual=visual, device=device)
        share = chosen["minutes"] / total
        trainer.train(work / f"judge_{name}.pt", (minutes or total) * share)
        write_weights(to / f"judge_{name}.safetensors", trainer.average.published())


def _draft(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the memory of the draft; no training."""
    from vqclip_nb.train.draft_memory import write_draft

    chosen = settings["draft"]
    write_draft(
        to, _trained(to), _drawings(settings, work), side=chosen["side"], height=chosen["height"]
    )


def _trained(to: Path) -> VQGAN:
    """Load the trained VQGAN, which paints the rivals in the training of CLIP."""
    path = to / "vqgan.safetensors"
    if not path.exists():
        raise SystemExit(f"{path} is missing: train the generator first (--part generator).")
    return VQGAN(load_network(path).to(pick_device("auto")))


def _lesson_drawings(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the drawings of the lessons; no training."""
    from vqclip_nb.train.lesson_drawings import write_drawings

    write_drawings(_drawings(settings, work), _drawings(settings, work, "judges"), to)


def _report(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the report; ignores the time budget."""
    from vqclip_nb.models.judge import judges_in, load_judge
    from vqclip_nb.train.report import Report

    every, judges = _drawings(settings, work, "judges"), {}
    for name in judges_in(to):
        drawings = every.of_sources(settings["judges"][name]["drawings"])
        judges[name] = load_judge("cpu", name=name, folder=to), drawings
    drawings = _drawings(settings, work)
    report = Report(load_models(str(to)), drawings, judges, settings["report"])
    for name, value in report.write(work / "report").items():
        print(f"{name:55} {value:8.3f}")


def _compare(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Write the comparison of presets; ignores the time budget."""
    from vqclip_nb.models.judge import judges_in, load_judge
    from vqclip_nb.train.battery import names_in
    from vqclip_nb.train.compare import Comparison
    from vqclip_nb.train.compositions import Cast

    drawings, others = _drawings(settings, work), _drawings(settings, work, "judges")
    every = [others.of_sources(settings["judges"][name]["drawings"]) for name in judges_in(to)]
    judges = {name: load_judge("cpu", name=name, folder=to) for name in judges_in(to)}
    models, known = load_models(str(to)), names_in([drawings, *every])
    comparison = Comparison(models, judges, Cast(drawings), known, settings["compare"])
    comparison.write(work / "compare")
    print((work / "compare" / "compare.md").read_text(encoding="utf-8"))


def _words(settings: dict, work: Path, to: Path, minutes: float) -> None:
    """Find the near words for the known words of the trained CLIP; no training."""
    from vqclip_nb.train.near_words import write_words
    from vqclip_nb.train.sources import debian_package

    wordnet = debian_package("wordnet-base", work / "words") / "usr" / "share" / "wordnet"
    write_words(to / "words.json", wordnet=str(wordnet), **settings["words"])


# in the order of training: each part may need the previous ones
_PARTS = {"generator": _generator, "clip": _clip, "draft": _draft, "judges": _judges}
_PARTS |= {"words": _words, "lesson_drawings": _lesson_drawings, "report": _report}
_PARTS |= {"compare": _compare}
_ON_REQUEST = ("compare",)  # not part of `all`


if __name__ == "__main__":
    sys.exit(main())
