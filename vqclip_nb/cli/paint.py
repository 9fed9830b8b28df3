"""vqclip PROMPT: paint a picture."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from pathlib import Path

from vqclip_nb import __version__
from vqclip_nb.cli import flags
from vqclip_nb.storage.files import from_here


def parser() -> ArgumentParser:
    made = ArgumentParser(
        prog="vqclip",
        description="Paint a picture from a sentence with VQGAN and CLIP.",
        epilog="Other commands, each with its own --help: vqclip sweep FILE paints every "
        "combination of settings in a file; vqclip video FOLDER makes a film of a run; vqclip "
        "morph and vqclip journey make films from sentences; vqclip restyle FILM paints over a "
        "film; vqclip page FOLDER puts the pictures "
        "of a class on one page; vqclip score IMAGE scores pictures against sentences; vqclip "
        "models lists the models; vqclip bench measures speed and memory.",
    )
    made.add_argument("prompt", help="what to paint, e.g. 'a red apple'")
    made.add_argument(
        "-o",
        dest="file",
        type=Path,
        metavar="FILE.png",
        help="also write the picture to this file (several pictures: FILE.png, FILE_1.png, …)",
    )
    made.add_argument("--version", action="version", version=f"vqclip {__version__}")
    flags.add_settings(made)
    return made


def run(options: dict) -> int:
    settings, file = flags.settings(options), options["file"]
    if file:
        _check_file(file)
    from vqclip_nb.films.progress import with_bar
    from vqclip_nb.run import Run

    run, interrupted = Run(settings, out=options["out"], offline=options["offline"]), False
    try:
        for _ in with_bar(run):
            pass
    except KeyboardInterrupt:
        interrupted = True
    if file:
        run.folder.copy_pictures(file)
    _report(run, file or run.folder.picture, options["json"])
    return 130 if interrupted else 0


def _check_file(file: Path) -> None:
    """Raise ValueError if the picture could not be written there."""
    if file.suffix.lower() != ".png":
        raise ValueError(f"-o is {str(file)!r}: give the name of a .png file.")
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise ValueError(f"-o is {str(file)!r}: give a file in a folder that you may write to.")


def _report(run, picture: Path, as_json: bool) -> None:
    facts = {
        "picture": str(picture),
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
    print(f"picture     {from_here(picture)}")
    print(f"video       {from_here(run.folder.timelapse)}")
    if run.history:
        print(
            f"similarity  {facts['similarity_start']:.3f} at the start, "
            f"{facts['similarity_end']:.3f} at the end"
        )
    print(f"seed {facts['seed']}, {run.i} iterations in {run.seconds:.1f} s")
