"""Pictures in and out: what the rest of imgfix imports.

picture = read(Path("photo.jpg"))            # upright, in the file's own colours and depth
write(Path("copy.jpg"), picture)             # same quality, profile, EXIF, XMP, resolution
with open_writer(path, width=w, height=h, channels=3, dtype=np.uint8, metadata=picture.metadata) as out:
    out.write(rows)                          # from top to bottom, any number of rows at a time
"""

from __future__ import annotations

from pathlib import Path

from imgfix.media.decode import DEFAULT_MAX_PIXELS, check_pixels, inspect, load, read, upright
from imgfix.media.encode import RowWriter, open_writer, write
from imgfix.media.formats import FORMATS, IMAGE_EXTENSIONS, Format, by_content, check_size, for_target
from imgfix.media.picture import Header, JpegSettings, Metadata, Picture

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
    form = by_content(data)
    return form.record(data) if form is not None else None
