"""Animated PNG and GIF files made of stored parts by code, and FFmpeg's view of them."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import av
import numpy as np

from imgfix.media import png


@dataclass(frozen=True)
class ApngPart:
    """One frame as an APNG stores it."""

    pixels: np.ndarray  # (h, w, samples)
    left: int = 0
    top: int = 0
    disposal: int = 0
    over: bool = False
    delay: tuple[int, int] = (1, 10)


@dataclass(frozen=True)
class GifPart:
    """One frame as a GIF stores it."""

    indices: np.ndarray  # (h, w)
    left: int = 0
    top: int = 0
    disposal: int = 0
    transparent: int | None = None
    delay: int = 10
    palette: np.ndarray | None = None
    interlaced: bool = False


def apng(size: tuple[int, int], parts: list[ApngPart], *, poster: np.ndarray | None = None, shared: bytes = b"",
         colour_type: int | None = None) -> bytes:  # fmt: skip
    """An animated PNG. poster: a still picture that is none of the frames."""
    pixels = parts[0].pixels
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]] if colour_type is None else colour_type
    bits = 16 if pixels.dtype == np.uint16 else 8
    out = [png.SIGNATURE, png.chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0)), shared]
    out.append(png.chunk(b"acTL", struct.pack(">II", len(parts), 0)))
    if poster is not None:
        out.append(png.chunk(b"IDAT", packed(poster)))
    number = 0
    for at, part in enumerate(parts):
        height, width = part.pixels.shape[:2]
        control = (number, width, height, part.left, part.top, *part.delay, part.disposal, part.over)
        out.append(png.chunk(b"fcTL", struct.pack(">IIIIIHHBB", *control)))
        number += 1
        if at == 0 and poster is None:
            out.append(png.chunk(b"IDAT", packed(part.pixels)))
        else:
            out.append(png.chunk(b"fdAT", struct.pack(">I", number) + packed(part.pixels)))
            number += 1
    return b"".join([*out, png.chunk(b"IEND", b"")])


def packed(pixels: np.ndarray) -> bytes:
    rows = pixels.astype(">u2") if pixels.dtype == np.uint16 else pixels
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


def gif(size: tuple[int, int], parts: list[GifPart], palette: np.ndarray | None, *, background: int = 0,
        loop: int | None = 0, comment: bytes = b"") -> bytes:  # fmt: skip
    """A GIF with palettes of eight colours."""
    flags = 0xF2 if palette is not None else 0x70
    out = [b"GIF89a", struct.pack("<HHBBB", *size, flags, background, 0)]
    if palette is not None:
        out.append(palette.astype(np.uint8).tobytes())
    if loop is not None:
        out.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0")
    if comment:
        out.append(b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0")
    for part in parts:
        height, width = part.indices.shape
        clear = part.transparent is not None
        out.append(
            b"\x21\xf9\x04" + struct.pack("<BHBB", part.disposal << 2 | clear, part.delay, part.transparent or 0, 0)
        )
        own = 0x82 if part.palette is not None else 0
        out.append(b"\x2c" + struct.pack("<HHHHB", part.left, part.top, width, height, own | 0x40 * part.interlaced))
        if part.palette is not None:
            out.append(part.palette.astype(np.uint8).tobytes())
        rows = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
        out.append(lzw(part.indices[rows] if part.interlaced else part.indices))
    return b"".join([*out, b"\x3b"])


def lzw(indices: np.ndarray) -> bytes:
    """Codes of four bits, and a reset before they would grow (GIF89a, appendix F)."""
    bits, codes = 3, [8]
    for number, value in enumerate(indices.reshape(-1)):
        if number and number % 6 == 0:
            codes.append(8)
        codes.append(int(value))
    codes.append(9)
    total = sum(code << (4 * at) for at, code in enumerate(codes))
    data = total.to_bytes(len(codes) // 2 + 1, "little")
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def seen_by_ffmpeg(data: bytes) -> list[np.ndarray]:
    """The frames that FFmpeg shows, (H, W, 4) uint8."""
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
