"""vqclip restyle FILM: paint over the frames of a film."""

from __future__ import annotations

from vqclip_nb.cli import films, flags
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.films.options import Restyle


def parser() -> Parser:
    made = Parser(
        prog="vqclip restyle",
        description="Paint over a film: each frame begins with what was painted on the last one.",
        epilog=films.CONTINUES,
    )
    made.add_argument("film", help="mp4, mov, webm, mkv, avi or gif")
    made.add_argument(
        "--prompt", required=True, help="what to paint, e.g. 'a garden, oil painting'"
    )
    films.add_film(made, Restyle)
    return made


def run(options: dict) -> int:
    settings = flags.settings(options)
    arguments = films.given(options, Restyle)
    from vqclip_nb.films.restyle import restyle

    return films.make(options, lambda: restyle(options["film"], settings, **arguments))
