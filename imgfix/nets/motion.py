"""Motion between two frames, by OpenCV's dense inverse search, and fetching along it."""

from __future__ import annotations

import cv2
import numpy as np

SEARCH_SIDE = 32
"""Frames are extended to this for dense inverse search, whose patches have 8 pixels a side at every level."""


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
    height, width = source.shape
    room = max(SEARCH_SIDE - height, 0), max(SEARCH_SIDE - width, 0)
    if any(room):
        source, target = (np.pad(each, ((0, room[0]), (0, room[1])), mode="edge") for each in (source, target))
    flow: np.ndarray = search.calc(source, target, None)  # type: ignore[call-overload]
    return np.ascontiguousarray(flow[:height, :width])


def fetch(
    values: np.ndarray,
    flow: np.ndarray,
    outside: float | None = None,
    origin: tuple[int, int] = (0, 0),
    *,
    cubic: bool = False,
) -> np.ndarray:
    """Values at the places that a flow points to; beyond the border its nearest value, or `outside`.

    Args:
        values: (H, W) or (H, W, C).
        flow: (h, w, 2), pixels along x and y.
        outside: what lies beyond the border; `None`: the nearest value.
        origin: row and column of `values` at which the part begins that the flow is of.
        cubic: fetches by bicubic instead of bilinear.

    Returns:
        (h, w) or (h, w, C) of the type of `values`.
    """
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(origin[1], origin[1] + width, dtype=np.float32)
    y = flow[..., 1] + np.arange(origin[0], origin[0] + height, dtype=np.float32)[:, None]
    kind = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    if outside is None:
        return cv2.remap(values, x, y, kind, borderMode=cv2.BORDER_REPLICATE)
    return cv2.remap(values, x, y, kind, borderMode=cv2.BORDER_CONSTANT, borderValue=outside)
