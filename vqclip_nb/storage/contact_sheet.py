"""Sheets of many pictures with captions."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont


def contact_sheet(
    images: Sequence[Image.Image],
    captions: Sequence[str] | None = None,
    *,
    columns: int = 6,
    gap: int = 8,
) -> Image.Image:
    """Pictures of one size in rows of `columns`, each with its caption below, on white."""
    if not images:
        raise ValueError("A contact sheet needs at least one picture.")
    width, height = images[0].size
    font = ImageFont.load_default(max(11, width // 11))
    lines = [_wrapped(caption, font, width) for caption in captions or []]
    line_height = sum(font.getmetrics()) + 1
    text_height = max((len(text) for text in lines), default=0) * line_height
    rows = -(-len(images) // columns)
    cell = (width + gap, height + text_height + gap)
    sheet = Image.new("RGB", (columns * cell[0] + gap, rows * cell[1] + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        x, y = gap + index % columns * cell[0], gap + index // columns * cell[1]
        sheet.paste(image, (x, y))
        for number, line in enumerate(lines[index] if lines else []):
            pen.text((x, y + height + number * line_height), line, fill="black", font=font)
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines that fit the width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
