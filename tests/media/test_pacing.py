"""At which moments a smoothed clip has frames."""

from __future__ import annotations

from fractions import Fraction

import pytest

from imgfix.media.video.pacing import Moment, Pacing, split, with_last

MILLISECONDS = Fraction(1, 1000)
UNEVEN = ((0, 40), (40, 11), (51, 80), (131, 33))
"""Time and duration of frames, in milliseconds."""


def all_moments(pacing: Pacing, frames: tuple[tuple[int, int], ...] = UNEVEN) -> list[Moment]:
    return [
        moment
        for number, ((time, duration), last) in enumerate(with_last(frames))
        for moment in pacing.moments(number, time, duration, MILLISECONDS, last)
    ]


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_frames_are_added_at_even_parts_of_each_interval_exactly(factor: int) -> None:
    pacing = Pacing(factor)
    made = all_moments(pacing)
    base = pacing.time_base(MILLISECONDS)
    wanted = [
        (time + Fraction(part * duration, factor)) * MILLISECONDS for time, duration in UNEVEN for part in range(factor)
    ]
    assert [moment.time * base for moment in made] == wanted
    assert [moment.place for moment in made] == [Fraction(part, factor) for _ in UNEVEN for part in range(factor)]


@pytest.mark.parametrize("pacing", [Pacing(), Pacing(2), Pacing(5)])
def test_the_whole_takes_as_long_as_before_without_gaps(pacing: Pacing) -> None:
    made = all_moments(pacing)
    ends = [moment.time + moment.duration for moment in made]
    assert [moment.time for moment in made[1:]] == ends[:-1]
    assert ends[-1] * pacing.time_base(MILLISECONDS) == 164 * MILLISECONDS


@pytest.mark.parametrize("rate", [Fraction(60), Fraction(24000, 1001), Fraction(10), Fraction(1, 2)])
def test_at_a_rate_frames_are_evenly_spaced_and_lie_where_their_time_is(rate: Fraction) -> None:
    pacing = Pacing(rate=rate)
    found = []
    for number, ((time, duration), last) in enumerate(with_last(UNEVEN)):
        for moment in pacing.moments(number, time, duration, MILLISECONDS, last):
            assert 0 <= moment.place < 1
            assert (time + moment.place * duration) * MILLISECONDS == moment.time / rate
            found.append(moment.time)
    assert found == list(range(len(found)))
    assert abs(len(found) / rate - Fraction(164, 1000)) <= 1 / (2 * rate) or len(found) == 1


def test_at_the_clips_own_rate_every_frame_is_itself() -> None:
    frames = tuple((40 * number, 40) for number in range(7))
    assert [moment.place for moment in all_moments(Pacing(rate=Fraction(25)), frames)] == [0] * 7


def test_rates_follow() -> None:
    assert Pacing(2).frame_rate(Fraction(30000, 1001)) == Fraction(60000, 1001)
    assert Pacing(rate=Fraction(60)).frame_rate(Fraction(24)) == 60
    assert Pacing().frame_rate(Fraction(24)) == 24


@pytest.mark.parametrize(
    ("duration", "factor", "unit", "shortest", "parts"),
    [
        (100, 2, 1, 1, [50, 50]),
        (33, 2, 1, 1, [16, 17]),
        (1, 2, 1, 1, [1]),
        (0, 2, 1, 1, [0]),
        (50, 2, 10, 20, [20, 30]),
        (30, 2, 10, 20, [30]),
        (100, 8, 10, 20, [20, 20, 20, 20, 20]),
    ],
)
def test_durations_of_animations_are_divided_without_loss(
    duration: int, factor: int, unit: int, shortest: int, parts: list[int]
) -> None:
    assert split(duration, factor, unit, shortest) == parts
    assert sum(parts) == duration
