"""vqclip score IMAGE: score pictures against sentences."""

from __future__ import annotations

import json
from dataclasses import asdict

from vqclip_nb.cli import flags
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.settings import Settings

_NAMES = ("models", "clip", "device", "precision")


def parser() -> Parser:
    made = Parser(
        prog="vqclip score",
        description="Score pictures against sentences with CLIP and with the judge, a held-out "
        "CLIP that no picture is optimized for.",
        epilog="A score is the cosine between the embeddings of the whole picture and of the "
        "sentence, from -1 to 1. Compare scores within a column only: each model has its own "
        "scale. * marks the best of several prompts for a picture. Weights such as 'a cat:2 | a "
        "hat' count; a story (^), a picture or noise cannot be scored. To score with official "
        "CLIP models alone, use --clip; --models also downloads the generator.",
    )
    add = made.add_argument
    add("images", nargs="+", metavar="IMAGE", help="a picture, or a run's folder")
    add(
        "--prompt",
        dest="prompts",
        action="append",
        metavar="PROMPT",
        default=[],
        help="a sentence; repeat for more (default: the prompt that each picture was painted from)",
    )
    flags.add_flags(made, Settings, *_NAMES)
    add("--offline", action="store_true", help="download nothing")
    add("--json", action="store_true", help="print the scores as JSON")
    return made


def run(options: dict) -> int:
    settings = Settings(**flags.given(options, Settings))
    from vqclip_nb.evaluation.scores import as_table, score

    named = {name: getattr(settings, name) for name in _NAMES}
    rows = score(options["images"], options["prompts"], **named, offline=options["offline"])
    found = [asdict(row) for row in rows]
    print(json.dumps(found, indent=2) if options["json"] else as_table(rows))
    return 0
