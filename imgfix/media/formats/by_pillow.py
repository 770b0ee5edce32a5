"""Formats that Pillow decodes and encodes: its modes unpacked to pixels and alpha, its `info` to our records."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from imgfix.media import exif as exif_block
from imgfix.media.formats.base import Decoded, Sink, WriteRequest
from imgfix.media.picture import Header
from imgfix.media.pillow_stream import Unnamed
from imgfix.media.tiff_pixels import UnsupportedTiffError

_BAND = 512  # rows moved from Pillow to numpy at a time, so that there is no second full copy
_MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}


def open_as(stream: Any, *kinds: str) -> Image.Image:
    """Open a picture of a known format without decoding it."""
    return Image.open(stream, formats=list(kinds))


def read(data: bytes, kind: str, *kinds: str) -> Decoded:
    """Decode with Pillow what needs nothing else. kinds: Pillow's names for it, where they differ from `kind`."""
    with open_as(io.BytesIO(data), *(kinds or (kind,))) as image:
        return decoded(image, kind)


def header(stream: Any, kind: str, *kinds: str, turned: bool = True, still: bool = False) -> Header:
    """Take the header from Pillow. turned: EXIF turns the picture. still: what follows the picture is no frame."""
    with open_as(stream, *(kinds or (kind,))) as image:
        orientation = exif_block.orientation(image.info.get("exif")) if turned else 1
        width, height = image.size if orientation < 5 else image.size[::-1]
        channels, alpha, bits = _layout(image.mode, "transparency" in image.info)
        return Header(width, height, channels, alpha, bits, kind, 1 if still else int(getattr(image, "n_frames", 1)))


def decoded(image: Image.Image, kind: str) -> Decoded:
    """Decode an opened picture, with what Pillow found beside the pixels."""
    image.load()
    pixels, alpha = unpacked(image)
    info = image.info
    return Decoded(
        kind,
        pixels,
        alpha,
        mode=image.mode,
        orientation=exif_block.orientation(info.get("exif")),
        icc=info.get("icc_profile"),
        exif=info.get("exif"),
        xmp=_as_bytes(info.get("xmp")),
        dpi=plausible_dpi(info.get("dpi")),
        frames=int(getattr(image, "n_frames", 1)),
    )


def unpacked(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Move a loaded Pillow image to (pixels (H, W, C), alpha (H, W) or None), band by band."""
    image = _plain(image)
    width, height = image.size
    bands = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1}[image.mode]
    alpha = np.empty((height, width), np.uint8) if image.mode in ("LA", "RGBA") else None
    colours = bands - (alpha is not None)
    pixels = np.empty((height, width, colours), np.uint16 if image.mode == "I;16" else np.uint8)
    for top in range(0, height, _BAND):
        bottom = min(height, top + _BAND)
        band = np.asarray(image.crop((0, top, width, bottom))).reshape(bottom - top, width, bands)
        pixels[top:bottom] = band[..., :colours]
        if alpha is not None:
            alpha[top:bottom] = band[..., colours]
    return pixels, alpha


def _plain(image: Image.Image) -> Image.Image:
    """Expand palettes, single bits, transparent colours and Pillow's lesser modes."""
    mode = image.mode
    if mode == "P":
        clear = "transparency" in image.info or (image.palette is not None and image.palette.mode == "RGBA")
        return image.convert("RGBA" if clear else "RGB")
    if mode in ("1", "L", "RGB") and "transparency" in image.info:
        return image.convert("RGBA" if mode == "RGB" else "LA")
    if mode.startswith("I;16"):
        return image if mode == "I;16" else image.convert("I;16")
    wanted = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}.get(mode)
    if wanted is not None:
        return image.convert(wanted)
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    raise UnsupportedTiffError(f"it has pixels of the kind '{mode}'")


def _layout(mode: str, transparency: bool) -> tuple[int, bool, int]:
    alpha = mode in ("LA", "La", "PA", "RGBA", "RGBa") or transparency
    channels = {"1": 1, "L": 1, "LA": 1, "La": 1, "CMYK": 4}.get(mode, 1 if mode.startswith("I") else 3)
    return channels, alpha, 16 if mode.startswith("I;16") else 8


def _as_bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8")
    return value if isinstance(value, bytes) else None


def plausible_dpi(value: Any) -> tuple[float, float] | None:
    """Two numbers that may be dots per inch, or None."""
    try:
        x, y = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def tags_of(request: WriteRequest, *, resolution_in_exif: bool = True) -> dict[str, Any]:
    """Pillow's options for profile, EXIF and XMP. resolution_in_exif: EXIF is the only place for it."""
    blocks = request.blocks
    block = blocks.exif
    if block is None and blocks.metadata.dpi and resolution_in_exif:
        block = exif_block.of_resolution(blocks.metadata.dpi)
    return {"icc_profile": blocks.metadata.icc, "exif": block, "xmp": blocks.xmp}


class PillowSink(Sink):
    """Collects the rows in one Pillow image and encodes it at the end."""

    def __init__(
        self,
        request: WriteRequest,
        kind: str,
        options: dict[str, Any],
        prepare: Callable[[Image.Image], tuple[Image.Image, dict[str, Any]]] | None = None,
    ) -> None:
        self._stream, self._kind, self._prepare = request.stream, kind, prepare
        self._options = {name: value for name, value in options.items() if value is not None}
        self._mode = _MODES[request.channels, request.alpha]
        self._image = Image.new(self._mode, (request.width, request.height))
        self._row = 0

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        flat = np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows)
        band = Image.frombuffer(self._mode, (flat.shape[1], flat.shape[0]), flat, "raw", self._mode, 0, 1)
        self._image.paste(band, (0, self._row))
        self._row += len(rows)

    def finish(self) -> None:
        """Encode."""
        image, more = self._prepare(self._image) if self._prepare else (self._image, {})
        image.save(cast(BinaryIO, Unnamed(self._stream)), self._kind, **self._options, **more)

    def abort(self) -> None:
        """Let go of the image."""
        del self._image


def frames_note(words: str, frames: int) -> Sequence[str]:
    """What is said where a moving picture is read as a still one."""
    return (f"animated {words} with {frames} frames: only the first is used",) if frames > 1 else ()
