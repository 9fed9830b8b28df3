"""The Studio: a panel in one cell, the loop in the next.

`studio = Studio()` shows the panel, `studio.run()` in the next cell paints. The loop runs in that
cell, on the main thread. What a person does is put into a queue; the loop takes it out between
iterations, so that nothing that a button does ever meets an iteration halfway. While no loop runs,
what needs none (looking at steps, loading settings, a zip) is done at once.
"""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
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
_PAINTS = ("start", "more", "fork", "film")  # what needs the loop; of films those that are painted
_OPENING = 2.0  # seconds for a front end to open a subshell
_MORE = 200  # iterations
_UNHEARD = "Buttons are not heard while this cell runs: change the form and run the cell again."


class Studio:
    """Shows the panel; `run` paints.

    settings: what the form begins with
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
        self._idle = threading.RLock()  # what is done may put an event itself
        self._looping = self._painting = self._filming = self._paused = False
        self._heard = True  # whether buttons come through while the loop runs
        self._asked: str | None = None  # what to paint, from while no loop ran
        self._shown_at = 0.0
        self._known: dict = {}  # what the form said when it was last read
        self.current: Run | None = None
        self.panel = Panel(settings, self._put)
        self.panel.list_runs(self.out)
        self._begin()
        self._enable()
        if in_notebook():
            from IPython.display import display

            display(self.panel.widget)

    def _begin(self) -> None:
        """Load an embedded pair at once, since it is quick: so words can be told before painting."""
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

        wait: stay, and paint whenever Start is pressed, until Close or an interrupt; paint once if
            the kernel cannot hear buttons while a cell runs
        """
        self._looping, result = True, None
        try:
            with _delivered(self.panel.widget) as deliver:
                self._heard, self._deliver = deliver is not None, deliver or (lambda: None)
                self._enable()
                if not (wait and self._heard):
                    return self._do(self._asked or "start")
                while (event := self._next()) is not None:
                    result = self._do(event) or result
        except KeyboardInterrupt:
            self.panel.say("Interrupted; what was painted is kept.")
            result = self.current and self.current.result()
        finally:
            self._looping, self._asked = False, None
            self._serve_idle()
            self._enable()
        return result

    def load(self, settings: Settings) -> None:
        """Let the form show these settings."""
        self.panel.form.fill(settings)
        self.panel.say("Loaded: Start paints it again.")
        self._enable()

    # what a person does

    def _put(self, event: str) -> None:
        """Callbacks end here: the loop takes it from there, if there is one."""
        self._events.put(event)
        if not self._looping:
            self._serve_idle()

    def _taken(self) -> Iterator[str]:
        """What was done since the last time."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._events.get_nowait()

    def _serve_idle(self) -> None:
        """Do what needs no loop; keep what does for the next `run`."""
        with self._idle:
            for event in self._taken():
                if not self._served(event) and event in _PAINTS:
                    self._asked = event
                    self.panel.say("Run the cell with studio.run() to paint.")

    def _next(self) -> str | None:
        """Wait for the next thing to paint; None for Close."""
        asked, self._asked = self._asked, None
        if asked:
            return asked
        self._enable()
        if self.current is None:
            self.panel.say("Ready: press Start.")
        while True:
            self._deliver()
            for event in self._taken():
                if event == "close":
                    return None
                if not self._served(event) and event in _PAINTS:
                    return event
            time.sleep(0.05)

    def _do(self, event: str) -> Result | None:
        """Paint what a button asks for."""
        if event == "film":
            return self._paint_film()
        return self._paint({"start": self._new, "more": self._longer, "fork": self._forked}[event])

    def _served(self, event: str) -> bool:
        """Do what an event asks for, if that can be done at any time."""
        doing = {
            "changed": self._enable,
            "step": self._show_step,
            "film": self._make_film,
            "zip": self._make_zip,
            "load": self._load,
            "beside": self._set_beside,
            "save": self._save,
            "upload": self._keep_upload,
        }
        painted = event == "film" and self.panel.film.kind.value != "of the run"
        if event not in doing or painted:
            return False
        try:
            doing[event]()
        except (ValueError, OSError) as error:
            self.panel.say_error(error)
        return True

    def _obey(self, run: Run) -> bool:
        """Between two iterations: do what was asked for; False for Stop. Waits while paused."""
        while True:
            self._deliver()
            for event in self._taken():
                if event == "close":
                    self._events.put(event)  # for whoever waits for the next thing to paint
                if event in ("stop", "close"):
                    return False
                if event == "changed":
                    self._change(run)
                elif event == "more":
                    run.extend(_MORE)
                elif event in ("pause", "resume"):
                    self._paused = event == "pause"
                else:
                    self._served(event)
                    continue
                self._enable()
                self.panel.say_where(run, self._paused)
            if not self._paused:
                return True
            time.sleep(0.05)

    def _change(self, run: Run) -> None:
        """Give the run the form's values of the fields that can change while it paints."""
        if self.panel.form.check():
            return
        before, self._known = self._known, self.panel.form.settings().to_dict()
        live = [name for name, spec in specs().items() if spec.live]
        changes = {k: self._known[k] for k in live if self._known[k] != before[k]}
        try:
            if changes:
                run.update(**changes)
        except ValueError as error:
            self.panel.say_error(error)

    # painting

    def _new(self) -> Run:
        settings = self.panel.form.settings()
        self._known = settings.to_dict()
        run = Run(settings, models=self._loaded(settings), out=self.out)
        self.panel.form.fill(settings.replace(updates=()))  # they show as they are replayed
        return run

    def _longer(self) -> Run:
        if self.current is None:
            return self._new()
        before = self.current.settings
        self.current.extend(_MORE)
        self._follow(self.current, before)
        self._change(self.current)
        return self.current

    def _forked(self) -> Run:
        """A new run from the step of the slider, with what the form says otherwise."""
        step = self.panel.steps.value
        if self.current is None or not step:
            raise ValueError("Fork begins with a step: move the slider to one first.")
        settings = self.panel.form.settings()
        self._known = settings.to_dict()
        kept = ("init_image", "mask", "im_shape", "models", "clip", "updates")
        changes = {k: v for k, v in settings.to_dict().items() if k not in kept}
        folder = self.current.folder.path
        return Run.fork(folder, step, models=self.current.models, out=self.out, **changes)

    def _loaded(self, settings: Settings) -> Models:
        """The pair that the settings name, loaded once."""
        loaded = self._models
        if loaded is None or not loaded.fit(settings):
            self.panel.say(f"Loading {settings.models} …")
            loaded = load_for(settings)
            self.panel.know_words(loaded.perceptors[0])
            self._models = loaded
        return loaded

    def _paint(self, task: Callable[[], Run]) -> Result | None:
        """Paint what the task makes; what goes wrong is told, and what was painted is kept."""
        self._clear()
        with self._noted():
            try:
                run = self.current = task()
            except (ValueError, OSError) as error:
                self.panel.say_error(error)
                return None
            self._painting, self._paused, self._shown_at = True, False, 0.0
            try:
                self.panel.steps.value = 0
                self.panel.show_run(run)
                self._enable()
                before = run.settings
                for it in run:
                    before = self._follow(run, before)
                    self._show(it)
                    if not self._obey(run):
                        break
            except (ValueError, FloatingPointError, MemoryError, OSError, RuntimeError) as error:
                self.panel.say_error(error)
            else:
                self.panel.say_where(run, False, f"Kept in {run.folder.path}")
            finally:
                self._painting = self._paused = False
                self.panel.show_run(run)
                self.panel.list_runs(self.out)
                self._enable()
        return run.result()

    def _paint_film(self) -> None:
        """Paint a film; Stop keeps it so far, and the same once more goes on with it."""
        self._clear()
        with self._noted():
            self._painting = self._filming = True
            try:
                settings, form = self.panel.form.settings(), self.panel.film
                self._known = settings.to_dict()
                self._enable()
                film = form.file(settings, self.out)
                more = {"models": self._loaded(settings), "out": self.out, "show": _Onlooker(self)}
                more |= asdict(form.options())
                if form.kind.value == "morph":
                    morph(form.phrases(settings), film, settings, **more)
                else:
                    journey(settings, film, **more)
            except _Stopped:
                if film.exists():
                    self.panel.show_film(film)
                self.panel.say("Stopped; what there is of the film is kept, and Film goes on.")
            except (ValueError, FloatingPointError, MemoryError, OSError, RuntimeError) as error:
                self.panel.say_error(error)
            else:
                self.panel.show_film(film)
                self.panel.say(f"Kept as {film}")
            finally:
                self._painting = self._filming = False
                self.panel.list_runs(self.out)
                self._enable()

    def _clear(self) -> None:
        """Make the panel ready for what is painted next."""
        self.panel.clear()
        if not self._heard:
            self.panel.note(_UNHEARD)

    def _heed(self) -> None:
        """Between two frames of a film: do what was asked for."""
        self._deliver()
        for event in self._taken():
            if event == "close":
                self._events.put(event)
            if event in ("stop", "close"):
                raise _Stopped
            self._served(event)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """The package's warnings stand in the panel instead of below the cell."""
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

    def _follow(self, run: Run, before: Settings) -> Settings:
        """Let the form show what a replayed change, or 200 more, has made of a field."""
        if run.settings is not before:
            was, now = before.to_dict(), run.settings.to_dict()
            changes = {k: v for k, v in now.items() if v != was[k] and v != self._known[k]}
            self._known |= changes
            self.panel.form.show(changes)
        return run.settings

    def _show(self, it: Iterate) -> None:
        """The picture at every shown step, and at most twice a second in between."""
        if it.shown:
            self.panel.show_run(it.run)
        elif time.monotonic() - self._shown_at >= _EVERY:
            self.panel.show_now(it.run)
        else:
            return
        self._shown_at = time.monotonic()
        self.panel.say_where(it.run, self._paused)

    # what needs no loop

    def _show_step(self) -> None:
        if self.current is not None:
            self.panel.show_step(self.current)

    def _save(self) -> None:
        if self.current is not None:
            self.current.save()
            self.panel.say(f"Saved in {self.current.folder.path}.")

    def _make_film(self) -> None:
        if self.current is not None and self.current.i:
            self.current.save_film()
            cut = self.panel.film.options()
            film = self.current.folder.timelapse
            if cut != Cut():
                film = timelapse(self.current.folder.path, **asdict(cut))
            self.panel.show_film(film)

    def _make_zip(self) -> None:
        if self.current is not None:
            self.panel.offer(zipped(self.current.folder.path))

    def _load(self) -> None:
        if self.panel.runs.value:
            picture = RunFolder(Path(self.panel.runs.value)).picture
            self.panel.form.fill(Settings.from_png(picture))
            self.panel.say("Loaded: Start paints it again, live changes included.")
            self._enable()

    def _keep_upload(self) -> None:
        """One's own checkpoint: kept beside the runs, and named in the form."""
        folder = self.out / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.panel.uploaded().items():
            write_file(folder / name, data)
            self.panel.say(f"Kept {folder / name}.")
            if not name.endswith(".yaml"):
                self.panel.fill(models=str(folder / name))

    def _set_beside(self) -> None:
        if self.panel.runs.value and self.current is not None:
            other = RunFolder(Path(self.panel.runs.value)).picture
            self.panel.set_beside(self.current.folder.picture, other)

    def _enable(self) -> None:
        """Only buttons that do something can be pressed."""
        wrong, painting, filming = bool(self.panel.form.check()), self._painting, self._filming
        there, listed = self.current is not None, bool(self.panel.runs.options)
        of_run = self.panel.film.kind.value == "of the run"
        usable = {"save": there, "zip": there, "more": there and not filming}
        usable |= {"film": there and not filming if of_run else not wrong and not painting}
        usable |= {"start": not wrong and not painting, "stop": painting}
        usable |= {"pause": painting and not (filming or self._paused), "resume": self._paused}
        usable |= {"fork": there and not wrong and not painting, "close": self._looping}
        usable |= {"load": listed and not painting, "beside": listed and there}
        if self._looping and not self._heard:
            usable = dict.fromkeys(usable, False)
        self.panel.enable(usable)


class _Stopped(Exception):  # noqa: N818 - no error
    """Someone has pressed Stop while a film was made."""


class _Onlooker(Watcher):
    """Shows in the panel how a film is made."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self._shown_at = studio, 0.0

    def run(self, run: Run) -> Iterator[Iterate]:
        self.studio.current = run
        self.studio.panel.show_run(run)
        for it in run:
            self.studio._show(it)
            self.studio._heed()
            yield it

    def frame(self, number: int, total: int, frame: np.ndarray) -> None:
        if number == total or time.monotonic() - self._shown_at >= _EVERY:
            self.studio.panel.show_frame(number, total, frame)
            self._shown_at = time.monotonic()
        self.studio._heed()


@contextlib.contextmanager
def _delivered(panel: widgets.Widget) -> Iterator[Callable[[], None] | None]:
    """What lets the events of widgets come through while a cell runs, to be called now and then.

    None if they cannot. ipykernel 7 delivers them on another thread, if the front end opened a
    subshell; ipykernel 6, which Colab has, needs jupyter-ui-poll.
    """
    kernel = getattr(sys.modules["IPython"].get_ipython(), "kernel", None)
    if kernel is None:  # a program that calls the callbacks itself
        yield lambda: None
    elif sys.modules["ipykernel"].version_info[0] >= 7:
        for widget in _tree(panel):
            _send_to_its_own_thread(widget.comm)
        yield (lambda: None) if _opens_subshell(kernel) else None
    elif importlib.util.find_spec("jupyter_ui_poll") is None:
        yield None
    else:
        from jupyter_ui_poll import ui_events

        with ui_events() as poll:
            yield lambda: poll(10)


def _opens_subshell(kernel: object) -> bool:
    """Whether the front end opens a subshell: it does so shortly after it got the first widget."""
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

    From ipykernel 7.4 on they go to the thread that last changed the widget: here the main one,
    which would see them only when the loop is over.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default
