"""A picture that arrives row by row, read through a window that moves down."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np


class Rows:
    """The last rows of a stream of bands.

    A consumer asks for windows from the top to the bottom; bands are drawn from the stream when a window needs them,
    and `forget` lets rows go that no later window will ask for.

    Args:
        bands: (h, W, C) arrays of one type, top to bottom.
    """

    def __init__(self, bands: Iterator[np.ndarray]) -> None:
        self._bands = bands
        self._kept: deque[np.ndarray] = deque()
        self._top = 0
        self._end = 0

    def forget(self, above: int) -> None:
        """Let the rows above go."""
        while self._kept and self._top + len(self._kept[0]) <= above:
            self._top += len(self._kept.popleft())

    def read(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray:
        """Rows y0 to y1, columns x0 to x1, as one array; (y1 - y0, x1 - x0, C)."""
        while self._end < y1:
            band = next(self._bands)
            if len(band):
                self._kept.append(band)
                self._end += len(band)
        if y0 < self._top:
            raise ValueError(f"row {y0} was let go already")
        parts, at = [], self._top
        for band in self._kept:
            if at < y1 and at + len(band) > y0:
                parts.append(band[max(0, y0 - at) : y1 - at, x0:x1])
            at += len(band)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Below:
    """Reads the output of one pass of a model as the input of the next, and forgets the rows above its windows.

    bands: (h, W, C) float32. keep: rows above a window that are still asked for.
    """

    def __init__(self, bands: Iterator[np.ndarray], keep: int) -> None:
        self.rows = Rows(bands)
        self.keep = keep

    def __call__(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """A window, clipped to [0, 1], of three channels; (y1 - y0, x1 - x0, 3)."""
        self.rows.forget(y0 - self.keep)
        rows = np.clip(self.rows.read(y0, y1, x0, x1), 0, 1)
        return np.repeat(rows, 3, axis=2) if rows.shape[2] == 1 else rows
