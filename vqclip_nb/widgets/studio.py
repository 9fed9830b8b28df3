"""The Studio: a panel in one cell, the loop in the next.

`studio = Studio()` shows the panel; `studio.run()` in the next cell paints. The loop runs in that
cell, on the main thread. Widget callbacks only put events into a queue, which the loop reads
between iterations, so that no button acts in the middle of one. While no loop runs, events that
need none (looking at steps, loading settings, a zip) are handled at once.
"""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from vqclip_nb.films.journey import journey
from vqclip_nb.films.morph import morph
from vqclip_nb.films.options import Cut
from vqclip_nb.films.progress import Watcher, in_notebook
from vqclip_nb.films.timelapse import timelapse
from vqclip_nb.models.loading import Models, is_embedded, load_for
from vqclip_nb.run import Iterate, Result, Run
from vqclip_nb.settings import Settings, specs
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.widgets.display import zipped
from vqclip_nb.widgets.panel import Panel

_EVERY = 0.5  # seconds between two pictures of one show step
_PAINTS = ("start", "more", "fork", "film")  # need the loop, except the film of a run
_OPENING = 2.0  # seconds for a front end to open a subshell
_MORE = 200  # iterations
_UNRESPONSIVE = "Buttons do not work while this cell runs: change the form and run the cell again."
# what painting, or a device that fails, can raise
_FAILURES = (ValueError, FloatingPointError, MemoryError, OSError, RuntimeError)


class Studio:
    """Shows the panel; `run` paints.

    settings: the form's initial values
    models: a loaded pair; by default the one that the form names
    out: the folder of the runs
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        models: Models | None = None,
        out: str | Path = "runs",
    ) -> None:
        self.out, self._models = Path(out), models
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._idle = threading.RLock()  # reentrant: handling an event can put another one
        self._looping = self._painting = self._filming = self._paused = False
        self._responsive = True  # whether events arrive while the loop runs
        self._deliver: Callable[[], None] = _nothing
        self._requested: str | None = None  # what to paint next, requested while no loop ran
        self._shown_at = 0.0
        self._form_values: dict = {}  # when the form was last read
        self.current: Run | None = None
        self.panel = Panel(settings, self._put)
        self.panel.list_runs(self.out)
        self._load_embedded()
        self._enable()
        if in_notebook():
            from IPython.display import display

            display(self.panel.widget)

    def _load_embedded(self) -> None:
        """Load an embedded pair at once, since it is quick: the form can then check words."""
        settings = self.panel.form.settings()
        try:
            if self._models:
                self.panel.know_words(self._models.perceptors[0])
            elif is_embedded(settings.models):
                self._loaded(settings)
        except ValueError as error:
            self.panel.say_error(error)
        else:
            self.panel.say("Run the next cell, with studio.run(), to paint.")

    def run(self, wait: bool = False) -> Result | None:
        """Paint with the form's values, to the end or to Stop; an interrupt stops too.

        wait: stay, and paint whenever Start is pressed, until Close or an interrupt; if the kernel
            cannot receive button presses while a cell runs, paint once

        Returns the latest run, also after a film or an error; None if nothing was ever painted.
        """
        self._looping = True
        try:
            with _delivered(self.panel.widget) as deliver:
                self._responsive, self._deliver = deliver is not None, deliver or _nothing
                self._enable()
                if wait and self._responsive:
                    while (event := self._next()) is not None:
                        self._paint(event)
                else:
                    self._paint(self._requested or "start")
        except KeyboardInterrupt:
            self.panel.say("Interrupted; what was painted is kept.")
        finally:
            self._looping, self._requested, self._deliver = False, None, _nothing
            self._handle_idle()
            self._enable()
        return self.current.result() if self.current else None

    def load(self, settings: Settings) -> None:
        """Show these settings in the form."""
        self.panel.form.fill(settings)
        self.panel.say("Loaded. Press Start to paint it again, with any live changes.")
        self._enable()

    # events

    def _put(self, event: str) -> None:
        """Called by widgets; the loop reads the event if it runs."""
        self._events.put(event)
        if not self._looping:
            self._handle_idle()

    def _new_events(self) -> Iterator[str]:
        """The events since the last call; raises _Stopped for Stop or Close while painting."""
        self._deliver()
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if self._painting and event in ("stop", "close"):
                    if event == "close":
                        self._events.put(event)  # for `_next`
                    raise _Stopped
                yield event

    def _handle_idle(self) -> None:
        """Handle events that need no loop; remember what to paint for the next `run`."""
        with self._idle:
            for event in self._new_events():
                if not self._handle(event) and event in _PAINTS:
                    self._requested = event
                    self.panel.say("Run the cell with studio.run() to paint.")

    def _next(self) -> str | None:
        """Wait for an event that paints; None for Close."""
        requested, self._requested = self._requested, None
        if requested:
            return requested
        self._enable()
        if self.current is None:
            self.panel.say("Ready: press Start.")
        while True:
            for event in self._new_events():
                if event == "close":
                    return None
                if not self._handle(event) and event in _PAINTS:
                    return event
            time.sleep(0.05)

    def _handle(self, event: str) -> bool:
        """Handle an event that needs no loop; returns whether it is one."""
        actions = {"changed": self._enable, "load": self._load_chosen, "upload": self._keep_upload}
        of_run = {
            "step": self.panel.show_step,
            "save": self._save,
            "zip": lambda run: self.panel.offer(zipped(run.folder.path)),
            "beside": self._set_beside,
        }
        if self.panel.film.kind.value == "of the run":
            of_run["film"] = self._make_film
        if event not in actions and event not in of_run:
            return False
        try:
            if event in actions:
                actions[event]()
            elif self.current is not None:
                of_run[event](self.current)
        except (ValueError, OSError) as error:
            self.panel.say_error(error)
        return True

    def _between_iterations(self, run: Run) -> None:
        """Handle events, and wait while paused."""
        while True:
            for event in self._new_events():
                if event == "changed":
                    self._change(run)
                elif event == "more":
                    run.extend(_MORE)
                elif event in ("pause", "resume"):
                    self._paused = event == "pause"
                else:
                    self._handle(event)
                    continue
                self._enable()
                self.panel.say_where(run, self._paused)
            if not self._paused:
                return
            time.sleep(0.05)

    def _between_frames(self) -> None:
        for event in self._new_events():
            self._handle(event)

    def _change(self, run: Run) -> None:
        """Apply the form's values of live fields to the run."""
        if self.panel.form.check():
            return
        before = self._form_values
        self._read_form()
        live = [name for name, spec in specs().items() if spec.live]
        now = self._form_values
        changes = {name: now[name] for name in live if now[name] != before[name]}
        try:
            if changes:
                run.update(**changes)
        except ValueError as error:
            self.panel.say_error(error)

    # painting

    def _read_form(self) -> Settings:
        settings = self.panel.form.settings()
        self._form_values = settings.to_dict()
        return settings

    def _new(self) -> Run:
        settings = self._read_form()
        run = Run(settings, models=self._loaded(settings), out=self.out)
        self.panel.form.fill(settings.replace(updates=()))  # the replay shows each change
        return run

    def _longer(self) -> Run:
        if self.current is None:
            return self._new()
        before = self.current.settings
        self.current.extend(_MORE)
        self._show_changes(self.current, before)
        self._change(self.current)
        return self.current

    def _forked(self) -> Run:
        """A new run from the slider's step, with the form's other values."""
        step = self.panel.steps.value
        if self.current is None or not step:
            raise ValueError("Fork starts from a step: move the slider to one first.")
        kept = ("init_image", "mask", "im_shape", "models", "clip", "updates")
        changes = {k: v for k, v in self._read_form().to_dict().items() if k not in kept}
        folder = self.current.folder.path
        return Run.fork(folder, step, models=self.current.models, out=self.out, **changes)

    def _loaded(self, settings: Settings) -> Models:
        """The models that the settings name, loaded once."""
        loaded = self._models
        if loaded is None or not loaded.fit(settings):
            self.panel.say(f"Loading {settings.models} …")
            loaded = load_for(settings)
            self.panel.know_words(loaded.perceptors[0])
            self._models = loaded
        return loaded

    def _paint(self, event: str) -> None:
        """Paint what a button requests; the panel shows failures, and what was painted is kept."""
        begin = {"start": self._new, "more": self._longer, "fork": self._forked}.get(event)
        self.panel.clear()
        if not self._responsive:
            self.panel.note(_UNRESPONSIVE)
        self._painting, self._filming, self._shown_at = True, begin is None, 0.0
        try:
            with self._warnings_in_panel():
                self._paint_run(begin) if begin else self._paint_film()
        except _FAILURES as error:
            self.panel.say_error(error)
        finally:
            self._painting = self._filming = self._paused = False
            self.panel.list_runs(self.out)
            self._enable()

    def _paint_run(self, begin: Callable[[], Run]) -> None:
        run = self.current = begin()
        self.panel.steps.value = 0
        self.panel.show_run(run)
        self._enable()
        before = run.settings
        try:
            with contextlib.suppress(_Stopped):
                for it in run:
                    before = self._show_changes(run, before)
                    self._show(it)
                    self._between_iterations(run)
            self.panel.say_where(run, False, f"Kept in {run.folder.path}")
        finally:
            self.panel.show_run(run)

    def _paint_film(self) -> None:
        """Paint a film; after Stop the same film can be continued."""
        self._enable()
        settings, form = self._read_form(), self.panel.film
        film = form.file(settings, self.out)
        options = {"models": self._loaded(settings), "out": self.out, "show": _FilmWatcher(self)}
        options |= asdict(form.options())
        try:
            if form.kind.value == "morph":
                morph(form.phrases(settings), film, settings, **options)
            else:
                journey(settings, film, **options)
            self.panel.say(f"Kept as {film}")
        except _Stopped:
            self.panel.say("Stopped. The film so far is kept; press Film to continue it.")
        if film.exists():
            self.panel.show_film(film)

    @contextlib.contextmanager
    def _warnings_in_panel(self) -> Iterator[None]:
        """Show the package's warnings in the panel instead of below the cell."""
        with warnings.catch_warnings():
            elsewhere = warnings.showwarning

            def show(message: Warning, category: type, filename: str, *rest: object) -> None:
                if Path(filename).is_relative_to(Path(__file__).parents[1]):
                    self.panel.note(str(message))
                else:
                    elsewhere(message, category, filename, *rest)

            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield

    def _show_changes(self, run: Run, before: Settings) -> Settings:
        """Show in the form what a replayed change, or 200 more, changed; returns the settings."""
        if run.settings is not before:
            was, now, shown = before.to_dict(), run.settings.to_dict(), self._form_values
            changes = {k: v for k, v in now.items() if v != was[k] and v != shown[k]}
            self._form_values |= changes
            self.panel.form.show(changes)
        return run.settings

    def _show(self, it: Iterate) -> None:
        """Show the picture at every shown step, and at most twice a second in between."""
        if it.shown:
            self.panel.show_run(it.run)
        elif time.monotonic() - self._shown_at >= _EVERY:
            self.panel.show_now(it.run)
        else:
            return
        self._shown_at = time.monotonic()
        self.panel.say_where(it.run, self._paused)

    # what needs no loop

    def _save(self, run: Run) -> None:
        run.save()
        self.panel.say(f"Saved in {run.folder.path}.")

    def _make_film(self, run: Run) -> None:
        if run.i:
            run.save_film()
            film, cut = run.folder.timelapse, self.panel.film.options()
            if cut != Cut():
                film = timelapse(run.folder.path, **asdict(cut))
            self.panel.show_film(film)

    def _load_chosen(self) -> None:
        if self.panel.runs.value:
            self.load(Settings.from_png(RunFolder(Path(self.panel.runs.value)).picture))

    def _keep_upload(self) -> None:
        """Keep an uploaded checkpoint beside the runs, and name it in the form."""
        folder = self.out / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.panel.uploaded().items():
            write_file(folder / name, data)
            self.panel.say(f"Kept {folder / name}.")
            if not name.endswith(".yaml"):
                self.panel.fill(models=str(folder / name))

    def _set_beside(self, run: Run) -> None:
        if self.panel.runs.value:
            other = RunFolder(Path(self.panel.runs.value)).picture
            self.panel.set_beside(run.folder.picture, other)

    def _enable(self) -> None:
        """Enable the buttons that do something now."""
        wrong, painting, filming = bool(self.panel.form.check()), self._painting, self._filming
        there, listed = self.current is not None, bool(self.panel.runs.options)
        of_run = self.panel.film.kind.value == "of the run"
        usable = {"save": there, "zip": there, "more": there and not filming}
        usable |= {"film": there and not filming if of_run else not wrong and not painting}
        usable |= {"start": not wrong and not painting, "stop": painting}
        usable |= {"pause": painting and not (filming or self._paused), "resume": self._paused}
        usable |= {"fork": there and not wrong and not painting, "close": self._looping}
        usable |= {"load": listed and not painting, "beside": listed and there}
        if self._looping and not self._responsive:
            usable = dict.fromkeys(usable, False)
        self.panel.enable(usable)


class _Stopped(Exception):  # noqa: N818 - not an error
    """Stop or Close was pressed while painting."""


class _FilmWatcher(Watcher):
    """Shows a film's progress in the panel."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def run(self, run: Run) -> Iterable[Iterate]:
        self.studio.current = run
        self.studio.panel.show_run(run)
        return self._painted(run)

    def _painted(self, run: Run) -> Iterator[Iterate]:
        for it in run:
            self.studio._show(it)
            self.studio._between_frames()
            yield it

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        if number == total or time.monotonic() - self.studio._shown_at >= _EVERY:
            self.studio.panel.show_frame(number, total, frame)
            self.studio._shown_at = time.monotonic()
        self.studio._between_frames()


def _nothing() -> None:
    """Delivers nothing, where events arrive by themselves or not at all."""


@contextlib.contextmanager
def _delivered(panel: widgets.Widget) -> Iterator[Callable[[], None] | None]:
    """A function that lets widget events arrive while a cell runs, to be called repeatedly.

    None if they cannot. ipykernel 7 delivers them on another thread, if the front end opened a
    subshell; ipykernel 6, which Colab has, needs jupyter-ui-poll.
    """
    kernel = getattr(sys.modules["IPython"].get_ipython(), "kernel", None)
    if kernel is None:  # a program that calls the callbacks itself
        yield _nothing
    elif sys.modules["ipykernel"].version_info[0] >= 7:
        for widget in _tree(panel):
            _send_to_its_own_thread(widget.comm)
        yield _nothing if _opens_subshell(kernel) else None
    elif importlib.util.find_spec("jupyter_ui_poll") is None:
        yield None
    else:
        from jupyter_ui_poll import ui_events

        with ui_events() as poll:
            yield lambda: poll(10)


def _opens_subshell(kernel: object) -> bool:
    """Whether the front end opens a subshell, shortly after it received the first widget."""
    manager, ends = kernel.shell_channel_thread.manager, time.monotonic() + _OPENING
    while not manager.list_subshell() and time.monotonic() < ends:
        time.sleep(0.05)
    return bool(manager.list_subshell())


def _tree(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and all inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _tree(child)


def _send_to_its_own_thread(comm: object) -> None:
    """Let a widget's events go where the front end sends them.

    Since ipykernel 7.4 they go to the thread that last changed the widget: here the main thread,
    which would receive them only after the loop.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default
