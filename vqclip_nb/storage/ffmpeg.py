"""Encode frames to mp4 or GIF with the ffmpeg that imageio-ffmpeg ships.

An mp4 is H.264 in yuv420p, which every browser plays; a GIF has a palette for each frame.

ffmpeg reads a name such as `-a.mp4`, `10:30/a.mp4` or `a#1.mp4` as an option, a protocol or a url.
So every path is given as `file:` and the whole path, and whatever can be long goes by file or pipe.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np

from vqclip_nb.untrusted.files import open_file

FPS = 30
_LONGEST = 300  # letters of ffmpeg's reason in an error


class Encoder:
    """Encodes a video in another process while the next frames are made.

    path: its ending, .mp4 or .gif, decides the format; comment: the file's metadata comment
    interpolate: frame rate to which frames are added, along the motion between those given; 0: none

    yuv420p halves the colour's resolution, so an odd side is padded by one repeated row or column.
    The file appears under its name only once it is complete, at `close`.
    """

    def __init__(
        self, path: Path, *, fps: float = FPS, comment: str = "", interpolate: float = 0
    ) -> None:
        self.path, self.fps, self.comment = path.absolute(), fps, comment
        self.interpolate = interpolate
        self.count = 0
        self._part, self._about = _part_of(self.path), _about(self.path)
        self._process: subprocess.Popen | None = None

    def add(self, frame: np.ndarray) -> None:
        """Encode a frame, uint8 [H, W, 3]; all have one size."""
        frame = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")
        if self._process is None:
            self._open(*frame.shape[1::-1])
        try:
            self._process.stdin.write(np.ascontiguousarray(frame))
        except OSError:  # the process has ended
            self._fail(_one_line(self._process.stderr.read()))
        self.count += 1

    def end(self, path: Path) -> None:
        """Accept no more frames; `close` will give the file this name."""
        self.path = path.absolute()
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Finish the file; if it cannot be written, raise OSError and leave none."""
        try:
            self.end(self.path)
            reason = _one_line(self._process.stderr.read())
            failed = self._process.wait() != 0
            if not failed:
                self._process.stderr.close()
                self._part.replace(self.path)
                self._about.unlink(missing_ok=True)
        except OSError as error:  # the folder has gone
            failed, reason = True, error.strerror
        except BaseException:  # interrupted: no process outlives its film
            self.discard()
            raise
        if failed:
            self._fail(reason)

    def discard(self) -> None:
        """Stop the process and delete the unfinished file."""
        if self._process is not None:
            self._process.kill()
            self.end(self.path)
            self._process.wait()
            self._process.stderr.close()
        for file in (self._part, self._about):
            file.unlink(missing_ok=True)

    def _fail(self, reason: str) -> None:
        self.discard()
        raise _WriteError(self.path, reason) from None

    def _open(self, width: int, height: int) -> None:
        arguments = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        arguments += ["-r", f"{self.fps:g}", "-i", "pipe:0"]
        try:
            if self.comment:
                arguments += _commented(self._about, self.comment)
            gif = self.path.suffix == ".gif"
            filters = [f"minterpolate=fps={self.interpolate:g}"] if self.interpolate else []
            filters += [_PALETTES] if gif else []
            arguments += ["-filter_complex", ",".join(filters)] if filters else []
            arguments += ["-an", *(_GIF if gif else _H264)]
            self._process = _start([*arguments, _url(self._part)], self.path.parent)
        except OSError as error:
            self._fail(error.strerror)


class _WriteError(OSError):
    """A film could not be written; one sentence with the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} could not be written: {reason or 'ffmpeg ended early'}")


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float = FPS,
    comment: str = "",
    interpolate: float = 0,
) -> int:
    """Encode frames with an `Encoder`; return how many there were.

    Raises ValueError if there are none.
    """
    encoder = Encoder(path, fps=fps, comment=comment, interpolate=interpolate)
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


def read_video(
    path: Path, *, size: tuple[int, int] | None = None, fps: float = 0
) -> Iterator[np.ndarray]:
    """Yield the frames of a video, uint8 [H, W, 3]; ValueError if it cannot be read.

    size: width and height to scale to; fps: frame rate to read at, 0 for the film's own
    """
    filters = [f"fps={fps:g}"] if fps else []
    filters += [f"scale={size[0]}:{size[1]}:flags=area"] if size else []
    arguments = [*_FILMS_ONLY, "-i", _url(path), "-an"]
    arguments += ["-vf", ",".join(filters)] if filters else []
    arguments += ["-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24"]
    silent = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # which nobody reads
    process = _start([*arguments, "pipe:1"], stdout=subprocess.PIPE, **silent)
    try:
        while process.stdout.readline() == b"P6\n":  # a PPM: its size, its largest value, pixels
            width, height = map(int, process.stdout.readline().split())
            process.stdout.readline()
            pixels = process.stdout.read(width * height * 3)
            yield np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        if process.wait():
            raise ValueError(f"{path} is not a film that can be read: choose another file.")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def frames_of(
    path: Path, *, size: tuple[int, int] | None = None, fps: float = 0, most: float = math.inf
) -> Iterator[np.ndarray]:
    """All frames as `read_video` yields them, [n, H, W, 3], on disk, so that memory stays flat.

    Raises ValueError if the film cannot be read, has no frames, or more than `most`.
    """
    with tempfile.TemporaryFile() as raw:
        number = 0
        for frame in read_video(path, size=size, fps=fps):
            number += 1
            if number > most:
                raise ValueError(f"{path} has more than {most:,} frames: cut it, or lower fps.")
            raw.write(frame.data)
        if not number:
            raise ValueError(f"{path} has no frames: choose another film.")
        raw.flush()
        yield np.memmap(raw, np.uint8, "r").reshape(-1, *frame.shape)


def film_facts(path: Path) -> tuple[tuple[int, int], float]:
    """Width and height in pixels, and the frame rate; ValueError if it is not a film."""
    refusal = f"{path} is not a film that can be read: choose another file."
    try:
        open_file(path).close()
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as a film: {error}.") from None
    try:
        one = {"input_params": _FILMS_ONLY, "output_params": ["-frames:v", "1"]}
        reader = imageio_ffmpeg.read_frames(_url(path), **one)
        facts = next(reader)
        reader.close()
    except (OSError, RuntimeError, IndexError, StopIteration) as error:
        raise ValueError(refusal) from error
    if facts["fps"] <= 0 or min(facts["size"]) < 1:
        raise ValueError(refusal)
    return tuple(facts["size"]), facts["fps"]


def add_sound(film: Path, source: Path) -> None:
    """Give a film the sound of another, if that has any, up to the shorter one's end."""
    inputs = ["-i", _url(film), *_FILMS_ONLY, "-i", _url(source)]
    options = ["-map", "0:v", "-map", "1:a:0?", "-c:v", "copy", "-c:a", "aac", "-shortest"]
    _write(film.absolute(), inputs, [*options, "-map_metadata", "0", "-movflags", "+faststart"])


def frame_count(film: Path) -> int:
    """The number of frames of an mp4 that this package wrote; 0 if it is missing or not whole.

    Reads the index only: the sample sizes of the track, in ISO/IEC 14496-12's box `stsz`.
    """
    if not film.is_file():
        return 0
    try:
        with film.open("rb") as file:
            boxes = _boxes(file, 0, film.stat().st_size)
            if "mdat" not in boxes:
                return 0
            start, end = boxes["moov"]
            for name in ("trak", "mdia", "minf", "stbl", "stsz"):
                start, end = _boxes(file, start, end)[name]
            file.seek(start + 8)  # version, flags, and a size that all samples share
            return struct.unpack(">I", file.read(4))[0]
    except (OSError, ValueError, KeyError, struct.error):
        return 0


def _boxes(file: IO[bytes], start: int, end: int) -> dict[str, tuple[int, int]]:
    """Where the content of each box in this part of an mp4 begins and ends.

    Raises ValueError if they do not fill it.
    """
    found = {}
    while start < end:
        file.seek(start)
        head = 8
        size, name = struct.unpack(">I4s", file.read(8))
        if size == 1:
            head, (size,) = 16, struct.unpack(">Q", file.read(8))
        if not head <= size <= end - start:
            raise ValueError(f"a box of {size} bytes does not fit")
        found[name.decode("latin-1")] = start + head, start + size
        start += size
    return found


def shrink(video: Path, to: Path, size: int) -> None:
    """Write a small copy of a film: at most 256 pixels wide, about `size` bytes."""
    _, seconds = imageio_ffmpeg.count_frames_and_secs(_url(video))
    rate = str(int(8 * size / max(seconds, 1.0)))  # bits a second
    options = ["-an", "-vf", "fps=15,scale='min(256,iw)':-2", "-c:v", "libx264"]
    options += ["-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    options += ["-b:v", rate, "-maxrate", rate, "-bufsize", rate]
    _write(to.absolute(), ["-i", _url(video)], options)


def join_videos(path: Path, segments: list[Path], *, comment: str = "") -> None:
    """Concatenate videos of equal size without encoding them again.

    segments: in the folder of `path`, or below it, with names of letters and digits
    comment: the file's metadata comment
    """
    path = path.absolute()
    names = [segment.absolute().relative_to(path.parent).as_posix() for segment in segments]
    listing = "".join(f"file 'file:{name}'\n" for name in names)
    inputs = ["-protocol_whitelist", "file,pipe", "-f", "concat", "-safe", "0", "-i", "pipe:0"]
    options = ["-c", "copy", "-movflags", "+faststart"]
    _write(path, inputs, options, listing=listing, comment=comment)


def _write(
    path: Path, inputs: list[str], options: list[str], *, listing: str = "", comment: str = ""
) -> None:
    """Write a file with ffmpeg, whole or not at all; OSError if that fails.

    listing: what ffmpeg reads from the pipe, if that is an input
    """
    part, about = _part_of(path), _about(path)
    try:
        if comment:
            inputs = inputs + _commented(about, comment)
        with _start([*inputs, *options, _url(part)], path.parent) as process:
            try:
                reason = _one_line(process.communicate(listing.encode())[1])
            except BaseException:  # interrupted: no process outlives its film
                process.kill()
                raise
        failed = process.returncode != 0
        if not failed:
            part.replace(path)
    except OSError as error:
        failed, reason = True, error.strerror
    finally:
        for file in (part, about):
            file.unlink(missing_ok=True)
    if failed:
        raise _WriteError(path, reason)


def _start(
    arguments: list[str],
    folder: Path | None = None,
    *,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen:
    """ffmpeg, in its own process group: Ctrl-C interrupts this program, which ends it in order."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *arguments]
    pipes = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    return subprocess.Popen(command, cwd=folder, process_group=0, **pipes)


def _commented(file: Path, comment: str) -> list[str]:
    """The arguments that take the metadata comment from a file, which this writes."""
    escaped = re.sub(r"([=;#\\\n])", r"\\\1", comment)
    file.write_text(f";FFMETADATA1\ncomment={escaped}\n", encoding="utf-8")
    return ["-f", "ffmetadata", "-i", _url(file), "-map_metadata", "1"]


def _url(path: Path) -> str:
    return f"file:{os.path.abspath(path)}"


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.part{path.suffix}")


def _about(path: Path) -> Path:
    """The file with the metadata of a film while that is written."""
    return path.with_name(f"{path.stem}.part.txt")


def _one_line(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split())[:_LONGEST]


# Formats that hold their own frames. Others, e.g. playlists, could name any file of this machine.
# Frames of at most 64 million pixels: larger ones would fill the memory.
_FILMS_ONLY = ["-max_pixels", str(2**26), "-protocol_whitelist", "file", "-format_whitelist"]
_FILMS_ONLY += ["mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts"]
# Without B-frames, segments join without a gap in time. A short lookahead finishes the last frames
# of a segment quickly, and the run waits for those.
_H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-preset", "veryfast"]
_H264 += ["-bf", "0", "-rc-lookahead", "3", "-threads", "1", "-movflags", "+faststart"]
# a palette for each frame: one for all would need all frames in memory
_GIF = ["-c:v", "gif"]
_PALETTES = "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"
