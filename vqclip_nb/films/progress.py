"""What runs and films show while they work: bars in a terminal, pictures inline in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

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
    """Observes a run or a film, and shows nothing; an exception raised here interrupts it."""

    def run(self, run: Run) -> Iterable[Iterate]:
        """Called with a run that is about to be painted; iterating the result paints it."""
        return run

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        """Called after each frame, uint8 [H, W, 3], of a film: its number, from 1, and how many."""


def generate(
    prompt: str | Settings | None = None,
    *,
    models: str | Models | None = None,
    out: str | Path = "runs",
    show: bool = False,
    offline: bool = False,
    **fields: object,
) -> Result:
    """Paint a picture; the fields of `Settings` are keywords.

    prompt: a sentence, or ready settings; `init_image` and `mask` may also be PIL's pictures or
        arrays, which are kept in `out`/inputs
    models: a loaded pair, a model's name or a checkpoint's path
    out: where the run's new folder goes
    show: in a notebook the picture inline at every show_step, in a terminal a progress bar
    offline: fetch no model

    Interrupting keeps and returns what was painted.
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
    try:
        for _ in watch(run) if show else run:
            pass
    except KeyboardInterrupt:
        pass  # the run has saved itself
    return run.result()


def watch(run: Run) -> Iterator[Iterate]:
    """Iterate a run and show it: inline in a notebook, as a progress bar in a terminal."""
    return onlooker().run(run)


def watcher(show: bool | Watcher) -> Watcher:
    """The watcher for an argument `show`: True displays, False does not."""
    return onlooker() if show is True else show or Watcher()


def onlooker() -> Watcher:
    """The watcher that displays: inline in a notebook, with bars in a terminal."""
    return _Inline() if in_notebook() else _Bars()


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def progress_bar(total: int, unit: str, *, initial: int = 0, show: bool = True) -> tqdm:
    """A bar on standard error; in a notebook a widget."""
    options = {"file": sys.stderr, "dynamic_ncols": True, "disable": not show}
    return tqdm(total=total, initial=initial, unit=unit, **options)


def with_bar(run: Run) -> Iterator[Iterate]:
    """Iterate a run with a bar that has it/s, time left, loss and similarity."""
    with progress_bar(run.settings.total_iter, "it", initial=run.i) as bar:
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
            self._bar = progress_bar(total, "frame", initial=number - 1)
        self._bar.update()
        if number == total:
            self._bar.close()


class _Inline(Watcher):
    """One display, updated in place: the picture at every shown step below a line of figures."""

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
