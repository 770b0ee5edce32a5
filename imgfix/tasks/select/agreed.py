"""What a detector of overlays finds in the frames of a clip, and in which of it the frames agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.tasks.select.choose import OVERLAY_SCORE
from imgfix.tasks.select.detect import Detection
from imgfix.tasks.select.instances import inside

FRAMES = 8
"""Frames of a clip in which the detector looks."""
AGREE = 0.6
"""Share of them that have to show it at the same place."""
MOVED = 0.5
"""From which score on it counts where the scene moves: what is of the scene does not stay at its place."""
TRACE = 0.1
"""From which score on it supports what stands still."""
FEW = 0.25
"""Share of the frames that are enough for that."""


@dataclass(frozen=True)
class Votes:
    """How often each pixel was found, and how surely."""

    sure: np.ndarray
    """(H, W) float32: share of the frames in which something of `OVERLAY_SCORE` covers it."""
    likely: np.ndarray
    """The same, of `MOVED`."""
    traces: np.ndarray
    """The same, of `TRACE`."""

    def agreed(self, moves: bool) -> np.ndarray:
        """(H, W) bool: what was laid over. moves: whether the scene moves behind it.

        Where nothing moves all frames are one picture, and their agreement says nothing: only what is sure is taken.
        """
        return (self.likely if moves else self.sure) >= AGREE


def votes(found: Sequence[Sequence[Detection]], shape: tuple[int, int]) -> Votes:
    """What was found in each of some frames of one shape (H, W), from `TRACE` on."""
    planes = []
    for least in (OVERLAY_SCORE, MOVED, TRACE):
        total = np.zeros(shape, np.float32)
        for frame in found:
            own = np.zeros(shape, bool)
            for thing in frame:
                if thing.score >= least:
                    own |= inside(thing, *shape)
            total += own
        planes.append(total / max(1, len(found)))
    return Votes(*planes)


def joined(still: np.ndarray | None, seen: Votes) -> np.ndarray:
    """What stands still (H, W) bool and what the detector finds, as one mask.

    Parts that merely stand still may be of the scene: they count only with a trace of a find, unless the detector sees
    nothing at all in the clip, which may hold an overlay of a kind that it does not know. still: None where too little
    moves to tell.
    """
    agreed = seen.agreed(moves=still is not None)
    if still is None:
        return agreed
    number, labels = cv2.connectedComponents(still.astype(np.uint8), connectivity=8)
    known = agreed | (seen.traces >= FEW)
    kept = [label for label in range(1, number) if (known & (labels == label)).any()]
    found = agreed | np.isin(labels, kept)
    return found if found.any() else still
