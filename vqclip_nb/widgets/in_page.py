"""What the panel does in the page itself, without asking the kernel: the large view of a picture.

A widget's HTML runs no script elements, but the front ends run `onload` and `onclick`. The functions
are defined once in a page; where a front end forbids that, a click does nothing.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable

import ipywidgets as widgets

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="

# write: put a text into a hidden box of the element's panel, whose widget tells the kernel
# enlarge: a picture in a view as large as the window, which follows the panel while it paints
# title: how much is painted, in the title of the browser's tab; it goes after a minute without news
_FUNCTIONS = """
window.vqclip = {
  write(element, name, text) {
    const box = element.closest('.vq-panel').querySelector(`.${name} input`);
    box.value = text;
    for (const kind of ['input', 'change']) box.dispatchEvent(new Event(kind, {bubbles: true}));
  },
  enlarge(picture) {
    const panel = picture.closest('.vq-panel');
    const pictures = () => [...panel.querySelectorAll('.vq-frame img')];
    const place = pictures().indexOf(picture);
    const view = document.createElement('dialog');
    view.className = 'vq-large';
    view.innerHTML = `<div><img data-key="1"></div><p><span></span>
      <button data-key="ArrowLeft" title="An earlier step (arrow key)">\u2190</button>
      <button data-key="ArrowRight" title="A later step (arrow key)">\u2192</button>
      <button data-key="1" title="Pixel by pixel, or as large as the window (1)">1:1</button>
      <button data-key="p" title="Sharp pixels, or smooth (p)">pixels</button>
      <button data-key="Escape" title="Back to the panel (Esc)">close</button></p>`;
    const large = view.querySelector('img'), caption = view.querySelector('span');
    const follow = () => {
      const now = pictures()[place] ?? pictures()[0];
      if (!now) return;
      large.src = now.dataset.full ?? now.src;
      large.alt = caption.textContent = now.alt;
    };
    const move = (way) => {
      const steps = panel.querySelector('.vq-strip').dataset.steps.split(' ');
      const next = steps[steps.indexOf(pictures()[0].dataset.step) + way];
      if (next) vqclip.write(panel, 'vq-goto', next);
    };
    const keys = {
      ArrowLeft: () => move(-1), ArrowRight: () => move(1), Escape: () => view.close(),
      1: () => view.classList.toggle('vq-natural'), p: () => view.classList.toggle('vq-pixels'),
    };
    view.onclick = (event) => keys[event.target.dataset.key]?.();
    view.onkeydown = (event) => { event.stopPropagation(); keys[event.key]?.(); };
    const watcher = new MutationObserver(follow);
    watcher.observe(panel, {subtree: true, childList: true});
    view.onclose = () => { watcher.disconnect(); view.remove(); };
    document.body.append(view);
    follow();
    view.showModal();
  },
  title(percent) {
    const bare = () => document.title.replace(/^\\d+ % \u00b7 /, '');
    document.title = percent < 100 ? `${percent} % \u00b7 ${bare()}` : bare();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { document.title = bare(); }, 60000);
  },
};
"""


def functions() -> widgets.HTML:
    """A widget that is not seen and defines the functions."""
    return widgets.HTML(when_shown(_FUNCTIONS), layout=widgets.Layout(display="none"))


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
