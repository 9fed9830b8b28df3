"""Write the first cell, with the repository's address, into every notebook: python .ci/stamp.py

The address is `Repository` in `[project.urls]` of pyproject.toml. While there is none, notebooks
look for a clone or a zip, and have no button that opens them in Colab.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}  # for Colab and for JupyterLab


def address() -> str:
    """The repository's address; empty while it is not known."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").rstrip("/")


def first_cell(repository: str) -> str:
    """The source of every notebook's first cell of code."""
    source = (ROOT / ".ci" / "first_cell.py").read_text(encoding="utf-8").rstrip("\n")
    return source.replace('ADDRESS = ""', f'ADDRESS = "{repository}"')


def badge(repository: str, notebook: Path) -> str:
    """The line that opens a notebook in Colab, which knows repositories on GitHub only."""
    site, _, name = repository.partition("github.com/")
    if not name or site not in ("https://", "http://"):
        return ""
    path = notebook.relative_to(ROOT).as_posix()
    opens = f"https://colab.research.google.com/github/{name}/blob/main/{path}"
    return f"[![Open in Colab]({BADGE})]({opens})"


def stamped(path: Path, repository: str) -> nbformat.NotebookNode:
    """The notebook with this address in its first cell and its button."""
    notebook = nbformat.read(path, as_version=4)
    head = notebook.cells[0]
    lines = [line for line in head.source.splitlines() if BADGE not in line]
    while lines and not lines[-1].strip():
        lines.pop()
    button = badge(repository, path)
    head.source = "\n".join([*lines, "", button] if button else lines)
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.source = first_cell(repository)
    code.metadata.update(FOLDED)
    return notebook


def main() -> None:
    """Stamp every notebook."""
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        nbformat.write(stamped(path, address()), path)
        print("stamped", path.relative_to(ROOT))


if __name__ == "__main__":
    main()
