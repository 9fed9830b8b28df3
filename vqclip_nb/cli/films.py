"""What the commands morph, journey and restyle share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vqclip_nb.cli import flags
from vqclip_nb.cli.output import tell
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.cli.streams import say
from vqclip_nb.storage.files import from_here

CONTINUES = "After an interrupt, run the same command again to continue the film."


def add_film(parser: Parser, options: type) -> None:
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
    return chosen | more | {"show": not options["quiet"]}


def make(options: dict, film: Callable[[], Path]) -> int:
    """Make a film and print its path."""
    try:
        file = film()
    except KeyboardInterrupt:
        say(f"Stopped. {options['to']} has the frames so far, if any.")
        return 130
    tell(options, file, {"video": str(file)}, [f"video       {from_here(file)}"])
    return 0
