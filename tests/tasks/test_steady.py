"""Results of single frames made steady along the motion: flicker goes, edges, fades, cuts and transparency stay."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from imgfix.tasks import steady
from imgfix.tasks.frames import ResampledFrames
from imgfix.tasks.sequence import FrameResult, Restart
from imgfix.tasks.steady import Steady
from imgfix.tasks.upscale import UpscaleOptions

FLICKER = 12.0


class Flickering(ResampledFrames):
    """Enlarges by bicubic and adds other noise to every frame, as a network adds other details."""

    def __init__(self, scale: float = 2, level: float = FLICKER) -> None:
        super().__init__("bicubic", UpscaleOptions(scale=scale))
        self.level = level

    def _enlarged(self, colours: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        made = super()._enlarged(colours, alpha)
        top = float(np.iinfo(made.dtype).max)
        seed = int(colours.astype(np.uint64).sum())
        noise = np.random.default_rng(seed).normal(0, self.level / 255 * top, made.shape[:2])
        made = made.astype(np.float64)
        made[..., :3] += noise[..., None]
        return np.clip(made + 0.5, 0, top).astype(colours.dtype)


def scene(count: int, seed: int = 1, shift: int = 1, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """A picture with edges that moves to the left by `shift` pixels a frame."""
    rng = np.random.default_rng(seed)
    wide = rng.integers(40, 216, (12, 40, 3)).astype(np.uint8)
    wide = cv2.resize(wide, (size[1] + shift * count + 8, size[0]), interpolation=cv2.INTER_NEAREST)
    wide = cv2.GaussianBlur(wide, (3, 3), 0)
    return [np.ascontiguousarray(wide[:, n * shift : n * shift + size[1]]) for n in range(count)]


def made(task: Steady | Flickering, frames: list[np.ndarray], restart: Restart | None = None) -> list[FrameResult]:
    return list(task.run(iter(frames), restart))


def away(results: list[FrameResult], frames: list[np.ndarray]) -> np.ndarray:
    """Of each frame, the root of the mean squared difference from what it would be without any flicker."""
    true = made(Flickering(level=0), frames)
    return np.array(
        [
            np.sqrt(np.mean((a.frame[..., :3].astype(float) - b.frame[..., :3]) ** 2))
            for a, b in zip(results, true, strict=True)
        ]
    )


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_flicker_is_averaged_away_along_the_motion(shift: int) -> None:
    frames = scene(12, shift=shift)
    for n, frame in enumerate(frames):  # equal frames would not be made again
        frame[0, 0] = 10 * n
    before, after = away(made(Flickering(), frames), frames), away(made(Steady(Flickering()), frames), frames)
    assert after[0] == before[0]
    # The energy of what flickers is given back to what stays, so not all of it goes.
    assert after[6:].mean() < 0.75 * before[6:].mean()


def test_neighbouring_frames_differ_less() -> None:
    frames = scene(12, shift=0)
    for n, frame in enumerate(frames):
        frame[0, 0] = 10 * n

    def change(results: list[FrameResult]) -> float:
        return float(np.mean([np.abs(a.frame.astype(float) - b.frame).mean() for a, b in pairwise(results[4:])]))

    assert change(made(Steady(Flickering()), frames)) < 0.4 * change(made(Flickering(), frames))


def test_what_does_not_flicker_keeps_its_edges() -> None:
    frames = scene(12)
    found = away(made(Steady(Flickering(level=0)), frames), frames)
    assert found.max() < 4


def test_a_fade_is_followed_at_once() -> None:
    picture = scene(1)[0]
    frames = [(picture * (1 - n / 12)).astype(np.uint8) for n in range(12)]
    results = made(Steady(Flickering(level=0)), frames)
    true = made(Flickering(level=0), frames)
    assert max(abs(a.frame.mean() - b.frame.mean()) for a, b in zip(results, true, strict=True)) < 4


def test_nothing_is_carried_across_a_cut() -> None:
    one, two = scene(5, seed=1), scene(5, seed=7)
    results = made(Steady(Flickering()), one + two)
    assert np.array_equal(results[5].frame, made(Flickering(), two)[0].frame)
    for a, b in zip(results[5:], made(Steady(Flickering()), two), strict=True):
        assert np.array_equal(a.frame, b.frame)


def test_what_appears_is_seen_at_once() -> None:
    frames = [frame.copy() for frame in scene(8, shift=0)]
    for n, frame in enumerate(frames):
        frame[0, 0] = n
    for frame in frames[5:]:
        frame[20:40, 30:50] = (250, 20, 20)
    results = made(Steady(Flickering(level=2)), frames)
    square = results[5].frame[44:76, 64:96].astype(float)
    assert np.abs(square - (250, 20, 20)).mean() < 6


def test_a_frame_that_is_repeated_stays_the_same() -> None:
    first, second = scene(2)
    results = made(Steady(Flickering()), [first, second, second, second])
    assert np.array_equal(results[1].frame, results[2].frame) and np.array_equal(results[2].frame, results[3].frame)


@pytest.mark.parametrize("number", [0, 16, 32])
def test_the_bytes_do_not_depend_on_where_it_is_taken_up(number: int) -> None:
    frames = scene(40)
    whole = made(Steady(Flickering()), frames)
    place = whole[number].restart
    assert place is not None and place.index == number
    again = made(Steady(Flickering()), frames[place.first_input :], place)
    assert len(again) == len(frames) - number
    assert all(np.array_equal(a.frame, b.frame) for a, b in zip(whole[number:], again, strict=True))


def test_places_to_begin_are_seldom_because_they_are_large() -> None:
    results = made(Steady(Flickering()), scene(20))
    assert [n for n, result in enumerate(results) if result.restart is not None] == [0, 16]


def test_transparency_stays_as_it_was_made() -> None:
    frames = [np.dstack([frame, np.full(frame.shape[:2], 10 * n, np.uint8)]) for n, frame in enumerate(scene(4))]
    results = made(Steady(Flickering()), frames)
    assert [int(result.frame[..., 3].max()) for result in results] == [0, 10, 20, 30]
    assert all(result.frame.shape == (128, 192, 4) for result in results)


def test_sixteen_bits_give_the_same_as_eight() -> None:
    frames = scene(6)
    deep = [frame.astype(np.uint16) * 257 for frame in frames]
    eight, sixteen = made(Steady(Flickering(level=0)), frames), made(Steady(Flickering(level=0)), deep)
    assert sixteen[-1].frame.dtype == np.uint16
    assert np.abs(sixteen[-1].frame / 257 - eight[-1].frame).max() < 3


def test_rows_come_out_the_same_in_bands_of_any_height(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = scene(4)
    whole = made(Steady(Flickering()), frames)
    monkeypatch.setattr(steady, "_BAND", 20)
    apart = [
        np.abs(a.frame.astype(int) - b.frame).max()
        for a, b in zip(whole, made(Steady(Flickering()), frames), strict=True)
    ]
    assert max(apart) <= 1  # the order of sums


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (33, 2), (9, 9)])
def test_frames_of_any_size(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    frames = [rng.integers(0, 255, (*size, 3)).astype(np.uint8) for _ in range(3)]
    assert [r.frame.shape for r in made(Steady(Flickering()), frames)] == [(2 * size[0], 2 * size[1], 3)] * 3


def test_a_size_that_is_no_multiple_of_the_input() -> None:
    frames = scene(6)
    task = Steady(Flickering(scale=1.5))
    found = [result.frame.shape for result in made(task, frames)]
    assert found == [(96, 144, 3)] * 6 and task.size(96, 64) == (144, 96)


def test_the_estimate_covers_both() -> None:
    inner = Flickering()
    one, both = inner.estimate(96, 64), Steady(inner).estimate(96, 64)
    assert both is not None and both.seconds > one.seconds and both.host_bytes > one.host_bytes
