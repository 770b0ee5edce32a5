"""A clip through a task that remembers, in a process of its own that a test can kill: SOURCE TARGET SECONDS HALT.

SECONDS: that a frame takes. HALT: number of the frame before which it waits to be killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from imgfix.media.video import segments
from imgfix.pipelines.moving.clip import Clip, Settings
from imgfix.tasks.sequence import FrameResult, Restart
from tests.tasks.doubling import Remembering


class Halting(Remembering):
    """Ends before no test has looked."""

    def __init__(self, seconds: float, halt: int) -> None:
        super().__init__(seconds=seconds)
        self.halt = halt

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        yield from super().run(self._until(frames, restart.first_input if restart else 0), restart)

    def _until(self, frames: Iterator[np.ndarray], first: int) -> Iterator[np.ndarray]:
        for number, frame in enumerate(frames, start=first):
            if number == self.halt:
                time.sleep(600)
            yield frame


def main() -> None:
    source, target, seconds, halt = sys.argv[1:5]
    segments.LENGTH = 8
    task = Halting(float(seconds), int(halt))
    Clip(Path(source), Path(target), Settings(resume=True)).run(task, {}, say=print)


if __name__ == "__main__":
    main()
