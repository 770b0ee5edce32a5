"""Puts filled pixels into a picture without touching any other."""

from __future__ import annotations

import numpy as np

_ROWS = 256  # rows mixed at a time, so that the floats stay small


def composite(pixels: np.ndarray, fill: np.ndarray, weight: np.ndarray) -> None:
    """Mix a fill into a picture, in place and in the picture's own integers.

    Where the weight is 0 the pixel is not written at all, where it is 1 it is the fill's, between them the two are
    mixed and rounded half up.

    pixels, fill: (h, w, C) uint8 or uint16. weight: (h, w) float32 in [0, 1].
    """
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        part, new, share = pixels[rows], fill[rows], weight[rows]
        full = share >= 1
        part[full] = new[full]
        some = (share > 0) & ~full
        if some.any():
            old = part[some].astype(np.float64)
            mixed = old + share[some].astype(np.float64)[:, None] * (new[some] - old)
            part[some] = np.floor(mixed + 0.5).astype(pixels.dtype)
