"""Films, decoded with the ffmpeg that encoded them."""

import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from vqclip_nb.films.progress import Watcher


def probe(path) -> dict:
    """Codec, pixel format, frame rate and frames [N, H, W, 3] of a film."""
    tool = imageio_ffmpeg.get_ffmpeg_exe()
    said = subprocess.run([tool, "-i", str(path)], capture_output=True, text=True).stderr
    stream = re.search(r"Video: (\w+).*?(yuv\w+).*? (\d+)x(\d+).*? ([\d.]+) fps", said, re.DOTALL)
    width, height = int(stream[3]), int(stream[4])
    raw = subprocess.run(
        [tool, "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    ).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    return {"codec": stream[1], "format": stream[2], "fps": float(stream[5]), "frames": frames}


def metadata(path) -> str:
    """The metadata of a film, in ffmpeg's own format."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    return subprocess.run(
        [*command, "-f", "ffmetadata", "-"], capture_output=True, text=True, check=True
    ).stdout


class Stopped(Watcher):
    """Interrupts a film after frame `at`."""

    def __init__(self, at: int, total: int) -> None:
        self.at, self.total = at, total

    def frame(self, number, total, frame) -> None:
        assert total == self.total
        assert frame.dtype == np.uint8
        if number == self.at:
            raise KeyboardInterrupt


def torn(make, film, at: int, total: int) -> int:
    """Interrupt a film after frame `at`; return the number of frames of what is on disk."""
    with pytest.raises(KeyboardInterrupt):
        make(film, show=Stopped(at, total))
    return len(probe(film)["frames"])
