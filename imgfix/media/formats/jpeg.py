"""JPEG (ITU-T T.81, JFIF 1.02), encoded again with the tables it came with."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any, BinaryIO, cast

from PIL import Image

from imgfix.media import exif as exif_block
from imgfix.media import jpeg
from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.picture import Header

_QUALITY = 95
_DENSITY_END = 18  # bytes from the start of a file to the end of unit and densities (JFIF 1.02)
_SCANS = 20  # more than encoders make
_SEGMENT = 65533  # bytes that one segment holds


def header(stream: Any, data: Any) -> Header:
    """Pillow's; whatever stands behind the picture is no frame."""
    return by_pillow.header(stream, "JPEG", still=True)


def read(data: bytes) -> Decoded:
    """Decode, with the settings it was encoded with."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        found = by_pillow.decoded(image, "JPEG")
        if found.frames > 1 or b"hdrgm:Version" in (found.xmp or b""):
            found.frames = 1  # not frames, but what phones and stereo cameras put behind the picture
            found.notes.append("further pictures in the JPEG (gain or depth map, preview) are not kept")
        found.xmp_extension = jpeg.xmp_extension(image)
        if image.mode != "CMYK":
            found.mode = "L" if image.mode == "L" else "YCbCr"
        found.jpeg = jpeg.settings(image)
        found.aspect = jpeg.aspect(image)
        if found.jpeg is not None and found.jpeg.rgb:
            found.mode = "RGB"
        found.iptc = jpeg.iptc(image.info.get("photoshop"))
        comment = image.info.get("comment")
        if comment:
            found.text["Comment"] = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    return found


def sink(request: WriteRequest) -> Sink:
    """Collected and encoded by libjpeg."""
    meta = request.blocks.metadata
    options: dict[str, Any] = {**by_pillow.tags_of(request, resolution_in_exif=False), **_encoding(request)}
    if options["exif"]:
        options["exif"] = exif_block.with_prefix(options["exif"])
    options["dpi"] = tuple(round(value) for value in meta.dpi) if meta.dpi else None
    comment = meta.text.get("Comment", "").encode("utf-8")
    options["comment"] = comment if 0 < len(comment) <= _SEGMENT else None
    segments = [jpeg.iptc_segment(meta.iptc)] if meta.iptc else []
    segments += [jpeg.segment(0xE1, body) for body in meta.xmp_extension]
    options["extra"] = b"".join(part for part in segments if part) or None
    for name, what, room in (("exif", "EXIF block", _SEGMENT), ("xmp", "XMP packet", _SEGMENT - 29)):
        if options[name] is not None and len(options[name]) > room:
            options[name] = None
            request.blocks.notes.append(f"the {what} is too long for a JPEG and was left out")
    if meta.aspect and not meta.dpi:
        request = replace(request, stream=cast(BinaryIO, _WithAspect(request.stream, meta.aspect)))
    return by_pillow.PillowSink(request, "JPEG", options)


def _encoding(request: WriteRequest) -> dict[str, Any]:
    """Tables or quality, chroma subsampling, and whether it comes in scans."""
    meta = request.blocks.metadata
    source = meta.jpeg if meta.format == "JPEG" else None
    options: dict[str, Any] = {"progressive": True if source is not None and source.progressive else None}
    if source is not None and source.rgb and request.channels == 3:
        options["keep_rgb"] = True
    if request.quality is None and source is not None and source.tables:
        return options | {"qtables": [list(table) for table in source.tables], "subsampling": source.subsampling}
    quality = request.quality or _QUALITY
    subsampling = source.subsampling if source else ("4:4:4" if quality >= 90 else "4:2:0")
    return options | {"quality": quality, "subsampling": subsampling}


class _WithAspect(io.RawIOBase):
    """Writes the aspect into the JFIF header that passes through: Pillow knows densities in dots per inch only."""

    def __init__(self, stream: BinaryIO, aspect: tuple[int, int]) -> None:
        self._stream, self._start = stream, b""
        x, y = aspect
        while max(x, y) > 65535:
            x, y = max(1, x // 2), max(1, y // 2)
        self._density = struct.pack(">BHH", 0, x, y)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if len(self._start) >= _DENSITY_END:
            return self._stream.write(data)
        self._start += bytes(data)
        if len(self._start) >= _DENSITY_END:
            head = self._start
            if head[6:11] == b"JFIF\0":
                head = head[: _DENSITY_END - 5] + self._density + head[_DENSITY_END:]
            self._stream.write(head)
        return len(data)


def effort(data: bytes, header: Header) -> float:
    """Each scan of a progressive file goes through the whole picture; a block takes a bit at least (T.81, F.1.2)."""
    pixels = header.width * header.height
    arithmetic = any(mark in data[:65536] for mark in (b"\xff\xc9", b"\xff\xca"))
    if not arithmetic and 8 * len(data) < pixels // 64:
        raise ValueError("the file is truncated: it is too small for its size in pixels")
    return pixels * max(1.0, data.count(b"\xff\xda") / _SCANS)


FORMAT = Format(
    "JPEG",
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    starts_with(b"\xff\xd8\xff"),
    header,
    read,
    sink,
    bits=8,
    max_side=65500,  # libjpeg stops a little before the 65535 of the file format
    alpha=False,
    cmyk=True,
    lossy=True,
    effort=effort,
    aliases=("MPO",),
)
