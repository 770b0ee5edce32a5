"""JPEG XL (ISO/IEC 18181) through pillow-jxl-plugin, an extra."""

from __future__ import annotations

import io
import struct
from typing import Any

from imgfix.errors import MissingExtraError
from imgfix.media import colour
from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.picture import Header, Metadata

_QUALITY = 90


def _load(doing: str) -> None:
    """Make Pillow know JPEG XL. Raises `MissingExtraError`."""
    try:
        import pillow_jxl  # noqa: F401
    except ImportError:
        raise MissingExtraError(f"{doing} JPEG XL", "jxl") from None


def header(stream: Any, data: Any) -> Header:
    """Pillow's."""
    _load("reading")
    return by_pillow.header(stream, "JXL")


def read(data: bytes) -> Decoded:
    """Decode to 8 bits."""
    _load("reading")
    with by_pillow.open_as(io.BytesIO(data), "JXL") as image:
        found = by_pillow.decoded(image, "JXL")
        if not getattr(image, "jpeg", False):  # a repacked JPEG comes as it was; otherwise the library turns it
            found.orientation = 1
    found.xmp = _box(data, b"xml ")
    plain = colour.transform(Metadata(icc=found.icc), found.pixels.shape[2]).is_identity
    if found.icc and found.icc[4:8] == b"jxl " and plain:  # the library writes a profile where the file has none
        found.icc = None
    return found


def _box(data: bytes, wanted: bytes) -> bytes | None:
    """Find a box of the container (ISO/IEC 18181-2)."""
    at = 0
    while at + 8 <= len(data) and data[:4] == b"\0\0\0\x0c":
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        end = at + size if size else len(data)
        if kind == wanted:
            return bytes(data[at + head : end])
        if end <= at:
            break
        at = end
    return None


def sink(request: WriteRequest) -> Sink:
    """Collected and encoded by libjxl; the box structure is what holds EXIF and XMP."""
    _load("writing")
    options = by_pillow.tags_of(request) | {"quality": request.quality or _QUALITY, "use_container": True}
    return by_pillow.PillowSink(request, "JXL", options)


FORMAT = Format(
    "JXL",
    (".jxl",),
    starts_with(b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    header,
    read,
    sink,
    bits=8,
    max_side=2**30,
    icc=False,
    lossy=True,
    extra="jxl",
    load=_load,
    aliases=("JPEGXL",),
)
