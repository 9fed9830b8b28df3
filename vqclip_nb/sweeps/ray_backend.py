"""Runs on several processes or machines, by Ray: one task a run.

Ray keeps the processes, finds GPUs and tries again what a lost process was at; the run that it
painted goes on from its folder.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from vqclip_nb.sweeps.grid import Plan
from vqclip_nb.sweeps.sweep import Done, Loaded, told_of

_STORE = 100 * 2**20  # bytes of memory that tasks share: they share next to nothing
_TRIES = 5  # of a run whose process is lost


def paint_on_workers(
    plans: list[Plan],
    out: Path,
    workers: int,
    address: str | None,
    gpus: float | None,
    offline: bool,
    tell: Done,
) -> None:
    """Paint runs, `workers` at a time; the arguments are those of `sweep`.

    Raises ValueError where Ray is not installed, or no cluster answers.
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
            num_cpus=threads, num_gpus=gpus, max_retries=_TRIES, retry_exceptions=False
        )
        waiting, running, told = deque(plans), {}, set()
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    plan = waiting.popleft()
                    running[task.remote(plan, str(out.resolve()), offline)] = plan
                (done,), _ = ray.wait(list(running), num_returns=1)
                failure, warned = _result(ray, done)
                for message in dict.fromkeys(warned).keys() - told:
                    warnings.warn(message, stacklevel=4)
                told |= set(warned)
                tell(running.pop(done), failure)
        except KeyboardInterrupt:
            for each in running:
                ray.cancel(each)  # an interrupt there, where the run saves itself
            ray.wait(list(running), num_returns=len(running), timeout=60)
            raise


def _painted(plan: Plan, out: str, offline: bool) -> tuple[str, list[str]]:
    """In a worker: paint a run; how it failed, if it did, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        failure = told_of(plan, Path(out), _loaded(offline))
    own = str(Path(__file__).parents[1])
    return failure, [str(each.message) for each in caught if each.filename.startswith(own)]


@cache
def _loaded(offline: bool) -> Loaded:
    """What this worker has loaded."""
    return Loaded(offline)


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
        return f"its worker was lost {_TRIES + 1} times ({type(error).__name__})", []


@contextmanager
def _cluster(cpus: int, address: str | None) -> Iterator:
    """Ray, connected to a cluster or to one of this machine's own that ends with the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of what is painted
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
