"""Pictures in and out: what the rest of imgfix imports.

picture = read(Path("photo.jpg"))            # upright, in the file's own colours and depth
write(Path("copy.jpg"), picture)             # same quality, profile, EXIF, XMP, resolution
with open_writer(path, width=w, height=h, channels=3, dtype=np.uint8, metadata=picture.metadata) as out:
    out.write(rows)                          # from top to bottom, any number of rows at a time
"""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path

from imgfix.media import exif, png, xmp
from imgfix.media.decode import DEFAULT_MAX_PIXELS, check_pixels, inspect, load, read, upright
from imgfix.media.encode import RowWriter, open_writer, write
from imgfix.media.formats import FORMATS, IMAGE_EXTENSIONS, Format, check_size, for_target
from imgfix.media.picture import Header, JpegSettings, Metadata, Picture
from imgfix.media.sniff import sniff

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FORMATS",
    "IMAGE_EXTENSIONS",
    "Format",
    "Header",
    "JpegSettings",
    "Metadata",
    "Picture",
    "RowWriter",
    "check_pixels",
    "check_size",
    "for_target",
    "inspect",
    "open_writer",
    "read",
    "read_record",
    "upright",
    "write",
]


def read_record(source: Path | str | bytes) -> dict[str, object] | None:
    """Read the record that `write` stored: how the file was made, or None.

    Raises `InputError` when the file cannot be read.
    """
    data, _ = load(source)
    kind = sniff(data)
    if kind == "PNG":
        with contextlib.suppress(png.DamagedPngError):
            for name, body, _ in png.chunks(data):
                entry = png.read_text(name, bytes(body)) if name in (b"tEXt", b"zTXt", b"iTXt") else None
                if entry and entry[0] == "imgfix":
                    with contextlib.suppress(ValueError):
                        value = json.loads(entry[1])
                        return value if isinstance(value, dict) else None
        return None
    if kind == "TIFF":
        with contextlib.suppress(exif.BrokenExifError, struct.error):
            for tag, _, _, value in exif.folders(data)["main"]:
                if tag == 700:
                    return xmp.record(value)
        return None
    if kind is None or kind in ("GIF", "BMP"):
        return None
    return xmp.record(read(source, max_pixels=None).metadata.xmp)
