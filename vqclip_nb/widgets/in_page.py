"""What the panel does in the page itself: HTML that calls the functions of in_page.js.

A widget's HTML runs no script elements, but the front ends run `onload` and `onclick`. The functions
are defined once in a page; where a front end forbids that, a click does nothing.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def functions() -> widgets.HTML:
    """A widget that is not seen and defines the functions."""
    script = Path(__file__).with_name("in_page.js").read_text(encoding="utf-8")
    return widgets.HTML(when_shown(script), layout=widgets.Layout(display="none"))


def when_shown(script: str) -> str:
    """HTML that runs a script when it comes into the page."""
    return f'<img class="vq-dot" alt="" src="{DOT}" onload="{html.escape(script)}">'


def in_title(percent: int) -> str:
    """HTML that puts this into the title of the browser's tab; nothing for 100."""
    return when_shown(f"window.vqclip?.title({percent})")


def enlarged() -> str:
    """Attributes of an <img> in the panel's frame: a click, or Enter, opens the large view."""
    action = "window.vqclip?.enlarge(this)"
    return (
        f'tabindex="0" role="button" title="Open the large view" onclick="{action}" '
        f"onkeydown=\"event.key === 'Enter' &amp;&amp; {action}\""
    )


def page_writes(name: str, written: Callable[[str], object]) -> widgets.Text:
    """A hidden box of this class: `written` is called with each text that the page writes to it."""
    box = widgets.Text()
    box.add_class(name)
    box.add_class("vq-hidden")

    def told(change: dict) -> None:
        if change["new"]:
            written(change["new"])
            box.value = ""  # so that the same text can be written again

    box.observe(told, "value")
    return box


def written_by_page(name: str, text: str) -> str:
    """Attributes of an element: a click, or Enter, writes this text to the box of this class."""
    action = html.escape(f"window.vqclip?.write(this, {json.dumps(name)}, {json.dumps(text)})")
    return (
        f'tabindex="0" role="button" onclick="{action}" '
        f"onkeydown=\"event.key === 'Enter' &amp;&amp; {action}\""
    )


def drops() -> str:
    """HTML of a place that takes a picture, which the page writes to the box "vq-brought"."""
    bring = "window.vqclip?.bring(event, event.{}.files)"
    return (
        '<div class="vq-drop" tabindex="0" ondragover="event.preventDefault()" '
        f'ondrop="{bring.format("dataTransfer")}" onpaste="{bring.format("clipboardData")}" '
        'onkeydown="event.stopPropagation()">'
        "Drop a picture here, or click here and paste one.</div>"
    )


def strokes_on(url: str, size: tuple[int, int]) -> str:
    """HTML of a picture on which a mask is painted; the page writes it to the box "vq-strokes".

    url: of the picture, `size` its width and height in pixels
    """
    width, height = size
    return (
        f'<div class="vq-masked"><div style="background-image:url({url})">'
        f'<canvas width="{width}" height="{height}" role="img" '
        'aria-label="the picture; strokes on it are its mask" '
        'onpointerdown="window.vqclip?.stroke(event)"></canvas></div>'
        '<label>brush <input type="range" min="4" max="96" value="32"></label> '
        '<button class="jupyter-button" onclick="window.vqclip?.unpaint(this)">'
        "Remove the strokes</button></div>"
    )
