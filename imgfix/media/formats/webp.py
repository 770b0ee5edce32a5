"""WebP (WebP container specification, Google; RFC 9649)."""

from __future__ import annotations

import struct
from typing import Any

from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest
from imgfix.media.picture import Header

_QUALITY = 90
_LARGEST = 16383  # of 14 bits, in both of its codecs


def matches(start: bytes) -> bool:
    """RIFF with the form type WEBP."""
    return start[:4] == b"RIFF" and start[8:12] == b"WEBP"


def header(stream: Any, data: Any) -> Header:
    """Pillow's. The container's canvas may claim more than any picture in it can have, and libwebp would make it."""
    found = by_pillow.header(stream, "WEBP")
    if max(found.width, found.height) > _LARGEST:
        raise ValueError(f"it claims {found.width} x {found.height} pixels, more than {_LARGEST} along a side")
    return found


def read(data: bytes) -> Decoded:
    """Decode; whether it is stored without loss is kept."""
    found = by_pillow.read(data, "WEBP")
    found.lossless = b"VP8L" in _chunk_kinds(data)
    found.notes.extend(by_pillow.frames_note("WebP", found.frames))
    return found


def _chunk_kinds(data: bytes) -> set[bytes]:
    kinds, at = set[bytes](), 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        kinds.add(kind)
        if kind == b"ANMF":
            kinds.add(bytes(data[at + 24 : at + 28]))
        at += 8 + size + size % 2
    return kinds


def sink(request: WriteRequest) -> Sink:
    """Collected and encoded by libwebp."""
    meta, options = request.blocks.metadata, by_pillow.tags_of(request)
    if request.quality is None and meta.format == "WEBP" and meta.lossless:
        # 'exact' keeps the colour under transparent pixels; for lossless files 'quality' is the effort.
        options |= {"lossless": True, "exact": True, "quality": 75}
    else:
        options |= {"quality": request.quality or _QUALITY, "method": 4, "exact": True}
    return by_pillow.PillowSink(request, "WEBP", options)


FORMAT = Format(
    "WEBP", (".webp",), matches, header, read, sink, bits=8, max_side=_LARGEST, grey=False, lossy=True, animated=True
)
