"""How a JPEG was encoded, so that the result can be encoded alike (ITU T.81; libjpeg's quality scale)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from imgfix.media.picture import JpegSettings

# Example luminance table of T.81, annex K.1, which libjpeg scales by its quality setting.
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_IPTC_RESOURCE = 0x0404
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def settings(image: Any) -> JpegSettings | None:
    """Read the settings of a JPEG that Pillow has opened."""
    tables: dict[int, list[int]] = getattr(image, "quantization", None) or {}
    layers = getattr(image, "layer", None) or []
    if not tables:
        return None
    # Luminance and chrominance by the number each component names; Pillow's encoder wants them in this order.
    numbers = [layer[3] for layer in layers[:2]] or sorted(tables)[:2]
    chosen = tuple(tuple(tables[number]) for number in dict.fromkeys(numbers) if number in tables)
    if not chosen:
        return None
    progressive = bool(image.info.get("progressive") or image.info.get("progression"))
    return JpegSettings(estimated_quality(chosen[0]), chosen, _subsampling(layers), progressive, _is_rgb(image, layers))


def _is_rgb(image: Any, layers: list[tuple[int, int, int, int]]) -> bool:
    """Whether three components are RGB, as libjpeg decides: JFIF means YCbCr, else Adobe's mark, else the names."""
    if len(layers) != 3 or "jfif" in image.info:
        return False
    if "adobe_transform" in image.info:
        return image.info["adobe_transform"] == 0
    return [layer[0] for layer in layers] == [82, 71, 66]


def aspect(image: Any) -> tuple[int, int] | None:
    """Read the pixel density of a JFIF header without a unit."""
    if image.info.get("jfif_unit") != 0:
        return None
    x, y = image.info.get("jfif_density", (0, 0))
    return (x, y) if x and y else None


def estimated_quality(table: Sequence[int]) -> int:
    """Estimate libjpeg's quality setting (1-100) from a luminance table of 64 values."""
    wanted = sum(table)
    return min(range(1, 101), key=lambda quality: (abs(sum(luminance_table(quality)) - wanted), -quality))


def luminance_table(quality: int) -> list[int]:
    """Return the luminance table that libjpeg makes of a quality setting: 64 steps, row by row."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(255, max(1, (value * scale + 50) // 100)) for value in _LUMINANCE]


def _subsampling(layers: list[tuple[int, int, int, int]]) -> str | None:
    if len(layers) != 3:
        return None
    across, down = layers[0][1] / layers[1][1], layers[0][2] / layers[1][2]
    # Pillow writes three kinds; anything else gets the next finer one.
    if across >= 2 and down >= 2:
        return "4:2:0"
    return "4:2:2" if across >= 2 else "4:4:4"


def xmp_extension(image: Any) -> tuple[bytes, ...]:
    """Return the segments that continue a long XMP packet, as they are: they hold their own checksum and order."""
    return tuple(
        body for name, body in getattr(image, "applist", []) if name == "APP1" and body.startswith(_XMP_EXTENSION)
    )


def segment(marker: int, body: bytes) -> bytes:
    """Pack one marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def iptc(resources: Any) -> bytes | None:
    """Take the IPTC records out of the Photoshop resources of an APP13 segment, as Pillow gives them."""
    if isinstance(resources, dict):
        value = resources.get(_IPTC_RESOURCE)
        return bytes(value) if isinstance(value, bytes | bytearray) and value else None
    return None


def iptc_segment(records: bytes) -> bytes | None:
    """Pack IPTC records as an APP13 segment; None when they are too long for one."""
    body = b"Photoshop 3.0\x008BIM" + struct.pack(">H", _IPTC_RESOURCE) + b"\0\0" + struct.pack(">I", len(records))
    body += records + b"\0" * (len(records) % 2)
    return segment(0xED, body) if len(body) <= 65533 else None
