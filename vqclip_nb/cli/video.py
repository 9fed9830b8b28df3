"""vqclip video FOLDER: make a film of a run."""

from __future__ import annotations

from pathlib import Path

from vqclip_nb.cli import flags
from vqclip_nb.cli.output import add_output, tell
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.films.options import Cut
from vqclip_nb.storage.files import from_here


def parser() -> Parser:
    made = Parser(prog="vqclip video", description="Make a film from the recorded frames of a run.")
    made.add_argument("folder", type=Path, help="the run's folder")
    made.add_argument("--to", type=Path, help="the film (default: film.mp4 in the folder)")
    flags.add_flags(made, Cut)
    add_output(made)
    return made


def run(options: dict) -> int:
    cut = flags.given(options, Cut)
    Cut(**cut)  # reports a wrong value before torch is imported
    from vqclip_nb.films.timelapse import timelapse

    film = timelapse(options["folder"], options["to"], **cut)
    tell(options, film, {"video": str(film)}, [f"video       {from_here(film)}"])
    return 0
