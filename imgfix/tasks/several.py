"""Several drawings on one square."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9,
}  # fmt: skip
"""Words for how many can be drawn."""
_ROWS = {2: (2,), 3: (1, 2), 4: (2, 2), 5: (2, 3), 6: (3, 3), 7: (2, 3, 2), 8: (3, 2, 3), 9: (3, 3, 3)}


def several(drawings: Sequence[np.ndarray]) -> np.ndarray:
    """Arrange two to nine drawings in rows, each cut to what is visible of it.

    Args:
        drawings: (side, side, 4) uint8, RGB with opacity, not premultiplied.

    Returns:
        (side, side, 4) uint8.
    """
    side = drawings[0].shape[0]
    rows = _ROWS[len(drawings)]
    cell = side / max(max(rows), len(rows))
    top = (side - cell * len(rows)) / 2
    canvas = np.zeros((side, side, 4), np.float32)
    waiting = iter(drawings)
    for row, count in enumerate(rows):
        left = (side - cell * count) / 2
        for column in range(count):
            _place(canvas, next(waiting), left + cell * (column + 0.5), top + cell * (row + 0.5), 0.94 * cell)
    opacity = canvas[..., 3:]
    colours = np.divide(canvas[..., :3], opacity, out=np.zeros_like(canvas[..., :3]), where=opacity > 0.5 / 255)
    return np.concatenate([(colours * 255), opacity * 255], 2).round().clip(0, 255).astype(np.uint8)


def _place(canvas: np.ndarray, drawing: np.ndarray, x: float, y: float, size: float) -> None:
    """Lay a drawing over a premultiplied canvas, its middle at x and y, its longer side as long as `size`."""
    opacity = drawing[..., 3:].astype(np.float32) / 255
    whole = np.concatenate([drawing[..., :3] / 255.0 * opacity, opacity], 2).astype(np.float32)
    seen = np.argwhere(drawing[..., 3] > 24)
    if not len(seen):
        return
    (first, start), (last, end) = seen.min(0), seen.max(0) + 1
    whole = whole[first:last, start:end]
    factor = size / max(whole.shape[:2])
    width, height = (max(1, round(length * factor)) for length in (whole.shape[1], whole.shape[0]))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    whole = cv2.resize(whole, (width, height), interpolation=way).astype(np.float32)
    top = min(max(0, round(y - height / 2)), canvas.shape[0] - height)
    left = min(max(0, round(x - width / 2)), canvas.shape[1] - width)
    part = canvas[top : top + height, left : left + width]
    part[:] = whole + part * (1 - whole[..., 3:])
