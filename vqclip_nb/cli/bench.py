"""vqclip bench: measure speed and memory."""

from __future__ import annotations

import json
from dataclasses import asdict

from vqclip_nb.cli import flags
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.cli.streams import say
from vqclip_nb.settings import Settings


def parser() -> Parser:
    made = Parser(
        prog="vqclip bench",
        description="Measure the speed and memory of an iteration, for each size and number of "
        "crops.",
        epilog="'× networks' is the time of an iteration divided by that of the forward and "
        "backward passes of its networks alone; 'of matmul' is the share of the rate at which "
        "this machine multiplies matrices. Alternatives run in turn; times are medians. --race "
        "measures how long the preset paints, for each sentence, until a judge that is not "
        "optimized scores its picture as high as that of the public loop; the times exclude "
        "loading and judging.",
    )
    add, numbers = made.add_argument, {"type": int, "nargs": "+", "metavar": "N"}
    add(
        "--size",
        default=[256],
        help="side of the square picture, in pixels (default: 256; with --race only one)",
        **numbers,
    )
    add(
        "--cutn",
        dest="crops",
        help="number of crops (default: 16; with --race that of the public loop)",
        **numbers,
    )
    flags.add_flags(made, Settings, "models", "clip", "device", "precision")
    flags.add_preset(made)
    add(
        "--against",
        metavar="NAME",
        help="measure a public loop too, with its preset: nerdyrodent, crowson or classic",
    )
    add("--race", nargs="+", metavar="SENTENCE", help="race the preset against the public loop")
    add(
        "--iterations",
        type=int,
        metavar="N",
        help="measured iterations (default: 20; with --race those of the public loop, 300)",
    )
    add(
        "--untrained",
        action="store_true",
        help="use random weights for official models instead of downloading them",
    )
    add("--json", action="store_true", help="print the figures as JSON")
    return made


def run(options: dict) -> int:
    against, crops = options["against"], options["crops"] or [16]
    if options["iterations"] is None:
        options["iterations"] = 300 if options["race"] else 20
    if options["iterations"] < 1:
        raise ValueError(f"iterations must be 1 or more, got {options['iterations']}.")
    if options["race"]:
        return _race(options)
    common = flags.settings(options | {"preset": against or options["preset"]})
    plans = [
        common.replace(im_shape=(side, side), cutn=cutn)
        for side in options["size"]
        for cutn in crops
    ]
    from vqclip_nb.evaluation.benchmark import as_table, measure
    from vqclip_nb.evaluation.untrained_models import untrained
    from vqclip_nb.models.loading import load_for

    models = untrained(plans[0]) if options["untrained"] else load_for(plans[0])
    rows = []
    for number, plan in enumerate(plans, 1):
        say(f"{number} of {len(plans)}: {plan.im_shape[0]} pixels", of="")
        rows.append(measure(plan, models, iterations=options["iterations"], against=against))
    return _report(rows, as_table(rows, against), options["json"])


def _race(options: dict) -> int:
    against, sizes, crops = options["against"], options["size"], options["crops"] or [None]
    if against is None:
        raise ValueError("race needs a public loop to compare with: add --against NAME.")
    for name, values in (("size", sizes), ("cutn", crops)):
        if len(values) > 1:
            raise ValueError(f"{name} must be one value in a race, got {values}.")
    ours = flags.settings(options).replace(im_shape=sizes * 2)
    from vqclip_nb.evaluation.time_to_score import as_table, race

    def tell(number: int, total: int, prompt: str) -> None:
        say(f"{number} of {total}: {prompt}", of="")

    more = {"iterations": options["iterations"], "cutn": crops[0], "each": tell}
    laps = race(options["race"], against, ours, **more)
    return _report(laps, as_table(laps, against), options["json"])


def _report(rows: list, table: str, as_json: bool) -> int:
    from vqclip_nb.evaluation.machine import describe_machine

    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(describe_machine(), table, sep="\n\n")
    return 0
