"""The command line: `vqclip "a red apple"`, or `vqclip COMMAND`; one module per command.

Each command's module has `parser() -> ArgumentParser` and `run(options) -> int`. It is imported only
when the command is called, and imports torch only after the options have been checked.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from vqclip_nb.cli.parsing import COMMANDS, closest, complete
from vqclip_nb.cli.streams import open_streams, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status.

    0: done; 2: an error, in one sentence on standard error; 130: interrupted; 141: nobody reads
    standard output any more. SIGTERM and SIGHUP end a painting with 143 and 129. Whatever it is,
    what was painted is kept.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = "_ARGCOMPLETE" in os.environ  # by a shell that completes a line
    line = os.environ["COMP_LINE"].split()[1:] if asked else words
    given = bool(line) and line[0] in COMMANDS
    name = line[0] if given else "paint"
    open_streams()
    command = importlib.import_module(f"vqclip_nb.cli.{name}")
    parser = command.parser()
    complete(parser, given)
    warnings.showwarning = _print_warning
    try:
        _check_command(words)
        options = vars(parser.parse_args(words[given:]))
        status = command.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        return 141
    except (ValueError, OSError, FloatingPointError) as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _check_command(words: Sequence[str]) -> None:
    """Raise ValueError for a mistyped command, which would be painted; no English word is one."""
    first = words[0].lower() if words else ""
    meant = closest(first, COMMANDS, 0.75)
    if not meant or first in COMMANDS:
        return
    from vqclip_nb.models.words import Words

    table = Words.load(Path(__file__).parents[1] / "models" / "tiny" / "words.json")
    if table.read(first).unknown:
        raise ValueError(
            f"{first!r} is not a command: did you mean {meant}? To paint it, write vqclip paint "
            f"{first}."
        )


def _print_warning(message, category, filename, lineno, file=None, line=None) -> None:
    say(message)
