"""Formats that need an optional package: imported when a file asks for them, with a clear word when missing."""

from __future__ import annotations

from typing import Any

from PIL import Image

from imgfix.errors import MissingExtraError


def load_extra(format_name: str, doing: str) -> None:
    """Make Pillow know HEIC or JPEG XL; other formats need nothing. Raises `MissingExtraError`."""
    try:
        if format_name == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        elif format_name == "JXL":
            import pillow_jxl  # noqa: F401
    except ImportError:
        name, extra = {"HEIF": ("HEIC", "heif"), "JXL": ("JPEG XL", "jxl")}[format_name]
        raise MissingExtraError(f"{doing} {name}", extra) from None


def open_by_pillow(stream: Any, format_name: str) -> Image.Image:
    """Open a picture of a known format without decoding it. Raises `MissingExtraError`."""
    load_extra(format_name, "reading")
    return Image.open(stream, formats=[format_name])
