"""What a command prints when it is done: lines, one path, or JSON; and opening the file."""

from __future__ import annotations

import json
from argparse import ArgumentParser, _ArgumentGroup
from pathlib import Path


def add_output(parser: ArgumentParser) -> _ArgumentGroup:
    """Add the flags that `tell` reads; returns their group."""
    group = parser.add_argument_group("output")
    group.add_argument("--quiet", action="store_true", help="print only the file that was made")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    group.add_argument("--open", action="store_true", help="open the file that was made")
    return group


def tell(options: dict, file: Path, facts: dict[str, object], lines: list[str]) -> None:
    """Print what was made, as the flags of `add_output` ask.

    file: the one that a person wants to see
    facts: for programs; lines: for people
    """
    if options["json"]:
        print(json.dumps(facts, indent=2))
    elif options["quiet"]:
        print(file)
    else:
        print("\n".join(lines))
    if options["open"] and file.exists():
        import webbrowser  # knows the programs of this machine

        webbrowser.open(file.resolve().as_uri())
