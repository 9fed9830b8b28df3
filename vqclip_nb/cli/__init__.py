"""The command line: `vqclip "a red apple"`, or `vqclip COMMAND`; one module per command.

Each command's module has `parser() -> ArgumentParser` and `run(options) -> int`. It is imported only
when the command is called, and imports torch only after the options have been checked.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence

COMMANDS = ("paint", "sweep", "video", "morph", "journey", "page", "score", "models", "bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 on success, 2 after an error in one sentence, 130 if interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in COMMANDS else "paint"
    command = importlib.import_module(f"vqclip_nb.cli.{name}")
    options = vars(command.parser().parse_args(words))
    warnings.showwarning = _print_warning
    try:
        return command.run(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"vqclip: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _print_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"vqclip: {message}", file=sys.stderr)
