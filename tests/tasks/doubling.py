"""Sequence tasks whose results can be foretold."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import numpy as np

from imgfix.tasks.sequence import Division, FrameResult, Restart


class Doubling:
    """Repeats every pixel; each frame is a place to begin."""

    held = 1

    def __init__(self, factor: int = 2, seconds: float = 0.0, fills_cpu: bool = False) -> None:
        self.factor, self.seconds, self.fills_cpu = factor, seconds, fills_cpu

    def size(self, width: int, height: int) -> tuple[int, int]:
        return width * self.factor, height * self.factor

    def division(self, width: int, height: int) -> Division | None:
        return Division(fresh=1, scenes=False)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        for number, frame in enumerate(frames, start=restart.first_input if restart else 0):
            if self.seconds:
                time.sleep(self.seconds)
            yield FrameResult(frame.repeat(self.factor, 0).repeat(self.factor, 1), Restart(number, number))


class Remembering(Doubling):
    """Mixes each frame with all before it, and works in windows of seven: it can only begin at some frames."""

    held = 7

    def division(self, width: int, height: int) -> None:
        """What it remembers goes back to the first frame."""

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        number = restart.first_input if restart else 0
        memory = restart.state.get("memory") if restart else None
        waiting: list[np.ndarray] = []
        for frame in frames:
            waiting.append(frame)
            if len(waiting) == self.held:
                memory = yield from self._window(waiting, number, memory)
                number += self.held
                waiting = []
        yield from self._window(waiting, number, memory)

    def _window(
        self, frames: list[np.ndarray], number: int, memory: np.ndarray | None
    ) -> Generator[FrameResult, None, np.ndarray | None]:
        for offset, frame in enumerate(frames):
            if self.seconds:
                time.sleep(self.seconds)
            begin = Restart(number, number, {"memory": memory} if memory is not None else {}) if offset == 0 else None
            memory = frame.astype(np.float32) if memory is None else 0.75 * memory + 0.25 * frame
            mixed = (memory + 0.5).astype(frame.dtype)
            yield FrameResult(mixed.repeat(self.factor, 0).repeat(self.factor, 1), begin)
        return memory
