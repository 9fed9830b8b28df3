"""Write the first cell and the repository's address everywhere: python .ci/stamp.py [ADDRESS]

ADDRESS, e.g. https://github.com/OWNER/NAME, becomes `Repository` in `[project.urls]` of
pyproject.toml; the default is the address that is already there. The address goes into the first
cell of every notebook. For GitHub, buttons that open notebooks in Colab and on Kaggle are added to
the notebooks and to README.md. Without an address there are no buttons, and notebooks look for a
clone or a zip.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
README, QUICK_START = ROOT / "README.md", ROOT / "notebooks" / "00_quickstart.ipynb"
COLAB = "https://colab.research.google.com"
KAGGLE = "https://kaggle.com"
BADGE = f"{COLAB}/assets/colab-badge.svg"
KAGGLE_BADGE = f"{KAGGLE}/static/images/open-in-kaggle.svg"
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}  # for Colab and for JupyterLab


def address() -> str:
    """The repository's address; empty if pyproject.toml has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").rstrip("/")


def first_cell(repository: str) -> str:
    """The source of the first code cell of every notebook."""
    source = (ROOT / ".ci" / "first_cell.py").read_text(encoding="utf-8").rstrip("\n")
    return source.replace('ADDRESS = ""', f'ADDRESS = "{repository}"')


def badges(repository: str, notebook: Path) -> str:
    """The buttons that open a notebook in Colab or on Kaggle; empty unless it is on GitHub."""
    site, _, name = repository.partition("github.com/")
    if not name or site != "https://":
        return ""
    path = notebook.relative_to(ROOT).as_posix()
    raw = f"https://raw.githubusercontent.com/{name}/main/{path}"
    return (
        f"[![Open in Colab]({BADGE})]({COLAB}/github/{name}/blob/main/{path}) "
        f"[![Open in Kaggle]({KAGGLE_BADGE})]({KAGGLE}/kernels/welcome?src={raw})"
    )


def with_address(pyproject: str, repository: str) -> str:
    """The text of pyproject.toml with this address."""
    text = re.sub(r"\[project\.urls\]\n(?:[^\[\n].*\n)*\n", "", pyproject)
    urls = f'[project.urls]\nRepository = "{repository}"\n\n' if repository else ""
    return text.replace("[project.scripts]\n", f"{urls}[project.scripts]\n")


def with_buttons(text: str, buttons: str) -> str:
    """Markdown with the buttons below its first heading, replacing any that it has."""
    lines = [line for line in text.splitlines() if BADGE not in line]
    head, body = lines[0], "\n".join(lines[1:]).strip("\n")
    return "\n\n".join(part for part in (head, buttons, body) if part)


def stamped(path: Path, repository: str) -> nbformat.NotebookNode:
    """The notebook with this address in its first cell and its buttons."""
    notebook = nbformat.read(path, as_version=4)
    head = notebook.cells[0]
    head.source = with_buttons(head.source, badges(repository, path))
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.source = first_cell(repository)
    code.metadata.update(FOLDED)
    return notebook


def main(words: list[str]) -> None:
    """Stamp pyproject.toml, if an address is given, every notebook and the README."""
    if words:
        repository = words[0].rstrip("/").removesuffix(".git")
        if len(words) > 1 or not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+", repository):
            sys.exit(
                f"stamp.py: {' '.join(words)!r} is not an address: use https://HOST/OWNER/NAME."
            )
        project = ROOT / "pyproject.toml"
        text = with_address(project.read_text(encoding="utf-8"), repository)
        project.write_text(text, encoding="utf-8")
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        nbformat.write(stamped(path, address()), path)
        print("stamped", path.relative_to(ROOT))
    text = with_buttons(README.read_text(encoding="utf-8"), badges(address(), QUICK_START))
    README.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
