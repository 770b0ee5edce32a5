"""Motion between two frames, by OpenCV's dense inverse search."""

from __future__ import annotations

import cv2
import numpy as np


def dense_inverse_search(source: np.ndarray, target: np.ndarray, *, fine: bool = False) -> np.ndarray:
    """Optical flow that leads from one grey frame into another.

    Kroeger, Timofte, Dai & Van Gool, "Fast Optical Flow using Dense Inverse Search" (2016), arXiv 1603.03590. The last
    digits depend on OpenCV's number of threads.

    Args:
        source, target: (H, W) uint8.
        fine: searches at full size and smooths half as much; otherwise at half the size, which is enlarged.

    Returns:
        (H, W, 2) float32, pixels along x and y.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if fine:
        search.setFinestScale(0)
        search.setVariationalRefinementAlpha(10.0)
    return search.calc(source, target, None)  # type: ignore[call-overload]
