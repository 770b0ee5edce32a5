"""Holds the broad colours of a result to those of its input.

Networks trained adversarially drift: a sky a little greener, a wall a little brighter. What they are for is detail, so
the low frequencies are taken from the input: the difference between the input and the shrunken result, blurred, is
added back. It is done on bands, with some rows of context.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import cv2
import numpy as np

SIGMA = 6.0  # input pixels: broader than the detail a network invents, finer than the areas whose colour one compares
_REACH = 19  # three sigma and a row for the interpolation


def colour_fix(
    bands: Iterator[np.ndarray],
    read: Callable[[int, int, int, int], np.ndarray],
    width: int,
    height: int,
    scale: int,
) -> Iterator[np.ndarray]:
    """Yield the bands with the input's low-frequency colour.

    Args:
        bands: (h * scale, width * scale, 3) float32, top to bottom, cut between input rows.
        read: windows of the input, (y0, y1, x0, x1) -> (h, w, 3) float32.
        width, height: of the input.
        scale: output pixels per input pixel along one side.
    """
    waiting: deque[tuple[int, int, np.ndarray]] = deque()  # y0, y1 in input rows, and the band
    drift = np.zeros((0, width, 3), np.float32)  # input minus shrunken result, from row `top` on
    top = end = 0
    for band in bands:
        rows = len(band) // scale
        if not rows:
            continue
        source = np.clip(read(end, end + rows, 0, width), 0, 1)
        small = cv2.resize(np.clip(band, 0, 1), (width, rows), interpolation=cv2.INTER_AREA) if scale > 1 else band
        drift = np.concatenate([drift, source - small.reshape(source.shape)])
        waiting.append((end, end + rows, band))
        end += rows
        while waiting and (waiting[0][1] + _REACH <= end or end == height):
            y0, y1, ready = waiting.popleft()
            yield ready + _correction(drift, top, y0, y1, height, scale)
            keep = max(0, y1 - _REACH)
            drift, top = drift[keep - top :], keep


def _correction(drift: np.ndarray, top: int, y0: int, y1: int, height: int, scale: int) -> np.ndarray:
    low, high = max(0, y0 - _REACH), min(height, y1 + _REACH)
    part = drift[low - top : high - top]
    # The picture's own top and bottom are mirrored; elsewhere there are rows enough beyond what is kept.
    smooth = cv2.GaussianBlur(part, (37, 37), SIGMA, borderType=cv2.BORDER_REFLECT)
    smooth = smooth.reshape(part.shape)
    above, below = min(1, y0 - low), min(1, high - y1)
    smooth = smooth[y0 - low - above : y1 - low + below]
    large = cv2.resize(smooth, (smooth.shape[1] * scale, len(smooth) * scale), interpolation=cv2.INTER_LINEAR)
    return large[above * scale : len(large) - below * scale]
