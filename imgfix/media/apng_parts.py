"""The frames of an animated PNG, taken apart (PNG specification, W3C, third edition, 11.3.7 and 14.8)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from imgfix.media import png
from imgfix.media.canvas import Disposal, Part
from imgfix.media.formats import png as still

_CONTROL = struct.Struct(">IIIIIHHBB")


@dataclass(frozen=True)
class ApngParts:
    """The stored frames of an animated PNG. data: the file."""

    data: bytes
    width: int
    height: int
    loop: int
    """How often it plays, 0 for ever."""
    has_poster: bool
    """Its still picture is none of its frames."""
    ground: tuple[int, int, int, int] = (0, 0, 0, 0)

    def parts(self) -> Iterator[Part]:
        """Yield the frames. Raises `ValueError` and friends at one that is broken."""
        head, shared = b"", []
        control: tuple[int, ...] | None = None
        packed: list[memoryview] = []
        for kind, body, _ in png.chunks(self.data):
            if kind == b"IHDR":
                head = bytes(body)
            elif kind in (b"PLTE", b"tRNS"):
                shared.append(png.chunk(kind, body))
            elif kind == b"IDAT":
                packed.append(body)
            elif kind == b"fdAT":
                packed.append(body[4:])
            if kind in (b"fcTL", b"IEND"):
                if control is not None:
                    yield self._part(head, shared, control, packed)
                packed = []
                control = _CONTROL.unpack(body) if kind == b"fcTL" else None

    def _part(self, head: bytes, shared: list[bytes], control: tuple[int, ...], packed: list[memoryview]) -> Part:
        _, width, height, left, top, over, under, disposal, blend = control
        if left + width > self.width or top + height > self.height or not (width and height):
            raise ValueError("a frame does not fit the picture")
        whole = b"".join(
            (
                png.SIGNATURE,
                png.chunk(b"IHDR", struct.pack(">II", width, height) + head[8:]),
                *shared,
                *(png.chunk(b"IDAT", piece) for piece in packed),
                png.chunk(b"IEND", b""),
            )
        )
        found = still.read(whole)
        return Part(
            _as_rgba(found.pixels, found.alpha),
            left,
            top,
            round(1000 * over / (under or 100)),
            Disposal(disposal if disposal in (1, 2) else 0),
            over=blend == 1,
        )


def open_parts(data: bytes) -> ApngParts:
    """Look at an animated PNG. Raises `ValueError` for a damaged one."""
    size, loop, first = (0, 0), 0, b""
    for kind, body, _ in png.chunks(data):
        if kind == b"IHDR":
            size = struct.unpack_from(">II", body)
        elif kind == b"acTL":
            (loop,) = struct.unpack_from(">I", body, 4)
        elif kind in (b"fcTL", b"IDAT"):
            first = kind
            break
    return ApngParts(data, *size, loop, has_poster=first == b"IDAT")


def _as_rgba(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    if alpha is None:
        alpha = np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)
    whole = np.concatenate([pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, 2), alpha[..., None]], axis=2)
    return ((whole.astype(np.uint32) + 128) // 257).astype(np.uint8) if whole.dtype == np.uint16 else whole
