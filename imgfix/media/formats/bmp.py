"""BMP (Windows GDI): a header and plain rows from the bottom up; the writer is our own, Pillow's loses transparency."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np

from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.picture import Header

_BITFIELDS = 3


def header(stream: Any, data: Any) -> Header:
    """Pillow's."""
    return by_pillow.header(stream, "BMP", "BMP", "DIB")


def read(data: bytes) -> Decoded:
    """Decode."""
    return by_pillow.read(data, "BMP", "BMP", "DIB")


def sink(request: WriteRequest) -> Sink:
    """Rows are put where they belong as they come."""
    return BmpWriter(request.stream, request.width, request.height, request.samples, request.blocks.metadata.dpi)


class BmpWriter:
    """Write a BMP to a seekable stream; each row is put where it belongs as it comes.

    rows: (h, W, S) uint8, S = 1 grey, 3 RGB, 4 RGBA, 2 grey + alpha (stored as RGBA). Grey is stored with a grey
    palette, transparency with a version 4 header that names its mask (Windows GDI, BITMAPV4HEADER).
    """

    def __init__(
        self, stream: BinaryIO, width: int, height: int, samples: int, dpi: tuple[float, float] | None = None
    ) -> None:
        self._stream, self._height = stream, height
        self._alpha, self._grey = samples in (2, 4), samples == 1
        bits = 8 if self._grey else 32 if self._alpha else 24
        self._stride = -(-width * bits // 32) * 4
        self._used = width * bits // 8
        per_metre = [round(value / 0.0254) for value in dpi] if dpi else [2835, 2835]
        size = self._stride * height
        info = struct.pack(
            "<IiiHHIIiiII",
            *(108 if self._alpha else 40, width, height, 1, bits, _BITFIELDS if self._alpha else 0, size),
            *(*per_metre, 256 if self._grey else 0, 0),
        )
        if self._alpha:
            info += struct.pack("<IIII4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs") + bytes(48)
        if self._grey:
            info += np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(256, 4).tobytes()
        self._start = stream.tell() + 14 + len(info)
        stream.write(struct.pack("<2sIHHI", b"BM", 14 + len(info) + size, 0, 0, 14 + len(info)) + info)
        self._row = 0

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        if rows.shape[2] == 2:
            rows = rows[..., [0, 0, 0, 1]]
        elif not self._grey:
            rows = rows[..., [2, 1, 0, 3][: rows.shape[2]]]
        padded = np.zeros((len(rows), self._stride), np.uint8)
        padded[:, : self._used] = rows.reshape(len(rows), self._used)
        self._row += len(rows)
        self._stream.seek(self._start + (self._height - self._row) * self._stride)
        self._stream.write(padded[::-1].tobytes())

    def finish(self) -> None:
        """Go to the end of the file."""
        self._stream.seek(0, 2)

    def abort(self) -> None:
        """Nothing to let go of."""


FORMAT = Format(
    "BMP",
    (".bmp", ".dib"),
    starts_with(b"BM"),
    header,
    read,
    sink,
    bits=8,
    max_side=2**31 - 1,
    max_pixels=10**9,
    icc=False,
    tags=False,
    seeks=True,
    aliases=("DIB",),
)
