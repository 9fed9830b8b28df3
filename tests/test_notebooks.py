"""Every notebook runs from top to bottom, and is stored without outputs."""

import json
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


def _outputs(notebook, kind: str) -> list[str]:
    """All outputs of a mime type, of all cells."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return [o.data[kind] for o in outputs if kind in o.get("data", {})]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_shows_pictures(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
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
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert [s for s in code if len(s.splitlines()) > 15 and "@title" not in s] == []
