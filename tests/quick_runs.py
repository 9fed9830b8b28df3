"""Runs that tests paint, from the arguments of the fixture `quick`."""

import vqclip_nb as vq


def settings_of(quick: dict, **changes) -> vq.Settings:
    """The settings among the arguments, changed."""
    return vq.Settings(**{name: value for name, value in quick.items() if name != "out"} | changes)


def run_of(quick: dict, models: vq.Models, **changes) -> vq.Run:
    """A run with these settings that has not begun."""
    return vq.Run(settings_of(quick, **changes), models=models, out=quick["out"])


def finished(run: vq.Run) -> vq.Run:
    """The run, painted to its end."""
    for _ in run:
        pass
    return run


def stopped(run: vq.Run, at: int) -> vq.Run:
    """The run, stopped after iteration `at`."""
    for it in run:
        if it.i == at:
            break
    return run
