"""Chooses among several fills of one hole, place by place, the one that most of the others come near to.

Averaging fills makes ghosts, and one fill alone may have a whim: a figure on an empty road, a cloud of another colour.
A whim is rarely shared by a run on a mirrored or a resized picture, so each place takes the fill nearest to the mean of
all. The choice changes slowly from place to place, so that whole things are taken over.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

ALIKE = 2.0  # pixels: detail finer than this is not compared, it differs between any two runs
PLACE = 8.0  # pixels: how slowly the choice changes
FIRM = 1e5  # per squared difference: the nearest wins, wherever there is one
UNDECIDED = 200.0  # the same, so that fills that hardly differ are averaged and only a real whim is outvoted


def consensus(fills: Sequence[np.ndarray], voters: Sequence[np.ndarray] = (), firmness: float = FIRM) -> np.ndarray:
    """Join fills of the same window.

    fills: (h, w, 3) float32 each. voters: more of them, which count for the mean but are not taken from (they were made
    at another size, say, and are less sharp). Returns (h, w, 3) float32.
    """
    if len(fills) == 1:
        return fills[0]
    soft = [cv2.GaussianBlur(fill, (0, 0), ALIKE) for fill in (*fills, *voters)]
    mean = np.mean(soft, axis=0)
    apart = [np.square(one - mean).sum(axis=2) for one in soft[: len(fills)]]
    distances = np.stack([cv2.GaussianBlur(one, (0, 0), PLACE) for one in apart])
    shares = np.exp((distances.min(axis=0) - distances) * firmness)
    shares /= shares.sum(axis=0)
    return np.sum([share[..., None] * fill for share, fill in zip(shares, fills, strict=True)], axis=0)
