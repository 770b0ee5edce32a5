"""More frames than there were, in one pass with other work, the same wherever the work is taken up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from imgfix.tasks.chain import Chain
from imgfix.tasks.sequence import FrameResult, Restart
from imgfix.tasks.smooth import Smooth, evenly, first_counted
from tests.tasks.doubling import Doubling, Remembering
from tests.tasks.scenes import scene


def mean(before: np.ndarray, after: np.ndarray, place: Fraction) -> np.ndarray:
    share = float(place)
    return (before.astype(np.float64) * (1 - share) + after.astype(np.float64) * share).astype(before.dtype)


class Mean:
    """The weighted mean of two frames."""

    name = sha256 = "mean"
    fills_cpu = False

    def __init__(self) -> None:
        self.asked = 0

    def made(self, before: np.ndarray, after: np.ndarray, places: list[Fraction]) -> list[np.ndarray]:
        self.asked += 1
        return [mean(before, after, place) for place in places]

    def seconds(self, width: int, height: int) -> float:
        return 1.0


def clip(count: int = 12) -> list[np.ndarray]:
    plane = scene(48, 64 + 4 * count)
    return [(plane[:, 4 * n : 4 * n + 64] * 255).astype(np.uint8) for n in range(count)]


def both(first: Any, second: Any) -> Chain:
    return Chain(first, second)


def smooth(task: Any = None, factor: int = 2) -> Smooth:
    inner: Any = task or Doubling(1)
    return Smooth(inner, Mean(), lambda number: evenly(factor), factor)


def frames_of(task: Any, frames: Sequence[np.ndarray], restart: Restart | None = None) -> list[FrameResult]:
    source: Iterator[np.ndarray] = iter(frames[restart.first_input if restart else 0 :])
    return list(task.run(source, restart))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_frames_stay_and_others_come_between(factor: int) -> None:
    frames = clip(5)
    made = [one.frame for one in frames_of(smooth(factor=factor), frames)]
    assert len(made) == 5 * factor
    assert all(np.array_equal(one, other) for one, other in zip(made[::factor], frames, strict=True))
    assert np.array_equal(made[1], mean(frames[0], frames[1], Fraction(1, factor)))
    assert all(np.array_equal(one, frames[-1]) for one in made[-factor:]), "the last stays"


def test_two_scenes_are_never_mixed() -> None:
    other = (scene(48, 200, 9)[:, ::-1] * 255).astype(np.uint8)
    frames = [*clip(4), *[np.ascontiguousarray(other[:, 4 * n : 4 * n + 64]) for n in range(4)]]
    work = smooth()
    made = [one.frame for one in frames_of(work, frames)]
    assert work.cuts == 1
    assert np.array_equal(made[7], frames[3]) and np.array_equal(made[8], frames[4])
    assert not np.array_equal(made[5], frames[2]), "elsewhere frames are made"


def test_between_equal_frames_nothing_is_made() -> None:
    frames = [clip(1)[0]] * 3 + [clip(2)[1]]
    work = smooth()
    assert len(frames_of(work, frames)) == 8
    assert isinstance(work.between, Mean) and work.between.asked == 1


def test_an_empty_clip_and_one_of_one_frame() -> None:
    assert frames_of(smooth(), []) == []
    assert len(frames_of(smooth(), clip(1))) == 2


def test_places_may_be_few_and_uneven() -> None:
    places = {0: [Fraction(0)], 1: [], 2: [Fraction(1, 4), Fraction(3, 4)], 3: [Fraction(1, 8)]}
    frames = clip(4)
    task: Any = Doubling(1)
    work = Smooth(task, Mean(), places.__getitem__)
    made = frames_of(work, frames)
    assert len(made) == 4
    assert [one.restart.index if one.restart else None for one in made] == [0, 1, None, 3]


TASKS: dict[str, Any] = {
    "each frame": lambda: smooth(),
    "windows": lambda: smooth(Remembering(1)),
    "chain": lambda: both(Doubling(2), Remembering(1)),
    "chain, smoothed": lambda: smooth(both(Doubling(2), Remembering(1)), 3),
    "chain of memories": lambda: smooth(both(Remembering(1), Doubling(2))),
}


@pytest.mark.parametrize("name", TASKS)
def test_work_that_is_taken_up_gives_the_same_frames(name: str) -> None:
    frames = clip(23)
    whole = frames_of(TASKS[name](), frames)
    places = [(number, one.restart) for number, one in enumerate(whole) if one.restart is not None]
    assert len(places) >= 3
    for number, restart in places:
        assert restart.index == number
        rest = frames_of(TASKS[name](), frames, restart)
        assert len(rest) == len(whole) - number
        assert all(np.array_equal(one.frame, other.frame) for one, other in zip(rest, whole[number:], strict=True))


def test_a_place_says_which_frame_of_the_clip_is_counted_first() -> None:
    made = frames_of(smooth(factor=3), clip(5))
    assert [first_counted(one.restart) for one in made if one.restart is not None] == [0, 1, 2, 3, 4]


def test_a_chain_is_as_large_as_both() -> None:
    chain = both(Doubling(2), Doubling(3))
    assert chain.size(10, 20) == (60, 120)
    assert both(Remembering(), Doubling()).held == 7
    assert not chain.fills_cpu and both(Doubling(fills_cpu=True), Doubling()).fills_cpu
    made = frames_of(chain, clip(2))
    assert made[0].frame.shape == (48 * 6, 64 * 6, 3)
