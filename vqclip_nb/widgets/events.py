"""How widget events reach the Studio's loop, in each kind of kernel."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import ipywidgets as widgets

from vqclip_nb.storage.colab import on_colab

_OPENING = 2.0  # seconds for a front end to open a subshell


def can_paint_on_thread() -> bool:
    """Whether the page shows what a thread changes after its cell has ended.

    Jupyter and VS Code show it, Colab does not: googlecolab/colabtools#3373.
    """
    return not on_colab()


def cell_id() -> str:
    """The page's name for the running cell; empty if it sends none."""
    parent = kernel.get_parent() if (kernel := _kernel()) is not None else None
    return (parent or {}).get("metadata", {}).get("cellId", "")


@contextlib.contextmanager
def delivered() -> Iterator[Callable[[], None] | None]:
    """A function that lets widget events arrive while a cell runs, to be called repeatedly.

    None if they cannot. ipykernel 7 delivers them on another thread, if the front end opened a
    subshell; ipykernel 6, which Colab has, needs jupyter-ui-poll.
    """
    kernel = _kernel()
    if kernel is None:  # a program that calls the callbacks itself
        yield nothing
    elif sys.modules["ipykernel"].version_info[0] >= 7:
        yield nothing if _opens_subshell(kernel) else None
    elif importlib.util.find_spec("jupyter_ui_poll") is None:
        yield None
    else:
        from jupyter_ui_poll import ui_events

        with ui_events() as poll:
            yield lambda: poll(10)


def to_own_thread(panel: Iterable[widgets.Widget]) -> None:
    """Let the events of widgets go where the front end sends them.

    Since ipykernel 7.4 they go to the thread that last changed the widget: that of a cell, which
    would receive them only when it has ended.
    """
    for widget in panel:
        if hasattr(widget.comm, "_reply_subshell_for"):
            widget.comm._reply_subshell_for = lambda data, default: default


def nothing() -> None:
    """Delivers nothing, where events arrive by themselves or not at all."""


def _kernel() -> object | None:
    """The kernel that this program runs in, if any."""
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None)


def _opens_subshell(kernel: object) -> bool:
    """Whether the front end opens a subshell, shortly after it received the first widget."""
    manager, ends = kernel.shell_channel_thread.manager, time.monotonic() + _OPENING
    while not manager.list_subshell() and time.monotonic() < ends:
        time.sleep(0.05)
    return bool(manager.list_subshell())
