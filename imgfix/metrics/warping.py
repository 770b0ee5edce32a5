"""Temporal warping error of a video: how much it flickers where the reference only moves.

Lai, Huang, Wang, Shechtman, Yumer, Yang, "Learning Blind Video Temporal Consistency" (2018), arXiv 1808.00449. The flow
is that of the reference frames, by dense inverse search; what is hidden in one frame is left out by the
forward-backward check of Ruder, Dosovitskiy, Brox (2016), arXiv 1604.08610.
"""

from __future__ import annotations

import cv2
import numpy as np

from imgfix.nets.motion import dense_inverse_search, fetch


def to_grey(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) in [0, 1] -> (H, W) uint8, which is what the flow works on."""
    return cv2.cvtColor((frame * 255 + 0.5).astype(np.uint8), cv2.COLOR_RGB2GRAY)


def visible(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Where a pixel is seen in both frames: (H, W) bool."""
    height, width = forward.shape[:2]
    returned = fetch(backward, forward)
    apart = np.square(forward + returned).sum(2)
    length = np.square(forward).sum(2) + np.square(returned).sum(2)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    inside_x = (x + forward[..., 0] >= 0) & (x + forward[..., 0] <= width - 1)
    inside_y = (y + forward[..., 1] >= 0) & (y + forward[..., 1] <= height - 1)
    slope = sum(np.square(part).sum(2) for part in (np.gradient(forward, axis=0), np.gradient(forward, axis=1)))
    edge = slope > 0.01 * np.square(forward).sum(2) + 0.002
    seen: np.ndarray = (apart <= 0.01 * length + 0.5) & inside_x & inside_y & ~edge
    return seen


def warping_error(
    before: np.ndarray, after: np.ndarray, reference_before: np.ndarray, reference_after: np.ndarray
) -> float:
    """Mean squared difference of two neighbouring frames (H, W, 3) in [0, 1] along the motion of the reference frames.

    Returns NaN when nothing is visible in both (a cut).
    """
    first, second = to_grey(reference_before), to_grey(reference_after)
    forward, backward = dense_inverse_search(first, second), dense_inverse_search(second, first)
    seen = visible(forward, backward)
    if not seen.any():
        return float("nan")
    difference = np.square(before - fetch(after.astype(np.float32), forward)).mean(2)
    return float(difference[seen].mean())
