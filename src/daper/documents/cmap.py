"""Which characters a font file has: its `cmap` table, in the two forms that Unicode fonts use."""

import struct
from pathlib import Path

Ranges = list[tuple[int, int]]

_COLLECTION = b"ttcf"
_SPARSE = 12
_SEGMENTS = 4


def read_ranges(path: Path, index: int = 0) -> Ranges:
    """The first and last character of each run that a font has a drawing for, in order; none if it cannot be read.

    A font that cannot be read is one that the text must do without, which is no error.
    """
    try:
        return _ranges(_table(path.read_bytes(), index))
    except (OSError, struct.error, LookupError):
        return []


def _table(data: bytes, index: int) -> bytes:
    start = struct.unpack_from(">I", data, 12 + 4 * index)[0] if data[:4] == _COLLECTION else 0
    for number in range(struct.unpack_from(">H", data, start + 4)[0]):
        tag, _, offset, length = struct.unpack_from(">4sIII", data, start + 12 + 16 * number)
        if tag == b"cmap":
            return data[offset : offset + length]
    raise LookupError("no cmap")


def _ranges(table: bytes) -> Ranges:
    count = struct.unpack_from(">H", table, 2)[0]
    offsets = [struct.unpack_from(">I", table, 8 + 8 * number)[0] for number in range(count)]
    forms = {struct.unpack_from(">H", table, offset)[0]: offset for offset in offsets}
    if _SPARSE in forms:
        return _sparse(table, forms[_SPARSE])
    return _segments(table, forms[_SEGMENTS])


def _sparse(table: bytes, at: int) -> Ranges:
    groups = struct.unpack_from(">I", table, at + 12)[0]
    return [struct.unpack_from(">II", table, at + 16 + 12 * number) for number in range(groups)]


def _segments(table: bytes, at: int) -> Ranges:
    count = struct.unpack_from(">H", table, at + 6)[0] // 2
    ends, starts = at + 14, at + 16 + 2 * count
    deltas, offsets = starts + 2 * count, starts + 4 * count
    found: Ranges = []
    for number in range(count):
        end, start, delta, offset = (
            struct.unpack_from(">H", table, place + 2 * number)[0] for place in (ends, starts, deltas, offsets)
        )
        for point in range(start, min(end, 0xFFFE) + 1):
            glyph = point
            if offset:
                glyph = struct.unpack_from(">H", table, offsets + 2 * number + offset + 2 * (point - start))[0]
            if glyph and (glyph + delta) & 0xFFFF:
                found.append((point, point))
    return found
