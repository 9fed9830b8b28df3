"""Figures of the lessons: codes, similarities, training.

All are readable in black and white: they encode values as greys, numbers, line styles or labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vqclip_nb.core.images import as_images
from vqclip_nb.models.vqgan import VQGAN

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def code_map(indices: Tensor, picture: Image.Image, *, columns: int = 16) -> Figure:
    """A picture, and beside it the indices of its codes [h, w]; equal codes have the same grey.

    columns: most columns and rows shown, from the upper left
    """
    import matplotlib.pyplot as plt

    part = indices[:columns, :columns].cpu()
    _, ranks = part.unique(return_inverse=True)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 5.7), width_ratios=(3, 7), layout="constrained"
    )
    left.imshow(picture)
    left.set_title("the picture")
    size = 8 if part.shape[1] > 10 else 12
    shades = 0.45 + 0.5 * ranks.float() / ranks.max().clamp_min(1)
    right.imshow(shades, cmap="gray", vmin=0, vmax=1)
    for row, line in enumerate(part.tolist()):
        for column, code in enumerate(line):
            right.text(column, row, code, ha="center", va="center", fontsize=size)
    right.set_title("the numbers of its codes")
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    plt.close(figure)
    return figure


@torch.no_grad()
def groups(points: Tensor, centres: Tensor, nearest: Tensor) -> Figure:
    """Points [n, 2], a line from each to its centre [k, 2], and the centres as crosses.

    nearest: of each point the number of its centre, [n]
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    for mark, centre in zip("os^Dv<>p", range(len(centres)), strict=False):
        mine = points[nearest == centre]
        for point in mine.tolist():
            axes.plot(*zip(point, centres[centre].tolist(), strict=True), color="0.8", zorder=0)
        axes.plot(*mine.T, mark, color="0.35", markersize=5)
    axes.plot(*centres.T, "kX", markersize=15)
    axes.set(xticks=[], yticks=[])
    plt.close(figure)
    return figure


def codebook_sheet(vqgan: VQGAN, codes: Tensor, *, columns: int = 24) -> Image.Image:
    """A sheet of tiles: codes with the indices [n], each decoded among copies of itself.

    A code has no fixed look, because the decoder also uses its neighbours.
    """
    factor, parts = vqgan.factor, []
    for some in codes.split(128):
        z_q = F.embedding(some, vqgan.codebook)[:, :, None, None].expand(-1, -1, 5, 5)
        middle = slice(2 * factor, 3 * factor)
        parts.append(vqgan.decode(z_q)[:, :, middle, middle])
    tiles = F.interpolate(torch.cat(parts), scale_factor=3, mode="nearest")
    side = tiles.shape[-1] + 2
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * side + 2, rows * side + 2), "white")
    for place, tile in enumerate(as_images(tiles)):
        sheet.paste(tile, (2 + place % columns * side, 2 + place // columns * side))
    return sheet


def heat_map(
    values: Tensor,
    rows: Sequence[str | Image.Image],
    columns: Sequence[str],
    *,
    title: str = "",
    form: str = ".2f",
    span: tuple[float, float] | None = None,
) -> Figure:
    """A table of values [rows, columns], printed on greys: the larger, the darker.

    rows: names or pictures; span: the values of white and black (default: minimum and maximum)
    """
    import matplotlib.pyplot as plt

    values = values.detach().cpu()
    height, width = values.shape
    size = (min(9, 2 + (0.85 if width > 4 else 1.7) * width), 1.3 + 0.52 * height)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    low, high = span or (values.min().item(), values.max().item())
    axes.imshow(values, cmap="Greys", aspect="auto", vmin=low, vmax=high)
    turned = {"rotation": 30, "ha": "right"} if width > 4 else {}
    axes.set_xticks(range(width), columns, fontsize=11, **turned)
    axes.set_yticks(range(height), [row if isinstance(row, str) else "" for row in rows])
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            _add_row_picture(axes, number, row)
    for number, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            dark = (value - low) > 0.6 * (high - low)
            ink = "white" if dark else "black"
            axes.text(
                column, number, f"{value:{form}}", ha="center", va="center", color=ink, fontsize=10
            )
    axes.set_title(title)
    plt.close(figure)
    return figure


def _add_row_picture(axes, row: int, picture: Image.Image) -> None:
    """Show a picture in place of a row's name."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    box = OffsetImage(picture, zoom=30 / picture.height)
    axes.add_artist(
        AnnotationBbox(
            box,
            (0, row),
            xybox=(-22, 0),
            xycoords=("axes fraction", "data"),
            boxcoords="offset points",
            frameon=False,
        )
    )


def strips(
    rows: Mapping[str, Sequence[Image.Image]], captions: Sequence[str] = (), *, side: float = 1.1
) -> Figure:
    """Rows of pictures with their names on the left and captions above the columns.

    side: size of a picture in inches
    """
    import matplotlib.pyplot as plt

    width = max(len(pictures) for pictures in rows.values())
    figure, grid = plt.subplots(
        len(rows),
        width,
        figsize=(1.6 + side * width, (side + 0.08) * len(rows) + 0.3),
        squeeze=False,
        layout="constrained",
    )
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        for axes in line:
            axes.axis("off")
        for axes, picture in zip(line, pictures, strict=False):
            axes.imshow(picture)
        line[0].text(-0.12, 0.5, name, ha="right", va="center", transform=line[0].transAxes)
    for axes, caption in zip(grid[0], captions, strict=False):
        axes.set_title(caption, fontsize=10)
    plt.close(figure)
    return figure


def curves(
    across: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    title: str = "",
    x: str = "",
    y: str = "",
) -> Figure:
    """Plot lines over the same x values, each in its own style; x, y: names of the axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for (name, values), style in zip(lines.items(), itertools.cycle(("-", "--", ":", "-."))):
        axes.plot(across, values, style, color="black", linewidth=2, label=name)
    axes.legend(fontsize=11)
    axes.set_title(title)
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)
    plt.close(figure)
    return figure


def code_usage(counts: Mapping[str, Tensor]) -> Figure:
    """Bar charts of how often each code was used, in descending order, on a logarithmic scale.

    counts: counts [K] by the name of the model; codes that were never used have no bar
    """
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(
        1, len(counts), figsize=(9, 2.9), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (name, count) in zip(grid[0], counts.items(), strict=True):
        ordered = count.sort(descending=True).values.cpu()
        axes.bar(range(len(ordered)), ordered, width=1.0, color="0.45", edgecolor="0.45")
        axes.set_yscale("log")
        axes.set_xlim(-1, len(ordered))
        axes.set_title(f"{name}: {int((ordered > 0).sum())} of {len(ordered)} codes", fontsize=12)
        axes.set_xlabel("codes, most frequent first", fontsize=11)
    grid[0][0].set_ylabel("times used", fontsize=11)
    plt.close(figure)
    return figure


def loss_parts(stages: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Plot the named parts of the training loss, smoothed, over consecutive stages.

    Parts that are always positive share a logarithmic scale; the others are in a panel below.
    """
    import matplotlib.pyplot as plt

    rows = [row for history in stages.values() for row in history]
    names = list(dict.fromkeys(name for row in rows for name in row))
    signed = [name for name in names if min(row.get(name, 1.0) for row in rows) <= 0]
    panels = [[n for n in names if n not in signed], signed] if signed else [names]
    figure, grid = plt.subplots(
        len(panels), 1, figsize=(9, 2.6 + 1.6 * len(panels)), sharex=True, squeeze=False,
        height_ratios=(2, 1)[: len(panels)], layout="constrained",
    )  # fmt: skip
    for axes, parts in zip(grid[:, 0], panels, strict=True):
        for name, style in zip(parts, itertools.cycle(("-", "--", ":", "-.")), strict=False):
            axes.plot(_smoothed([row.get(name) for row in rows]), style, color="black", label=name)
        axes.legend(fontsize=11, loc="upper right")
        axes.tick_params(labelsize=10)
    grid[0][0].set_yscale("log")
    begin = 0
    for name, history in stages.items():
        for axes in grid[:, 0]:
            axes.axvline(begin, color="0.6", linewidth=1)
        grid[0][0].text(begin, 1.02, f" {name}", transform=grid[0][0].get_xaxis_transform())
        begin += len(history)
    grid[-1][0].set_xlabel("training step", fontsize=11)
    plt.close(figure)
    return figure


def _smoothed(values: Sequence[float | None]) -> list[float]:
    """A running mean over about ten values, which restarts after a missing value."""
    smooth, mean = [], None
    for value in values:
        mean = value if value is None or mean is None else 0.9 * mean + 0.1 * value
        smooth.append(float("nan") if mean is None else mean)
    return smooth
