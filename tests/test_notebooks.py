"""Every notebook runs from top to bottom, and is stored without outputs."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbclient
import nbformat
import pytest
from shorter import SHORTER, shortened

ROOT = Path(__file__).parents[1]
STAMP = SimpleNamespace(**runpy.run_path(str(ROOT / ".ci" / "stamp.py")))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
PAINTING = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _outputs(notebook, kind: str) -> list[str]:
    """All outputs of a mime type, of all cells."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return [o.data[kind] for o in outputs if kind in o.get("data", {})]


@pytest.mark.slow
@pytest.mark.parametrize("path", PAINTING, ids=lambda p: p.stem)
def test_a_notebook_runs_and_shows_pictures(path, tmp_path):
    notebook = shortened(nbformat.read(path, as_version=4))
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert _outputs(notebook, "image/png")
    assert not [o for o in _outputs(notebook, "text/html") if "Traceback" in o]
    pictures = list((tmp_path / "runs").glob("*/picture.png"))
    assert pictures
    assert all(picture.stat().st_size > 1000 for picture in pictures)
    if "quickstart" in path.stem:
        assert any("video" in html for html in _outputs(notebook, "text/html"))


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


def test_a_known_address_is_stamped_once_with_a_button_for_colab(tmp_path):
    address, path = "https://github.com/someone/vqclip_nb", NOTEBOOKS[0]
    notebook = STAMP.stamped(path, address)
    assert notebook.cells[0].source.count("colab.research.google.com/github/someone/") == 1
    assert f'ADDRESS = "{address}"' in notebook.cells[1].source
    assert STAMP.badge("https://example.org/vqclip_nb", path) == ""


@pytest.mark.parametrize("found", ["clone", "zip", "address", "nothing"])
def test_the_first_cell_finds_the_package_where_it_lies(found, tmp_path, monkeypatch):
    """Without running pip: what it would be given."""
    folder = tmp_path / "project" / "notebooks"
    folder.mkdir(parents=True)
    expected = {"clone": str(tmp_path / "project"), "zip": str(folder / "vqclip_nb-main.zip")}
    if found == "clone":
        (tmp_path / "project" / "vqclip_nb").mkdir()
        (tmp_path / "project" / "vqclip_nb" / "__init__.py").touch()
    if found == "zip":
        Path(expected["zip"]).touch()
    address = "https://github.com/someone/vqclip_nb" if found == "address" else ""
    expected["address"] = f"{address}/archive/refs/heads/main.zip"
    finds = STAMP.first_cell(address).partition("if importlib.util")[0]
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(finds, names)
    if found == "nothing":
        with pytest.raises(RuntimeError, match="put a zip of the project"):
            names["find_package"]()
    else:
        assert names["find_package"]() == expected[found]


@pytest.mark.slow
def test_the_first_cell_installs_from_a_zip(tmp_path):
    """In an environment that has what the package needs, but not the package."""
    home, work = tmp_path / "fresh", tmp_path / "work"
    work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "below.pth").write_text(str(Path(pytest.__file__).parents[1]))
    zipped = ["git", "archive", "--prefix=vqclip_nb-main/", "-o", work / "vqclip_nb-main.zip"]
    subprocess.run([*zipped, "HEAD"], cwd=ROOT, check=True)
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    cell = STAMP.first_cell("") + "\nprint(vq.__file__)"
    done = subprocess.run(
        [home / "bin" / "python", "-c", cell], cwd=work, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(packages) in done.stdout
    assert "vqclip_nb" in done.stdout.splitlines()[0]
