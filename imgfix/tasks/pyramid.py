"""Spreads values from where they are known to where they are not."""

from __future__ import annotations

import cv2
import numpy as np


def spread(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fill in smoothly what has no weight, from what has some.

    Weighted means over ever larger squares, then back down, each level blurred a little (pull and push; Gortler et al.,
    "The Lumigraph", 1996). values: (h, w, C) float32. weight: (h, w) float32, 0 = unknown. Returns (h, w, C) float32; all
    zeros when nothing is known.
    """
    levels = [(values * weight[..., None], weight)]
    while max(levels[-1][1].shape) > 1:
        total, mass = levels[-1]
        height, width = mass.shape
        size = ((width + 1) // 2, (height + 1) // 2)
        # pyrDown keeps sums up to a factor that cancels between the two.
        levels.append((_planes(cv2.pyrDown(total, dstsize=size), total), cv2.pyrDown(mass, dstsize=size)))
    total, mass = levels.pop()
    filled = total / np.maximum(mass, 1e-8)[..., None]
    while levels:
        total, mass = levels.pop()
        height, width = mass.shape
        coarse = _planes(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR), total)
        trust = np.minimum(mass, 1)[..., None]
        own = total / np.maximum(mass, 1e-8)[..., None]
        filled = own * trust + coarse * (1 - trust)
    return filled


def _planes(array: np.ndarray, like: np.ndarray) -> np.ndarray:
    # OpenCV drops the last axis when it is one channel.
    return array.reshape(*array.shape[:2], like.shape[2])
