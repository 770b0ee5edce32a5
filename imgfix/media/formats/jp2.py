"""JPEG 2000 (ISO/IEC 15444-1) through OpenJPEG in Pillow; written without loss unless a quality is asked for."""

from __future__ import annotations

from typing import Any

from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.picture import Header

_NAME = "JPEG2000"


def header(stream: Any, data: Any) -> Header:
    """Pillow's."""
    return by_pillow.header(stream, _NAME)


def read(data: bytes) -> Decoded:
    """Decode; Pillow keeps more than 8 bits of grey alone."""
    found = by_pillow.read(data, _NAME)
    at = data.find(b"\xff\x4f\xff\x51")  # start of the codestream, with the size marker behind it
    bits = (data[at + 42] & 0x7F) + 1 if 0 <= at < len(data) - 42 else 8
    if bits > 8 and found.pixels.dtype.itemsize == 1:
        found.notes.append(f"{bits}-bit JPEG 2000 is read and written with 8 bits")
    return found


def sink(request: WriteRequest) -> Sink:
    """Collected and encoded; a quality is taken as the ratio of signal to noise, 20 to 50 dB."""
    options: dict[str, Any] = {}
    if request.quality is not None:
        options = {"irreversible": True, "quality_mode": "dB", "quality_layers": [20 + 0.3 * request.quality]}
    return by_pillow.PillowSink(request, _NAME, options)


FORMAT = Format(
    _NAME,
    (".jp2", ".j2k", ".jpx", ".j2c"),
    starts_with(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    header,
    read,
    sink,
    bits=8,
    max_side=2**31 - 1,
    icc=False,
    tags=False,
    lossy=True,
    aliases=("JP2", "J2K"),
)
