"""Resampling without a network, in bands and without an 8-bit stage: Pillow's filters on float planes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

ReadRows = Callable[[int, int], np.ndarray]
"""(y0, y1) -> (y1 - y0, W, C) float32."""

_RADIUS = 3.0  # of the Lanczos window, in pixels of the coarser of the two grids
_BAND_BYTES = 32 << 20


def lanczos(read: ReadRows, size: tuple[int, int], target: tuple[int, int], y0: int, y1: int) -> np.ndarray:
    """Rows y0 to y1 of a picture resampled to another size, antialiased where it shrinks.

    The same numbers as Pillow's `resize(..., LANCZOS)` of the whole picture, but from the rows that matter.

    Args:
        read: rows of the picture; windows asked for move down as y0 does.
        size: its width and height.
        target: width and height after resampling.
        y0, y1: rows of the result, below `target`'s height.

    Returns:
        (y1 - y0, W', C) float32, which overshoots at edges as Lanczos does.
    """
    (width, height), (new_width, new_height) = size, target
    step = height / new_height
    reach = _RADIUS * max(1.0, step) + 1
    top = max(0, math.floor(y0 * step - reach))
    bottom = min(height, math.ceil(y1 * step + reach))
    rows = read(top, bottom)
    box = (0.0, y0 * step - top, float(width), min(y1 * step - top, float(bottom - top)))
    out = np.empty((y1 - y0, new_width, rows.shape[2]), np.float32)

    def channel(c: int) -> None:
        plane = Image.fromarray(np.ascontiguousarray(rows[:, :, c], dtype=np.float32))
        out[:, :, c] = np.asarray(plane.resize((new_width, y1 - y0), Image.Resampling.LANCZOS, box=box))

    # Pillow lets go of the interpreter while it works.
    with ThreadPoolExecutor(rows.shape[2]) as pool:
        list(pool.map(channel, range(rows.shape[2])))
    return out


def source_rows(height: int, new_height: int, y0: int) -> int:
    """First row of the picture that row y0 of the result, or a later one, looks at."""
    step = height / new_height
    return max(0, math.floor(y0 * step - _RADIUS * max(1.0, step) - 1))


def band_starts(target: tuple[int, int], channels: int) -> Iterator[tuple[int, int]]:
    """Cut a result into bands of bounded size: (y0, y1), top to bottom."""
    width, height = target
    rows = max(1, _BAND_BYTES // (width * channels * 4))
    for y0 in range(0, height, rows):
        yield y0, min(height, y0 + rows)
