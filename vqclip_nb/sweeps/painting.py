"""Paint one planned run of a sweep, from its beginning or from where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vqclip_nb.models.loading import Models, load_for
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.sweeps.grid import PlannedRun

Done = Callable[[PlannedRun, str], None]  # called with a finished plan and its failure, or ""


class ModelCache:
    """Loads the models for settings; keeps the last pair, since most runs of a sweep share one."""

    def __init__(self, offline: bool) -> None:
        self.offline = offline
        self._models: Models | None = None

    def __call__(self, settings: Settings) -> Models:
        if self._models is None or not self._models.fit(settings):
            self._models = load_for(settings, offline=self.offline)
        return self._models


def is_done(folder: Path) -> bool:
    """Whether the folder holds a finished run with its film."""
    run = RunFolder(folder)
    return run.timelapse.is_file() and run.load_header().get("done", False)


def paint(plan: PlannedRun, out: Path, models: ModelCache) -> str:
    """Paint a run to its end; returns why it failed, in a sentence, or ""."""
    folder = out / plan.name
    try:
        pair = models(plan.settings)
        if folder.exists():
            run = Run.resume(folder, models=pair)
        else:
            run = Run(plan.settings, models=pair, out=out, name=plan.name)
        for _ in run:
            pass
    except (ValueError, FloatingPointError, MemoryError, OSError) as error:
        return str(error) or type(error).__name__
    return ""
