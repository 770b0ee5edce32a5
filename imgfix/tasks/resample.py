"""Resampling without a network, in bands and without an 8-bit stage: Pillow's filters on float planes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgfix.media.picture import Numbers
from imgfix.runtime.rows import Rows

ReadRows = Callable[[int, int], np.ndarray]
"""(y0, y1) -> (y1 - y0, W, C) float32."""

_BAND_BYTES = 32 << 20


@dataclass(frozen=True)
class Filter:
    """A filter of Pillow, and how far it reaches in pixels of the coarser of the two grids."""

    kind: Image.Resampling
    radius: float


LANCZOS = Filter(Image.Resampling.LANCZOS, 3.0)
BICUBIC = Filter(Image.Resampling.BICUBIC, 2.0)
BILINEAR = Filter(Image.Resampling.BILINEAR, 1.0)


def rows(
    read: ReadRows, size: tuple[int, int], target: tuple[int, int], y0: int, y1: int, by: Filter = LANCZOS
) -> np.ndarray:
    """Rows y0 to y1 of a picture resampled to another size, antialiased where it shrinks.

    The same numbers as Pillow's `resize` of the whole picture, but from the rows that matter.

    Args:
        read: rows of the picture; what is asked for moves down as y0 does.
        size: its width and height.
        target: width and height after resampling.
        y0, y1: rows of the result, below `target`'s height.
        by: the filter.

    Returns:
        (y1 - y0, W', C) float32, which overshoots at edges as Lanczos does.
    """
    (width, height), (new_width, new_height) = size, target
    step = height / new_height
    top, bottom = span(height, new_height, y0, y1, by)
    source = read(top, bottom)
    box = (0.0, y0 * step - top, float(width), min(y1 * step - top, float(bottom - top)))
    out = np.empty((y1 - y0, new_width, source.shape[2]), np.float32)

    def channel(c: int) -> None:
        plane = Image.fromarray(np.ascontiguousarray(source[:, :, c], dtype=np.float32))
        out[:, :, c] = np.asarray(plane.resize((new_width, y1 - y0), by.kind, box=box))

    # Pillow lets go of the interpreter while it works.
    with ThreadPoolExecutor(source.shape[2]) as pool:
        list(pool.map(channel, range(source.shape[2])))
    return out


def nearest(samples: np.ndarray, target: tuple[int, int], y0: int, y1: int) -> np.ndarray:
    """Rows y0 to y1 of a picture whose samples are repeated or left out, none computed.

    Args:
        samples: (H, W, C) of any type.
        target: width and height of the result. A pixel of it has the sample that its centre lies in.
        y0, y1: rows of the result, below `target`'s height.

    Returns:
        (y1 - y0, W', C) of the same type.
    """
    return Nearest(samples, target)[y0:y1]


def _centres(start: int, end: int, size: int, new_size: int) -> np.ndarray:
    """The samples that the centres of pixels `start` to `end` lie in, where `size` samples become `new_size`."""
    # In integers: a centre on the border of two samples belongs to the later one, on every machine.
    found: np.ndarray = (2 * np.arange(start, end) + 1) * size // (2 * new_size)
    return found


@dataclass(frozen=True)
class Nearest:
    """A picture resampled by `nearest`, whose rows are made when they are asked for."""

    samples: Numbers
    target: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """(H', W', C)."""
        return self.target[1], self.target[0], *self.samples.shape[2:]

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        y0, y1, _ = rows.indices(self.target[1])
        height, width = self.samples.shape[:2]
        wanted = _centres(y0, y1, height, self.target[1])
        if not len(wanted):
            return np.empty((0, *self.shape[1:]))
        block = self.samples[int(wanted[0]) : int(wanted[-1]) + 1]
        return block[(wanted - wanted[0])[:, None], _centres(0, self.target[0], width, self.target[0])]


def span(height: int, new_height: int, y0: int, y1: int, by: Filter = LANCZOS) -> tuple[int, int]:
    """The rows of a picture that decide rows y0 to y1 of the result: first, and one past the last."""
    step = height / new_height
    reach = by.radius * max(1.0, step) + 1
    return max(0, math.floor(y0 * step - reach)), min(height, math.ceil(y1 * step + reach))


def stream(
    bands: Iterator[np.ndarray], size: tuple[int, int], target: tuple[int, int], by: Filter = LANCZOS
) -> Iterator[np.ndarray]:
    """Resample a picture that arrives band by band, and hand it on in bands of bounded size."""
    source = Rows(bands)
    (_, height), (new_width, new_height) = size, target
    step = max(1, _BAND_BYTES // (new_width * 3 * 4))
    for y0 in range(0, new_height, step):
        y1 = min(new_height, y0 + step)
        source.forget(span(height, new_height, y0, y1, by)[0])
        yield rows(source.read, size, target, y0, y1, by)
