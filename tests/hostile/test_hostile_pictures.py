"""Pictures that attack, and pictures of more than 8 bits."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hostile_limits import read_or_refused, refused, within_limits
from PIL import Image

from vqclip_nb.core.images import fitted
from vqclip_nb.pictures import open_picture
from vqclip_nb.storage.images import load_picture


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + b"".join(chunks) + _chunk(b"IEND", b"")


def _saved(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 100 if mode == "L" else None).save(file, kind, **options)
    return file.getvalue()


def _many_scans() -> bytes:
    """A progressive JPEG whose last scan comes 10,000 times."""
    data = _saved("JPEG", (2000, 2000), progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * 10_000 + b"\xff\xd9"


PICTURES = {
    "a PNG of 2^31 x 2^31": _png(2**31 - 1, 2**31 - 1),
    "a PNG of 50,000 x 50,000": _png(50_000, 50_000, _chunk(b"IDAT", zlib.compress(bytes(10**6)))),
    "a PNG without a side": _png(0, 10),
    "a PNG of an unknown depth": _png(8, 8, depth=7),
    "a PNG without pixels": _png(8, 8),
    "a PNG with a bomb as pixels": _png(8, 8, _chunk(b"IDAT", b"x" * 1000)),
    "a PNG with a text of 1 GB": _png(
        8, 8, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27))), _chunk(b"IDAT", b"")
    ),
    "a PNG with a profile of 128 MB": _png(
        8, 8, _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**27))), _chunk(b"IDAT", b"")
    ),
    "a PNG with chunks without end": _png(8, 8, *[_chunk(b"tEXt", b"a\0b")] * 100_000),
    "a JPEG of 10,000 scans": _many_scans(),
    "a JPEG of only a beginning": b"\xff\xd8\xff\xe0" + bytes(100),
    "a GIF of 65,535 x 65,535": b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(20),
    "a BMP of 2^31 x 2^31": b"BM" + struct.pack("<LLLLll", 100, 0, 54, 40, 2**31 - 1, 2**31 - 1)
    + struct.pack("<HHLLLLLL", 1, 24, 0, 0, 0, 0, 0, 0),
    "a TIFF that points at itself": b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0",
    "a TIFF of 65,535 tags": b"II*\0\x08\0\0\0" + b"\xff\xff" + bytes(2000),
    "a WebP of 16383 x 16383": b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f" + b"\xff\x3f\xff\x0f" + bytes(12),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%true) (r) file\n",
    "a PDF": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "a web page": b"<html>no picture</html>",
    "a Photoshop file": b"8BPS\0\x01" + bytes(6) + b"\0\x03" + struct.pack(">LLHH", 30000, 30000, 8, 3),
    "a FITS file": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
    "a DDS texture": b"DDS " + bytes(124),
    "an icon": b"\0\0\x01\0\xff\xff" + bytes(100),
    "a WMF drawing": b"\xd7\xcd\xc6\x9a" + bytes(100),
    "a zip": b"PK\x03\x04" + bytes(100),
    "a PPM without end": b"P6\n" + b"9" * 10_000 + b" 1\n255\n",
    "a PPM of a negative side": b"P6\n-5 5\n255\n" + bytes(75),
    "a PPM of comments": b"P6\n" + b"#\n" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("case", PICTURES)
def test_a_picture_that_attacks_is_refused(tmp_path, case):
    (tmp_path / "theirs.png").write_bytes(PICTURES[case])
    with refused(r"theirs\.png"):
        load_picture(str(tmp_path / "theirs.png"))


FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")


@pytest.mark.parametrize("share", [5, 30, 60, 90])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_that_was_cut_is_read_or_refused(tmp_path, kind, share):
    data = _saved(kind, (200, 200))
    (tmp_path / "theirs").write_bytes(data[: len(data) * share // 100])
    with read_or_refused():
        assert load_picture(str(tmp_path / "theirs")).shape == (1, 3, 200, 200)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_with_changed_bytes_is_read_or_refused(tmp_path, kind):
    data, random = bytearray(_saved(kind, (60, 60))), np.random.default_rng(0)
    for at in random.integers(0, len(data), 100):
        changed = data.copy()
        changed[at] ^= int(random.integers(1, 256))
        with read_or_refused():
            open_picture(bytes(changed), "it")


def test_a_picture_of_90_million_pixels_is_read_within_the_memory(tmp_path):
    Image.new("L", (30_000, 3_000), 128).save(tmp_path / "large.png")
    with within_limits():
        x = load_picture(str(tmp_path / "large.png"))
    assert max(x.shape) <= 4096
    assert x.mean().item() == pytest.approx(128 / 255, abs=0.01)


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (4096, 32), (32, 4096)])
@pytest.mark.parametrize("wanted", [(128, 128), (4096, 32), (32, 4096)])
def test_a_picture_as_thin_as_a_line_is_fitted_within_the_memory(size, wanted):
    x = torch.rand(1, 3, size[1], size[0])
    with within_limits():
        assert fitted(x, *wanted).shape == (1, 3, wanted[1], wanted[0])


# more than 8 bits a channel

_RAMP = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
DEEP = {
    "16 bits, PNG": ("PNG", (_RAMP * 65535).round().astype(np.uint16)),
    "16 bits, TIFF": ("TIFF", (_RAMP * 65535).round().astype(np.uint16)),
    "16 bits of big end, TIFF": ("TIFF", (_RAMP * 65535).round().astype(">u2")),
    "32 bits, TIFF": ("TIFF", (_RAMP * 65535).round().astype(np.int32)),
    "floats, TIFF": ("TIFF", _RAMP),
}


@pytest.mark.parametrize("case", DEEP)
def test_a_picture_of_more_bits_looks_like_that_of_8(tmp_path, case):
    kind, pixels = DEEP[case]
    Image.fromarray(pixels).save(tmp_path / "deep", kind)
    x = load_picture(str(tmp_path / "deep"))
    assert x.shape == (1, 3, 8, 8)
    assert np.abs(x[0, 0].numpy() - _RAMP).max() <= 1 / 255


@pytest.mark.parametrize(
    "value", [-1.0, 2.0, 255.0, 1e38, float("nan"), float("inf"), -float("inf")]
)
def test_a_picture_of_floats_in_another_range_is_refused(tmp_path, value):
    pixels = _RAMP.copy()
    pixels[3, 3] = value
    Image.fromarray(pixels).save(tmp_path / "theirs", "TIFF")
    with refused(r"theirs is not a picture .*its values are from .*, allowed is 0 to 1"):
        load_picture(str(tmp_path / "theirs"))


@pytest.mark.parametrize("value", [-1, 70_000, 2**31 - 1])
def test_a_picture_of_32_bits_in_another_range_is_refused(tmp_path, value):
    pixels = np.full((8, 8), value, np.int32)
    Image.fromarray(pixels).save(tmp_path / "theirs", "TIFF")
    with refused(r"theirs is not a picture .*allowed is 0 to 65535"):
        load_picture(str(tmp_path / "theirs"))
