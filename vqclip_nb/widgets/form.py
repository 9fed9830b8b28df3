"""A function's arguments as a form, in any notebook."""

from __future__ import annotations

import functools
from collections.abc import Callable

import ipywidgets as widgets


def form(function: Callable, /, button: str = "Make it", **fields) -> None:
    """Show a form and what the function makes of its defaults; the button makes it anew.

    fields: what may be chosen for an argument, as in ipywidgets' `interact`: (least, most, step)
        is a slider, a list a menu; without any, the argument's default decides: a text, a switch

    The result is an output of the cell, which a saved notebook keeps, and each click replaces it.
    What the function shows on its way stands below the button until it is done.
    """
    from IPython.display import clear_output, display

    @functools.wraps(function)
    def again(**values):
        result.update(function(**values))
        clear_output()

    box = widgets.interactive(again, {"manual": True, "manual_name": button}, **fields)
    for field in box.kwargs_widgets:
        field.layout.width = "min(100%, 40em)"
    display(box)
    result = display(function(), display_id=True)
