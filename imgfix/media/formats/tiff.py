"""TIFF (TIFF 6.0, Adobe 1992; BigTIFF, 2007)."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from imgfix.media import colour, libtiff, tiff, xmp
from imgfix.media import exif as exif_block
from imgfix.media.formats import raw
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.formats.by_pillow import unpacked
from imgfix.media.picture import Header, JpegSettings, SampleRange
from imgfix.media.tiff_pixels import can_split, number, read_pixels, spread


def header(stream: Any, data: Any) -> Header:
    """The first directory and the number of pages. Many raw files of cameras are TIFF files too."""
    if raw.is_tiff_of_a_camera(data):
        return raw.header(stream, data)
    _, tags = tiff.description(data)
    width, height = number(tags, 256, 0), number(tags, 257, 0)
    if not (width > 0 and height > 0):
        raise ValueError("it has no size")
    if 5 <= number(tags, exif_block.ORIENTATION, 1) <= 8:
        width, height = height, width
    photometric = number(tags, 262, 1)
    samples, bits = number(tags, 277, 1), number(tags, 258, 1)
    channels = {0: 1, 1: 1, 4: 1, 5: 4}.get(photometric, 3)
    stored = 1 if photometric == 3 else channels
    deep = bits >= 16 or (number(tags, 339, 1) != 1 and photometric in (0, 1, 2))
    return Header(width, height, channels, samples > stored, 16 if deep else 8, "TIFF", tiff.pages(data))


def read(data: bytes) -> Decoded:
    """Decode the first page."""
    if raw.is_tiff_of_a_camera(data):
        return raw.read(data)
    with libtiff.heard() as said:
        found = _read(data)
    if said:
        found.notes.append("the file is damaged: parts of the picture may be wrong")
    return found


def _read(data: bytes) -> Decoded:
    exif, tags = tiff.description(data)
    bits, kind = number(tags, 258, 1), number(tags, 339, 1)
    photometric, orientation = number(tags, 262, 1), number(tags, exif_block.ORIENTATION, 1)
    notes: tuple[str, ...] = ()
    found = Decoded("TIFF", np.empty(0))
    deep = bits > 8 or kind != 1 or number(tags, 284, 1) == 2 or photometric in (8, 9)
    deep = deep or (bits == 8 and can_split(tags))
    if not deep:
        try:
            # Pillow would turn the picture itself, on the word of EXIF or XMP; one place is enough for that.
            with Image.open(io.BytesIO(tiff.without_orientation(data)), formats=["TIFF"]) as image:
                image.load()
                found.pixels, found.alpha = unpacked(image)
                found.mode = f"L;{bits}" if image.mode == "L" and bits < 8 else image.mode
        except UnidentifiedImageError:
            deep = True
    if deep:
        found.pixels, found.alpha, notes, found.samples = read_pixels(data, tags)
        found.mode = {1: "L", 3: "RGB", 4: "CMYK"}[found.pixels.shape[2]] + (
            ";16" if found.pixels.dtype.itemsize == 2 else ""
        )
        if photometric in (8, 9):
            found.mode, found.pixels = "LAB", colour.lab_to_srgb(found.pixels, signed=photometric == 8)
            notes += ("the Lab picture was converted to sRGB",)
    found.exif, found.orientation = exif, orientation if 1 <= orientation <= 8 else 1
    found.xmp = tags[700][3] if 700 in tags else None
    found.icc = tags[34675][3] if 34675 in tags and photometric not in (8, 9) else None
    found.iptc = tags[33723][3] if 33723 in tags else None
    found.dpi = exif_block.resolution(exif_block.build({"main": list(tags.values())}))
    if number(tags, 296, 2) == 1 and found.dpi is None:
        found.aspect = exif_block.ratio(tags.get(282), tags.get(283))
    found.compression = tiff.COMPRESSIONS.get(number(tags, 259, 1), "other")
    if found.compression == "jpeg":
        quality, sampling = tiff.jpeg_settings(tags)
        found.jpeg = JpegSettings(quality, subsampling=sampling)
    found.frames = tiff.pages(data)
    if found.frames > 1:
        notes += (f"TIFF with {found.frames} pages: only the first is used",)
    found.notes.extend(notes)
    return found


def sink(request: WriteRequest) -> Sink:
    """Strips are compressed as the rows come."""
    meta = request.blocks.metadata
    source = meta.jpeg
    quality = request.quality or (source.quality if source else 90)
    kept = meta.samples if meta.format == "TIFF" and request.bits == 16 else None
    if kept is not None and request.blocks.metadata.compression == "jpeg":
        kept = None
    writer = tiff.TiffWriter(
        request.stream,
        request.width,
        request.height,
        request.channels,
        request.alpha,
        request.bits,
        meta.compression or "deflate",
        _directories(request),
        (quality, (source and source.subsampling) or "4:2:0"),
        dtype=kept.dtype if kept else None,
    )
    return _AsSamples(writer, kept, request) if kept else writer


class _AsSamples(Sink):
    """Gives the rows back their numbers: floats stay floats, and what nobody changed stays what it was."""

    def __init__(self, writer: Sink, samples: SampleRange, request: WriteRequest) -> None:
        self._writer, self._samples, self._colours, self._row = writer, samples, request.channels, 0
        shape = (request.height, request.width, request.samples)
        self._stored = samples.stored if samples.stored is not None and samples.stored.shape == shape else None

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows, unsigned 16 bits."""
        made = self._numbers(rows)
        if self._stored is not None:
            before = self._stored[self._row : self._row + len(rows)]
            made = np.where(spread(before, self._samples, self._colours) == rows, before, made)
        self._row += len(rows)
        self._writer.write(made)

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        kept = self._samples
        top = 1.0 if kept.dtype[0] == "f" else float(np.iinfo(kept.dtype).max)
        values = rows / 65535
        values[..., : self._colours] = kept.from_unit(values[..., : self._colours])
        values[..., self._colours :] *= top
        return (values if kept.dtype[0] == "f" else np.rint(values)).astype("<" + kept.dtype)

    def finish(self) -> None:
        """The writer's."""
        self._writer.finish()

    def abort(self) -> None:
        """The writer's."""
        self._writer.abort()


def _directories(request: WriteRequest) -> exif_block.Folders:
    """Make the directories of a TIFF, without what describes the pixels."""
    blocks, meta = request.blocks, request.blocks.metadata
    folders = tiff.descriptive(blocks.exif)
    taken = {274, 282, 283, 296}
    main = [tag for tag in folders.get("main", []) if tag[0] not in taken]
    x, y = meta.dpi or meta.aspect or (72.0, 72.0)
    main += [tiff.short_tag(274, 1), tiff.rational_tag(282, x), tiff.rational_tag(283, y)]
    main.append(tiff.short_tag(296, 2 if meta.dpi else 1))
    if blocks.xmp:
        main.append(tiff.bytes_tag(700, blocks.xmp, 1))
    if meta.iptc:
        main.append(tiff.bytes_tag(33723, meta.iptc))
    if meta.icc:
        main.append(tiff.bytes_tag(34675, meta.icc))
    return {**folders, "main": main}


def stored_record(data: bytes) -> dict[str, object] | None:
    """Find the record in the XMP packet, without unpacking pixels."""
    with contextlib.suppress(exif_block.BrokenExifError, struct.error):
        for tag, _, _, value in exif_block.folders(data)["main"]:
            if tag == 700:
                return xmp.record(value)
    return None


FORMAT = Format(
    "TIFF",
    (".tif", ".tiff"),
    starts_with(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    header,
    read,
    sink,
    bits=16,
    max_side=2**31 - 1,
    cmyk=True,
    seeks=True,
    stored_record=stored_record,
)
