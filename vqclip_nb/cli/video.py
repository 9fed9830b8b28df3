"""vqclip video FOLDER: make a film of a run."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path

from vqclip_nb.cli import flags
from vqclip_nb.films.options import Cut


def parser() -> ArgumentParser:
    made = ArgumentParser(
        prog="vqclip video", description="Make a film from the recorded frames of a run."
    )
    made.add_argument("folder", type=Path, help="the run's folder")
    made.add_argument("--to", type=Path, help="the film (default: film.mp4 in the folder)")
    made.add_argument("--json", action="store_true", help="print the path as JSON")
    flags.add_flags(made, Cut)
    return made


def run(options: dict) -> int:
    cut = flags.given(options, Cut)
    Cut(**cut)  # reports a wrong value before torch is imported
    from vqclip_nb.films.timelapse import timelapse

    film = timelapse(options["folder"], options["to"], **cut)
    print(json.dumps({"video": str(film)}) if options["json"] else f"video       {film}")
    return 0
