"""vqclip PROMPT: paint a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vqclip_nb import __version__
from vqclip_nb.cli import flags
from vqclip_nb.cli.output import tell
from vqclip_nb.cli.parsing import COMMANDS, Parser
from vqclip_nb.storage.files import from_here

if TYPE_CHECKING:
    from vqclip_nb.run import Run


_COMMANDS = """commands, each with its own --help:
  vqclip PROMPT         paint a picture
  vqclip sweep FILE     paint every combination of the settings in a file
  vqclip journey PROMPT paint a film of a flight through a sentence
  vqclip morph A B      paint sentences that turn into each other
  vqclip restyle FILM   paint over a film
  vqclip video FOLDER   make a film of a run
  vqclip page FOLDER    put the pictures of a class on one page
  vqclip score IMAGE    score pictures against sentences
  vqclip models         list the models
  vqclip bench          measure speed and memory"""


def parser() -> Parser:
    made = Parser(
        "vqclip",
        "Paint a picture from a sentence with VQGAN and CLIP.",
        usage="vqclip PROMPT [flags]\n       vqclip COMMAND …",
        commands=_COMMANDS,
    )
    prompt = made.add_argument("prompt", help="what to paint, e.g. 'a red apple'")
    prompt.completer = lambda **_: COMMANDS
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
    from vqclip_nb.films.progress import watcher_for
    from vqclip_nb.run import Run

    run, interrupted = Run(settings, out=options["out"], offline=options["offline"]), False
    try:
        for _ in watcher_for(not options["quiet"]).run(run):
            pass
    except KeyboardInterrupt:
        interrupted = True
    if file:
        run.folder.copy_pictures(file)
    _report(run, file or run.folder.picture, options)
    return 130 if interrupted else 0


def _check_file(file: Path) -> None:
    """Raise ValueError if the picture could not be written there."""
    if file.suffix.lower() != ".png":
        raise ValueError(f"-o is {str(file)!r}: give the name of a .png file.")
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise ValueError(f"-o is {str(file)!r}: give a file in a folder that you may write to.")


def _report(run: Run, picture: Path, options: dict) -> None:
    film = run.folder.timelapse
    facts = {
        "picture": str(picture),
        "video": str(film),
        "folder": str(run.folder.path),
        "seed": run.settings.seed,
        "iterations": run.i,
        "seconds": round(run.seconds, 2),
    }
    lines = [f"picture     {from_here(picture)}", f"video       {from_here(film)}"]
    if run.history:
        start, end = (row["similarity"] for row in (run.history[0], run.history[-1]))
        facts |= {"similarity_start": round(start, 4), "similarity_end": round(end, 4)}
        lines.append(f"similarity  {start:.3f} at the start, {end:.3f} at the end")
    lines.append(f"seed {run.settings.seed}, {run.i} iterations in {run.seconds:.1f} s")
    tell(options, picture, facts, lines)
