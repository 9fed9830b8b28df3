"""The Studio: a panel that paints.

Widget callbacks only put events into a queue, which the loop reads between iterations, so that no
button acts in the middle of one. While no loop runs, events that need none (looking at steps,
loading settings, a zip) are handled at once, and Start begins a loop on a thread of its own: the
kernel stays free, so that every button works and a page that is opened again shows the panel.
Colab does not show what a thread changes after its cell has ended; there the loop runs in a cell.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from vqclip_nb.films.journey import journey
from vqclip_nb.films.morph import morph
from vqclip_nb.films.options import Cut
from vqclip_nb.films.progress import Watcher, in_notebook
from vqclip_nb.films.timelapse import timelapse
from vqclip_nb.models.loading import Models, is_embedded, load_for, to_confirm
from vqclip_nb.pictures import sources_in
from vqclip_nb.run import Iterate, Result, Run
from vqclip_nb.settings import Settings, specs
from vqclip_nb.storage.files import from_here, write_file
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.untrusted.text import shown
from vqclip_nb.widgets.comparison import MOST
from vqclip_nb.widgets.display import zipped
from vqclip_nb.widgets.events import can_paint_on_thread, cell_id, delivered, nothing, to_own_thread
from vqclip_nb.widgets.fields import uploaded_to
from vqclip_nb.widgets.history import OpenedRun
from vqclip_nb.widgets.panel import Panel
from vqclip_nb.widgets.picture_grid import PictureGrid

_EVERY = 0.5  # seconds between two pictures of one show step
# the film of a run needs no loop
_PAINTS = ("start", "four", "grid", "more", "fork", "upscale", "finish", "film")
_WAITS = ("start", "four", "grid")  # what can wait in line
_CHANGES = {"start": {}, "four": {"batch_size": 4}}  # of the form's values
_MORE = 50  # iterations
_UNRESPONSIVE = "Buttons do not work while this cell runs: change the form and run the cell again."
_NEEDS_CELL = "Run the panel's cell again to paint: on Colab, painting needs a running cell."
_TURN = threading.Lock()  # one panel of a process paints at a time; the others wait
_OF_CELLS: weakref.WeakValueDictionary[str, Studio] = weakref.WeakValueDictionary()
# what painting, or a device that fails, can raise
_FAILURES = (ValueError, FloatingPointError, MemoryError, OSError, RuntimeError)


class Studio:
    """Shows the panel; `run` paints, and so does its Start button.

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
        self.out, self._models = Path(out).absolute(), models  # also after a %cd
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._idle = threading.RLock()  # reentrant: handling an event can put another one
        self._looping = self._painting = self._filming = self._paused = False
        self._edited = False  # whether the form changed since the run was told
        self._in_cell = False  # whether the loop runs in a cell
        self._thread: threading.Thread | None = None
        self._responsive = True  # whether events arrive while the loop runs
        self._deliver: Callable[[], None] = nothing
        self._requested: str | None = None  # what to paint next, requested while no loop ran
        self._shown_at = 0.0
        self._form_values: dict = {}  # when the form was last read
        self._unconfirmed = to_confirm(settings) if settings else []  # see `Settings.confirmed`
        self._line: deque[Callable[[], Run]] = deque()  # what is painted next
        self._grid: PictureGrid | None = None
        self._compared: list[Path] = []  # pictures that are set beside each other
        self.current: Run | OpenedRun | None = None
        self.panel = Panel(settings, self._put)
        self.panel.list_runs(self.out)
        self._load_embedded()
        self._enable()
        to_own_thread(self.panel.everything())
        self._replace_panel_of_cell()
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
            self.panel.say("Ready: press Start.")

    def _replace_panel_of_cell(self) -> None:
        """Stop the panel that this cell made when it ran before: nobody can see it any more."""
        cell = cell_id()
        if (earlier := _OF_CELLS.get(cell)) is not None and earlier._painting:
            earlier._put("stop")
        if cell:
            _OF_CELLS[cell] = self

    def run(self, wait: bool = True) -> Result | None:
        """Paint with the form's values, and stay for the buttons.

        wait: paint now, and again whenever Start is pressed. Where a thread can paint, the cell
            ends at once and the panel stays; on Colab the cell runs until its button, or an
            interrupt, ends it. False: paint once in this cell, to the end or to Stop

        Returns the latest run, also after a film or an error; None if there is none yet.
        """
        self.panel.come_into_view()
        if wait and can_paint_on_thread():
            self._put("start")
            return None
        self.result()  # of a thread that paints
        self._looping = self._in_cell = True
        event = self._requested or "start"
        try:
            with delivered() as deliver:
                self._responsive, self._deliver = deliver is not None, deliver or nothing
                while event:
                    self._paint(event)
                    stays = wait and self._responsive
                    event = "next" if self._line else self._next() if stays else None
        except KeyboardInterrupt:
            self.panel.say("Interrupted; what was painted is kept.")
        finally:
            self._in_cell, self._requested, self._deliver = False, None, nothing
            self._end_loop()
        return self.current.result() if self.current else None

    def result(self) -> Result | None:
        """The latest run, when all painting has ended; None if nothing was painted."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join()
        return self.current.result() if self.current else None

    def load(self, settings: Settings) -> None:
        """Show these settings in the form; what they would read is confirmed by the next button."""
        self._unconfirmed = to_confirm(settings)
        self.panel.load(settings)
        self.panel.say("Loaded. Press Start to paint it again, with any live changes.")
        self._enable()

    # events

    def _put(self, event: str) -> None:
        """Called by widgets; the loop reads the event if it runs."""
        self._events.put(self._waiting_event(event))
        if not self._looping:
            self._handle_idle()

    def _new_events(self) -> Iterator[str]:
        """The events since the last call; raises _Stopped for Stop or Close while painting.

        Also when the kernel ends, which waits for this thread.
        """
        self._deliver()
        if self._painting and not threading.main_thread().is_alive():
            raise _Stopped
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if self._painting and event in ("stop", "close"):
                    self._line.clear()
                    if event == "close":
                        self._events.put(event)  # for `_next`
                    raise _Stopped
                yield self._waiting_event(event)

    def _waiting_event(self, event: str) -> str:
        """The event, or "in line" if it was put there because something paints."""
        if not (self._painting and event in _WAITS):
            return event
        self._wait_in_line(event)
        return "in line"

    def _handle_idle(self) -> None:
        """Handle events that need no loop, and begin a loop for what does."""
        with self._idle:
            for event in self._new_events():
                event = "start" if event == "paint" else event
                if not self._handle(event) and event in _PAINTS:
                    self._begin(event)

    def _begin(self, event: str) -> None:
        """Paint on a thread, or ask for a cell where that is not shown."""
        if self._looping:
            return
        if not can_paint_on_thread():
            self._requested = event
            self.panel.say(_NEEDS_CELL)
            return
        self._looping = self._responsive = True
        self.panel.say("Starting …")
        self._thread = threading.Thread(target=self._paint_alone, args=(event,), name="studio")
        self._thread.start()

    def _paint_alone(self, event: str) -> None:
        """Paint on this thread, and let the next event begin another."""
        try:
            self._paint(event)
            while self._line:
                self._paint("next")
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        self._looping = False
        self._handle_idle()
        self._enable()

    def _next(self) -> str | None:
        """Wait in the cell for an event that paints; None for Close."""
        self._enable()
        while True:
            for event in self._new_events():
                if event == "close":
                    return None
                event = "start" if event == "paint" else event
                if not self._handle(event) and event in _PAINTS:
                    return event
            time.sleep(0.05)

    def _handle(self, event: str) -> bool:
        """Handle an event that needs no loop; returns whether it is one."""
        actions = {"changed": self._enable, "load": self._load_chosen, "upload": self._keep_upload}
        actions |= {"runs": lambda: self.panel.list_runs(self.out)}
        actions |= {"dice": lambda: self.panel.fill(seed=None), "use": self._use_chosen}
        actions |= {
            "open": self._open_chosen,
            "beside": self._set_beside,
            "apart": lambda: self._compare([]),
        }
        picture = self.panel.picture_in
        actions |= {
            "picture": lambda: self._bring(picture.arrived),
            "strokes": lambda: self._use_picture(picture.as_mask),
            "init": lambda: self._use_picture(picture.as_start),
            "sentence": lambda: self._use_picture(picture.as_prompt),
            "settings": lambda: self.load(Settings.from_png(picture.file)),
        }
        of_run = {
            "step": self.panel.show_step,
            "save": self._save,
            "zip": lambda run: self.panel.offer(zipped(run.folder.path)),
            "lock": lambda run: self.panel.fill(seed=run.settings.seed),
            "shown": self._take_shown,
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
        except Exception as error:  # a stranger's file can raise anything, and the panel stays
            self.panel.say_error(error)
        return True

    def _between_iterations(self, run: Run) -> None:
        """Handle events, and wait while paused; a prompt is used when it is typed to its end."""
        while True:
            for event in self._new_events():
                if event in ("changed", "paint"):
                    self._edited = True
                elif event == "more":
                    run.extend(_MORE)
                elif event in ("pause", "resume"):
                    self._paused = event == "pause"
                elif event != "in line":
                    self._handle(event)
                    continue
                self._enable()
                self.panel.say_where(run, self._paused, self._waiting())
            if self._edited and not self.panel.is_typing():
                self._edited = False
                self._change(run)
            if not self._paused:
                return
            time.sleep(0.05)

    def _between_frames(self) -> None:
        for event in self._new_events():
            self._handle(event)

    def _wait_in_line(self, event: str) -> None:
        """Paint the form's values as they are now when what is painted has ended."""
        try:
            self._line.extend(self._planned(event))
        except ValueError as error:
            self.panel.say_error(error)

    def _planned(self, event: str) -> list[Callable[[], Run]]:
        """What begins each run that a button asks for, with the form's values as they are now."""
        settings = self._confirmed()
        if event != "grid":
            return [partial(self._begun, settings, _CHANGES[event])]
        grid = self.panel.grid.plans(settings)
        return [partial(self._begun_of, grid, place) for place in range(len(grid.plans))]

    def _waiting(self) -> str:
        number = len(self._line)
        return f"{number} more in line" if number else ""

    def _change(self, run: Run) -> None:
        """Apply the form's values of live fields to the run."""
        if self.panel.form.check():
            return
        before = self._form_values
        try:
            self._read_form()
        except ValueError as error:
            self.panel.say_error(error)
            return
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
        """The form's settings, from which live changes are counted."""
        settings = self._confirmed()
        self._form_values = settings.to_dict()
        return settings

    def _confirmed(self) -> Settings:
        """The form's settings; raises ValueError once if loaded ones would read something."""
        settings = self.panel.form.settings()
        asked, self._unconfirmed = self._unconfirmed, []
        if named := [each for each in asked if each in sources_in(settings.to_dict())]:
            raise ValueError(
                f"The settings that were loaded would read {', '.join(map(shown, named))}: press "
                "the button again if you trust that."
            )
        return settings

    def _new(self, event: str = "start") -> Run:
        """The first run that a button asks for; the others wait in line."""
        first, *others = self._planned(event)
        self._line.extendleft(reversed(others))
        return first()

    def _begun(self, settings: Settings, changes: dict) -> Run:
        """A new run with these values, and changes that the form does not show."""
        run = Run(settings.replace(**changes), models=self._loaded(settings), out=self.out)
        self.panel.form.fill(settings.replace(updates=()))  # the replay shows each change
        self._form_values = settings.to_dict()
        return run

    def _begun_of(self, grid: PictureGrid, place: int) -> Run:
        """A run of a grid."""
        run = self._begun(grid.plans[place].settings, {})
        grid.folders[place] = run.folder.path
        self._grid = grid
        return run

    def _end_grid(self) -> None:
        """Show what was painted; after the last one, the form as it was before the grid."""
        grid = self._grid
        if grid is None:
            return
        self.panel.show_grid(grid)
        if not self._line:
            self._grid = None
            with contextlib.suppress(ValueError):  # the form was edited, and stays
                if self.panel.form.settings().to_dict() == self._form_values:
                    self.panel.load(grid.settings)

    def _longer(self) -> Run:
        if self.current is None:
            return self._new()
        run, before = self._resumed(self.current), self.current.settings
        run.extend(_MORE)
        self._show_changes(run, before)
        self._change(run)
        return run

    def _finished(self) -> Run:
        """The chosen run, with what is left of it to paint."""
        return self._resumed(OpenedRun.of(self._chosen()))

    def _resumed(self, run: Run | OpenedRun) -> Run:
        """The run itself, or one that continues what was opened."""
        if isinstance(run, Run):
            return run
        resumed = Run.resume(run.folder.path, models=self._loaded(run.plan))
        self.panel.form.fill(resumed.settings)
        self._form_values = resumed.settings.to_dict()
        return resumed

    def _forked(self, times: int = 1) -> Run:
        """A new run from the slider's step, or the latest, with the form's other values.

        times: how many times as large its pictures are
        """
        if self.current is None or not self.current.folder.shown_steps():
            raise ValueError("There is no step to start from yet: paint first.")
        step = self.panel.steps.value or self.current.folder.shown_steps()[-1]
        kept = ("init_image", "mask", "im_shape", "models", "clip", "config", "updates")
        changes = {k: v for k, v in self._read_form().to_dict().items() if k not in kept}
        folder = self.current.folder.path
        width, height = self.current.settings.im_shape
        changes["im_shape"] = (times * width, times * height)
        models = self._loaded(self.current.plan)
        return Run.fork(folder, step, models=models, out=self.out, **changes)

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
        begins = {"more": self._longer, "fork": self._forked, "finish": self._finished}
        begins["upscale"] = lambda: self._forked(times=2)
        begins |= {each: partial(self._new, each) for each in _WAITS}
        begins["next"] = lambda: self._line.popleft()()
        begin = begins.get(event)
        self.panel.clear()
        self.panel.say("Starting …")
        if not self._responsive:
            self.panel.note(_UNRESPONSIVE)
        self._painting, self._filming, self._shown_at = True, begin is None, 0.0
        self._edited = False
        self._enable()
        try:
            with self._in_turn(), self._warnings_in_panel():
                self._paint_run(begin) if begin else self._paint_film()
        except _Stopped:
            self.panel.say("Stopped before it began.")
        except _FAILURES as error:
            self._line.clear()  # they would hide the error, and may fail like it
            self.panel.say_error(error)
        finally:
            self._painting = self._filming = self._paused = False
            self.panel.stay_in_place()
            self.panel.list_runs(self.out)
            self._end_grid()
            self._enable()

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Wait until no other panel of this process paints."""
        while not _TURN.acquire(timeout=0.1):
            self.panel.say("Waiting until the other panel has finished …")
            self._between_frames()
        try:
            yield
        finally:
            _TURN.release()

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
            self.panel.say_where(run, False, f"Kept in {from_here(run.folder.path)}")
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
            self.panel.say(f"Kept as {from_here(film)}")
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
        """Show in the form what a replayed change, or 50 more, changed; returns the settings."""
        if run.settings is not before:
            was, now, shown = before.to_dict(), run.settings.to_dict(), self._form_values
            changes = {k: v for k, v in now.items() if v != was[k] and v != shown[k]}
            self._form_values |= changes
            self.panel.form.show(changes)
        return run.settings

    def _show(self, it: Iterate) -> None:
        """Show the picture at every shown step, and at most twice a second in between."""
        if it.shown:
            self.panel.stay_in_place()
            self.panel.show_run(it.run)
        elif time.monotonic() - self._shown_at >= _EVERY:
            self.panel.show_now(it.run)
        else:
            return
        self._shown_at = time.monotonic()
        self.panel.say_where(it.run, self._paused, self._waiting())

    # what needs no loop

    def _save(self, run: Run) -> None:
        run.save()
        self.panel.say(f"Saved in {from_here(run.folder.path)}.")

    def _make_film(self, run: Run | OpenedRun) -> None:
        if run.i:
            if isinstance(run, Run):
                run.save_film()
            film, cut = run.folder.timelapse, self.panel.film.options()
            if cut != Cut():
                film = timelapse(run.folder.path, **asdict(cut))
            self.panel.show_film(film)

    def _load_chosen(self) -> None:
        self.load(Settings.from_png(RunFolder(self._chosen()).picture))

    def _use_chosen(self) -> None:
        """Show the settings of the chosen picture, those that changed live as they were at last."""
        run = OpenedRun.of(self._chosen())
        self.load(run.settings)
        self.panel.say("These are the settings that the picture was painted with.")

    def _open_chosen(self) -> None:
        """Show the chosen run, as if it had just been painted."""
        path = self._chosen()
        if self._painting or (self.current and self.current.folder.path == path):
            return
        self.current = OpenedRun.of(path)
        self.panel.clear()
        self.panel.steps.value = 0
        self.panel.show_run(self.current)
        self.panel.say_where(self.current, False, f"Opened {from_here(path)}")
        self._enable()

    def _chosen(self) -> Path:
        if self.panel.history.chosen is None:
            raise ValueError("There is no run yet: paint first.")
        return self.panel.history.chosen

    def _keep_upload(self) -> None:
        """Keep an uploaded checkpoint beside the runs, and name it in the form."""
        folder = self.out / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in uploaded_to(self.panel.upload).items():
            write_file(folder / name, data)
            self.panel.say(f"Kept {from_here(folder / name)}.")
            if not name.endswith(".yaml"):
                self.panel.fill(models=str(folder / name))

    def _take_shown(self, run: Run | OpenedRun) -> None:
        """Bring the picture of the step that the slider is at."""
        step = self.panel.steps.value
        file = run.folder.step_picture(step) if step else run.folder.picture
        self._bring(file.read_bytes())

    def _bring(self, data: bytes) -> None:
        """Keep a picture beside the runs, to be used by the buttons below it."""
        self.panel.picture_in.take(data, self.out / "inputs")
        self._enable()

    def _use_picture(self, used: Callable[[Settings], dict]) -> None:
        """Fill in the fields that use the picture that was brought."""
        self.panel.fill(**used(self.panel.form.settings()))

    def _set_beside(self) -> None:
        """Set the chosen run beside the current one, or beside those that are compared already."""
        if not self._compared and self.current is not None:
            self._compared = [self.current.folder.picture]
        chosen = RunFolder(self._chosen()).picture
        others = [file for file in self._compared if file != chosen]
        self._compare([*others, chosen][-MOST:])

    def _compare(self, pictures: list[Path]) -> None:
        self.panel.set_beside(pictures)
        self._compared = pictures
        self._enable()

    def _enable(self) -> None:
        """Enable the buttons that do something now."""
        wrong, painting, filming = bool(self.panel.form.check()), self._painting, self._filming
        there, listed = self.current is not None, self.panel.history.chosen is not None
        of_run = self.panel.film.kind.value == "of the run"
        usable = {
            "reset": True,
            "save": isinstance(self.current, Run),
            "zip": there,
            "more": there and not filming,
        }
        usable |= {"film": there and not filming if of_run else not wrong and not painting}
        usable |= dict.fromkeys(_WAITS, not wrong)
        kept = str(self.panel.form.fields["seed"].value)
        usable |= {"lock": there and kept != str(self.current.settings.seed), "dice": bool(kept)}
        usable["stop"] = painting
        usable |= {"pause": painting and not (filming or self._paused), "resume": self._paused}
        usable |= dict.fromkeys(("fork", "upscale"), there and not wrong and not painting)
        usable |= {"close": self._in_cell}
        usable |= dict.fromkeys(("open", "finish", "use", "load"), listed and not painting)
        usable |= {"beside": listed, "apart": bool(self._compared), "shown": there}
        brought = self.panel.picture_in.file is not None
        usable |= dict.fromkeys(("init", "sentence", "settings"), brought)
        if self._looping and not self._responsive:
            usable = dict.fromkeys(usable, False)
        self.panel.enable(usable)
        self.panel.show_painting(painting, queues=painting and self._responsive)


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
