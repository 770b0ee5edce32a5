"""TGA (Truevision TGA 2.0, 1991): read and written by Pillow, with run-length encoding."""

from __future__ import annotations

from typing import Any

from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest
from imgfix.media.picture import Header

_MAPPED, _DIRECT = (1, 9), (2, 3, 10, 11)


def matches(start: bytes) -> bool:
    """There is no signature: the fields of the header must make sense together."""
    if len(start) < 18:
        return False
    mapped, kind, depth = start[1], start[2], start[16]
    width, height = int.from_bytes(start[12:14], "little"), int.from_bytes(start[14:16], "little")
    if not (width and height and depth in (8, 15, 16, 24, 32) and start[17] & 0xC0 == 0):
        return False
    return (mapped == 1 and kind in _MAPPED) or (mapped == 0 and kind in _DIRECT and not any(start[3:8]))


def header(stream: Any, data: Any) -> Header:
    """Pillow's."""
    return by_pillow.header(stream, "TGA")


def read(data: bytes) -> Decoded:
    """Decode."""
    return by_pillow.read(data, "TGA")


def sink(request: WriteRequest) -> Sink:
    """Collected and packed."""
    return by_pillow.PillowSink(request, "TGA", {"compression": "tga_rle"})


FORMAT = Format("TGA", (".tga",), matches, header, read, sink, bits=8, max_side=65535, icc=False, tags=False)
