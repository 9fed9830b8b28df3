"""The lessons run, the checks tell right from wrong, and the solutions pass them."""

import re
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notebook_runs import executed

from vqclip_nb.lessons.checks import (
    OPEN,
    RIGHT,
    WRONG,
    check,
    exercise_numbers,
    grade,
    lesson_10,
    lesson_11,
)

FOLDER = Path(__file__).parents[2] / "notebooks" / "lessons"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
SOLUTIONS = sorted((FOLDER / "solutions").glob("*.ipynb"))
EXERCISES = [number for path in LESSONS for number in exercise_numbers(path.stem[:2])]
_SAID = re.compile(r"^(\d\d\.\d) (\w+)", re.MULTILINE)


@pytest.fixture(autouse=True)
def _models_are_loaded_once(tiny, monkeypatch):
    for lesson in (lesson_10, lesson_11):
        monkeypatch.setattr(lesson, "load_models", lambda name, device: tiny)


def _by_stem(path: Path) -> str:
    return path.stem


def _verdicts(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """The numbers and marks that the checks of a notebook printed."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    text = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    return _SAID.findall(text)


@pytest.mark.slow
@pytest.mark.parametrize("path", LESSONS, ids=_by_stem)
def test_a_lesson_runs_with_its_exercises_open(path, tmp_path, monkeypatch):
    monkeypatch.setenv("VQCLIP_FAST", "1")
    notebook = executed(nbformat.read(path, as_version=4), tmp_path)
    assert _verdicts(notebook) == [(number, OPEN) for number in exercise_numbers(path.stem[:2])]


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=_by_stem)
def test_solutions_pass_every_check(path, tmp_path, monkeypatch):
    monkeypatch.setenv("VQCLIP_FAST", "1")
    notebook = executed(nbformat.read(path, as_version=4), tmp_path)
    assert _verdicts(notebook) == [(number, RIGHT) for number in exercise_numbers(path.stem[:2])]


def test_there_are_four_lessons_each_with_solutions():
    assert [path.name for path in LESSONS] == [path.name for path in SOLUTIONS]
    assert [path.stem[:2] for path in LESSONS] == ["10", "11", "12", "13"]


@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_code_cell_is_followed_by_a_sentence(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [n for n, cell in enumerate(cells) if cell.cell_type == "code"]
    after = [cells[n + 1] if n + 1 < len(cells) else None for n in code[1:]]
    assert [cell.cell_type if cell else None for cell in after] == ["markdown"] * len(after)
    assert not [cell.source for cell in after if cell.source.lstrip().startswith("#")]


@pytest.mark.parametrize("number", EXERCISES)
@pytest.mark.parametrize(
    "answer", [None, ..., lambda *_, **__: None], ids=["none", "dots", "empty"]
)
def test_an_empty_answer_passes_no_check(number, answer):
    assert grade(number, answer).mark in (OPEN, WRONG)


def _raises(*_):
    raise KeyError("something")


@pytest.mark.parametrize("number", EXERCISES)
@pytest.mark.parametrize("answer", [_raises, "nonsense", -1, object(), float("nan"), [], b"\0"])
def test_a_wrong_answer_of_any_kind_is_reported_and_raises_nothing(number, answer, capsys):
    check(number, answer)
    said = capsys.readouterr().out
    assert re.match(rf"{re.escape(number)} (wrong|near): .", said)


@given(answer=st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.integers())))
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_no_answer_makes_a_check_raise(answer):
    assert grade("10.1", answer).mark
    assert grade("11.1", lambda *_: answer).mark


def test_an_unknown_exercise_is_reported_with_the_known_ones():
    assert "10.1" in grade("10.99", 1).hint
    assert grade("nonsense", 1).mark == WRONG
