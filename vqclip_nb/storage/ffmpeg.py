"""Encode frames to mp4 or GIF with the ffmpeg that imageio-ffmpeg ships.

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
    """Encodes a video in another process while the next frames are made.

    path: its ending, .mp4 or .gif, decides the format; comment: the file's metadata comment

    yuv420p halves the colour's resolution, so an odd side is padded by one repeated row or column.
    The file appears under its name only once it is complete, at `close`.
    """

    def __init__(self, path: Path, *, fps: float = FPS, comment: str = "") -> None:
        self.path, self.fps, self.comment = path, fps, comment
        self.count = 0
        self._part = path.with_name(f"{path.stem}.part{path.suffix}")
        self._process: subprocess.Popen | None = None

    def add(self, frame: np.ndarray) -> None:
        """Encode a frame, uint8 [H, W, 3]; all have one size."""
        frame = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")
        if self._process is None:
            self._open(*frame.shape[1::-1])
        try:
            self._process.stdin.write(np.ascontiguousarray(frame))
        except OSError:  # the process has ended
            self._fail()
        self.count += 1

    def end(self, path: Path) -> None:
        """Accept no more frames; `close` will give the file this name."""
        self.path = path
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Finish the file; if it cannot be written, raise OSError and leave none."""
        self.end(self.path)
        if self._process.wait():
            self._fail()
        self._process.stderr.close()
        self._part.replace(self.path)

    def _fail(self) -> None:
        reason = self._process.stderr.read().decode().strip()
        self.discard()
        raise OSError(f"{self.path} could not be written: {reason or 'ffmpeg ended early'}")

    def discard(self) -> None:
        """Stop the process and delete the unfinished file."""
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
            process_group=0,  # Ctrl-C should interrupt the run, not ffmpeg
        )


def write_video(
    path: Path, frames: Iterable[np.ndarray], *, fps: float = FPS, comment: str = ""
) -> int:
    """Encode frames with an `Encoder`; return their number.

    Raises ValueError if there are none.
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


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video, uint8 [H, W, 3]."""
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    for frame in reader:
        yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)


def shrink(video: Path, to: Path, size: int) -> None:
    """Write a small copy of a film: at most 256 pixels wide, about `size` bytes."""
    _, seconds = imageio_ffmpeg.count_frames_and_secs(str(video))
    rate = str(int(8 * size / max(seconds, 1.0)))  # bits a second
    arguments = ["-i", str(video), "-an", "-vf", "fps=15,scale='min(256,iw)':-2"]
    arguments += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    _write(to, [*arguments, "-b:v", rate, "-maxrate", rate, "-bufsize", rate])


def join_videos(path: Path, segments: list[Path], *, comment: str = "") -> None:
    """Concatenate videos of equal size without encoding them again.

    comment: the file's metadata comment
    """
    listing = path.with_name(f"{path.stem}.txt")
    lines = [f"file '{segment.relative_to(path.parent).as_posix()}'" for segment in segments]
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["-f", "concat", "-i", str(listing), "-c", "copy", "-movflags", "+faststart"]
    try:
        _write(path, [*arguments, "-metadata", f"comment={comment}"])
    finally:
        listing.unlink()


def _write(path: Path, arguments: list[str]) -> None:
    """Write a file with ffmpeg, whole or not at all; OSError if that fails."""
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *arguments, str(part)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{path} could not be written: {done.stderr.strip()}")
    part.replace(path)


# Without B-frames, segments join without a gap in time. A short lookahead finishes the last frames
# of a segment quickly, and the run waits for those.
_H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-preset", "veryfast"]
_H264 += ["-bf", "0", "-rc-lookahead", "3", "-threads", "1", "-movflags", "+faststart"]
# a palette for each frame: one for all would need all frames in memory
_GIF = ["-c:v", "gif", "-filter_complex"]
_GIF += ["split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"]
