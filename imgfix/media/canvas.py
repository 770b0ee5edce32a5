"""The canvas on which the partial frames of an APNG or GIF are put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np


class Disposal(Enum):
    """What becomes of a frame's area before the next frame is drawn."""

    KEEP = 0
    CLEAR = 1
    RESTORE = 2  # to what was there before the frame


@dataclass(frozen=True)
class Part:
    """One stored frame."""

    pixels: np.ndarray  # (h, w, 4) uint8, not premultiplied
    left: int
    top: int
    duration: int  # milliseconds
    disposal: Disposal
    over: bool  # blended by its alpha; otherwise it takes the place of what was there
    cleared_to: tuple[int, int, int, int] = (0, 0, 0, 0)  # RGBA


class Parts(Protocol):
    """A moving picture whose frames are parts."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def ground(self) -> tuple[int, int, int, int]: ...

    def parts(self) -> Iterator[Part]: ...


def composed(moving: Parts) -> Iterator[tuple[np.ndarray, int]]:
    """Yield each frame as it is seen, (H, W, 4) uint8, with its milliseconds; the arrays are the caller's own."""
    canvas = np.empty((moving.height, moving.width, 4), np.uint8)
    canvas[:] = moving.ground
    for number, part in enumerate(moving.parts()):
        height, width = part.pixels.shape[:2]
        area = (slice(part.top, part.top + height), slice(part.left, part.left + width))
        disposal = part.disposal
        if disposal is Disposal.RESTORE and number == 0:  # there is nothing before it
            disposal = Disposal.CLEAR
        before = canvas[area].copy() if disposal is Disposal.RESTORE else None
        canvas[area] = blended(part.pixels, canvas[area]) if part.over else part.pixels
        yield canvas.copy(), part.duration
        if before is not None:
            canvas[area] = before
        elif disposal is Disposal.CLEAR:
            canvas[area] = part.cleared_to


def blended(front: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Put one over the other, both (h, w, 4) uint8, not premultiplied (PNG, third edition, 13.16)."""
    alpha = front[..., 3]
    clear, opaque = alpha == 0, (alpha == 255) | (back[..., 3] == 0)
    out = np.where(clear[..., None], back, front)
    mixed = ~clear & ~opaque
    if mixed.any():
        a = front[mixed, 3:].astype(np.float32) / 255
        b = back[mixed, 3:].astype(np.float32) / 255 * (1 - a)
        total = a + b
        colours = (front[mixed, :3] * a + back[mixed, :3] * b) / total
        out[mixed] = (np.concatenate([colours, total * 255], axis=1) + 0.5).astype(np.uint8)
    return out
