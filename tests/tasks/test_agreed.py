"""What a detector finds in the frames of a clip counts where they agree, and supports what stands still."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.pipelines.followed import Spread
from imgfix.tasks.select.agreed import joined, votes
from imgfix.tasks.select.detect import Detection

SHAPE = (60, 80)
DATE = (50.0, 40.0, 74.0, 52.0)
ELSEWHERE = (4.0, 6.0, 20.0, 18.0)


def found(score: float, box: tuple[float, float, float, float] = DATE) -> Detection:
    return Detection("date", score, box, np.ones((28, 28), np.float32))


def part(box: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = (int(edge) for edge in box)
    made = np.zeros(SHAPE, bool)
    made[top:bottom, left:right] = True
    return made


def same(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((first & second).sum() > 0.7 * (first | second).sum())


NOTHING = np.zeros(SHAPE, bool)


@pytest.mark.parametrize("score", [0.95, 0.6])
def test_where_the_scene_moves_what_most_frames_show_at_one_place_is_laid_over(score: float) -> None:
    frames = [[found(score)]] * 6 + [[]] * 2
    assert same(joined(NOTHING, votes(frames, SHAPE)), part(DATE))


def test_what_moves_with_the_scene_is_not() -> None:
    frames = [[found(0.95, (4.0 + 9 * n, 6.0, 16.0 + 9 * n, 18.0))] for n in range(8)]
    assert not joined(NOTHING, votes(frames, SHAPE)).any()


@pytest.mark.parametrize(("score", "taken"), [(0.95, True), (0.6, False)])
def test_where_nothing_moves_only_what_is_sure_is_taken(score: float, taken: bool) -> None:
    assert joined(None, votes([[found(score)]] * 8, SHAPE)).any() == taken


def test_what_merely_stands_still_needs_a_trace_of_a_find() -> None:
    still = part(ELSEWHERE)
    assert same(joined(still, votes([[found(0.95)]] * 8, SHAPE)), part(DATE))
    traces = [[found(0.95), found(0.2, ELSEWHERE)]] * 8
    assert same(joined(still, votes(traces, SHAPE)), part(DATE) | still)


def test_an_overlay_of_a_kind_that_the_detector_does_not_know_is_told_from_the_motion_alone() -> None:
    still = part(ELSEWHERE)
    assert np.array_equal(joined(still, votes([[]] * 8, SHAPE)), still)


@pytest.mark.parametrize("count", [1, 5, 8, 40, 300])
def test_some_frames_are_kept_from_all_over_the_clip(count: int) -> None:
    some = Spread(8)
    passed = list(some.of(np.array([number]) for number in range(count)))
    kept = [int(each[0]) for each in some.kept]
    assert len(passed) == count and min(count, 8) <= len(kept) < 16
    assert kept[0] == 0 and count - kept[-1] <= max(1, 2 * count / 8)
