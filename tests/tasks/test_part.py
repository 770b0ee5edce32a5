"""Work on a part: the rest bit by bit as it was, the part as if all had been worked on, a soft edge between."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from imgfix.tasks.part import Edge, PartOfFrames, mixed, mixed_bands
from imgfix.tasks.sequence import Estimate, FrameResult, Restart

SIZE = (40, 30)
RNG = np.random.default_rng(0)


def square() -> np.ndarray:
    mask = np.zeros(SIZE[::-1], np.float32)
    mask[10:20, 12:26] = 1
    return mask


def picture(dtype: type = np.uint8, size: tuple[int, int] = SIZE, channels: int = 3) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, (size[1], size[0], channels), dtype, endpoint=True)


@pytest.mark.parametrize("rest", [False, True])
def test_the_edge_lies_outside_what_the_mask_holds(rest: bool) -> None:
    weight, inside = Edge(rest, 4).weight(square()), square() > 0
    within, far = (0, 1) if rest else (1, 0)
    assert (weight[inside] == within).all()
    assert (weight[0] == far).all() and (weight[:, -1] == far).all()
    steps = np.diff(weight[15, 25:31])
    assert (steps > 0).all() if rest else (steps < 0).all()


def test_without_a_width_the_edge_grows_with_the_picture() -> None:
    small, large = np.zeros((100, 100), np.float32), np.zeros((2000, 2000), np.float32)
    small[40:60, 40:60] = large[900:1100, 900:1100] = 1
    assert (Edge().weight(small)[50] > 0).sum() == 20 + 2 * 2
    assert (Edge().weight(large)[1000] > 0).sum() == 200 + 2 * 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_outside_every_sample_stays_and_inside_it_is_the_new_one(dtype: type) -> None:
    before, made = picture(dtype), picture(dtype)
    weight = Edge(width=3).weight(square())
    out = mixed(before, made, weight)
    assert out.dtype == dtype
    assert np.array_equal(out[weight == 0], before[weight == 0])
    assert np.array_equal(out[weight == 1], made[weight == 1])
    between = (weight > 0) & (weight < 1)
    low, high = np.minimum(before, made)[between], np.maximum(before, made)[between]
    assert ((out[between] >= low) & (out[between] <= high)).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_bands_may_be_cut_anywhere(scale: int) -> None:
    size = (SIZE[0] * scale, SIZE[1] * scale)
    before, made = picture(size=size, channels=4), picture(size=size, channels=4)
    weight = Edge(width=3).weight(square())

    def cut(whole: np.ndarray, step: int) -> Iterator[np.ndarray]:
        return (whole[y : y + step] for y in range(0, len(whole), step))

    one, other = (
        np.concatenate(list(mixed_bands(cut(before, a), cut(made, b), weight, size))) for a, b in ((7, 11), (90, 4))
    )
    assert np.abs(one.astype(int) - other).max() <= (0 if scale == 1 else 1)  # rounding of the enlarged mask
    margin = 5 * scale
    assert np.array_equal(one[: 10 * scale - margin], before[: 10 * scale - margin])
    middle = np.s_[12 * scale : 18 * scale, 14 * scale : 24 * scale]
    assert np.array_equal(one[middle], made[middle])


class Inverted:
    """Inverts each frame, two frames late, and wants the frame before a place to begin at."""

    held, fills_cpu = 3, False

    def size(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def estimate(self, width: int, height: int) -> Estimate | None:
        return None

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        first = 0 if restart is None else restart.first_input
        waiting = list(enumerate(frames, start=first))
        for number, frame in waiting:
            if restart is None or number >= restart.index:
                yield FrameResult(255 - frame, Restart(number, max(0, number - 1)))


def test_each_frame_keeps_its_own_rest_wherever_the_work_is_taken_up() -> None:
    clip = [picture() for _ in range(6)]
    masks = [np.roll(square(), 2 * number, axis=1) for number in range(6)]
    asked: list[int] = []

    def mask_at(number: int, frame: np.ndarray) -> np.ndarray:
        assert np.array_equal(frame, clip[number])
        asked.append(number)
        return masks[number]

    task = PartOfFrames(Inverted(), mask_at, Edge(width=0))
    whole = list(task.run(iter(clip)))
    for frame, mask, result in zip(clip, masks, whole, strict=True):
        assert np.array_equal(result.frame, np.where(mask[..., None] > 0, 255 - frame, frame))
    place = whole[4].restart
    assert place is not None and place.first_input == 3
    asked.clear()
    later = [result.frame for result in task.run(iter(clip[3:]), place)]
    assert asked == [4, 5] and all(np.array_equal(a, b.frame) for a, b in zip(later, whole[4:], strict=True))
