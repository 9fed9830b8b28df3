"""Frames to mp4 with the ffmpeg that imageio-ffmpeg ships: H.264, yuv420p, plays in a browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg
import numpy as np

FPS = 30


def write_video(path: Path, frames: Iterable[np.ndarray], *, fps: float = FPS) -> int:
    """Encode frames, uint8 [H, W, 3] of one size; return how many there were.

    yuv420p halves the colour's resolution, so an odd side is padded by one repeated row or column.
    The file appears under its name only when it is whole. Raises ValueError where there is no frame.
    """
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    writer, count = None, 0
    try:
        for frame in frames:
            frame = np.pad(
                frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge"
            )
            if writer is None:
                writer = _open(part, frame.shape[1], frame.shape[0], fps)
            writer.send(np.ascontiguousarray(frame))
            count += 1
    finally:
        if writer is not None:
            writer.close()
    if not count:
        raise ValueError(f"{path.name} would have no frames: paint at least one iteration.")
    part.replace(path)
    return count


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


def _open(path: Path, width: int, height: int, fps: float):
    """A running encoder that takes frames by `send`."""
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=fps,
        codec="libx264",
        pix_fmt_out="yuv420p",
        macro_block_size=1,  # the default of 16 would stretch other sizes
        ffmpeg_log_level="error",
        # without B-frames, segments join without a gap in time
        output_params=["-crf", "18", "-preset", "veryfast", "-bf", "0", "-threads", "1"],
    )
    writer.send(None)
    return writer
