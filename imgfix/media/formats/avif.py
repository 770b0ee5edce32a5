"""AVIF (AV1 Image File Format, AOMedia 1.1)."""

from __future__ import annotations

from typing import Any

from imgfix.media import exif as exif_block
from imgfix.media import implied
from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, has_brand
from imgfix.media.picture import Header

_QUALITY = 85


def header(stream: Any, data: Any) -> Header:
    """Pillow's."""
    return by_pillow.header(stream, "AVIF")


def read(data: bytes) -> Decoded:
    """Decode to 8 bits."""
    found = by_pillow.read(data, "AVIF")
    found.code_points = implied.code_points_of_boxes(data)
    bits, found.subsampling = _av1_layout(data)
    if bits > 8:
        found.notes.append(f"{bits}-bit AVIF is read and written with 8 bits")
    found.notes.extend(by_pillow.frames_note("AVIF", found.frames))
    return found


def _av1_layout(data: bytes) -> tuple[int, str | None]:
    """Read depth and chroma subsampling from the av1C box (AV1-ISOBMFF 2.3)."""
    at = data.find(b"av1C")
    if at < 0 or at + 7 > len(data):
        return 8, None
    flags = data[at + 6]
    bits = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    if flags & 0x10:
        return bits, "4:0:0"
    return bits, {0: "4:4:4", 8: "4:2:2", 12: "4:2:0"}.get(flags & 12)


def sink(request: WriteRequest) -> Sink:
    """Collected and encoded by libavif."""
    meta, options = request.blocks.metadata, by_pillow.tags_of(request)
    if request.blocks.exif:  # Pillow would take the orientation out itself, and rewrite the block on the way
        options["exif"] = exif_block.without_orientation(request.blocks.exif)
    kept = meta.subsampling if meta.format == "AVIF" else None
    options |= {"quality": request.quality or _QUALITY, "subsampling": kept or "4:4:4"}
    return by_pillow.PillowSink(request, "AVIF", options)


FORMAT = Format(
    "AVIF",
    (".avif",),
    has_brand(b"avif", b"avis"),
    header,
    read,
    sink,
    bits=8,
    max_side=32768,  # with `max_pixels`, the sizes that libavif agrees to read back by default
    max_pixels=16384 * 16384,
    grey=False,
    lossy=True,
    animated=True,
)
