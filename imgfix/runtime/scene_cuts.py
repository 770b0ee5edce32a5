"""Scene cuts: where a clip jumps to another picture, so that nothing may be carried from one frame to the next.

Each block of the small new frame is looked for near its place in the small old frame. Moving things are found again,
however hard they move; after a cut nothing is. Brightness and contrast do not count, so a flash is no cut.
"""

from __future__ import annotations

import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64  # of the small frames
BLOCK = 16
SEARCH = 12  # an eighth of the width in one frame
# In films and phone clips cuts have 0.3 of the detail found again at most, anything else 0.8 at least.
SURELY_OTHER = 0.5
ALIKE = 0.65
COLOURS_DIFFER = 0.1  # decides in between
FLAT = 2.0  # standard deviation of 255 under which a block says nothing


class CutFinder:
    """Told frame by frame; remembers the last one, small."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def is_cut(self, frame: np.ndarray) -> bool:
        """Whether another scene begins with this frame: (H, W, C) uint8 or uint16. The first frame is no cut."""
        small = shrunk(frame)
        before, self._before = self._before, small
        return before is not None and differ(before, small)

    def forget(self) -> None:
        """Start anew."""
        self._before = None


def shrunk(frame: np.ndarray) -> np.ndarray:
    """Luma at 96 x 64, uint8."""
    height, width = frame.shape[:2]
    kind = cv2.INTER_AREA if height * width > WIDTH * HEIGHT else cv2.INTER_LINEAR
    small: np.ndarray = cv2.resize(frame[..., :3], (WIDTH, HEIGHT), interpolation=kind)
    if small.dtype != np.uint8:
        small = (small // 256).astype(np.uint8)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def differ(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two small frames show different scenes."""
    found = found_again(before, after)
    if found >= ALIKE:
        return False
    return found < SURELY_OTHER or brightness_distance(before, after) > COLOURS_DIFFER


def found_again(before: np.ndarray, after: np.ndarray) -> float:
    """Share of the new frame's detail that is explained by blocks near its place in the old frame, 0 to 1.

    Flat frames without any detail explain each other when they are equally flat.
    """
    explained, detail = 0.0, 0.0
    old = before.astype(np.float32)
    for top in range(0, HEIGHT, BLOCK):
        for left in range(0, WIDTH, BLOCK):
            block = after[top : top + BLOCK, left : left + BLOCK].astype(np.float32)
            weight = float(block.std())
            if weight < FLAT:
                continue
            area = old[max(0, top - SEARCH) : top + BLOCK + SEARCH, max(0, left - SEARCH) : left + BLOCK + SEARCH]
            likeness = float(np.nan_to_num(cv2.matchTemplate(area, block, cv2.TM_CCOEFF_NORMED)).max())
            # A block always finds something that resembles it a little.
            explained += weight * max(0.0, (min(likeness, 1.0) - 0.5) / 0.5)
            detail += weight
    if detail == 0:
        return 1.0 if float(before.std()) < 2 * FLAT else 0.0
    return explained / detail


def brightness_distance(before: np.ndarray, after: np.ndarray) -> float:
    """Earth mover's distance between the distributions of brightness, 0 to 1."""
    first, second = (np.cumsum(np.bincount(x.ravel(), minlength=256)) / x.size for x in (before, after))
    return float(np.abs(first - second).mean())
