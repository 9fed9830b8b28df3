"""vqclip sweep FILE: paint every combination of settings in a file."""

from __future__ import annotations

from pathlib import Path

from vqclip_nb.cli import flags
from vqclip_nb.cli.output import tell
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.cli.streams import say


def parser() -> Parser:
    made = Parser(
        prog="vqclip sweep",
        description="Paint every combination of settings in a file, and contact sheets of all "
        "pictures.",
        epilog="FILE.toml has a table [grid], with lists of values for prompt, seed, preset or any "
        "other setting, and a table [settings] with values for all runs. Any other file has one "
        "prompt per line. After an interrupt, run the same command again to continue.",
    )
    add = made.add_argument
    add("file", type=Path, metavar="FILE", help="a .toml file, or a text file of prompts")
    add("--columns", type=int, help="pictures per row of sheet.png (default: 6)")
    add(
        "--workers",
        type=int,
        default=1,
        help="runs at the same time; more than 1 needs Ray (default: %(default)s)",
    )
    add("--address", help="address of a Ray cluster whose machines share the folder")
    add("--gpus", type=float, help="GPUs per run, fractions allowed, with workers")
    add(
        "--score",
        default="judge",
        help="order of sheet.html, clip or judge (default: %(default)s)",
    )
    flags.add_settings(made)
    return made


def run(options: dict) -> int:
    from vqclip_nb.sweeps.grid import combinations, read_sweep

    grid, others = read_sweep(options["file"])
    options["preset"] = others.pop("preset", options["preset"])
    settings = flags.settings(options, **others)
    planned = combinations(grid, settings)  # reports a wrong value before torch is imported
    from vqclip_nb.sweeps.sweep import sweep

    names = ("workers", "address", "gpus", "out", "columns", "score", "offline")
    painted = sweep(grid, settings, show=not options["quiet"], **{n: options[n] for n in names})
    out = Path(options["out"])
    facts = {"sheet": str(out / "sheet.png"), "page": str(out / "sheet.html")}
    facts["pictures"] = [str(each.folder / "picture.png") for each in painted]
    lines = [f"painted     {len(painted)} of {len(planned)}"]
    lines += [f"sheet       {out / 'sheet.png'}", f"page        {out / 'sheet.html'}"]
    tell(options, out / "sheet.html", facts, lines)
    if len(painted) == len(planned):
        return 0
    say("Some runs are missing; run the same command again to continue.")
    return 2
