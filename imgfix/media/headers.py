"""A glance at a picture: size, channels, depth and frames from the header, without decoding pixels."""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image

from imgfix.media import exif as exif_block
from imgfix.media import png, tiff
from imgfix.media.extras import open_by_pillow
from imgfix.media.picture import Header
from imgfix.media.tiff_pixels import number


def header_of(stream: Any, data: Any, kind: str) -> Header:
    if kind == "PNG":
        return _png_header(data)
    if kind == "TIFF":
        return _tiff_header(data)
    with open_by_pillow(stream, kind) as image:
        orientation = exif_block.orientation(image.info.get("exif")) if kind != "HEIF" else 1
        width, height = image.size if orientation < 5 else image.size[::-1]
        channels, alpha, bits = _layout(image)
        frames = 1 if kind == "JPEG" else int(getattr(image, "n_frames", 1))
        return Header(width, height, channels, alpha, bits, kind, frames)


def _png_header(data: Any) -> Header:
    shape: tuple[int, ...] | None = None
    alpha, frames, exif = False, 1, None
    for kind, body, _ in png.chunks(data):
        if kind == b"IHDR":
            shape = struct.unpack_from(">IIBB", body)
        elif kind == b"tRNS":
            alpha = True
        elif kind == b"acTL":
            frames = max(1, struct.unpack_from(">I", body)[0])
        elif kind == b"eXIf":
            exif = bytes(body)
    if shape is None or 0 in shape[:2]:
        raise png.DamagedPngError("it has no size")
    width, height, bits, colour_type = shape
    if exif_block.orientation(exif) >= 5:
        width, height = height, width
    return Header(
        width,
        height,
        1 if colour_type in (0, 4) else 3,
        alpha or colour_type in (4, 6),
        16 if bits == 16 else 8,
        "PNG",
        frames,
    )


def _tiff_header(data: Any) -> Header:
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
    return Header(width, height, channels, samples > stored, 16 if bits == 16 else 8, "TIFF", tiff.pages(data))


def _layout(image: Image.Image) -> tuple[int, bool, int]:
    mode = image.mode
    alpha = mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    channels = {"1": 1, "L": 1, "LA": 1, "La": 1, "CMYK": 4}.get(mode, 1 if mode.startswith("I") else 3)
    return channels, alpha, 16 if mode.startswith("I;16") else 8
