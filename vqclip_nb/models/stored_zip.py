"""Read the uncompressed entries of an untrusted zip file.

`torch.save` and `torch.jit.save` compress nothing, so an entry is a piece of the file: what is read
is never more than the file holds, whatever sizes its directory claims.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vqclip_nb.untrusted.files import open_file
from vqclip_nb.untrusted.text import shown

_END, _END64, _LOCATOR = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_ENTRY, _LOCAL = b"PK\1\2", b"PK\3\4"
_LONGEST_COMMENT = 0xFFFF
_LARGEST_DIRECTORY = 16 * 2**20  # bytes; published models need less than 1 MiB
_UNKNOWN = 0xFFFFFFFF  # the number is in the zip64 field


@dataclass(frozen=True)
class _Entry:
    """A piece of the file: where its local header begins, its size and CRC-32."""

    at: int
    size: int
    checksum: int
    stored: bool


class StoredZip:
    """A zip file, open for reading in a `with` block.

    Raises ValueError with the reason, as the end of a sentence that names the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_file(path)
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self._left = self.size
            self._entries = dict(self._directory())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> StoredZip:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def names(self) -> list[str]:
        """The names of all entries."""
        return list(self._entries)

    def size_of(self, name: str) -> int:
        """The bytes of an entry that can be read."""
        entry = self._entries.get(name)
        if entry is None:
            raise ValueError(f"its entry {shown(name)} is missing")
        if not entry.stored:
            raise ValueError(f"its entry {shown(name)} is compressed or encrypted")
        return entry.size

    def read(self, name: str) -> bytearray:
        """The content of an entry; all that is read together is at most the file's size."""
        size, entry = self.size_of(name), self._entries[name]
        header = self._piece(entry.at, 30)
        name_length, extra_length = struct.unpack("<HH", header[26:30])
        start = entry.at + 30 + name_length + extra_length
        self._left -= size
        if header[:4] != _LOCAL or start + size > self.size or self._left < 0:
            raise ValueError("its entries overlap or reach beyond its end")
        data = bytearray(size)
        self._file.seek(start)
        if self._file.readinto(data) != size or zlib.crc32(data) != entry.checksum:
            raise ValueError(f"its entry {shown(name)} is damaged (its CRC-32 differs)")
        return data

    def _directory(self) -> Iterator[tuple[str, _Entry]]:
        start, length, count = self._extent()
        data, at, seen = self._piece(start, length), 0, set()
        for _ in range(count):
            fields = data[at : at + 46]
            if fields[:4] != _ENTRY or len(fields) < 46:
                raise ValueError("its list of entries is damaged")
            flags, method = struct.unpack("<HH", fields[8:12])
            checksum, packed, size, *lengths = struct.unpack("<LLLHHH", fields[16:34])
            (offset,) = struct.unpack("<L", fields[42:46])
            name, extra = (
                data[at + 46 : at + 46 + lengths[0]],
                data[at + 46 + lengths[0] : at + 46 + lengths[0] + lengths[1]],
            )
            size, packed, offset = _with_zip64(extra, size, packed, offset)
            stored = method == 0 and packed == size and not flags & 1
            named = name.decode("utf-8", "replace")
            if named in seen:
                raise ValueError(f"it has two entries {shown(named)}")
            seen.add(named)
            yield named, _Entry(offset, size, checksum, stored)
            at += 46 + sum(lengths)

    def _extent(self) -> tuple[int, int, int]:
        """Start, length and number of entries of the directory."""
        begin = max(0, self.size - _LONGEST_COMMENT - 22)
        tail = self._piece(begin, self.size - begin)
        at = tail.rfind(_END)
        if at < 0 or len(tail) < at + 22:
            raise ValueError("it is neither a safetensors file nor a PyTorch archive, or cut short")
        count, length, start = struct.unpack("<HLL", tail[at + 10 : at + 20])
        locator = self._piece(begin + at - 20, 20) if begin + at >= 20 else b""
        if locator[:4] == _LOCATOR:
            (at64,) = struct.unpack("<Q", locator[8:16])
            end = self._piece(at64, 56)
            if end[:4] != _END64:
                raise ValueError("its list of entries is damaged")
            count, length, start = struct.unpack("<QQQ", end[32:56])
        if length > _LARGEST_DIRECTORY or count * 46 > length:
            raise ValueError("its list of entries is damaged, or longer than that of any model")
        return start, length, count

    def _piece(self, at: int, length: int) -> bytes:
        if at + length > self.size:
            raise ValueError("its entries reach beyond its end")
        self._file.seek(at)
        return self._file.read(length)


def _with_zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The numbers, those that do not fit into 32 bits from the extra field of zip64."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        field = extra[at + 4 : at + 4 + length]
        if kind == 1:
            longer = iter(struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8]))
            numbers = [next(longer, n) if n == _UNKNOWN else n for n in (size, packed, offset)]
            return numbers[0], numbers[1], numbers[2]
        at += 4 + length
    return size, packed, offset
