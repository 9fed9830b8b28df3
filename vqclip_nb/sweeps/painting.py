"""Paint the planned runs of a sweep, each from its beginning or from where it stopped.

With Ray, in several processes or on several machines, one task a run. Ray manages the processes,
assigns GPUs and retries the task of a lost process; its run resumes from its folder.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from vqclip_nb.models.loading import Models, load_for
from vqclip_nb.run import Iterate, Run
from vqclip_nb.settings import Settings
from vqclip_nb.storage.run_folder import RunFolder
from vqclip_nb.sweeps.grid import PlannedRun

Done = Callable[[PlannedRun, str], None]  # called with a finished plan and its failure, or ""
_STORE = 100 * 2**20  # bytes of memory shared by the tasks: they share almost nothing
_RETRIES = 5  # of a run whose process is lost


class ModelCache:
    """Loads the models for settings; keeps the last pair, since most runs of a sweep share one."""

    def __init__(self, offline: bool) -> None:
        self.offline = offline
        self._models: Models | None = None

    def __call__(self, settings: Settings) -> Models:
        if self._models is None or not self._models.fit(settings):
            self._models = load_for(settings, offline=self.offline)
        return self._models


def paint(
    plan: PlannedRun,
    out: Path,
    models: ModelCache,
    watched: Callable[[Run], Iterable[Iterate]] = iter,
) -> str:
    """Paint a run to its end; returns why it failed, in a sentence, or "".

    watched: called with the run; iterating the result paints it
    """
    folder = out / plan.name
    try:
        pair = models(plan.settings)
        if folder.exists():
            run = Run.resume(folder, models=pair)
        else:
            run = Run(plan.settings, models=pair, out=out, name=plan.name)
        for _ in watched(run):
            pass
    except (ValueError, FloatingPointError, MemoryError, OSError) as error:
        return str(error) or type(error).__name__
    return "" if RunFolder(folder).is_done() else f"{folder} lacks frames of its film"


def paint_on_workers(
    plans: list[PlannedRun],
    out: Path,
    workers: int,
    address: str | None,
    gpus: float | None,
    offline: bool,
    done: Done,
) -> None:
    """Paint runs, `workers` at a time; the other arguments are those of `sweep`.

    done: called after each run

    Raises ValueError if Ray is not installed, or no cluster answers.
    """
    if not plans:
        return
    threads = plans[0].settings.threads
    if not address:
        _warn_of_crowd(workers, threads)
    with _cluster(workers * threads, address) as ray:
        if gpus is None:
            gpus = min(1.0, ray.cluster_resources().get("GPU", 0) / workers)
        task = ray.remote(_painted).options(
            num_cpus=threads, num_gpus=gpus, max_retries=_RETRIES, retry_exceptions=False
        )
        waiting, running, warned = deque(plans), {}, set()
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    plan = waiting.popleft()
                    running[task.remote(plan, str(out), offline)] = plan
                (finished,), _ = ray.wait(list(running), num_returns=1)
                failure, messages = _result(ray, finished)
                for message in dict.fromkeys(messages).keys() - warned:
                    warnings.warn(message, stacklevel=4)
                warned |= set(messages)
                done(running.pop(finished), failure)
        except (KeyboardInterrupt, SystemExit):
            for each in running:
                ray.cancel(each)  # interrupts the worker, where the run saves itself
            ray.wait(list(running), num_returns=len(running), timeout=60)
            raise


_models = cache(ModelCache)  # in a worker, its models


def _painted(plan: PlannedRun, out: str, offline: bool) -> tuple[str, list[str]]:
    """In a worker: paint a run; returns why it failed, or "", and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        failure = paint(plan, Path(out), _models(offline))
    own = str(Path(__file__).parents[1])
    return failure, [str(each.message) for each in caught if each.filename.startswith(own)]


def _warn_of_crowd(workers: int, threads: int) -> None:
    cores = os.cpu_count() or 1
    if workers * threads > cores:
        warnings.warn(
            f"{workers} workers with {threads} threads each share {cores} cores: threads "
            f"{max(1, cores // workers)} would be quicker.",
            stacklevel=4,
        )


def _result(ray, task) -> tuple[str, list[str]]:
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        return f"its worker was lost {_RETRIES + 1} times ({type(error).__name__})", []


@contextmanager
def _cluster(cpus: int, address: str | None) -> Iterator:
    """Ray, connected to a cluster, or to a local one that ends with the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # send no usage statistics
    try:
        import ray
    except ImportError:
        raise ValueError(
            "Several workers need Ray, which is not installed: pip install ray."
        ) from None
    if ray.is_initialized():
        yield ray
        return
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    own = {"num_cpus": cpus, "object_store_memory": _STORE}
    try:
        ray.init(address=address, **quiet) if address else ray.init(address="local", **own, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(f"address is {address!r}, where no Ray cluster answers: {error}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
