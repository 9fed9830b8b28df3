"""The command line: `vqclip "a red apple"`, and `vqclip` with the name of a subcommand."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from vqclip_nb.settings import PRESETS, Settings, specs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 with one sentence if it could not, 130 if interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words.pop(0) if words and words[0] in _COMMANDS else "paint"
    make_parser, run = _COMMANDS[command]
    options = vars(make_parser().parse_args(words))
    warnings.showwarning = _plain_warning
    try:
        return run(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"vqclip: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _paint_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip",
        description="Paint a picture from a sentence with VQGAN and CLIP.",
        epilog="vqclip sweep FILE paints every line of a file, vqclip video FOLDER cuts the film "
        "of a run, vqclip morph and vqclip journey make films of sentences, vqclip page FOLDER "
        "puts the runs of a class on one page, vqclip score IMAGE tells how well pictures fit "
        "sentences, vqclip models lists the models, vqclip bench measures speed and memory.",
    )
    parser.add_argument("prompt", help="what to paint, e.g. 'a red apple'")
    parser.add_argument("--offline", action="store_true", help="fetch no model")
    return _with_settings(parser)


def _sweep_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip sweep",
        description="Paint every combination of what a file says, and sheets of all pictures.",
        epilog="FILE.toml has the tables [grid], with lists of values for prompt, seed, preset or "
        "any other setting, and [settings] for all; other files have one prompt a line. The same "
        "command goes on where it was interrupted.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a .toml file, or one of prompts")
    parser.add_argument("--columns", type=int, help="pictures in a row of sheet.png (default: 6)")
    parser.add_argument(
        "--workers", type=int, default=1, help="runs at once; above 1 by Ray (default: 1)"
    )
    parser.add_argument("--address", help="a Ray cluster, whose machines share the folder")
    parser.add_argument("--gpus", type=float, help="of each run, also parts of one, on workers")
    parser.add_argument(
        "--score",
        default="critic",
        help="what sheet.html is sorted by, critic or judge (default: critic)",
    )
    parser.add_argument("--offline", action="store_true", help="fetch no model")
    return _with_settings(parser)


def _with_settings(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """One flag for every field of `Settings`, with its help, range and default."""
    defaults = Settings()
    for name, spec in specs().items():
        if name != "prompt":
            _add_flag(parser, name, spec, getattr(defaults, name))
    parser.add_argument("--preset", default="studio", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--out", default="runs", help="folder for the new run (default: runs)")
    parser.add_argument("--json", action="store_true", help="print paths and scores as JSON")
    return parser


def _add_flag(parser: argparse.ArgumentParser, name: str, spec, default: object) -> None:
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    unit = f" {spec.unit}" if spec.unit else ""
    limits = f"; {spec.allowed}{unit}" if spec.choices or spec.minimum is not None else ""
    note = (
        f" (default: {shown}{limits})" if shown not in ("", None) else limits and f" ({limits[2:]})"
    )
    if isinstance(default, bool):
        note = f" (default: {'on' if default else 'off'})"
    options: dict = {"help": (spec.help + note).replace("%", "%%"), "default": argparse.SUPPRESS}
    if name == "im_shape":
        options |= {"nargs": "+", "metavar": ("WIDTH", "HEIGHT")}
    elif isinstance(default, bool):
        options["action"] = argparse.BooleanOptionalAction
    elif isinstance(default, tuple):
        options |= {"nargs": "+", "action": "extend", "metavar": "NAME"}
    else:
        options["metavar"] = name.upper()
    parser.add_argument("--" + name.replace("_", "-"), **options)


def _settings(options: dict, **changes: object) -> Settings:
    """The settings that the flags say, over others, over those of the preset."""
    for name in specs():
        if name in options:
            value = options[name]
            ready = isinstance(getattr(Settings(), name), (str, bool)) or name == "clip"
            changes[name] = value if ready else _parsed(value)
    return Settings.preset(options["preset"], **changes)


def _parsed(value: str | list[str]) -> object:
    """Numbers where the words are numbers; `Settings` refuses the rest."""
    if isinstance(value, list):
        return [_parsed(item) for item in value]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _paint(options: dict) -> int:
    settings = _settings(options)  # before torch is imported: a wrong one is told at once
    from vqclip_nb.films.progress import with_bar
    from vqclip_nb.run import Run

    run, interrupted = Run(settings, out=options["out"], offline=options["offline"]), False
    try:
        for _ in with_bar(run):
            pass
    except KeyboardInterrupt:
        interrupted = True
    _report(run, options["json"])
    return 130 if interrupted else 0


def _report(run, as_json: bool) -> None:
    facts = {
        "picture": str(run.folder.picture),
        "video": str(run.folder.timelapse),
        "folder": str(run.folder.path),
        "seed": run.settings.seed,
        "iterations": run.i,
        "seconds": round(run.seconds, 2),
    }
    if run.history:
        facts["similarity_start"] = round(run.history[0]["similarity"], 4)
        facts["similarity_end"] = round(run.history[-1]["similarity"], 4)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"picture     {facts['picture']}")
    print(f"video       {facts['video']}")
    if run.history:
        print(
            f"similarity  {facts['similarity_start']:.3f} at the start, "
            f"{facts['similarity_end']:.3f} at the end"
        )
    print(f"seed {facts['seed']}, {run.i} iterations in {run.seconds:.1f} s")


def _sweep(options: dict) -> int:
    from vqclip_nb.sweeps.grid import combinations, read_sweep

    grid, said = read_sweep(options["file"])
    options["preset"] = said.pop("preset", options["preset"])
    settings = _settings(options, **said)
    planned = combinations(grid, settings)  # before torch is imported: a wrong one is told at once
    from vqclip_nb.sweeps.sweep import sweep

    names = ("workers", "address", "gpus", "out", "columns", "score", "offline")
    more = {name: options[name] for name in names}
    painted = sweep(grid, settings, show=True, **more)
    facts = {"sheet": str(Path(options["out"]) / "sheet.png")}
    facts |= {"page": str(Path(options["out"]) / "sheet.html")}
    facts["pictures"] = [str(each.folder / "picture.png") for each in painted]
    if options["json"]:
        print(json.dumps(facts, indent=2))
    else:
        print(f"painted     {len(painted)} of {len(planned)}")
        print(f"sheet       {facts['sheet']}\npage        {facts['page']}")
    if len(painted) == len(planned):
        return 0
    print("vqclip: not all are painted: the same command paints the rest.", file=sys.stderr)
    return 2


def _models_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip models", description="What can be painted with, and what it costs to fetch."
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    return parser


def _models(options: dict) -> int:
    from vqclip_nb.models.registry import cache_folder, table

    rows = table()
    if options["json"]:
        print(json.dumps(rows, indent=2))
        return 0
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    print(f"\nkept in {cache_folder()}; VQCLIP_CACHE chooses another folder")
    return 0


def _video_parser() -> argparse.ArgumentParser:
    """One flag for every field of a film's `Cut`."""
    from vqclip_nb.films.options import Cut

    parser = argparse.ArgumentParser(prog="vqclip video", description="Cut the film of a run anew.")
    parser.add_argument("folder", type=Path, help="the run's folder")
    parser.add_argument("--to", type=Path, help="the film (default: film.mp4 in the folder)")
    parser.add_argument("--json", action="store_true", help="print the path as JSON")
    return _with_fields(parser, Cut)


def _with_fields(parser: argparse.ArgumentParser, kind: type) -> argparse.ArgumentParser:
    """One flag for every field of a film's dataclass, with its help and default."""
    for each in fields(kind):
        options: dict = {"help": f"{each.metadata['help']} (default: {each.default})"}
        if isinstance(each.default, bool):
            options["action"] = argparse.BooleanOptionalAction
        elif isinstance(each.default, float | int):
            options |= {"type": _parsed, "metavar": each.name.upper()}
        else:
            options["metavar"] = "|".join(each.metadata["allowed"])
        parser.add_argument("--" + each.name.replace("_", "-"), **options)
    return parser


def _video(options: dict) -> int:
    from vqclip_nb.films.timelapse import timelapse

    folder, to, as_json = (options.pop(name) for name in ("folder", "to", "json"))
    cut = {name: value for name, value in options.items() if value is not None}
    film = timelapse(folder, to, **cut)
    print(json.dumps({"video": str(film)}) if as_json else f"video       {film}")
    return 0


def _morph_parser() -> argparse.ArgumentParser:
    """One flag for every field of `Morph`, and of `Settings`."""
    from vqclip_nb.films.options import Morph

    parser = argparse.ArgumentParser(
        prog="vqclip morph",
        description="Paint sentences, and a film in which each picture passes into the next.",
        epilog="Interrupted, it leaves the film so far; the same command goes on with it.",
    )
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a sentence, a run's folder, a .safetensors"
    )
    return _with_settings(_with_fields(_with_film(parser), Morph))


def _journey_parser() -> argparse.ArgumentParser:
    """One flag for every field of `Journey`, and of `Settings`."""
    from vqclip_nb.films.options import Journey

    parser = argparse.ArgumentParser(
        prog="vqclip journey",
        description="Paint a sentence, and a film of a flight through it.",
        epilog="Interrupted, it leaves the film so far; the same command goes on with it.",
    )
    parser.add_argument("prompt", help="what to fly through, e.g. 'a forest ^ the sea'")
    return _with_settings(_with_fields(_with_film(parser), Journey))


def _with_film(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--to", default="film.mp4", help="the film, .mp4 or .gif (default: film.mp4)"
    )
    parser.add_argument("--offline", action="store_true", help="fetch no model")
    return parser


def _morph(options: dict) -> int:
    from vqclip_nb.films.options import Morph

    settings, given = _settings(options), _given(options, Morph)
    from vqclip_nb.films.morph import morph

    return _film(options, lambda: morph(options["sources"], settings=settings, **given))


def _journey(options: dict) -> int:
    from vqclip_nb.films.options import Journey

    settings, given = _settings(options), _given(options, Journey)
    from vqclip_nb.films.journey import journey

    return _film(options, lambda: journey(settings, **given))


def _given(options: dict, kind: type) -> dict:
    """What a film is made with; a wrong value is told before torch is imported."""
    chosen = {each.name: options[each.name] for each in fields(kind)}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    kind(**chosen)
    more = {"file": options["to"], "out": options["out"], "offline": options["offline"]}
    return chosen | more | {"show": True}


def _film(options: dict, make: Callable[[], Path]) -> int:
    """Make a film, and tell where it is."""
    try:
        film = make()
    except KeyboardInterrupt:
        print(f"vqclip: {options['to']} has the frames so far, if any.", file=sys.stderr)
        return 130
    print(json.dumps({"video": str(film)}) if options["json"] else f"video       {film}")
    return 0


def _page_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip page",
        description="Put a class's pictures on one HTML page, each with its sentence and settings.",
        epilog="A picture is named after the first folder, or zip, below the given one: "
        "class/anna/runs/… is anna's.",
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="holds runs, or zips of runs"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("class.html"), help="the page (default: class.html)"
    )
    parser.add_argument(
        "--title", default="Our pictures", help="its heading (default: %(default)s)"
    )
    return parser


def _page(options: dict) -> int:
    if options["out"].suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"out is {str(options['out'])!r}: give a name that ends with .html.")
    from vqclip_nb.sweeps.html_page import collect, write_page

    entries, problems = collect(options["folders"])
    for problem in problems:
        print(f"vqclip: {problem}", file=sys.stderr)
    if not entries:
        named = ", ".join(map(str, options["folders"]))
        raise ValueError(f"No run was found in {named}: give the folder that holds the runs.")
    write_page(options["out"], entries, options["title"])
    people = len({entry.title for entry in entries})
    pictures = f"{len(entries)} picture{'s' * (len(entries) > 1)}"
    print(f"page  {options['out']}, {pictures} of {people} {'people' if people > 1 else 'person'}")
    return 0


def _score_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip score",
        description="Tell how well pictures fit sentences, as each critic finds, and the judge, "
        "who is never painted with.",
        epilog="A score is the cosine between the embeddings of the whole picture and of the "
        "sentence, from -1 to 1. Compare within a column: each critic has a scale of its own. "
        "* marks the best of several prompts of a picture. The weights of 'a cat:2 | a hat' "
        "count; a story (^), a picture or noise cannot be scored. Official critics alone are "
        "chosen with --clip; --models fetches the generator too.",
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a picture, or a run's folder: its picture.png"
    )
    parser.add_argument(
        "--prompt",
        dest="prompts",
        action="append",
        metavar="PROMPT",
        default=[],
        help="a sentence, and again for more (default: the one that each picture was painted with)",
    )
    for name in ("models", "clip", "device", "precision"):
        _add_flag(parser, name, specs()[name], getattr(Settings(), name))
    parser.add_argument("--offline", action="store_true", help="fetch no model")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    return parser


def _score(options: dict) -> int:
    plan = _settings(options | {"preset": "studio"})
    from vqclip_nb.evaluation.scores import as_table, score

    named = {name: getattr(plan, name) for name in ("models", "clip", "device", "precision")}
    rows = score(options["images"], options["prompts"], **named, offline=options["offline"])
    found = [asdict(row) for row in rows]
    print(json.dumps(found, indent=2) if options["json"] else as_table(rows))
    return 0


def _bench_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqclip bench",
        description="Measure an iteration's speed and memory, for each size and number of crops.",
        epilog="'× networks' is an iteration's time over that of the networks' own forward and "
        "backward passes, 'of matmul' the share of the rate at which this machine multiplies "
        "matrices. What is compared runs in turn; times are medians. A race tells instead how long "
        "the preset paints, for each sentence, until a judge that took no part scores its picture "
        "as high as the public loop's; loading models and judging take no part in the times.",
    )
    whole = {"type": int, "nargs": "+", "metavar": "N"}
    parser.add_argument(
        "--size",
        default=[128],
        help="sides of square pictures (default: 128; a race: one)",
        **whole,
    )
    parser.add_argument(
        "--cutn",
        dest="crops",
        help="numbers of crops (default: 16; a race: one, the public loop's, as in its preset)",
        **whole,
    )
    for name in ("models", "clip", "device", "precision"):
        _add_flag(parser, name, specs()[name], getattr(Settings(), name))
    parser.add_argument("--preset", default="studio", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument(
        "--against",
        metavar="NAME",
        help="a public loop (nerdyrodent, crowson, classic); its preset",
    )
    parser.add_argument(
        "--race", nargs="+", metavar="SENTENCE", help="race the preset against the public loop"
    )
    parser.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help="timed of each (default: 20; a race: the public loop's, 300)",
    )
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="give official models random weights instead of fetching them",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def _bench(options: dict) -> int:
    against, crops = options["against"], options["crops"] or [16]
    if options["iterations"] is None:
        options["iterations"] = 300 if options["race"] else 20
    if options["iterations"] < 1:
        raise ValueError(f"iterations is {options['iterations']}: allowed is 1 or more.")
    if options["race"]:
        return _race(options)
    common = _settings(options | {"preset": against or options["preset"]})
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
        print(f"{number} of {len(plans)}: {plan.im_shape[0]} pixels", file=sys.stderr)
        rows.append(measure(plan, models, iterations=options["iterations"], against=against))
    return _tell_measured(rows, as_table(rows, against), options["json"])


def _race(options: dict) -> int:
    against, sizes, crops = options["against"], options["size"], options["crops"] or [None]
    if against is None:
        raise ValueError("race needs a public loop to race against: give --against NAME.")
    for name, values in (("size", sizes), ("cutn", crops)):
        if len(values) > 1:
            raise ValueError(f"{name} is {values}: a race allows one value.")
    ours = _settings(options).replace(im_shape=sizes * 2)
    from vqclip_nb.evaluation.time_to_score import as_table, race

    def tell(number: int, total: int, prompt: str) -> None:
        print(f"{number} of {total}: {prompt}", file=sys.stderr)

    more = {"iterations": options["iterations"], "cutn": crops[0], "each": tell}
    laps = race(options["race"], against, ours, **more)
    return _tell_measured(laps, as_table(laps, against), options["json"])


def _tell_measured(rows: list, table: str, as_json: bool) -> int:
    from vqclip_nb.evaluation.machine import describe_machine

    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(describe_machine(), table, sep="\n\n")
    return 0


def _plain_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"vqclip: {message}", file=sys.stderr)


_COMMANDS = {
    "paint": (_paint_parser, _paint),
    "sweep": (_sweep_parser, _sweep),
    "video": (_video_parser, _video),
    "morph": (_morph_parser, _morph),
    "journey": (_journey_parser, _journey),
    "page": (_page_parser, _page),
    "score": (_score_parser, _score),
    "models": (_models_parser, _models),
    "bench": (_bench_parser, _bench),
}

if __name__ == "__main__":
    sys.exit(main())
