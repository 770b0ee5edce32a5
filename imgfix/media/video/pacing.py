"""Frames between frames: at which moments the result of a smoothed clip has a frame, and what of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """One frame of the result."""

    place: Fraction
    """How far it is from one frame of the clip, 0, to the next, 1 (which is never reached)."""
    time: int
    """When it is shown, in units of `Pacing.time_base`."""
    duration: int
    """In the same units."""


@dataclass(frozen=True)
class Pacing:
    """How many frames are made of each."""

    factor: int = 1
    """So many, evenly spaced between its own time and that of the next; the last is shown as often."""
    rate: Fraction | None = None
    """Instead: frames a second, at evenly spaced times whatever the clip's are."""

    def time_base(self, base: Fraction) -> Fraction:
        """Seconds per unit in the result; `base`: in the clip. Every moment is a whole number of them."""
        return 1 / self.rate if self.rate else base / self.factor

    def frame_rate(self, rate: Fraction) -> Fraction:
        """Frames a second in the result; `rate`: in the clip."""
        return self.rate or rate * self.factor

    def moments(self, number: int, time: int, duration: int, base: Fraction, last: bool = False) -> tuple[Moment, ...]:
        """What is made of one frame and the next: any number of frames, none at a lower rate.

        Args:
            number: of the frame, from 0.
            time, duration: of the frame, in units of `base`; the duration ends where the next frame begins.
            base: seconds per unit in the clip.
            last: there is no next frame.
        """
        if self.rate is None:
            return tuple(
                Moment(Fraction(part, self.factor), time * self.factor + part * duration, duration)
                for part in range(self.factor)
            )
        begin, end = time * base * self.rate, (time + duration) * base * self.rate
        half = Fraction(1, 2)
        first = math.ceil(begin) if number else min(math.ceil(begin), math.floor(begin + half))
        # At the very end a moment counts whose larger part lies inside, as where frames are repeated.
        stop = math.floor(end - half) + 1 if last else math.ceil(end)
        return tuple(
            Moment(max(Fraction(0), (at - begin) / (end - begin)), at, 1) for at in range(first, max(first, stop))
        )


def with_last(values: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each value, and whether it is the last."""
    waiting: list[T] = []
    for value in values:
        if waiting:
            yield waiting.pop(), False
        waiting.append(value)
    if waiting:
        yield waiting.pop(), True


def split(duration: int, factor: int, unit: int = 1, shortest: int = 1) -> list[int]:
    """A duration as up to `factor` parts whose sum it is; fewer where they would be shorter than allowed.

    Args:
        duration: a multiple of `unit`.
        factor: parts that are wanted.
        unit: what parts are multiples of.
        shortest: no part is shorter, unless there is only one.
    """
    units = duration // unit
    parts = max(1, min(factor, duration // max(shortest, unit)))
    ends = [units * number // parts for number in range(parts + 1)]
    made = [(end - begin) * unit for begin, end in pairwise(ends)]
    made[-1] += duration - units * unit
    return made
