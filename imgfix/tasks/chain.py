"""Two things done to a clip one after the other, in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from imgfix.tasks.sequence import Division, Estimate, FrameResult, Restart, SequenceTask, prefixed, unprefixed

_BETWEEN = "chain.index"
_FIRST, _SECOND = "first.", "second."


class Chain:
    """A `SequenceTask` of two, of which both make one frame out of each."""

    def __init__(self, first: SequenceTask, second: SequenceTask) -> None:
        self.first, self.second = first, second

    @property
    def held(self) -> int:
        """See `SequenceTask.held`."""
        return self.first.held + self.second.held - 1

    @property
    def fills_cpu(self) -> bool:
        """See `SequenceTask.fills_cpu`."""
        return self.first.fills_cpu or self.second.fills_cpu

    def size(self, width: int, height: int) -> tuple[int, int]:
        """See `SequenceTask.size`."""
        return self.second.size(*self.first.size(width, height))

    def estimate(self, width: int, height: int) -> Estimate | None:
        """See `SequenceTask.estimate`."""
        before, after = self.first.estimate(width, height), self.second.estimate(*self.first.size(width, height))
        if before is None or after is None:
            return None
        return replace(
            after,
            tiles=before.tiles + after.tiles,
            seconds=before.seconds + after.seconds,
            host_bytes=max(before.host_bytes, after.host_bytes),
            device_bytes=max(before.device_bytes, after.device_bytes),
        )

    def division(self, width: int, height: int) -> Division | None:
        """See `SequenceTask.division`: where both can begin."""
        first, second = self.first.division(width, height), self.second.division(*self.first.size(width, height))
        if first is None or second is None:
            return None
        fresh = None if first.fresh is None or second.fresh is None else math.lcm(first.fresh, second.fresh)
        if second.before and not first.fresh == first.places == 1:
            fresh = None  # the first cannot begin with the frames that the second has to see before
        scenes, sure = first.scenes or second.scenes, first.sure and not second.scenes
        left = max(first.left, second.left)
        return _Both(math.lcm(first.places, second.places), fresh, 0, left, scenes, sure, first, second)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`; a place to begin is one of the second that the first can lead to."""
        inner = outer = None
        index = 0
        if restart is not None:
            index = int(restart.state[_BETWEEN])
            inner = Restart(index, restart.first_input, unprefixed(restart.state, _FIRST))
            outer = Restart(restart.index, index, unprefixed(restart.state, _SECOND))
        known: dict[int, Restart | None] = {}
        scenes: dict[int, frozenset[bool]] = {}

        def first() -> Iterator[np.ndarray]:
            for number, made in enumerate(self.first.run(frames, inner), start=index):
                known[number], scenes[number] = made.restart, made.scene
                yield made.frame

        for number, made in enumerate(self.second.run(first(), outer), start=0 if outer is None else outer.index):
            place = None
            if made.restart is not None:
                place = _joined(known.get(made.restart.first_input), made.restart)
                for old in [old for old in known if old < made.restart.first_input]:
                    del known[old]
            yield FrameResult(made.frame, place, scenes.pop(number) | made.scene)


def _joined(first: Restart | None, second: Restart) -> Restart | None:
    if first is None:
        return None
    state = prefixed(first.state, _FIRST) | prefixed(second.state, _SECOND)
    return Restart(second.index, first.first_input, {**state, _BETWEEN: np.array(second.first_input)})


@dataclass(frozen=True)
class _Both(Division):
    """Of two tasks, one after the other."""

    first: Division = field(default_factory=Division)
    second: Division = field(default_factory=Division)

    def begin(self, index: int, scene: int) -> Restart:
        """See `Division.begin`."""
        second = self.second.begin(index, scene)
        place = _joined(self.first.begin(second.first_input, scene), second)
        assert place is not None
        return place
