"""Smoother motion: frames between the frames of a clip, as the last stage of whatever else is done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks.around import Around
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import Division, Estimate, FrameResult, Restart, SequenceTask

_INDEX = "smooth.index"


class Smooth(Around):
    """A `SequenceTask` that makes any number of frames of each frame that another task gives.

    Nothing is made between two scenes: there the frame before stays, and so does the last of the clip. Between frames
    that are equal there is nothing to make either.

    Args:
        task: what is done to the frames first.
        between: makes the frames between.
        places: number of a frame -> where the frames lie that are made of it and the next, 0 for itself; asked once for
            each, in order, after the frame came in.
        each: how many that is on average, for estimates.
    """

    def __init__(
        self, task: SequenceTask, between: Between, places: Callable[[int], Sequence[Fraction]], each: float = 2
    ) -> None:
        super().__init__(task)
        self.between, self.places, self.each = between, places, each
        self.cuts = 0
        """Scene cuts found."""

    @property
    def held(self) -> int:
        """See `SequenceTask.held`."""
        return super().held + 1

    @property
    def fills_cpu(self) -> bool:
        """See `SequenceTask.fills_cpu`."""
        return super().fills_cpu or self.between.fills_cpu

    def estimate(self, width: int, height: int) -> Estimate | None:
        """What one frame that comes in takes, with all that is made of it."""
        first = super().estimate(width, height)
        if first is None:
            return None
        made = max(0.0, self.each - 1) * self.between.seconds(*self.size(width, height))
        return replace(first, seconds=first.seconds + made)

    def division(self, width: int, height: int) -> Division | None:
        """See `SequenceTask.division`, in frames that come in: the next one is looked at, none before is."""
        inner = self.task.division(width, height)
        if inner is None or self.each != int(self.each):
            return None
        return _Divided(
            inner.places, inner.fresh, inner.before, inner.left, inner.scenes, inner.sure, inner, int(self.each)
        )

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`; the first frame made of each is a place to begin where it is one for the task."""
        index, number = 0, 0
        inner = None
        if restart is not None:
            index, number = first_counted(restart), restart.index
            state = {name: value for name, value in restart.state.items() if name != _INDEX}
            inner = Restart(index, restart.first_input, state)
        finder = CutFinder()
        before: FrameResult | None = None
        for found in self.task.run(frames, inner):
            cut = finder.is_cut(found.frame)
            if before is not None:
                self.cuts += cut
                for result in self._interval(index, number, before, None if cut else found.frame):
                    number += 1
                    yield result
                index += 1
            before = found
        if before is not None:
            yield from self._interval(index, number, before, None)

    def _interval(
        self, index: int, number: int, before: FrameResult, after: np.ndarray | None
    ) -> Iterator[FrameResult]:
        places = list(self.places(index))
        frame, place = before.frame, _composed(before.restart, index, number)
        if after is None or after is frame or np.array_equal(frame, after):
            made: Sequence[np.ndarray] = [frame] * len(places)
        else:
            made = self.between.made(frame, after, places)
        scene = before.scene
        for result in made:
            yield FrameResult(result, place, scene)
            place, scene = None, frozenset()


@dataclass(frozen=True)
class _Divided(Division):
    """That of what is smoothed, each frame of which becomes several."""

    inner: Division = field(default_factory=Division)
    each: int = 1

    def begin(self, index: int, scene: int) -> Restart:
        """See `Division.begin`; places are those of the frames that are made."""
        place = _composed(self.inner.begin(index, scene), index, index * self.each)
        assert place is not None
        return place


def evenly(count: int) -> list[Fraction]:
    """So many places from a frame to before the next."""
    return [Fraction(part, count) for part in range(count)]


def first_counted(restart: Restart) -> int:
    """Number of the frame of the clip that is made first at a place of a `Smooth`."""
    return int(restart.state[_INDEX])


def _composed(restart: Restart | None, index: int, number: int) -> Restart | None:
    if restart is None:
        return None
    return Restart(number, restart.first_input, {**restart.state, _INDEX: np.array(index)})
