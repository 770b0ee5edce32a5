"""Scene cuts are found; hard motion, flashes and fades are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imgfix.runtime.scene_cuts import CutFinder


def scene(seed: int, side: int = 900) -> np.ndarray:
    """A picture with large and small things in it, (side, side, 3) uint8."""
    random = np.random.default_rng(seed)
    colour = random.integers(40, 216, 3)
    picture = np.full((side, side, 3), colour, np.float32)
    for cells, strength in ((6, 50), (30, 30), (150, 15)):
        noise = random.normal(0, strength, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        x, y, r = (int(v) for v in random.integers(0, side, 3))
        cv2.circle(picture, (x, y), r // 8 + 5, [float(v) for v in random.integers(0, 256, 3)], -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


def cuts(frames: list[np.ndarray]) -> list[int]:
    finder = CutFinder()
    return [number for number, frame in enumerate(frames) if finder.is_cut(frame)]


def pan(seed: int, count: int, step: int, height: int = 180, width: int = 320) -> list[np.ndarray]:
    picture = scene(seed)
    return [picture[100 : 100 + height, t * step : t * step + width] for t in range(count)]


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_between_two_scenes_is_found(seed: int) -> None:
    assert cuts(pan(seed, 4, 5) + pan(seed + 50, 4, 5)) == [4]


@pytest.mark.parametrize("step", [0, 3, 12, 30])
@pytest.mark.parametrize("seed", range(3))
def test_a_hard_pan_is_no_cut(seed: int, step: int) -> None:
    assert cuts(pan(seed, 8, step)) == []


def test_something_large_that_rushes_through_is_no_cut() -> None:
    frames = [frame.copy() for frame in pan(1, 8, 0)]
    for number, frame in enumerate(frames):
        cv2.circle(frame, (number * 45, 90), 60, (250, 30, 30), -1)
    assert cuts(frames) == []


def test_a_flash_is_no_cut() -> None:
    frames = pan(2, 6, 4)
    frames[3] = np.clip(frames[3].astype(np.int32) + 70, 0, 255).astype(np.uint8)
    assert cuts(frames) == []


def test_a_fade_to_black_is_no_cut() -> None:
    frames = [(frame * (1 - t / 7)).astype(np.uint8) for t, frame in enumerate(pan(3, 8, 2))]
    assert cuts(frames) == []


def test_noise_is_no_cut() -> None:
    random = np.random.default_rng(0)
    noisy = [np.clip(f + random.normal(0, 25, f.shape), 0, 255).astype(np.uint8) for f in pan(4, 6, 2)]
    assert cuts(noisy) == []


def test_from_black_to_a_picture_is_a_cut_and_black_stays_black() -> None:
    black = [np.zeros((180, 320, 3), np.uint8)] * 3
    assert cuts(black + pan(5, 3, 2)) == [3]


def test_sixteen_bits_and_alpha_are_understood() -> None:
    frames = [frame.astype(np.uint16) * 257 for frame in pan(0, 3, 2) + pan(60, 3, 2)]
    with_alpha = [np.dstack((frame, np.full(frame.shape[:2], 65535, np.uint16))) for frame in frames]
    assert cuts(frames) == cuts(with_alpha) == [3]
