"""PPM, PGM and PBM (Netpbm): 8 and 16 bits, grey and RGB, in binary and plain form."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np

from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest
from imgfix.media.picture import Header

_HEAD = re.compile(rb"P([1-6])((?:\s|#[^\n]*\n)+\d+)((?:\s|#[^\n]*\n)+\d+)((?:\s|#[^\n]*\n)+\d+)?\s")
_COMMENT = re.compile(rb"#[^\n]*\n")


def matches(start: bytes) -> bool:
    """P1 to P6 and white space or a comment."""
    return start[:1] == b"P" and start[1:2] in b"123456" and start[2:3] in (b" ", b"\n", b"\r", b"\t", b"#")


def _head(data: Any) -> tuple[int, int, int, int, int]:
    """Kind (1 to 6), width, height, greatest value and where the pixels begin. Raises `ValueError`."""
    match = _HEAD.match(bytes(data[:4096]))
    kind = int(match[1]) if match else 0
    if match is None or (kind not in (1, 4) and match[4] is None):
        raise ValueError("its header is broken")
    if kind in (1, 4):  # what looks like a third number belongs to the pixels
        match = re.match(rb"P([14])((?:\s|#[^\n]*\n)+\d+)((?:\s|#[^\n]*\n)+\d+)\s", bytes(data[:4096]))
        if match is None:
            raise ValueError("its header is broken")
    width, height, *rest = (int(_COMMENT.sub(b"", part)) for part in match.groups()[1:] if part is not None)
    most = rest[0] if rest else 1
    if not (width and height and 0 < most < 65536):
        raise ValueError("its header is broken")
    return kind, width, height, most, match.end()


def header(stream: Any, data: Any) -> Header:
    """Its few numbers."""
    kind, width, height, most, _ = _head(data)
    return Header(width, height, 3 if kind in (3, 6) else 1, False, 16 if most > 255 else 8, "PNM")


def read(data: bytes) -> Decoded:
    """Decode; values are spread over all of 8 or 16 bits."""
    kind, width, height, most, at = _head(data)
    channels = 3 if kind in (3, 6) else 1
    count = width * height * channels
    if kind == 4:
        stride = (width + 7) // 8
        if len(data) < at + stride * height:
            raise ValueError("the file is truncated")
        rows = np.frombuffer(data, np.uint8, stride * height, at).reshape(height, stride)
        values = 1 - np.unpackbits(rows, axis=1, count=width)[..., None]
    elif kind in (5, 6):
        stored = np.dtype(">u2" if most > 255 else "u1")
        if len(data) < at + count * stored.itemsize:
            raise ValueError("the file is truncated")
        values = np.frombuffer(data, stored, count, at).reshape(height, width, channels)
    else:
        values = _plain(data[at:], kind, count).reshape(height, width, channels)
    dtype, top = (np.uint16, 65535) if most > 255 else (np.uint8, 255)
    pixels = values.astype(dtype)
    if most != top:
        pixels = ((np.minimum(values, most).astype(np.uint32) * top + most // 2) // most).astype(dtype)
    mode = "1" if kind in (1, 4) else ("RGB" if channels == 3 else "L") + (";16" if most > 255 else "")
    return Decoded("PNM", pixels, mode=mode)


def _plain(body: bytes, kind: int, count: int) -> np.ndarray:
    """Decimal numbers; those of P1 need no space between them."""
    words = _COMMENT.sub(b" ", body + b"\n")
    numbers = [1 - (byte - 48) for byte in words if byte in b"01"] if kind == 1 else [int(w) for w in words.split()]
    if len(numbers) < count:
        raise ValueError("the file is truncated")
    return np.array(numbers[:count], np.uint32)


class _PnmWriter(Sink):
    """Rows are written as they come."""

    def __init__(self, request: WriteRequest) -> None:
        self._stream, self._wide = request.stream, request.bits == 16
        kind, most = 6 if request.channels == 3 else 5, 65535 if self._wide else 255
        self._stream.write(f"P{kind}\n{request.width} {request.height}\n{most}\n".encode())

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        swapped = self._wide and sys.byteorder == "little"
        self._stream.write((rows.byteswap() if swapped else np.ascontiguousarray(rows)).tobytes())

    def finish(self) -> None:
        """Nothing is left to write."""

    def abort(self) -> None:
        """Nothing to let go of."""


FORMAT = Format(
    "PNM",
    (".ppm", ".pgm", ".pbm", ".pnm"),
    matches,
    header,
    read,
    _PnmWriter,
    bits=16,
    max_side=2**31 - 1,
    alpha=False,
    icc=False,
    tags=False,
    aliases=("PPM", "PGM", "PBM"),
)
