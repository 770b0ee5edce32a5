"""Animated PNG, written frame by frame (Pillow wants all of them at once)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from imgfix.media.png import SIGNATURE, chunk, filter_rows


def write(
    stream: BinaryIO,
    pictures: Iterator[np.ndarray],
    durations: Sequence[int],
    loop: int,
    ancillary: Iterable[bytes] = (),
) -> None:
    """Write an animated PNG (PNG 3rd edition, 2025).

    pictures: as many as `durations`, (H, W, 3) or (H, W, 4) uint8. durations: milliseconds. loop: how often it plays,
    0 for ever. ancillary: chunks of the whole file. Of each frame only the rectangle that changed is stored.
    """
    before: np.ndarray | None = None
    number = 0
    for picture, duration in zip(pictures, durations, strict=True):
        top, bottom, left, right = _changed(before, picture)
        part = picture[top:bottom, left:right]
        if before is None:
            height, width, samples = picture.shape
            kind = 2 if samples == 3 else 6
            stream.write(SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)))
            for piece in ancillary:
                stream.write(piece)
            stream.write(chunk(b"acTL", struct.pack(">II", len(durations), loop)))
        # What is there stays (0), and the new rectangle takes its place whole (0).
        shape = (part.shape[1], part.shape[0], left, top)
        stream.write(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *shape, *_delay(duration), 0, 0)))
        number += 1
        packed = _packed(part)
        if before is None:
            stream.write(chunk(b"IDAT", packed))
        else:
            stream.write(chunk(b"fdAT", struct.pack(">I", number) + packed))
            number += 1
        before = picture
    stream.write(chunk(b"IEND", b""))


def _changed(before: np.ndarray | None, picture: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what differs; one pixel where nothing does, for a frame has to have one."""
    if before is None:
        return 0, picture.shape[0], 0, picture.shape[1]
    differs = (before != picture).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return 0, 1, 0, 1
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _packed(part: np.ndarray) -> bytes:
    height, width, samples = part.shape
    block = np.zeros((height + 1, width * samples), np.uint8)
    block[1:] = part.reshape(height, width * samples)
    return zlib.compress(filter_rows(block, samples).tobytes(), 6)


def _delay(milliseconds: int) -> tuple[int, int]:
    """As a fraction of a second in two 16-bit numbers."""
    return (milliseconds, 1000) if milliseconds < 65536 else (min(65535, round(milliseconds / 1000)), 1)
