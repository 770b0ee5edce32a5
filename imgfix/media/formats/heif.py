"""HEIC and HEIF (ISO/IEC 23008-12) through pillow-heif, an extra."""

from __future__ import annotations

import io
from typing import Any

from imgfix.errors import MissingExtraError
from imgfix.media import implied
from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, has_brand
from imgfix.media.picture import Header

_QUALITY = 90
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def _load(doing: str) -> None:
    """Make Pillow know HEIC. Raises `MissingExtraError`."""
    try:
        import pillow_heif
    except ImportError:
        raise MissingExtraError(f"{doing} HEIC", "heif") from None
    pillow_heif.register_heif_opener()


def header(stream: Any, data: Any) -> Header:
    """Pillow's; the library turns pictures upright itself."""
    _load("reading")
    return by_pillow.header(stream, "HEIF", turned=False)


def read(data: bytes) -> Decoded:
    """Decode to 8 bits."""
    _load("reading")
    with by_pillow.open_as(io.BytesIO(data), "HEIF") as image:
        found = by_pillow.decoded(image, "HEIF")
        bits = image.info.get("bit_depth", 8)
    if bits > 8:
        found.notes.append(f"{bits}-bit HEIC is read and written with 8 bits")
    found.code_points = implied.code_points_of_boxes(data)
    found.orientation = 1  # the library has turned it
    return found


def sink(request: WriteRequest) -> Sink:
    """Collected and encoded by libheif."""
    _load("writing")
    options = by_pillow.tags_of(request) | {"quality": request.quality or _QUALITY}
    return by_pillow.PillowSink(request, "HEIF", options)


FORMAT = Format(
    "HEIF",
    (".heic", ".heif", ".hif"),
    has_brand(*_BRANDS),
    header,
    read,
    sink,
    bits=8,
    max_side=16384,
    grey=False,
    lossy=True,
    extra="heif",
    load=_load,
    aliases=("HEIC",),
)
