"""vqclip morph SOURCE SOURCE: make a film in which pictures turn into each other."""

from __future__ import annotations

from vqclip_nb.cli import films, flags
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.films.options import Morph


def parser() -> Parser:
    made = Parser(
        prog="vqclip morph",
        description="Paint sentences, and a film in which each picture turns into the next.",
        epilog=films.CONTINUES,
    )
    made.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a sentence, a run's folder or a .safetensors"
    )
    films.add_film(made, Morph)
    return made


def run(options: dict) -> int:
    settings, arguments = flags.settings(options), films.given(options, Morph)
    from vqclip_nb.films.morph import morph

    return films.make(options, lambda: morph(options["sources"], settings=settings, **arguments))
