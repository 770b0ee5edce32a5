"""Formats that Pillow encodes: the rows are collected in one image, which is encoded at the end."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from imgfix.media.extras import load_extra
from imgfix.media.formats import Format


class PillowSink:
    """Collects the rows in one Pillow image and encodes it at the end."""

    def __init__(
        self,
        stream: BinaryIO,
        width: int,
        height: int,
        channels: int,
        alpha: bool,
        form: Format,
        options: dict[str, Any],
    ) -> None:
        self._stream, self._form, self._options = stream, form, options
        mode = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}
        self._mode = mode[channels, alpha]
        self._image = Image.new(self._mode, (width, height))
        self._row = 0

    def write(self, rows: np.ndarray) -> None:
        flat = np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows)
        band = Image.frombuffer(self._mode, (flat.shape[1], flat.shape[0]), flat, "raw", self._mode, 0, 1)
        self._image.paste(band, (0, self._row))
        self._row += len(rows)

    def finish(self) -> None:
        image = self._image
        if self._form.name == "GIF":
            image, more = _with_palette(image)
            self._options |= more
        load_extra(self._form.name, "writing")
        image.save(cast(BinaryIO, Unnamed(self._stream)), self._form.name, **self._options)

    def abort(self) -> None:
        del self._image


def _with_palette(image: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
    """Reduce to 256 colours, one of them transparent if the picture has transparency (GIF knows no half of it)."""
    if image.mode == "L":
        return image, {}
    if image.mode == "RGB":
        return image.quantize(256, Image.Quantize.MEDIANCUT), {}
    clear = image.getchannel("A").point(lambda value: 255 if value < 128 else 0)
    reduced = image.convert("RGB").quantize(255, Image.Quantize.MEDIANCUT)
    reduced.paste(255, mask=clear)
    return reduced, {"transparency": 255, "optimize": False}


class Unnamed(io.RawIOBase):
    """A stream without a file number: Pillow then writes through Python, and a full disk says what it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return seekable(self._stream)

    def write(self, data: Any) -> int:
        return self._stream.write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


def seekable(stream: BinaryIO) -> bool:
    """Whether one can go back in a stream."""
    try:
        return stream.seekable()
    except (AttributeError, ValueError):
        return False
