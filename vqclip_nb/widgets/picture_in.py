"""A picture that someone brings: where it is dropped, what it can be used for, a mask over it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
from PIL import Image

from vqclip_nb.pictures import data_url, on_white, open_picture
from vqclip_nb.settings import Settings
from vqclip_nb.storage.files import write_file
from vqclip_nb.storage.images import kept_picture
from vqclip_nb.widgets.fields import as_many_pixels, uploaded_to
from vqclip_nb.widgets.in_page import drops, page_writes, strokes_on

_SHOWN, _BYTES = 384, 24_000  # the picture in the panel: its longer side in pixels, its file
_LONGEST = 24 * 2**20  # characters of what the page sends
_HELP = (
    "<b>Start from it</b> paints on from the picture; strokes on it say where, and the rest stays. "
    "<b>As a prompt</b> paints something like it. <b>Its settings</b> are in every picture that was "
    "painted here."
)


class PictureIn:
    """The section for a picture that is dropped, pasted, chosen, or taken from the panel.

    file: the kept picture; None before there is one
    arrived: the content of the file that came last
    put: called with "picture" when one arrives, with "strokes" when its mask changes
    buttons: those that say what it is for
    """

    def __init__(self, put: Callable[[str], None], buttons: list[widgets.Widget]) -> None:
        self.file: Path | None = None
        self.arrived, self._strokes = b"", ""
        self._put = put
        self.choose = widgets.FileUpload(description="Choose a picture", accept="image/*")
        self.choose.observe(lambda change: change["new"] and self._chosen(), "value")
        self._boxes = [
            page_writes("vq-brought", self._brought),
            page_writes("vq-strokes", self._stroked),
        ]
        self._view = widgets.HTML()
        row = widgets.HBox([self.choose, *buttons])
        row.add_class("vq-buttons")
        words = widgets.HTML(f"<div class='vq-quiet'>{_HELP}</div>")
        self.widget = widgets.VBox([widgets.HTML(drops()), row, self._view, words, *self._boxes])

    def take(self, data: bytes, folder: Path) -> None:
        """Keep a picture's file in `folder` and show it; raises ValueError if it is none.

        A PNG stays as it is, with the settings that it may carry.
        """
        image = on_white(open_picture(data, "The picture", upright=True))
        if data.startswith(b"\x89PNG"):
            folder.mkdir(parents=True, exist_ok=True)
            self.file = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
            write_file(self.file, data)
        else:
            self.file = Path(kept_picture(image, folder))
        image.thumbnail((_SHOWN, _SHOWN))
        self._view.value = strokes_on(data_url(image, _BYTES), image.size)

    def as_start(self, settings: Settings) -> dict[str, object]:
        """The fields that start from the picture, in its proportions and as many pixels as now."""
        with Image.open(self.file) as picture:
            across, down = picture.size
        size = as_many_pixels(settings.im_shape, across, down)
        return {"init_image": str(self.file), "mask": "", "im_shape": size}

    def as_prompt(self, settings: Settings) -> dict[str, object]:
        """The prompt with the picture in it."""
        return {"prompt": f"{settings.prompt} | {self.file}"}

    def as_mask(self, settings: Settings) -> dict[str, object]:
        """The fields that paint only where the strokes are."""
        strokes, self._strokes = self._strokes, ""
        if not strokes.startswith("data:"):
            return {"mask": ""}
        mask = open_picture(_content(strokes), "The mask", formats=["PNG"])
        start = {} if settings.init_image == str(self.file) else self.as_start(settings)
        return start | {"mask": kept_picture(on_white(mask), self.file.parent)}

    def _chosen(self) -> None:
        for data in uploaded_to(self.choose).values():
            self.arrived = data
            self._put("picture")

    def _brought(self, url: str) -> None:
        self.arrived = _content(url)
        self._put("picture")

    def _stroked(self, url: str) -> None:
        self._strokes = url
        if self.file is not None:
            self._put("strokes")


def _content(url: str) -> bytes:
    """What a data: URL holds; nothing if it is none."""
    head, _, text = url[:_LONGEST].partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
