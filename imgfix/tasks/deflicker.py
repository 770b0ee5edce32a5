"""Flicker of brightness evened out, as old film has it: every frame gets the tones that its neighbours have on average.

Delon, "Movie and video scale-time equalization; application to flicker reduction" (IEEE Transactions on Image
Processing 15, 2006): the quantiles of a frame's brightness, averaged over time with Gaussian weights, say which
brightness each quantile of the frame is moved to. What changes slowly, or moves, changes them little and stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np

from imgfix.tasks.lookahead import looked_ahead
from imgfix.tasks.sequence import Division, Estimate, FrameResult, Restart

SIGMA = 8.0
"""Frames; the standard deviation of the weights: flicker is quicker, and a light that is dimmed slower."""
RADIUS = 16
"""Frames on either side that are averaged over."""
QUANTILES = (np.arange(33, dtype=np.float64) + 0.5) / 33
_SMALL = 128 * 128
"""Pixels that the brightness of a frame is measured on."""
_STILL = 0.5 / 255
"""Quantiles that lie nearer to the average than half of an 8-bit step are left where they are."""


class Deflicker:
    """A `SequenceTask` that evens out the brightness of frames; nothing is carried across a scene cut."""

    held = RADIUS + 1
    fills_cpu = False

    def __init__(self) -> None:
        self.corrections: list[float] = []
        """Of each frame, the largest shift of a tone, of 1."""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out: the same."""
        return width, height

    def estimate(self, width: int, height: int) -> Estimate:
        """What one frame takes."""
        return Estimate(1, (width, height), 5e-8 * width * height, 3 * width * height * (RADIUS + 4), 0)

    def division(self, width: int, height: int) -> Division:
        """See `SequenceTask.division`: of frames that were not seen only the tones are needed."""
        return Division(fresh=1, before=RADIUS)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`; each frame is a place to begin."""
        first = 0 if restart is None else restart.index
        past: deque[np.ndarray] = deque(maxlen=RADIUS)
        if restart is not None and "past" in restart.state:
            past.extend(restart.state["past"])
        elif restart is not None:
            past.extend(tones(frame) for frame in islice(frames, restart.index - restart.first_input))
        for number, seen in enumerate(looked_ahead(frames, tones, RADIUS), start=first):
            if seen.new_scene:
                past.clear()
            wanted = _average(past, seen.own, [seen.own, *seen.later])
            place = Restart(number, number, {"past": np.stack(past)} if past else {})
            yield FrameResult(self._corrected(seen.frame, seen.own, wanted), place, frozenset((seen.new_scene,)))
            past.append(seen.own)

    def _corrected(self, frame: np.ndarray, own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        shifts = np.where(np.abs(wanted - own) < _STILL, 0.0, wanted - own)
        self.corrections.append(float(np.abs(shifts).max()))
        if not shifts.any():
            return frame
        return shifted(frame, own, shifts)


def tones(frame: np.ndarray) -> np.ndarray:
    """The quantiles of a frame's brightness, (33,) in [0, 1]; (H, W, 3|4) uint8 or uint16."""
    height, width = frame.shape[:2]
    share = min(1.0, (_SMALL / (height * width)) ** 0.5)
    size = max(1, round(width * share)), max(1, round(height * share))
    small = cv2.resize(frame[..., :3], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    luma = small @ np.array([0.299, 0.587, 0.114], np.float32) / np.float32(np.iinfo(frame.dtype).max)
    found: np.ndarray = np.quantile(luma, QUANTILES)
    return found


def shifted(frame: np.ndarray, own: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """A frame whose tones are moved: every colour by what its brightness is moved by, so that hue hardly changes.

    Args:
        frame: (H, W, 3|4) uint8 or uint16; alpha stays.
        own: the brightness of its quantiles, increasing.
        shifts: by how much each is moved; between them it is interpolated, and beyond them it stays the same.
    """
    top = np.iinfo(frame.dtype).max
    steps = np.arange(top + 1, dtype=np.float64) / top
    # Equal quantiles (a large flat part) are moved together, by their mean.
    places, groups = np.unique(own, return_inverse=True)
    moved = np.bincount(groups, weights=shifts) / np.bincount(groups)
    table = (np.interp(steps, places, moved) * top).astype(np.float32)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    colours = frame[..., :3].astype(np.float32)
    luma = np.minimum(colours @ weights + np.float32(0.5), top).astype(frame.dtype)
    made = np.clip(colours + table[luma][..., None] + np.float32(0.5), 0, top).astype(frame.dtype)
    return made if frame.shape[2] == 3 else np.concatenate([made, frame[..., 3:]], axis=2)


def _average(past: deque[np.ndarray], own: np.ndarray, ahead: list[np.ndarray]) -> np.ndarray:
    """Quantiles averaged over time; `ahead` begins with the frame's own.

    Of the side that reaches further as many frames count as of the other: at the ends of a scene the mean would
    otherwise lag behind a brightness that rises or falls.
    """
    reach = min(len(past), len(ahead) - 1)
    if reach == 0:  # nothing on one side: an even window would be the frame alone
        around, distances = [*past, *ahead], np.arange(-len(past), len(ahead))
    else:
        around, distances = [*list(past)[len(past) - reach :], *ahead[: reach + 1]], np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (distances / SIGMA) ** 2)
    found: np.ndarray = weights @ np.stack(around) / weights.sum()
    return found
