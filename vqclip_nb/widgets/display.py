"""What people see of a run: a progress bar, the picture inline, sheets of many pictures."""

from __future__ import annotations

import html
import itertools
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from vqclip_nb.films.progress import Watcher
from vqclip_nb.run import Iterate, Run
from vqclip_nb.storage.colab import download, on_colab
from vqclip_nb.storage.metadata import as_png
from vqclip_nb.widgets.html_media import link

_EVERY = 0.5  # seconds between two frames that are shown


def watch(run: Run) -> Iterator[Iterate]:
    """Iterate a run and show it: inline in a notebook, as a progress bar in a terminal."""
    return onlooker().run(run)


def onlooker() -> Watcher:
    """Who shows a run or a film: inline in a notebook, with bars in a terminal."""
    return _Inline() if in_notebook() else _Bars()


def with_bar(run: Run) -> Iterator[Iterate]:
    """Iterate a run under a bar with it/s, time left, loss and similarity, on standard error."""
    total = run.settings.total_iter
    with tqdm(total=total, initial=run.i, unit="it", file=sys.stderr, dynamic_ncols=True) as bar:
        for it in run:
            bar.set_postfix_str(
                f"loss {it.loss:.3f}, similarity {it.similarity:.3f}", refresh=False
            )
            bar.update()
            yield it


class _Bars(Watcher):
    """A bar for each run, one for the frames."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def run(self, run: Run) -> Iterator[Iterate]:
        return with_bar(run)

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        if self._bar is None:
            bar = {"unit": "frame", "file": sys.stderr, "dynamic_ncols": True}
            self._bar = tqdm(total=total, initial=number - 1, **bar)
        self._bar.update()
        if number == total:
            self._bar.close()


class _Inline(Watcher):
    """One display that is replaced: the picture at every shown step, the figures above it."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._caption = display(HTML("Starting …"), display_id=True)
        self._view = display(HTML(""), display_id=True)
        self._shown_at = 0.0

    def run(self, run: Run) -> Iterator[Iterate]:
        self._view.update(_as_display(run.images()))
        for it in run:
            if it.shown:
                self._view.update(_as_display(it.images()))
            if it.shown or it.i % 5 == 0:
                rate = it.i / it.seconds
                left = (it.total - it.i) / rate
                self._say(
                    f"Iteration {it.i} of {it.total} · {rate:.1f} it/s · {left:.0f} s left · "
                    f"loss {it.loss:.3f} · similarity {it.similarity:.3f}"
                )
            yield it

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        if number == total or time.monotonic() - self._shown_at > _EVERY:
            self._view.update(_as_display([Image.fromarray(frame)]))
            self._say(f"Frame {number} of {total}")
            self._shown_at = time.monotonic()

    def _say(self, text: str) -> None:
        self._caption.update(self._html(text))


def _as_display(images: list[Image.Image]):
    """A batch side by side, enlarged to a comfortable size, as an inline picture."""
    from IPython.display import Image as InlineImage

    sheet = contact_sheet(images, columns=len(images), gap=4 if len(images) > 1 else 0)
    return InlineImage(as_png(sheet, None), width=max(sheet.width, min(512, 4 * sheet.width)))


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this."""
    shell = sys.modules.get("IPython")
    kernel = shell.get_ipython() if shell else None
    return kernel is not None and getattr(kernel, "kernel", None) is not None


def contact_sheet(
    images: Sequence[Image.Image],
    captions: Sequence[str] | None = None,
    *,
    columns: int = 6,
    gap: int = 8,
) -> Image.Image:
    """Pictures of one size in rows of `columns`, each with its caption below, on white."""
    if not images:
        raise ValueError("A contact sheet needs at least one picture.")
    width, height = images[0].size
    font = ImageFont.load_default(max(11, width // 11))
    lines = [_wrapped(caption, font, width) for caption in captions or []]
    line_height = sum(font.getmetrics()) + 1
    text_height = max((len(text) for text in lines), default=0) * line_height
    rows = -(-len(images) // columns)
    cell = (width + gap, height + text_height + gap)
    sheet = Image.new("RGB", (columns * cell[0] + gap, rows * cell[1] + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        x, y = gap + index % columns * cell[0], gap + index // columns * cell[1]
        sheet.paste(image, (x, y))
        for number, line in enumerate(lines[index] if lines else []):
            pen.text((x, y + height + number * line_height), line, fill="black", font=font)
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines that fit the width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def plot_history(history: Sequence[dict]):
    """Loss with its parts, and the similarity, over the iterations; returns the figure."""
    import matplotlib.pyplot as plt

    steps = [row["iteration"] for row in history]
    known = {"iteration", "seconds", "loss", "similarity"}
    parts = list(dict.fromkeys(name for row in history for name in row if name not in known))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    left.plot(steps, [row["loss"] for row in history], label="loss", color="black")
    if len(parts) > 1:
        for name, style in zip(parts, ("--", ":", "-."), strict=False):
            left.plot(steps, [row.get(name) for row in history], style, label=name)
        left.legend()
    left.set(title="loss (lower is better)", xlabel="iteration")
    right.plot(steps, [row["similarity"] for row in history], color="tab:blue")
    right.set(title="similarity to the sentence (higher is better)", xlabel="iteration")
    plt.close(figure)  # the notebook shows the returned figure, once
    return figure


def curve_svg(
    history: Sequence[dict], updates: Sequence[dict] = (), *, width: int = 420, height: int = 150
) -> str:
    """The loss and its parts over the iterations, as SVG; a dotted line marks each live change.

    As text, since a panel draws it twice a second.
    """
    known = {"iteration", "seconds", "similarity"}
    names = list(dict.fromkeys(name for row in history for name in row if name not in known))
    rows = history[:: max(1, len(history) // width)]
    values = [row[name] for row in rows for name in names if name in row] or [0.0]
    low, high = min(*values, 0.0), max(*values, 1e-6)
    last = max(history[-1]["iteration"], 2) if history else 2

    def place(iteration: float, value: float) -> str:
        x = 36 + (width - 44) * (iteration - 1) / (last - 1)
        y = 8 + (height - 28) * (high - value) / (high - low)
        return f"{x:.1f},{y:.1f}"

    drawn = []
    for name, (colour, dashes) in zip(names, itertools.cycle(_STROKES)):
        points = " ".join(place(row["iteration"], row[name]) for row in rows if name in row)
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" '
            f'stroke-dasharray="{dashes}" stroke-width="1.5"/>'
        )
    for update in updates:
        (x, y), (_, top) = (place(update["iteration"], v).split(",") for v in (low, high))
        title = html.escape(change_in_words(update))
        drawn.append(
            f'<line x1="{x}" y1="{y}" x2="{x}" y2="{top}" stroke="#777" stroke-dasharray="2 2">'
            f"<title>{title}</title></line>"
        )
    legend = " · ".join(
        f'<span style="border-bottom:2px {"dashed" if dashes else "solid"} {colour}">{name}</span>'
        for name, (colour, dashes) in zip(names, itertools.cycle(_STROKES))
    )
    now = f"{history[-1]['loss']:.3f} at iteration {history[-1]['iteration']}" if history else "–"
    return (
        f'<svg role="img" aria-label="loss over the iterations, {now}" width="{width}" '
        f'height="{height}" font-size="10" font-family="sans-serif">'
        f'<text x="2" y="16">{high:.2f}</text><text x="2" y="{height - 20}">{low:.2f}</text>'
        f'<text x="36" y="{height - 5}">1</text>'
        f'<text x="{width - 8}" y="{height - 5}" text-anchor="end">iteration {last}</text>'
        f"{''.join(drawn)}</svg><div style='font-size:11px'>{legend}</div>"
    )


def change_in_words(update: dict) -> str:
    """A live change, as a run's settings log it."""
    changes = ", ".join(f"{k} {v}" for k, v in update.items() if k != "iteration")
    return f"from iteration {update['iteration']}: {changes}"


_STROKES = (("#000", ""), ("#06c", "5 3"), ("#c50", "2 2"), ("#083", "6 2 2 2"), ("#84a", "1 2"))


def zipped(folder: Path) -> Path:
    """A run's folder as one zip beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def offer_download(folder: Path) -> None:
    """Zip a run's folder and offer it: Colab downloads it, Jupyter shows a link, others its path."""
    archive = zipped(folder)
    if on_colab():
        download(archive)
    else:
        from IPython.display import HTML, display

        display(HTML(link(archive)))
