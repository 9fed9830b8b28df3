"""Frames to mp4 or GIF with the ffmpeg that imageio-ffmpeg ships.

An mp4 is H.264 in yuv420p, which every browser plays; a GIF has a palette for each frame.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np

FPS = 30


def write_video(
    path: Path, frames: Iterable[np.ndarray], *, fps: float = FPS, comment: str = ""
) -> int:
    """Encode frames, uint8 [H, W, 3] of one size; return how many there were.

    path: its ending, .mp4 or .gif, decides the format; comment: what the file says of itself

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
                writer = _open(part, frame.shape[1], frame.shape[0], fps, comment)
            writer.send(np.ascontiguousarray(frame))
            count += 1
    finally:
        if writer is not None:
            writer.close()
    if not count:
        raise ValueError(f"{path.name} would have no frames: paint at least one iteration.")
    part.replace(path)
    return count


def read_video(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 [H, W, 3], one after the other."""
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    for frame in reader:
        yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)


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


def _open(path: Path, width: int, height: int, fps: float, comment: str):
    """A running encoder that takes frames by `send`."""
    options = {"codec": "libx264", "pix_fmt_out": "yuv420p", "output_params": [*_H264]}
    if path.suffix == ".gif":
        options = {"codec": "gif", "pix_fmt_out": "pal8", "output_params": [*_GIF]}
    if comment:
        options["output_params"] += ["-metadata", f"comment={comment}"]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=fps,
        macro_block_size=1,  # the default of 16 would stretch other sizes
        ffmpeg_log_level="error",
        **options,
    )
    writer.send(None)
    return writer


# without B-frames, segments join without a gap in time
_H264 = ["-crf", "18", "-preset", "veryfast", "-bf", "0", "-threads", "1"]
_H264 += ["-movflags", "+faststart"]
# a palette for each frame: one for all would need all frames in memory
_GIF = ["-filter_complex", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"]
