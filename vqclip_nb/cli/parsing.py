"""Parsers of command lines: errors of one sentence, and rare flags that --help leaves out."""

from __future__ import annotations

import difflib
import os
import re
from argparse import SUPPRESS, Action, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from typing import NoReturn

COMMANDS = (
    "paint",
    "sweep",
    "video",
    "morph",
    "journey",
    "restyle",
    "page",
    "score",
    "models",
    "bench",
)


_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)


class Parser(ArgumentParser):
    """An `ArgumentParser` whose errors say which flag was probably meant.

    commands: a table above the flags
    """

    def __init__(self, prog: str, description: str, *, commands: str = "", **more: object) -> None:
        if commands:
            description = f"{description}\n\n{commands}"
            more["formatter_class"] = RawDescriptionHelpFormatter
        super().__init__(prog=prog, description=description, add_help=False, **more)
        self._negative_number_matcher = _NEGATIVE  # argparse's knows no exponents before 3.14
        self._has_rare = False
        self.add_argument("-h", "--help", action="help", help="show the usual flags")

    def add_rare(self, group: object, *flags: str, help: str, **options: object) -> None:
        """Add a flag that only --help-all shows."""
        if not self._has_rare:
            self._has_rare = True
            self.add_argument("--help-all", action=_HelpAll, nargs=0, help="show all flags")
        group.add_argument(*flags, help=SUPPRESS, **options).rare_help = help

    def parse_args(self, args: Sequence[str] | None = None, namespace=None):
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._unexpected(unknown[0]))
        return found

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} {self.prog} --help lists what there is.\n")

    def _unexpected(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one word too many: put a sentence of several words in quotes"
        meant = closest(word.partition("=")[0], self._option_string_actions)
        return f"{word} is not a flag" + (f": did you mean {meant}?" if meant else "")


class _HelpAll(Action):
    """Show the help with the rare flags."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        for action in parser._actions:
            action.help = getattr(action, "rare_help", action.help)
        parser.print_help()
        parser.exit()


def closest(word: str, known: Iterable[str], least: float = 0.6) -> str:
    """The known word that is most like a mistyped one; empty if none is."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, least)), "")


def complete(parser: ArgumentParser, command_given: bool) -> None:
    """Answer a shell that asks how a line goes on, if argcomplete is installed; else return.

    command_given: whether the line names a command, which is then what argcomplete completes
    """
    if "_ARGCOMPLETE" not in os.environ:
        return
    try:
        import argcomplete
    except ImportError:
        return
    if command_given:
        os.environ["_ARGCOMPLETE"] = "2"
    argcomplete.autocomplete(parser)
