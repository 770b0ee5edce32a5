"""A picture turned and mirrored: a network that fills holes fills it differently each of the eight ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LOOKS = (0, 4, 2, 6, 1, 5, 3, 7)
"""All of them, those first in which what stands upright still does, or at least stands: networks know it so."""
HANDICAPS = {0: 0.0, 4: 0.05, 2: 0.05, 6: 0.05}
"""How much smoother than the average a fill's seam has to be, as a share of it, to come before the picture as it is."""
SIDEWAYS = 0.15


def turned(pixels: np.ndarray, look: int) -> np.ndarray:
    """(H, W) or (H, W, C) by `look` quarter turns to the left, from 4 on also mirrored; 0 is the picture itself."""
    if look == 0:
        return pixels
    found = np.rot90(pixels, look % 4)
    return np.ascontiguousarray(found[:, ::-1] if look >= 4 else found)


def back(pixels: np.ndarray, look: int) -> np.ndarray:
    """The way back of `turned`."""
    if look == 0:
        return pixels
    found = pixels[:, ::-1] if look >= 4 else pixels
    return np.ascontiguousarray(np.rot90(found, -(look % 4)))


def ranked(fills: Sequence[np.ndarray], hole: np.ndarray) -> list[int]:
    """Fills of one hole by the ways of `LOOKS`, from the likeliest down, as places in `fills`.

    The likeliest goes on smoothly from what is around it; of fills that do so alike, that of the picture as it is.
    fills: (H, W, C) each. hole: (H, W) bool.
    """
    seams = np.array([seam(fill, hole) for fill in fills])
    relative = seams / max(float(seams.mean()), 1e-9)
    handicaps = [HANDICAPS.get(look, SIDEWAYS) for look in LOOKS[: len(fills)]]
    return [int(place) for place in np.argsort(relative + handicaps, kind="stable")]


def seam(pixels: np.ndarray, hole: np.ndarray) -> float:
    """The mean difference of neighbours on both sides of a hole's edge, in the pixels' own units."""
    total, number = 0.0, 0
    for axis in (0, 1):
        edge = np.diff(hole.astype(np.int8), axis=axis) != 0
        rows, columns = np.nonzero(edge)
        other = (rows + 1, columns) if axis == 0 else (rows, columns + 1)
        total += float(np.abs(pixels[rows, columns].astype(np.float64) - pixels[other]).sum())
        number += len(rows)
    return total / max(1, number)
