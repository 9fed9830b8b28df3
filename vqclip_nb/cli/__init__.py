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

from vqclip_nb.cli.streams import open_streams, say

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status.

    0: done; 2: an error, in one sentence on standard error; 130: interrupted; 141: nobody reads
    standard output any more. SIGTERM and SIGHUP end a painting with 143 and 129. Whatever it is,
    what was painted is kept.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in COMMANDS else "paint"
    open_streams()
    command = importlib.import_module(f"vqclip_nb.cli.{name}")
    options = vars(command.parser().parse_args(words))
    warnings.showwarning = _print_warning
    try:
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


def _print_warning(message, category, filename, lineno, file=None, line=None) -> None:
    say(message)
