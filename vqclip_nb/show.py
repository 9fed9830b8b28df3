"""What people see of a run: a progress bar, the picture inline, sheets of many pictures."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from vqclip_nb.run import Iterate, Run


def watch(run: Run) -> Iterator[Iterate]:
    """Iterate a run and show it: inline in a notebook, as a progress bar in a terminal."""
    return _inline(run) if _in_notebook() else with_bar(run)


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


def _inline(run: Run) -> Iterator[Iterate]:
    """One display that is replaced: the picture at every shown step, the figures below it."""
    from IPython.display import HTML, display

    caption = display(HTML("Starting …"), display_id=True)
    view = display(_as_display(run.images()), display_id=True)
    for it in run:
        if it.shown:
            view.update(_as_display(it.images()))
        if it.shown or it.i % 5 == 0:
            rate = it.i / it.seconds
            left = (it.total - it.i) / rate
            caption.update(
                HTML(
                    f"Iteration {it.i} of {it.total} · {rate:.1f} it/s · {left:.0f} s left · "
                    f"loss {it.loss:.3f} · similarity {it.similarity:.3f}"
                )
            )
        yield it


def _as_display(images: list[Image.Image]):
    """A batch side by side, enlarged to a comfortable size, as an inline picture."""
    from IPython.display import Image as InlineImage

    sheet = contact_sheet(images, columns=len(images), gap=4 if len(images) > 1 else 0)
    data = io.BytesIO()
    sheet.save(data, "PNG")
    return InlineImage(data.getvalue(), width=max(sheet.width, min(512, 4 * sheet.width)))


def _in_notebook() -> bool:
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


def offer_download(folder: Path) -> None:
    """Zip a run's folder; Colab downloads it, other notebooks show a link."""
    archive = Path(shutil.make_archive(str(folder), "zip", folder))
    if "google.colab" in sys.modules:
        from google.colab import files

        files.download(str(archive))
        return
    from IPython.display import FileLink, display

    display(FileLink(os.path.relpath(archive)))
