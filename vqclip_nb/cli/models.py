"""vqclip models: list the models."""

from __future__ import annotations

import json

from vqclip_nb.cli.parsing import Parser


def parser() -> Parser:
    made = Parser(
        prog="vqclip models", description="List the models, and the size of each download."
    )
    made.add_argument("--json", action="store_true", help="print the table as JSON")
    return made


def run(options: dict) -> int:
    from vqclip_nb.evaluation.tables import aligned
    from vqclip_nb.models.download import cache_folder
    from vqclip_nb.models.registry import table

    rows = table()
    if options["json"]:
        print(json.dumps(rows, indent=2))
        return 0
    print(aligned([list(rows[0]), *([str(value) for value in row.values()] for row in rows)]))
    print(f"\nModels are stored in {cache_folder()}; set VQCLIP_CACHE to use another folder.")
    return 0
