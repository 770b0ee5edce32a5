"""What a hole in a frame hides: the motion around it carried into it, and the way along that motion to other frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.nets.motion import dense_inverse_search, fetch

FLOW_SIDE = 720  # longest side of the frames that motion is measured on
RIM = 14  # pixels at that size around a hole into which dense inverse search smears the motion of its contents
DISAGREE = 1.0  # pixels at that size by which there and back may differ


@dataclass(frozen=True)
class Motion:
    """Motion between two neighbouring frames at the flow's size."""

    flow: np.ndarray
    """(h, w, 2) float32: where each pixel of the first frame lies in the second, less where it lies in the first."""
    sure: np.ndarray
    """(h, w) float32, 1 where there and back agree, or where both were carried into a hole."""


@dataclass(frozen=True)
class MotionPair:
    """Motion between a frame and the next, both ways."""

    there: Motion
    back: Motion


class Chain:
    """Where the pixels of one frame lie in frames farther and farther away."""

    def __init__(self, height: int, width: int) -> None:
        self.flow = np.zeros((height, width, 2), np.float32)
        self.sure = np.ones((height, width), np.float32)

    def extend(self, step: Motion) -> None:
        """Go one frame further."""
        self.sure = np.minimum(self.sure, fetch(step.sure, self.flow, outside=0.0))
        self.flow = self.flow + fetch(step.flow, self.flow)


def flow_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the frames that motion is measured on."""
    shrink = max(1.0, max(height, width) / FLOW_SIDE)
    return max(16, round(height / shrink)), max(16, round(width / shrink))


def grey(frame: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8 or uint16 to uint8 luma at the flow's size."""
    height, width = flow_size(*frame.shape[:2])
    kind = cv2.INTER_AREA if height < frame.shape[0] else cv2.INTER_LINEAR
    small: np.ndarray = cv2.resize(frame[..., :3], (width, height), interpolation=kind)
    if small.dtype != np.uint8:
        small = (small // 256).astype(np.uint8)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def hidden(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool to bool at the flow's size, widened by the rim."""
    height, width = flow_size(*mask.shape)
    # The mean of small areas is above zero for whatever has some of the hole in it.
    small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0
    return cv2.dilate(small.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1,) * 2)) > 0


def measure(one: np.ndarray, two: np.ndarray, hole_one: np.ndarray, hole_two: np.ndarray) -> MotionPair:
    """Motion of the background between two frames: (h, w) uint8 luma and (h, w) bool holes.

    By dense inverse search. Inside a hole it is that of the surroundings, continued smoothly.
    """
    there, back = dense_inverse_search(one, two), dense_inverse_search(two, one)
    agree = _agree(there, back), _agree(back, there)
    # What disagrees is hidden in the other frame, or measured wrongly: neither may be carried into the hole.
    there = spread(there, agree[0] & ~hole_one)
    back = spread(back, agree[1] & ~hole_two)
    return MotionPair(
        Motion(there, (agree[0] | hole_one).astype(np.float32)), Motion(back, (agree[1] | hole_two).astype(np.float32))
    )


def _agree(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    return np.square(there + fetch(back, there)).sum(axis=2) < DISAGREE**2


def spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill what is not known smoothly from what is: pull and push through a pyramid (Gortler et al. 1996).

    Args:
        values: (H, W, C) float32.
        known: (H, W) bool; where it is, values stay. All zero where nothing is known.

    Returns:
        (H, W, C) float32.
    """
    weight = known.astype(np.float32)[..., None]
    levels = [(values * weight, weight)]
    while max(levels[-1][1].shape[:2]) > 1:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    total, weight = levels.pop()
    filled = total / np.maximum(weight, 1e-12)
    while levels:
        total, weight = levels.pop()
        height, width = weight.shape[:2]
        coarse = cv2.resize(filled, (2 * filled.shape[1], 2 * filled.shape[0]), interpolation=cv2.INTER_LINEAR)
        coarse = coarse.reshape(*coarse.shape[:2], -1)[:height, :width]
        trust = np.minimum(weight, 1)
        filled = np.where(weight > 0, total / np.maximum(weight, 1e-12), 0) * trust + coarse * (1 - trust)
    return filled.astype(np.float32)


def _halved(plane: np.ndarray) -> np.ndarray:
    height, width, channels = plane.shape
    padded = np.zeros((height + height % 2, width + width % 2, channels), np.float32)
    padded[:height, :width] = plane
    return padded[0::2, 0::2] + padded[1::2, 0::2] + padded[0::2, 1::2] + padded[1::2, 1::2]
