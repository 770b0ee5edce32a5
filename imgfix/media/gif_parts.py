"""The frames of a GIF, taken apart (GIF89a, CompuServe 1990); Pillow unpacks each by itself, as a picture of its own.

Where the specification leaves room, this follows FFmpeg: what a frame leaves behind when it is cleared is transparent
if that frame names a transparent colour, else the background colour of the screen.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgfix.media.canvas import Disposal, Part

_RAMP = bytes(value for value in range(256) for _ in range(3))  # the value of a pixel is then its index
_DISPOSALS = {2: Disposal.CLEAR, 3: Disposal.RESTORE}
_CLEAR = (0, 0, 0, 0)


@dataclass(frozen=True)
class _Control:
    """What a graphic control extension says of the frame behind it."""

    disposal: Disposal = Disposal.KEEP
    duration: int = 0
    transparent: int | None = None


@dataclass(frozen=True)
class _Image:
    """A stored frame: its place, its colours and its packed indices."""

    control: _Control
    left: int
    top: int
    width: int
    height: int
    interlaced: bool
    palette: np.ndarray | None
    packed: bytes


@dataclass(frozen=True)
class GifParts:
    """The stored frames of a GIF."""

    width: int
    height: int
    ground: tuple[int, int, int, int]
    background: tuple[int, int, int, int]
    palette: np.ndarray
    images: tuple[_Image, ...]
    loop: int | None
    comment: bytes | None
    cut_off: bool

    def parts(self) -> Iterator[Part]:
        """Yield the frames. Raises `ValueError` and friends at one that is broken."""
        for image in self.images:
            indices = _unpacked(image)
            control = image.control
            palette = self.palette if image.palette is None else image.palette
            pixels = palette[indices]
            if control.transparent is not None:
                pixels[indices == control.transparent] = 0
            wide, tall = max(0, self.width - image.left), max(0, self.height - image.top)
            yield Part(
                pixels[:tall, :wide],
                image.left,
                image.top,
                control.duration,
                control.disposal,
                over=True,
                cleared_to=self.background if control.transparent is None else _CLEAR,
            )


def open_parts(data: bytes) -> GifParts:
    """Take a GIF apart, as far as it goes. Raises `ValueError` where not even the first frame is whole."""
    if len(data) < 13:
        raise ValueError("the file is truncated")
    width, height, flags, ground_index = struct.unpack_from("<HHBB", data, 6)
    at = 13
    palette = None
    if flags & 0x80:
        palette, at = _palette(data, at, flags)
    images, loop, comment, cut_off = _blocks(data, at)
    if not images:
        raise ValueError("the file is truncated: it has no whole frame")
    if not (width and height):
        width, height = images[0].left + images[0].width, images[0].top + images[0].height
    background = _CLEAR
    if palette is not None:
        red, green, blue = (int(value) for value in palette[ground_index, :3])
        background = (red, green, blue, 255)
    ground = background if images[0].control.transparent is None else _CLEAR
    return GifParts(
        width, height, ground, background, _grey() if palette is None else palette, images, loop, comment, cut_off
    )


def _blocks(data: bytes, at: int) -> tuple[tuple[_Image, ...], int | None, bytes | None, bool]:
    images: list[_Image] = []
    loop: int | None = None
    comment: bytes | None = None
    control = _Control()
    try:
        while at < len(data) and data[at] != 0x3B:
            kind = data[at]
            if kind == 0x2C:
                image, at = _image(data, at, control)
                images.append(image)
                control = _Control()
            elif kind == 0x21:
                label = data[at + 1]
                body, at = _sub_blocks(data, at + 2)
                if label == 0xF9 and body and len(body[0]) >= 4:
                    control = _control(body[0])
                elif label == 0xFE:
                    comment = b"".join(body) if comment is None else comment + b"\n" + b"".join(body)
                elif label == 0xFF and body[:1] in ([b"NETSCAPE2.0"], [b"ANIMEXTS1.0"]):
                    for block in body[1:]:
                        if block[:1] == b"\x01" and len(block) >= 3:
                            (loop,) = struct.unpack_from("<H", block, 1)
            else:
                at += 1  # padding, as some programs leave between blocks
    except (IndexError, struct.error):
        return tuple(images), loop, comment or None, True  # what was whole before is used
    return tuple(images), loop, comment or None, False


def _control(body: bytes) -> _Control:
    flags, delay, transparent = struct.unpack_from("<BHB", body)
    return _Control(_DISPOSALS.get(flags >> 2 & 7, Disposal.KEEP), 10 * delay, transparent if flags & 1 else None)


def _image(data: bytes, at: int, control: _Control) -> tuple[_Image, int]:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
    at += 10
    palette = None
    if flags & 0x80:
        palette, at = _palette(data, at, flags)
    start = at
    at += 1
    while data[at]:
        at += 1 + data[at]
    image = _Image(control, left, top, width, height, bool(flags & 0x40), palette, data[start : at + 1])
    return image, at + 1


def _sub_blocks(data: bytes, at: int) -> tuple[list[bytes], int]:
    found = []
    while data[at]:
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return found, at + 1


def _palette(data: bytes, at: int, flags: int) -> tuple[np.ndarray, int]:
    """A colour table as (256, 4) RGBA, filled up with black; and where the data goes on."""
    end = at + 3 * (2 << (flags & 7))
    if end > len(data):
        raise IndexError
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 3] = 255
    table = np.frombuffer(data, np.uint8, end - at, at).reshape(-1, 3)
    colours[: len(table), :3] = table
    return colours, end


def _grey() -> np.ndarray:
    """The colours of a file without any."""
    colours = np.frombuffer(_RAMP, np.uint8).reshape(256, 3)
    return np.concatenate([colours, np.full((256, 1), 255, np.uint8)], axis=1)


def _unpacked(image: _Image) -> np.ndarray:
    """The indices of a frame, (height, width) uint8. Raises what Pillow raises about broken data."""
    if not (image.width and image.height):
        return np.zeros((image.height, image.width), np.uint8)
    alone = b"".join(
        (
            b"GIF89a",
            struct.pack("<HHBBB", image.width, image.height, 0xF7, 0, 0),
            _RAMP,
            struct.pack("<BHHHHB", 0x2C, 0, 0, image.width, image.height, 0x40 if image.interlaced else 0),
            image.packed,
            b"\x3b",
        )
    )
    with Image.open(io.BytesIO(alone), formats=["GIF"]) as one:
        one.load()
        return np.asarray(one)
