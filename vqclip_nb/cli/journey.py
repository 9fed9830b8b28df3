"""vqclip journey PROMPT: make a film of a flight through a prompt."""

from __future__ import annotations

from vqclip_nb.cli import films, flags
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.films.options import Journey


def parser() -> Parser:
    made = Parser(
        prog="vqclip journey",
        description="Paint a sentence, and a film of a flight through it.",
        epilog=films.CONTINUES,
    )
    made.add_argument("prompt", help="what to fly through, e.g. 'a forest ^ the sea'")
    films.add_film(made, Journey)
    return made


def run(options: dict) -> int:
    settings, arguments = flags.settings(options), films.given(options, Journey)
    from vqclip_nb.films.journey import journey

    return films.make(options, lambda: journey(settings, **arguments))
