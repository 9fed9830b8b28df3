"""vqclip page FOLDER: put the pictures of a class on one HTML page."""

from __future__ import annotations

from pathlib import Path

from vqclip_nb.cli.output import add_output, tell
from vqclip_nb.cli.parsing import Parser
from vqclip_nb.cli.streams import say
from vqclip_nb.storage.files import from_here


def parser() -> Parser:
    made = Parser(
        prog="vqclip page",
        description="Put the pictures of a class on one HTML page, each with its sentence and "
        "settings.",
        epilog="Each picture is labelled with the first folder, or zip, below FOLDER: "
        "class/anna/runs/… is anna's. Below the pictures is how the class answered the questions of the "
        "lessons, from its files guesses.json.",
    )
    add = made.add_argument
    add("folders", type=Path, nargs="+", metavar="FOLDER", help="contains runs, or zips of runs")
    add("--out", type=Path, default=Path("class.html"), help="the page (default: %(default)s)")
    add("--title", default="Our pictures", help="heading of the page (default: %(default)s)")
    add_output(made)
    return made


def run(options: dict) -> int:
    out = options["out"]
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"out must end with .html, got {str(out)!r}.")
    from vqclip_nb.lessons.guesses import gather
    from vqclip_nb.sweeps.html_page import collect, write_page

    entries, problems = collect(options["folders"])
    tallies, others = gather(options["folders"])
    for problem in problems + others:
        say(problem)
    if not entries and not tallies:
        named = ", ".join(map(str, options["folders"]))
        raise ValueError(f"No run was found in {named}: give the folder that contains the runs.")
    write_page(out, entries, options["title"], tallies=tallies)
    people = len({entry.title for entry in entries})
    pictures = f"{len(entries)} picture{'s' * (len(entries) != 1)}"
    by = f"{pictures} of {people} {'person' if people == 1 else 'people'}"
    facts = {"page": str(out), "pictures": len(entries), "people": people}
    facts["questions"] = len(tallies)
    tell(options, out, facts, [f"page  {from_here(out)}, {by}"])
    return 0
