"""Frames to mp4 or GIF with the ffmpeg that imageio-ffmpeg ships.

An mp4 is H.264 in yuv420p, which every browser plays; a GIF has a palette for each frame.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np

FPS = 30


class Encoder:
    """A video in the making, encoded by a process of its own while the next frames are made.

    path: its ending, .mp4 or .gif, decides the format; comment: what the file says of itself

    yuv420p halves the colour's resolution, so an odd side is padded by one repeated row or column.
    The file appears under its name only when it is whole, at `close`.
    """

    def __init__(self, path: Path, *, fps: float = FPS, comment: str = "") -> None:
        self.path, self.fps, self.comment = path, fps, comment
        self.count = 0
        self._part = path.with_name(f"{path.stem}.part{path.suffix}")
        self._process: subprocess.Popen | None = None

    def add(self, frame: np.ndarray) -> None:
        """Take a frame, uint8 [H, W, 3], of the size of the ones before."""
        frame = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")
        if self._process is None:
            self._open(*frame.shape[1::-1])
        try:
            self._process.stdin.write(np.ascontiguousarray(frame))
        except OSError:  # the process has ended
            self._fail()
        self.count += 1

    def end(self, path: Path) -> None:
        """No more frames come, and `close` gives the file this name."""
        self.path = path
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Finish the file; raises OSError, and leaves none, where it could not be written."""
        self.end(self.path)
        if self._process.wait():
            self._fail()
        self._process.stderr.close()
        self._part.replace(self.path)

    def _fail(self) -> None:
        said = self._process.stderr.read().decode().strip()
        self.discard()
        raise OSError(f"{self.path} could not be written: {said or 'ffmpeg ended early'}")

    def discard(self) -> None:
        """Leave no file, and no process."""
        if self._process is not None:
            self._process.kill()
            self.end(self.path)
            self._process.wait()
            self._process.stderr.close()
        self._part.unlink(missing_ok=True)

    def _open(self, width: int, height: int) -> None:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-f", "rawvideo"]
        command += ["-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self.fps:g}"]
        command += ["-i", "-", "-an", *(_GIF if self.path.suffix == ".gif" else _H264)]
        if self.comment:
            command += ["-metadata", f"comment={self.comment}"]
        self._process = subprocess.Popen(
            [*command, str(self._part)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for the painter, not for ffmpeg
        )


def write_video(
    path: Path, frames: Iterable[np.ndarray], *, fps: float = FPS, comment: str = ""
) -> int:
    """Encode frames as an `Encoder` does; return how many there were.

    Raises ValueError where there is no frame.
    """
    encoder = Encoder(path, fps=fps, comment=comment)
    try:
        for frame in frames:
            encoder.add(frame)
    except BaseException:
        encoder.discard()
        raise
    if not encoder.count:
        raise ValueError(f"{path.name} would have no frames: paint at least one iteration.")
    encoder.close()
    return encoder.count


class Segment:
    """The frames since a film's last segment: kept, and encoded as they come.

    folder: where the segments lie; frames: those that are in none yet
    """

    def __init__(self, folder: Path, *, fps: float = FPS) -> None:
        self.folder, self.fps = folder, fps
        self.frames: list[np.ndarray] = []
        self._encoder: Encoder | None = None
        self._ended: tuple[Encoder, list[np.ndarray]] | None = None

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame, uint8 [H, W, 3]."""
        self.frames.append(frame)
        self.settle()
        new = [frame]
        if self._encoder is None:
            new, self._encoder = self.frames, Encoder(self.folder / "next.mp4", fps=self.fps)
        for each in new:
            self._encoder.add(each)

    def end(self, name: str) -> None:
        """The next frame begins another; this one becomes the file of that name, see `settle`."""
        self._encoder.end(self.folder / name)
        self._ended = self._encoder, self.frames
        self.frames, self._encoder = [], None

    def settle(self) -> None:
        """Wait for the file of a segment that has ended; OSError where it cannot be written."""
        if self._ended is not None:
            (encoder, frames), self._ended = self._ended, None
            try:
                encoder.close()
            except OSError:
                self.frames = [*frames, *self.frames]
                raise

    def rest(self) -> None:
        """Stop encoding; `add` begins it again with all the frames."""
        self.settle()
        if self._encoder is not None:
            self._encoder.discard()
            self._encoder = None


def read_video(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 [H, W, 3], one after the other."""
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    for frame in reader:
        yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)


def shrink(video: Path, to: Path, size: int) -> None:
    """A copy of a film for a page: at most 256 pixels wide, in about `size` bytes."""
    _, seconds = imageio_ffmpeg.count_frames_and_secs(str(video))
    rate = str(int(8 * size / max(seconds, 1.0)))  # bits a second
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(video), "-an"]
    command += ["-vf", "fps=15,scale='min(256,iw)':-2", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    command += ["-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-movflags", "+faststart"]
    done = subprocess.run([*command, str(to)], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{video} could not be made smaller: {done.stderr.strip()}")


def join_videos(path: Path, segments: list[Path], *, comment: str = "") -> None:
    """Put videos of equal size behind each other without encoding them again.

    comment: what the file says of itself
    """
    listing = path.with_name(f"{path.stem}.txt")
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    lines = [f"file '{segment.relative_to(path.parent).as_posix()}'" for segment in segments]
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-f", "concat", "-i"]
    command += [str(listing), "-c", "copy", "-movflags", "+faststart"]
    command += ["-metadata", f"comment={comment}", str(part)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    finally:
        listing.unlink()
    if done.returncode:
        raise OSError(f"{path} could not be written: {done.stderr.strip()}")
    part.replace(path)


# without B-frames, segments join without a gap in time; with a short look ahead, the last frames
# of a segment are soon done: whoever paints waits for them
_H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-preset", "veryfast"]
_H264 += ["-bf", "0", "-rc-lookahead", "3", "-threads", "1"]
_H264 += ["-movflags", "+faststart"]
# a palette for each frame: one for all would need all frames in memory
_GIF = [
    "-c:v",
    "gif",
    "-filter_complex",
    "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1",
]
