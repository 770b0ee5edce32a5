"""A clip whose frames stay as they are, for what is done behind it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from imgfix.tasks.sequence import ALONE, Division, Estimate, FrameResult, Restart


class AsItIs:
    """A `SequenceTask` that gives every frame back."""

    held = 1
    fills_cpu = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out: the same."""
        return width, height

    def estimate(self, width: int, height: int) -> Estimate:
        """What one frame takes: nothing."""
        return Estimate(1, (width, height), 0.0, 0, 0)

    def division(self, width: int, height: int) -> Division:
        """See `SequenceTask.division`: each frame is made alone."""
        return ALONE

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`; each frame is a place to begin."""
        for number, frame in enumerate(frames, start=0 if restart is None else restart.index):
            yield FrameResult(frame, Restart(number, number))
