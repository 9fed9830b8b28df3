"""A film that is encoded in segments while its frames are made; an interrupt loses no frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vqclip_nb.storage.ffmpeg import FPS, Encoder, join_videos, write_video


class SegmentedFilm:
    """Appends frames to segments: files that `join` concatenates without encoding them again.

    folder: holds the segments, each named after the number of its last frame
    fps: frames per second

    An encoder produces different frames if a segment begins elsewhere. So the owner stores the
    pending frames as pixels, with its own state, and returns them to `resume`.

    pending: the frames of the segment in progress
    """

    def __init__(self, folder: Path, *, fps: float = FPS) -> None:
        self.folder, self.fps = folder, fps
        self.pending: list[np.ndarray] = []
        self._encoder: Encoder | None = None
        self._ended: tuple[Encoder, list[np.ndarray]] | None = None

    def resume(self, last: int, pending: Iterable[np.ndarray]) -> None:
        """Continue after frame number `last`; delete what is incomplete or was written after it."""
        self.pending = list(pending)
        for file in [*self.folder.glob("*.mp4"), *self.folder.glob("*.part*")]:
            if not file.stem.isdigit() or int(file.stem) > last:
                file.unlink(missing_ok=True)

    def add(self, frame: np.ndarray) -> None:
        """Append a frame, uint8 [H, W, 3]."""
        self.pending.append(frame)
        self.settle()
        new = [frame]
        if self._encoder is None:
            new, self._encoder = self.pending, Encoder(self.folder / "next.mp4", fps=self.fps)
        for each in new:
            self._encoder.add(each)

    def end_segment(self, last: int) -> None:
        """End the segment with frame number `last`; it is encoded to the end in the background."""
        self._encoder.end(self.folder / f"{last:06d}.mp4")
        self._ended = self._encoder, self.pending
        self.pending, self._encoder = [], None

    def settle(self) -> None:
        """Wait for the ended segment's file; if it fails, raise OSError and keep its frames."""
        if self._ended is not None:
            (encoder, frames), self._ended = self._ended, None
            try:
                encoder.close()
            except OSError:
                self.pending = [*frames, *self.pending]
                raise

    def pause(self) -> None:
        """Stop the encoder; the next `add` starts it again with all pending frames."""
        self.settle()
        if self._encoder is not None:
            self._encoder.discard()
            self._encoder = None

    def join(self, file: Path, *, comment: str = "") -> None:
        """Write the film so far, an mp4 in `folder` or above it; nothing if it has no frames."""
        whole = (each for each in self.folder.glob("*.mp4") if each.stem.isdigit())
        segments = sorted(whole, key=lambda each: int(each.stem))
        tail = self.folder / "tail.mp4"
        if self.pending:
            write_video(tail, self.pending, fps=self.fps)
            segments.append(tail)
        if segments:
            join_videos(file, segments, comment=comment)
        tail.unlink(missing_ok=True)
