"""Make a printable page for each lesson, with the figures of its cells tagged `page`.

    python .ci/handouts.py            all lessons
    python .ci/handouts.py 10 13      lessons 10 and 13

Run it after a figure or the text below it changes: a caption is the first two sentences of the
Markdown cell below the figure.
"""

import base64
import io
import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from notebook_runs import executed

LESSONS = Path(__file__).parents[1] / "notebooks" / "lessons"
WIDTH, HEIGHT, MARGIN = 8.27, 11.69, 0.5  # inches of A4
LINE = 0.16  # inches
NARROW = 620  # pixels

Figured = tuple[Image.Image, str]  # a figure and its caption


def main() -> None:
    """Write the pages."""
    os.environ["VQCLIP_ANSWERS"] = "1"  # the results of what pupils guess first
    for path in sorted(LESSONS.glob("*.ipynb")):
        if len(sys.argv) == 1 or path.stem[:2] in sys.argv[1:]:
            title, figures = figures_of(path)
            file = LESSONS / "pages" / f"{path.stem}.pdf"
            file.parent.mkdir(exist_ok=True)
            page(title, figures).savefig(file, metadata={"CreationDate": None})
            print("wrote", file.relative_to(LESSONS.parents[1]))


def figures_of(path: Path) -> tuple[str, list[Figured]]:
    """The lesson's title, and its tagged figures with their captions."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        executed(notebook, folder)
    figures = []
    for cell, after in zip(notebook.cells, notebook.cells[1:], strict=False):
        if "page" in cell.metadata.get("tags", ()):
            pictures = [
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            ]
            picture = Image.open(io.BytesIO(base64.b64decode(pictures[-1]))).convert("RGB")
            figures.append((picture, plain(after.source.split("\n\n")[0])))
    return notebook.cells[0].source.splitlines()[0].lstrip("# "), figures


def plain(text: str) -> str:
    """The first two sentences of Markdown, without its markup."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*`]", "", text).replace("\n", " ")
    return re.sub(":$", ".", " ".join(re.split(r"(?<=[.!?]) ", text)[:2]))


def in_rows(figures: list[Figured]) -> list[list[Figured]]:
    """Put two narrow figures in a row if they follow each other."""
    rows: list[list[Figured]] = []
    for figure in figures:
        narrow = figure[0].width <= NARROW
        if narrow and rows and len(rows[-1]) == 1 and rows[-1][0][0].width <= NARROW:
            rows[-1].append(figure)
        else:
            rows.append([figure])
    return rows


def page(title: str, figures: list[Figured]):
    """Lay out the figures on one A4 page, as large as they fit."""
    rows, across = in_rows(figures), WIDTH - 2 * MARGIN
    widths = [sum(image.width for image, _ in row) for row in rows]
    heights = [max(i.height for i, _ in r) * across / w for r, w in zip(rows, widths, strict=True)]
    captions = [
        [textwrap.wrap(text, round(100 * image.width / width)) for image, text in row]
        for row, width in zip(rows, widths, strict=True)
    ]
    lines = sum(max(map(len, row)) + 1.5 for row in captions)
    scale = min(1.0, (HEIGHT - 2 * MARGIN - 0.6 - LINE * lines) / sum(heights))
    sheet = plt.figure(figsize=(WIDTH, HEIGHT))
    y = HEIGHT - MARGIN - 0.2
    sheet.text(MARGIN / WIDTH, y / HEIGHT, title, fontsize=16, weight="bold")
    y -= 0.2
    for row, width, height, texts in zip(rows, widths, heights, captions, strict=True):
        x = MARGIN
        for (image, _), text in zip(row, texts, strict=True):
            wide, high = (side * across / width for side in image.size)
            box = (
                x / WIDTH,
                (y - high * scale) / HEIGHT,
                scale * wide / WIDTH,
                scale * high / HEIGHT,
            )
            axes = sheet.add_axes(box)
            axes.imshow(image)
            axes.axis("off")
            for number, line in enumerate(text):
                below = y - height * scale - (number + 1) * LINE
                sheet.text(x / WIDTH, below / HEIGHT, line, fontsize=9)
            x += wide
        y -= height * scale + (max(map(len, texts)) + 1.5) * LINE
    return sheet


if __name__ == "__main__":
    main()
