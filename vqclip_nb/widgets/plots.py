"""Curves of a run: as a figure in a notebook, as SVG in a panel."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence

from vqclip_nb.settings import change_in_words

# Mixed with the text's colour, each stands out from a light page and from a dark one.
_HUES = (("currentColor", ""), ("#06c", "5 3"), ("#d50", "2 2"), ("#083", "6 2 2 2"))
_HUES += (("#84a", "1 2"),)
_STROKES = tuple((f"color-mix(in srgb, {hue} 60%, currentColor)", dash) for hue, dash in _HUES)


def plot_history(history: Sequence[dict]):
    """Loss with its parts, and the similarity, over the iterations; returns the figure."""
    import matplotlib.pyplot as plt

    steps = [row["iteration"] for row in history]
    known = {"iteration", "seconds", "loss", "similarity"}
    parts = list(dict.fromkeys(name for row in history for name in row if name not in known))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    left.plot(steps, [row["loss"] for row in history], label="loss", color="black")
    if len(parts) > 1:
        for name, style in zip(parts, ("--", ":", "-."), strict=False):
            left.plot(steps, [row.get(name) for row in history], style, label=name)
        left.legend()
    left.set(title="loss (lower is better)", xlabel="iteration")
    right.plot(steps, [row["similarity"] for row in history], color="tab:blue")
    right.set(title="similarity to the sentence (higher is better)", xlabel="iteration")
    plt.close(figure)  # the notebook shows the returned figure, once
    return figure


def curve_svg(
    history: Sequence[dict], updates: Sequence[dict] = (), *, width: int = 420, height: int = 150
) -> str:
    """The loss and its parts over the iterations, as SVG; a dotted line marks each live change.

    As text, since a panel draws it twice a second.
    """
    known = {"iteration", "seconds", "similarity"}
    names = list(dict.fromkeys(name for row in history for name in row if name not in known))
    rows = history[:: max(1, len(history) // width)]
    values = [row[name] for row in rows for name in names if name in row] or [0.0]
    low, high = min(*values, 0.0), max(*values, 1e-6)
    last = max(history[-1]["iteration"], 2) if history else 2

    def place(iteration: float, value: float) -> str:
        x = 36 + (width - 44) * (iteration - 1) / (last - 1)
        y = 8 + (height - 28) * (high - value) / (high - low)
        return f"{x:.1f},{y:.1f}"

    drawn = []
    for name, (colour, dashes) in zip(names, itertools.cycle(_STROKES)):
        points = " ".join(place(row["iteration"], row[name]) for row in rows if name in row)
        drawn.append(
            f'<polyline points="{points}" fill="none" style="stroke:{colour}" '
            f'stroke-dasharray="{dashes}" stroke-width="1.5"/>'
        )
    for update in updates:
        (x, y), (_, top) = (place(update["iteration"], v).split(",") for v in (low, high))
        title = html.escape(change_in_words(update))
        drawn.append(
            f'<line x1="{x}" y1="{y}" x2="{x}" y2="{top}" '
            f'stroke="currentColor" opacity="0.6" stroke-dasharray="2 2">'
            f"<title>{title}</title></line>"
        )
    legend = " · ".join(
        f'<span style="border-bottom:2px {"dashed" if dashes else "solid"} {colour}">{name}</span>'
        for name, (colour, dashes) in zip(names, itertools.cycle(_STROKES))
    )
    now = f"{history[-1]['loss']:.3f} at iteration {history[-1]['iteration']}" if history else "–"
    return (
        f'<svg role="img" aria-label="loss over the iterations, {now}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" fill="currentColor" font-size="11" '
        'font-family="sans-serif">'
        f'<text x="2" y="16">{high:.2f}</text><text x="2" y="{height - 20}">{low:.2f}</text>'
        f'<text x="36" y="{height - 5}">1</text>'
        f'<text x="{width - 8}" y="{height - 5}" text-anchor="end">iteration {last}</text>'
        f"{''.join(drawn)}</svg><div style='font-size:11px'>{legend}</div>"
    )
