"""Guess first: a question about an experiment, whose result is shown after the answer.

Answers are kept beside the pupil's pictures, in runs/guesses.json; `vqclip page` counts those of a
class.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from vqclip_nb.storage.files import write_file
from vqclip_nb.sweeps.html_page import Tally
from vqclip_nb.untrusted.files import parse_json, read_file

FILE = Path("runs", "guesses.json")
_MOST_FILES, _MOST_BYTES, _MOST_QUESTIONS, _MOST_CHOICES = 500, 2**16, 100, 8  # of a class


def guess_first(
    question: str, choices: Sequence[str], right: str, because: str, *, result: object = None
) -> None:
    """Ask what will happen; a click on a choice tells what did, why, and shows the result.

    right: one of the choices
    result: anything that a notebook displays, such as a figure

    The first click counts and is kept. With the environment variable VQCLIP_ANSWERS=1 the result
    is shown at once, for pages that are printed.

    Raises ValueError if `right` is none of the choices.
    """
    import ipywidgets as widgets
    from IPython.display import display

    if right not in choices:
        raise ValueError(f"right is {right!r}, which is none of the choices.")
    asked = widgets.HTML(f"<b>Guess first.</b> {html.escape(question)}")
    buttons = [widgets.Button(description=choice) for choice in choices]
    told, shown = widgets.HTML(), widgets.Output()

    def answer(clicked: widgets.Button) -> None:
        for button in buttons:
            button.disabled = True
        clicked.button_style = "success" if clicked.description == right else "warning"
        verdict = "Yes" if clicked.description == right else f"No: {right}"
        told.value = f"{html.escape(verdict)}. {html.escape(because)}"
        _keep(question, choices, right, clicked.description)
        if result is not None:
            with shown:
                display(result)

    for button in buttons:
        button.layout.width = "auto"
        button.on_click(answer)
    row = widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap"))
    display(widgets.VBox([asked, row, told, shown]))
    if os.environ.get("VQCLIP_ANSWERS") and result is not None:
        display(result)


def _keep(question: str, choices: Sequence[str], right: str, chosen: str) -> None:
    """Add an answer to the file, unless the question was answered before."""
    known = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(FILE.read_text(encoding="utf-8"))
    if not isinstance(known, dict) or question in known:
        return
    known[question] = {"choices": list(choices), "right": right, "chosen": chosen}
    with contextlib.suppress(OSError):  # a full disk spoils no lesson
        FILE.parent.mkdir(exist_ok=True)
        write_file(FILE, json.dumps(known, indent=1, ensure_ascii=False).encode())


def gather(folders: Iterable[str | Path]) -> tuple[list[Tally], list[str]]:
    """How a class answered: from all guesses.json in the folders; and a sentence for each problem.

    Pupils' files are untrusted: they are read within limits, and one that is none is left out.
    """
    counts: dict[tuple[str, str, tuple[str, ...]], Counter] = {}
    problems, found = [], (f for folder in folders for f in Path(folder).rglob(FILE.name))
    for file in sorted(f for f in found if not f.is_symlink())[:_MOST_FILES]:
        try:
            answers = _answers(parse_json(read_file(file, _MOST_BYTES)))
        except ValueError as error:
            problems.append(f"{file} was left out: {error}")
            continue
        for question, right, choices, chosen in answers:
            if len(counts) < _MOST_QUESTIONS or (question, right, choices) in counts:
                counts.setdefault((question, right, choices), Counter())[chosen] += 1
    tallies = [
        Tally(question, right, {choice: count[choice] for choice in choices})
        for (question, right, choices), count in counts.items()
    ]
    return tallies, problems


def _answers(known: object) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Question, right choice, choices and chosen one of each answer; ValueError if it is none."""
    try:
        answers = [
            (question, each["right"], tuple(each["choices"]), each["chosen"])
            for question, each in known.items()
        ]
    except (AttributeError, KeyError, TypeError):
        raise ValueError("these are no answers of the lessons.") from None
    for _, right, choices, chosen in answers:
        if not (right in choices and chosen in choices and 1 < len(choices) <= _MOST_CHOICES):
            raise ValueError("these are no answers of the lessons.")
        if not all(isinstance(choice, str) for choice in choices):
            raise ValueError("these are no answers of the lessons.")
    return answers
