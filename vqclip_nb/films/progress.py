"""Progress of runs and films: bars in a terminal, pictures inline in a notebook."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from vqclip_nb.models.loading import Models
from vqclip_nb.pictures import as_png
from vqclip_nb.run import Iterate, Result, Run
from vqclip_nb.settings import Settings
from vqclip_nb.storage.contact_sheet import contact_sheet
from vqclip_nb.storage.images import kept_picture

_EVERY = 0.5  # seconds between two displayed frames


class Watcher:
    """Follows runs and films, and displays nothing; an exception raised here interrupts them."""

    def run(self, run: Run) -> Iterable[Iterate]:
        """Called with a run; iterating the result paints what is left of it."""
        return run

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        """Called after each frame, uint8 [H, W, 3], of a film; `number` counts from 1 to `total`."""


def generate(
    prompt: str | Settings | None = None,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    show: bool | Watcher = False,
    offline: bool = False,
    **fields: object,
) -> Result:
    """Paint a picture; the fields of `Settings` are keywords.

    prompt: a sentence, or ready settings; `init_image` and `mask` may also be PIL images or arrays,
        which are kept in `out`/inputs
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the run's new folder goes
    show: display the picture at every show_step in a notebook, a bar in a terminal; or a `Watcher`
    offline: download no model

    An interrupt keeps and returns what was painted.
    """
    settings = prompt if isinstance(prompt, Settings) else Settings()
    if isinstance(prompt, str):
        fields["prompt"] = prompt
    if isinstance(models, str):
        fields["models"] = models
    for name in ("init_image", "mask"):
        if not isinstance(fields.get(name, ""), str):
            fields[name] = kept_picture(fields[name], Path(out) / "inputs")
    settings = settings.replace(**fields)
    loaded = models if isinstance(models, Models) else None
    run = Run(settings, models=loaded, out=out, offline=offline)
    with contextlib.suppress(KeyboardInterrupt):  # the run has saved itself
        for _ in watcher_for(show).run(run):
            pass
    return run.result()


def watcher_for(show: bool | Watcher) -> Watcher:
    """The watcher for an argument `show`: one that displays for True, a silent one for False."""
    if show is True:
        return _Inline() if in_notebook() else _Bars()
    return show or Watcher()


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def progress_bar(
    total: int, unit: str, *, initial: int = 0, show: bool = True, leave: bool = True
) -> tqdm:
    """A bar on standard error, as long as anybody reads that; in a notebook a widget.

    leave: whether it stays when it is full; a bar inside of another does not
    """
    options = {"file": _Lenient(sys.stderr), "dynamic_ncols": True, "disable": not show}
    options["leave"] = leave
    return tqdm(total=total, initial=initial, unit=unit, **options)


class _Lenient:
    """A text stream whose reader may be gone; painting goes on without it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None in a program that was started without it

    def __getattr__(self, name: str) -> object:  # encoding, fileno, isatty
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            self._stream.flush()


def with_bar(run: Run, leave: bool = True) -> Iterator[Iterate]:
    """Iterate a run with a bar that has it/s, time left, loss and similarity."""
    with progress_bar(run.settings.total_iter, "it", initial=run.i, leave=leave) as bar:
        for it in run:
            figures = f"loss {it.loss:.3f}, similarity {it.similarity:.3f}"
            bar.set_postfix_str(figures, refresh=False)
            bar.update()
            yield it


def progress_of(run: Run) -> str:
    """Iteration, speed, time left, loss and similarity of a run, in one line."""
    total = run.settings.total_iter
    words = [f"{run.i} of {total}"]
    if run.history:
        rate, row = run.i / run.seconds, run.history[-1]
        words += [f"{rate:.1f} it/s", f"{max(0, total - run.i) / rate:.0f} s left"]
        words += [f"loss {row['loss']:.3f}", f"similarity {row['similarity']:.3f}"]
    return " · ".join(words)


class _Bars(Watcher):
    """A bar for each run, and one for the frames."""

    run = staticmethod(with_bar)

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        if self._bar is None:
            self._bar = progress_bar(total, "frame", initial=number - 1)
        self._bar.update()
        if number == total:
            self._bar.close()


class _Inline(Watcher):
    """A line of numbers and, below it, the picture at every shown step; updated in place."""

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
                self._say(f"Iteration {progress_of(run)}")
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
