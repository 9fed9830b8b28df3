"""The command line: `vqclip "a red apple"`, `vqclip sweep prompts.txt`, `vqclip models`."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from vqclip_nb.settings import PRESETS, Settings, specs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 with one sentence if it could not, 130 if interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words.pop(0) if words and words[0] in ("sweep", "models") else "paint"
    parser = _models_parser() if command == "models" else _parser(command)
    options = vars(parser.parse_args(words))
    warnings.showwarning = _plain_warning
    try:
        if command == "models":
            return _models(options)
        settings = _settings(options)
        return {"paint": _paint, "sweep": _sweep}[command](settings, options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"vqclip: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser(command: str) -> argparse.ArgumentParser:
    """One flag for every field of `Settings`, with its help, range and default."""
    parser = argparse.ArgumentParser(
        prog="vqclip" if command == "paint" else f"vqclip {command}",
        description="Paint a picture from a sentence with VQGAN and CLIP."
        if command == "paint"
        else "Paint every prompt of a file with one seed, and a contact sheet of all.",
        epilog="vqclip sweep FILE paints every line of a file; vqclip models lists the models."
        if command == "paint"
        else None,
    )
    if command == "paint":
        parser.add_argument("prompt", help="what to paint, e.g. 'a red apple'")
        parser.add_argument("--offline", action="store_true", help="fetch no model")
    else:
        parser.add_argument("file", type=Path, help="a text file with one prompt a line")
        parser.add_argument("--columns", type=int, default=6, help="pictures in a row (default: 6)")
    defaults = Settings()
    for name, spec in specs().items():
        if name != "prompt":
            _add_flag(parser, name, spec, getattr(defaults, name))
    parser.add_argument("--preset", default="studio", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--out", default="runs", help="folder for the new run (default: runs)")
    parser.add_argument("--json", action="store_true", help="print paths and scores as JSON")
    return parser


def _add_flag(parser: argparse.ArgumentParser, name: str, spec, default: object) -> None:
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    unit = f" {spec.unit}" if spec.unit else ""
    limits = f"; {spec.allowed}{unit}" if spec.choices or spec.minimum is not None else ""
    note = (
        f" (default: {shown}{limits})" if shown not in ("", None) else limits and f" ({limits[2:]})"
    )
    if isinstance(default, bool):
        note = f" (default: {'on' if default else 'off'})"
    options: dict = {"help": (spec.help + note).replace("%", "%%"), "default": argparse.SUPPRESS}
    if name == "im_shape":
        options |= {"nargs": "+", "metavar": ("WIDTH", "HEIGHT")}
    elif isinstance(default, bool):
        options["action"] = argparse.BooleanOptionalAction
    elif isinstance(default, tuple):
        options |= {"nargs": "+", "action": "extend", "metavar": "NAME"}
    else:
        options["metavar"] = name.upper()
    parser.add_argument("--" + name.replace("_", "-"), **options)


def _settings(options: dict) -> Settings:
    """The settings that the flags say, over those of the preset."""
    changes = {}
    for name in specs():
        if name in options:
            value = options[name]
            ready = isinstance(getattr(Settings(), name), (str, bool)) or name == "clip"
            changes[name] = value if ready else _parsed(value)
    return Settings.preset(options["preset"], **changes)


def _parsed(value: str | list[str]) -> object:
    """Numbers where the words are numbers; `Settings` refuses the rest."""
    if isinstance(value, list):
        return [_parsed(item) for item in value]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _paint(settings: Settings, options: dict) -> int:
    from vqclip_nb.run import Run
    from vqclip_nb.show import with_bar

    run, interrupted = Run(settings, out=options["out"], offline=options["offline"]), False
    try:
        for _ in with_bar(run):
            pass
    except KeyboardInterrupt:
        interrupted = True
    _report(run, options["json"])
    return 130 if interrupted else 0


def _report(run, as_json: bool) -> None:
    facts = {
        "picture": str(run.folder.picture),
        "video": str(run.folder.timelapse),
        "folder": str(run.folder.path),
        "seed": run.settings.seed,
        "iterations": run.i,
        "seconds": round(run.seconds, 2),
    }
    if run.history:
        facts["similarity_start"] = round(run.history[0]["similarity"], 4)
        facts["similarity_end"] = round(run.history[-1]["similarity"], 4)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"picture     {facts['picture']}")
    print(f"video       {facts['video']}")
    if run.history:
        print(
            f"similarity  {facts['similarity_start']:.3f} at the start, "
            f"{facts['similarity_end']:.3f} at the end"
        )
    print(f"seed {facts['seed']}, {run.i} iterations in {run.seconds:.1f} s")


def _sweep(settings: Settings, options: dict) -> int:
    prompts = [line.strip() for line in options["file"].read_text(encoding="utf-8").splitlines()]
    prompts = [line for line in prompts if line and not line.startswith("#")]
    if not prompts:
        raise ValueError(f"{options['file']} holds no prompt: write one a line.")
    from vqclip_nb.sweep import sweep

    def tell(number: int, total: int, plan: Settings) -> None:
        print(f"{number} of {total}: {plan.prompt}", file=sys.stderr)

    out = options["out"]
    results = sweep({"prompt": prompts}, settings, out=out, columns=options["columns"], each=tell)
    facts = {
        "sheet": str(Path(out) / "sheet.png"),
        "pictures": [str(result.folder / "picture.png") for result in results],
    }
    print(json.dumps(facts, indent=2) if options["json"] else f"sheet       {facts['sheet']}")
    return 0


def _models_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip models", description="What can be painted with, and what it costs to fetch."
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    return parser


def _models(options: dict) -> int:
    from vqclip_nb.registry import cache_folder, table

    rows = table()
    if options["json"]:
        print(json.dumps(rows, indent=2))
        return 0
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    print(f"\nkept in {cache_folder()}; VQCLIP_CACHE chooses another folder")
    return 0


def _plain_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"vqclip: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
