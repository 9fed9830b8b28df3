"""What the commands morph, journey and restyle share."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from vqclip_nb.cli import flags
from vqclip_nb.cli.streams import say

CONTINUES = "After an interrupt, run the same command again to continue the film."


def add_film(parser: ArgumentParser, options: type) -> None:
    """Add `--to`, the flags of a film's options and those of all settings."""
    parser.add_argument(
        "--to", default="film.mp4", help="the film, .mp4 or .gif (default: %(default)s)"
    )
    flags.add_flags(parser, options)
    flags.add_settings(parser)


def given(options: dict, film_options: type) -> dict:
    """The arguments of the function that makes a film; reports a wrong value."""
    chosen = flags.given(options, film_options)
    film_options(**chosen)
    more = {"file": options["to"], "out": options["out"], "offline": options["offline"]}
    return chosen | more | {"show": True}


def make(options: dict, film: Callable[[], Path]) -> int:
    """Make a film and print its path."""
    try:
        file = film()
    except KeyboardInterrupt:
        say(f"Stopped. {options['to']} has the frames so far, if any.")
        return 130
    print(json.dumps({"video": str(file)}) if options["json"] else f"video       {file}")
    return 0
