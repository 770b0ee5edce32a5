"""ICO, icons of Windows: the largest picture is read; results are PNG, for an icon is a set of small ones."""

from __future__ import annotations

import struct
from typing import Any

from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, starts_with
from imgfix.media.picture import Header


def header(stream: Any, data: Any) -> Header:
    """Pillow's, of the largest."""
    return by_pillow.header(stream, "ICO", still=True)


def read(data: bytes) -> Decoded:
    """Decode the largest picture."""
    found = by_pillow.read(data, "ICO")
    found.frames = 1
    (count,) = struct.unpack_from("<H", data, 4)
    if count > 1:
        found.notes.append(f"icon of {count} pictures: only the largest is used")
    return found


FORMAT = Format(
    "ICO",
    (".ico",),
    starts_with(b"\0\0\1\0"),
    header,
    read,
    None,
    bits=8,
    max_side=256,
    icc=False,
    tags=False,
    written_as="PNG",
)
