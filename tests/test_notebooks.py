"""Every notebook runs from top to bottom, and is stored without outputs."""

import json
import math
import os
import re
import runpy
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from notebook_runs import SHORTER, executed, shortened

ROOT = Path(__file__).parents[1]
STAMP = SimpleNamespace(**runpy.run_path(str(ROOT / ".ci" / "stamp.py")))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
PAINTING = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _outputs(notebook, kind: str) -> list[str]:
    """All outputs of a mime type, of all cells."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return [o.data[kind] for o in outputs if kind in o.get("data", {})]


def _assert_films_play(notebook, page, file: Path) -> None:
    """What its cells put out, as a page of its own."""
    file.write_text("".join(_outputs(notebook, "text/html")), encoding="utf-8")
    page.goto(file.as_uri())
    assert page.locator("video").count() == page.locator("a[download]").count() == 4
    moving = "[...document.querySelectorAll('video')].every(v => v.currentTime > 0.2)"
    page.wait_for_function(moving, timeout=30_000)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAINTING, ids=lambda p: p.stem)
def test_a_notebook_runs_and_shows_pictures(path, tmp_path, request):
    notebook = shortened(nbformat.read(path, as_version=4))
    if "quickstart" in path.stem:
        notebook.cells.append(nbformat.v4.new_code_cell("studio.result().images[0]"))
    executed(notebook, tmp_path)
    if "video" in path.stem:
        _assert_films_play(notebook, request.getfixturevalue("page"), tmp_path / "films.html")
    assert _outputs(notebook, "image/png")
    assert not [o for o in _outputs(notebook, "text/html") if "Traceback" in o]
    pictures = list((tmp_path / "runs").glob("*/picture.png"))
    assert pictures
    assert all(picture.stat().st_size > 1000 for picture in pictures)


def test_what_is_shortened_is_there():
    sources = "".join(c.source for p in PAINTING for c in nbformat.read(p, as_version=4).cells)
    assert all(long in sources for long in SHORTER)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_stored_without_outputs(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert "widgets" not in notebook["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_long_cells_are_folded(path):
    cells = nbformat.read(path, as_version=4).cells
    long = [c for c in cells if c.cell_type == "code" and len(c.source.splitlines()) > 15]
    assert all(cell.metadata.items() >= STAMP.FOLDED.items() for cell in long)
    assert all("@title" in cell.source for cell in long)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_has_the_address_of_the_project(path):
    assert nbformat.read(path, as_version=4) == STAMP.stamped(path, STAMP.address())


ADDRESS = "https://github.com/someone/vqclip_nb"


def test_a_known_address_is_stamped_once_with_buttons_for_colab_and_kaggle():
    notebook = STAMP.stamped(NOTEBOOKS[0], ADDRESS)
    opens = re.findall(r"\]\((https://[^)]+ipynb)\)", notebook.cells[0].source)
    path = NOTEBOOKS[0].relative_to(ROOT).as_posix()
    raw = f"https://raw.githubusercontent.com/someone/vqclip_nb/main/{path}"
    assert opens == [
        f"https://colab.research.google.com/github/someone/vqclip_nb/blob/main/{path}",
        f"https://kaggle.com/kernels/welcome?src={raw}",
    ]
    assert f'ADDRESS = "{ADDRESS}"' in notebook.cells[1].source
    assert STAMP.badges("https://example.org/vqclip_nb", NOTEBOOKS[0]) == ""


@pytest.mark.parametrize("text", ["# Title\n\nWords.", (ROOT / "README.md").read_text().strip()])
def test_buttons_come_and_go_with_the_address(text):
    buttons = STAMP.badges(ADDRESS, NOTEBOOKS[0])
    once = STAMP.with_buttons(text, buttons)
    assert once.splitlines()[2] == buttons
    assert STAMP.with_buttons(once, buttons) == once
    assert STAMP.with_buttons(once, "") == text


def test_the_address_is_the_project_s_own():
    text = (ROOT / "pyproject.toml").read_text()
    known = STAMP.with_address(text, ADDRESS)
    assert tomllib.loads(known)["project"]["urls"] == {"Repository": ADDRESS}
    moved = STAMP.with_address(known, "https://example.org/x/y")
    assert tomllib.loads(moved)["project"]["urls"]["Repository"] == "https://example.org/x/y"
    assert STAMP.with_address(moved, STAMP.address()) == text


def test_the_readme_has_the_buttons_of_the_address():
    text = (ROOT / "README.md").read_text()
    quick = STAMP.badges(STAMP.address(), STAMP.QUICK_START)
    assert STAMP.with_buttons(text, quick) + "\n" == text


@pytest.fixture
def cell(tmp_path, monkeypatch) -> dict:
    """What the first cell defines, in an empty folder, before it does anything; `.ci/colab` runs it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    names: dict = {}
    exec(STAMP.first_cell("").partition("\n_prepare()\n")[0], names)
    return names


def _project(folder: Path) -> Path:
    (folder / "vqclip_nb").mkdir(parents=True)
    (folder / "vqclip_nb" / "__init__.py").touch()
    (folder / "pyproject.toml").touch()
    return folder


def _zip(file: Path, *names: str, when: int = 0) -> Path:
    with zipfile.ZipFile(file, "w") as packed:
        for name in names:
            packed.writestr(name, "")
    os.utime(file, (when, when))
    return file


def test_the_first_cell_takes_the_project_around_the_notebook(cell, tmp_path, monkeypatch):
    project = _project(tmp_path / "project")
    (project / "notebooks").mkdir()
    monkeypatch.chdir(project / "notebooks")
    _zip(Path("vqclip_nb.zip"), "x", when=2**31)
    assert cell["_find_source"]() == project


def test_the_first_cell_takes_the_newest_of_what_lies_near(cell):
    assert cell["_find_source"]() is None
    _zip(Path("vqclip_nb.zip"), "x", when=200)
    newest = _zip(Path("vqclip_nb (1).zip"), "x", when=300)
    assert cell["_find_source"]() == newest.absolute()
    unzipped = _project(Path("vqclip_nb-main"))
    assert cell["_find_source"]() == unzipped.absolute()


@pytest.mark.parametrize("root", ["", "vqclip_nb-main/", "a/b/"])
def test_the_first_cell_finds_the_project_in_a_zip(root, cell):
    beside = "__MACOSX/vqclip_nb-main/._pyproject.toml"
    names = f"{root}pyproject.toml", f"{root}vqclip_nb/__init__.py", beside
    found = cell["_copied"](_zip(Path("vqclip_nb.zip"), *names))
    assert (found / "vqclip_nb" / "__init__.py").is_file()


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"PK half of it", "not a complete zip: wait"), (None, "not a zip of this project")],
)
def test_the_first_cell_refuses_another_zip_in_one_sentence(data, told, cell):
    file = _zip(Path("vqclip_nb.zip"), "another/file")
    if data:
        file.write_bytes(data)
    with pytest.raises(cell["_NotReadyError"], match=told) as refused:
        cell["_copied"](file)
    assert refused.value._render_traceback_() == [f"✗ {refused.value}"]


def test_the_first_cell_leaves_what_is_used_in_place(cell):
    assert cell["_installed_at"]() == math.inf


def test_the_first_cell_s_copy_has_nothing_that_was_made_in_it(cell):
    project = _project(Path("vqclip_nb-main"))
    for made in (".git", ".venv", "runs", "build"):
        (project / made).mkdir()
    copy = cell["_copied"](project)
    assert sorted(file.name for file in copy.iterdir()) == ["pyproject.toml", "vqclip_nb"]
