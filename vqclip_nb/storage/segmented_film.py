"""A film that is encoded in segments while its frames are made; an interrupt loses no frame."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vqclip_nb.storage.ffmpeg import FPS, Encoder, frame_count, join_videos, write_video


class SegmentedFilm:
    """Appends frames to segments: files that `join` concatenates without encoding them again.

    folder: holds the segments, each named after the number of its last frame
    fps: frames per second

    An encoder produces different frames if a segment begins elsewhere. So the owner stores the
    pending frames as pixels, with its own state, and returns them to `resume`.

    pending: the frames of the segment in progress; count: of all frames
    """

    def __init__(self, folder: Path, *, fps: float = FPS) -> None:
        self.folder, self.fps, self.count = folder.absolute(), fps, 0
        self.pending: list[np.ndarray] = []
        self._encoder: Encoder | None = None
        self._ended: tuple[Encoder, list[np.ndarray]] | None = None

    def resume(self, last: int, pending: Iterable[np.ndarray], film: Path | None = None) -> None:
        """Continue after frame number `last`; delete what is incomplete or was written after it.

        film: an earlier `join`, which replaces segments that are missing or broken, if it has all
            their frames

        If frames are lost, `count` is less than `last`.
        """
        self.pending = list(pending)
        for file in {*self.folder.glob("*.mp4"), *self.folder.glob("*.part*")}:
            if file.is_file() and (not file.stem.isdecimal() or int(file.stem) > last):
                file.unlink()
        self.count = sum(map(frame_count, self._segments())) + len(self.pending)
        if film is not None and self.count < last:
            self._restore(last, film)

    def _restore(self, last: int, film: Path) -> None:
        """Replace segments by the film's frames, if then none is lost."""
        number = frame_count(film)
        first = last - len(self.pending)  # the number of frames before the pending ones
        pending = self.pending[max(0, number - first) :]
        earlier = [each for each in self._segments() if int(each.stem) <= number]
        later = sum(map(frame_count, self._segments()[len(earlier) :]))
        if number + later + len(pending) != last:
            return
        part = self.folder / "film.part.mp4"
        self.folder.mkdir(exist_ok=True)
        shutil.copyfile(film, part)
        for each in earlier:
            each.unlink()
        part.replace(self.folder / f"{number:06d}.mp4")
        self.pending, self.count = pending, last

    def add(self, frame: np.ndarray) -> None:
        """Append a frame, uint8 [H, W, 3]."""
        self.pending.append(frame)
        self.count += 1
        self.settle()
        new = [frame]
        if self._encoder is None:
            self.folder.mkdir(exist_ok=True)
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

    def discard(self) -> None:
        """Stop the encoders without waiting; the next `add` starts with all frames again."""
        if self._ended is not None:
            encoder, frames = self._ended
            encoder.discard()
            self._ended, self.pending = None, [*frames, *self.pending]
        if self._encoder is not None:
            self._encoder.discard()
            self._encoder = None

    def join(self, file: Path, *, comment: str = "") -> None:
        """Write the film so far, an mp4 in `folder` or above it; nothing if it has no frames."""
        segments = [each for each in self._segments() if frame_count(each)]
        tail = self.folder / "tail.mp4"
        if self.pending:
            self.folder.mkdir(exist_ok=True)
            write_video(tail, self.pending, fps=self.fps)
            segments.append(tail)
        if segments:
            join_videos(file, segments, comment=comment)
        tail.unlink(missing_ok=True)

    def _segments(self) -> list[Path]:
        """The files of the segments, in order, broken ones among them."""
        files = (each for each in self.folder.glob("*.mp4") if each.stem.isdecimal())
        return sorted(files, key=lambda each: int(each.stem))
