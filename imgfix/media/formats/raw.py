"""Raw files of cameras (DNG, CR2, CR3, NEF, ARW, RAF, ORF, RW2 ...) through rawpy, an extra; they are only read."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

from imgfix.errors import MissingExtraError
from imgfix.media import exif as exif_block
from imgfix.media.formats.base import Decoded, Format
from imgfix.media.picture import Header
from imgfix.media.tiff_pixels import UnsupportedTiffError

_SENSOR = (32803, 34892)  # photometric interpretation: colour filter array, linear raw (DNG 1.7)
_SUBFILE, _DNG_VERSION = 254, 50706
_PRIVATE = range(50_000, 65_000)  # tags that describe the sensor data
_SRGB = (2.4, 12.92)  # exponent and slope of the curve


def matches(start: bytes) -> bool:
    """Those that do not look like TIFF; for the others see `is_tiff_of_a_camera`."""
    if start[:4] == b"II*\0" and start[8:10] == b"CR":
        return True
    if start[4:12] == b"ftypcrx ":
        return True
    return start.startswith((b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0"))


def is_tiff_of_a_camera(data: Any) -> bool:
    """Whether the first directory of a TIFF, or one below it, holds what a sensor saw; often the first is a preview.

    A preview that is marked as one (bit 0 of NewSubfileType) is of such a file also where the directory below it is
    lost or of a kind of its own.
    """
    with contextlib.suppress(exif_block.BrokenExifError, struct.error):
        block = exif_block.Block(data, patch=False)
        first = block.directory(block.first)
        places = [first]
        if 330 in first.entries:
            entry = first.entries[330]
            code = {4: "I", 13: "I", 16: "Q", 18: "Q"}.get(entry.type)
            offsets = struct.unpack_from(f"{block.order}{entry.count}{code}", entry.value) if code else ()
            for offset in offsets[:32]:
                with contextlib.suppress(exif_block.BrokenExifError):
                    places.append(block.directory(offset))
        small = _SUBFILE in first.entries and block.number(first.entries[_SUBFILE]) & 1
        if small and (_DNG_VERSION in first.entries or 330 in first.entries):
            return True
        return any(262 in place.entries and block.number(place.entries[262]) in _SENSOR for place in places)
    return False


def _opened(data: Any) -> Any:
    """Raises `MissingExtraError`, and `UnsupportedTiffError` for a file that LibRaw does not take."""
    try:
        import rawpy
    except ImportError:
        raise MissingExtraError("reading raw files of cameras", "raw") from None
    try:
        return rawpy.imread(io.BytesIO(bytes(data)))
    except rawpy.LibRawError as error:
        raise UnsupportedTiffError(f"it is a raw camera file that LibRaw does not take ({_words(error)})") from error


def _words(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def header(stream: Any, data: Any) -> Header:
    """LibRaw's."""
    with _opened(data) as raw:
        sizes = raw.sizes
        width, height = (sizes.iwidth, sizes.iheight) if sizes.iwidth else (sizes.width, sizes.height)
        if sizes.flip in (5, 6):
            width, height = height, width
        return Header(width, height, 3, False, 16, "RAW")


def read(data: bytes) -> Decoded:
    """Develop to 16-bit sRGB, upright, with the white balance that the camera chose."""
    import rawpy

    with _opened(data) as raw:
        try:
            pixels = raw.postprocess(use_camera_wb=True, output_bps=16, gamma=_SRGB)
        except rawpy.LibRawError as error:
            raise ValueError(f"LibRaw: {_words(error)}") from error
    return Decoded("RAW", pixels, mode="RGB;16", exif=_exif(data))


def _exif(data: bytes) -> bytes | None:
    """What a TIFF of a camera says of the picture, without what it says of the sensor."""
    from imgfix.media import tiff

    with contextlib.suppress(exif_block.BrokenExifError, struct.error):
        block, _ = tiff.description(data)
        if block is None:
            return None
        found = exif_block.folders(block)
        kept = {exif_block.ORIENTATION}
        found["main"] = [tag for tag in found["main"] if tag[0] not in kept and tag[0] not in _PRIVATE]
        return exif_block.build(found)
    return None


FORMAT = Format(
    "RAW",
    (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    matches,
    header,
    read,
    None,
    bits=16,
    max_side=65535,
    alpha=False,
    written_as="TIFF",
    extra="raw",
    stored_record=lambda data: None,
)
