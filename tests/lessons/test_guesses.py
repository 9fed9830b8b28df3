"""Questions before an experiment, and how a class answered them."""

import json

import IPython.display
import pytest
from ipywidgets import HTML, Button

from vqclip_nb.cli import main
from vqclip_nb.lessons.guesses import FILE, gather, guess_first
from vqclip_nb.sweeps.html_page import Tally

QUESTION = "Which <code> wins?", ["red", "blue"], "blue", "it is nearer"


@pytest.fixture
def shown(tmp_path, monkeypatch) -> list:
    """What is displayed, in an empty folder."""
    found = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VQCLIP_ANSWERS", raising=False)
    monkeypatch.setattr(IPython.display, "display", found.append)
    return found


def _inside(widget) -> list:
    return [widget, *(each for child in getattr(widget, "children", ()) for each in _inside(child))]


def _click(panel, choice: str) -> str:
    """Click on a choice; what is told then."""
    (button,) = (b for b in _inside(panel) if isinstance(b, Button) and b.description == choice)
    button.click()
    return [each.value for each in _inside(panel) if isinstance(each, HTML)][-1]


@pytest.mark.parametrize(("choice", "told"), [("blue", "Yes. it is"), ("red", "No: blue. it is")])
def test_a_click_says_whether_it_was_right_and_shows_the_result(choice, told, shown):
    guess_first(*QUESTION, result="the result")
    (panel,) = shown
    assert "&lt;code&gt;" in _inside(panel)[1].value
    assert told in _click(panel, choice)
    assert shown[1:] == ["the result"]
    assert all(button.disabled for button in _inside(panel) if isinstance(button, Button))


def test_the_first_answer_is_kept_and_others_stay(shown):
    guess_first(*QUESTION)
    _click(shown[0], "red")
    guess_first(*QUESTION)
    _click(shown[1], "blue")
    guess_first("Another?", ["yes", "no"], "no", "so it is")
    _click(shown[2], "no")
    known = json.loads(FILE.read_text())
    assert {question: each["chosen"] for question, each in known.items()} == {
        QUESTION[0]: "red",
        "Another?": "no",
    }


@pytest.mark.parametrize("broken", ["", "[1]", "{"])
def test_a_broken_file_of_answers_spoils_no_lesson(broken, shown):
    FILE.parent.mkdir()
    FILE.write_text(broken)
    guess_first(*QUESTION, result="the result")
    _click(shown[0], "red")
    assert shown[1:] == ["the result"]


def test_for_printing_the_result_is_shown_at_once(shown, monkeypatch):
    monkeypatch.setenv("VQCLIP_ANSWERS", "1")
    guess_first(*QUESTION, result="the result")
    assert shown[1:] == ["the result"]


def test_a_question_whose_right_answer_is_missing_is_refused(shown):
    with pytest.raises(ValueError, match="right is 'green'"):
        guess_first("Which?", ["red", "blue"], "green", "")


def _class(folder, **chosen: str) -> None:
    for pupil, choice in chosen.items():
        answers = {"Which?": {"choices": ["red", "blue"], "right": "blue", "chosen": choice}}
        file = folder / pupil / FILE
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(answers))


def test_the_answers_of_a_class_are_counted_on_its_page(tmp_path, capsys):
    _class(tmp_path / "class", anna="red", bo="blue", cy="blue")
    assert main(["page", str(tmp_path / "class"), "--out", str(tmp_path / "class.html")]) == 0
    assert "0 pictures" in capsys.readouterr().out
    page = (tmp_path / "class.html").read_text()
    assert "<h3>Which?</h3>" in page
    assert '<tr><th>red</th><td>1</td><td><i style="width:50%">' in page
    assert "<strong>blue ✓</strong></th><td>2</td>" in page


HOSTILE = [
    "[]",
    "{",
    "[" * 5000,
    '{"a": 1}',
    '{"a": {"choices": 3, "right": 3, "chosen": 3}}',
    '{"a": {"choices": [[1], [2]], "right": [1], "chosen": [1]}}',
    '{"a": {"choices": ["x", "y"], "right": "z", "chosen": "x"}}',
    '{"a": {"choices": ["x", "y"], "right": "x", "chosen": "z"}}',
    json.dumps({"a": {"choices": ["x"] * 1000, "right": "x", "chosen": "x"}}),
    json.dumps({"a": {"choices": ["x" * 70_000, "y"], "right": "y", "chosen": "y"}}),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_file_that_holds_no_answers_is_left_out_and_named(text, tmp_path):
    _class(tmp_path, anna="red")
    (tmp_path / "anna" / "runs" / "more").mkdir()
    (tmp_path / "anna" / "runs" / "more" / FILE.name).write_text(text)
    tallies, (problem,) = gather([tmp_path])
    assert tallies == [Tally("Which?", "blue", {"red": 1, "blue": 0})]
    assert "was left out" in problem


def test_what_others_wrote_is_escaped(tmp_path):
    _class(tmp_path / "class", anna="red")
    script = "<script>alert(1)</script>"
    answers = {script: {"choices": [script, "b"], "right": "b", "chosen": script}}
    (tmp_path / "class" / "anna" / FILE).write_text(json.dumps(answers))
    main(["page", str(tmp_path / "class"), "--out", str(tmp_path / "class.html")])
    assert "<script" not in (tmp_path / "class.html").read_text()
