"""The records of the media layer: a picture, what came with it, and what a glance at a file tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class JpegSettings:
    """How a JPEG was encoded, so that the result can be encoded alike."""

    quality: int  # 1-100 on the scale of libjpeg, estimated from the luminance table
    tables: tuple[tuple[int, ...], ...] = ()  # 64 values each, natural (row by row) order
    subsampling: str | None = None  # '4:4:4', '4:2:2', '4:2:0'; None for grey and CMYK
    progressive: bool = False
    rgb: bool = False  # coded as RGB, not YCbCr


class Numbers(Protocol):
    """Rows of numbers, as an array has them or as they are made when asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C)."""
        ...

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Some of the rows."""
        ...


@dataclass(frozen=True)
class SampleRange:
    """Numbers that are no unsigned 8 or 16 bits; as pixels they are spread over 16 bits from `low` to `high`.

    Evenly, or, where a few lie far out (highlights of linear light, a broken sensor), by the inverse hyperbolic sine
    of their distance from `middle` in units of `scale`: evenly near it and by ratio far out.
    """

    dtype: str  # of numpy: 'f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'u4'
    low: float
    high: float
    middle: float = 0.0
    scale: float | None = None  # None: evenly
    stored: Numbers | None = field(default=None, compare=False, repr=False)
    """(H, W, colours and alpha) as in the file, upright, for pixels that nobody changes."""

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Numbers from `low` to `high`, float64, to [0, 1]."""
        low, high = self._curved(np.array([self.low, self.high]))
        return (self._curved(values) - low) / (high - low)

    def from_unit(self, unit: np.ndarray) -> np.ndarray:
        """Undo `to_unit`."""
        low, high = self._curved(np.array([self.low, self.high]))
        values = low + unit * (high - low)
        return values if self.scale is None else self.middle + self.scale * np.sinh(values)

    def _curved(self, values: np.ndarray) -> np.ndarray:
        return values if self.scale is None else np.arcsinh((values - self.middle) / self.scale)


@dataclass(frozen=True)
class Metadata:
    """What a file held besides its pixels, and how it was encoded: enough to write the same kind of file again."""

    format: str = "PNG"  # PNG, JPEG, WEBP, TIFF, BMP, AVIF, GIF, HEIF, JXL
    width: int = 0  # of the upright picture
    height: int = 0
    mode: str = ""  # how the file stored it: 'RGB', 'P', '1', 'L', 'L;4', 'CMYK', 'YCbCr', 'LAB', ';16' for 16 bits
    orientation: int = 1  # the EXIF orientation that was applied (1-8)
    icc: bytes | None = None
    icc_implied: bool = False  # made from code points or gamma: the file itself holds no profile
    exif: bytes | None = None  # without the JPEG prefix, orientation already 1
    xmp: bytes | None = None
    xmp_extension: tuple[bytes, ...] = ()  # JPEG segments that continue a long XMP packet
    iptc: bytes | None = None  # IPTC-IIM records
    dpi: tuple[float, float] | None = None  # dots per inch, x and y
    aspect: tuple[int, int] | None = None  # density of pixels in x and y without a unit, where it is not 1:1
    text: Mapping[str, str] = field(default_factory=dict)  # PNG text, JPEG and GIF comments
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # PNG chunks to take along: colour, sBIT, bKGD, tIME and copyable ones
    jpeg: JpegSettings | None = None
    lossless: bool | None = None  # WebP: VP8L
    subsampling: str | None = None  # AVIF: '4:4:4', '4:2:2', '4:2:0', '4:0:0'
    samples: SampleRange | None = None  # TIFF of floats, signed or 32-bit numbers
    compression: str | None = None  # TIFF: 'none', 'lzw', 'deflate', 'packbits', 'jpeg', ...
    frames: int = 1
    notes: tuple[str, ...] = ()  # what the user should know about the reading, one sentence each


@dataclass(frozen=True)
class Picture:
    """A picture in the colour space of its file, upright.

    pixels: (H, W, C), C-contiguous, uint8 or uint16 over the full range of the type. C is 1 (grey), 3 (RGB) or 4 (CMYK,
    0 = no ink). alpha: (H, W) of the same type, 0 = transparent, not premultiplied, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def channels(self) -> int:
        """Colour channels, without alpha: 1, 3 or 4."""
        return int(self.pixels.shape[2])


@dataclass(frozen=True)
class Header:
    """What a glance at a file tells, without decoding its pixels."""

    width: int  # after the EXIF orientation
    height: int
    channels: int  # 1 grey, 3 RGB, 4 CMYK
    has_alpha: bool
    bits: int  # 8 or 16: of the pixels that `read` gives
    format: str
    frames: int = 1
