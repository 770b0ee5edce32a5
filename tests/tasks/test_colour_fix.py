"""The broad colours of the input come back, its detail does not."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from imgfix.tasks.colour_fix import colour_fix

SCALE = 2


def scene(height: int = 90, width: int = 70) -> np.ndarray:
    rng = np.random.default_rng(0)
    broad = cv2.resize(rng.random((4, 4, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(0.3 + 0.4 * broad, 0, 1)


def fixed(small: np.ndarray, large: np.ndarray, cuts: list[int]) -> np.ndarray:
    def read(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        return small[y0:y1, x0:x1]

    height, width = small.shape[:2]
    bands = (large[a * SCALE : b * SCALE] for a, b in itertools.pairwise(cuts))
    return np.concatenate(list(colour_fix(bands, read, width, height, SCALE)))


def enlarged(small: np.ndarray) -> np.ndarray:
    return cv2.resize(small, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_LINEAR)


def test_a_drift_is_taken_back() -> None:
    small = scene()
    large = enlarged(small)
    drifted = large + np.array([0.08, -0.05, 0.03], np.float32)
    assert np.abs(fixed(small, drifted, [0, 90]) - large).max() < 0.01


def test_detail_that_the_network_added_stays() -> None:
    small = np.full((60, 60, 3), 0.5, np.float32)
    large = enlarged(small)
    detail = 0.2 * ((np.indices(large.shape[:2]).sum(0) % 2)[..., None] - 0.5).astype(np.float32)
    assert np.abs(fixed(small, large + detail, [0, 60]) - (large + detail)).max() < 0.01


@pytest.mark.parametrize("cuts", [[0, 1, 2, 90], [0, 30, 60, 90], list(range(91)), [0, 0, 45, 90]])
def test_bands_do_not_show(cuts: list[int]) -> None:
    small = scene()
    large = enlarged(small) * 0.9
    assert np.abs(fixed(small, large, cuts) - fixed(small, large, [0, 90])).max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (20, 19)])
def test_small_pictures_work(size: tuple[int, int]) -> None:
    small = scene(*size)
    drifted = np.repeat(np.repeat(small, SCALE, 0), SCALE, 1) + np.float32(0.05)
    assert np.abs(fixed(small, drifted, [0, size[0]]) - (drifted - 0.05)).max() < 0.02


def test_rows_are_not_held_back_longer_than_needed() -> None:
    small = scene(400, 8)
    large = enlarged(small)
    given = 0

    def bands():  # type: ignore[no-untyped-def]
        nonlocal given
        for y in range(0, 400, 10):
            given = y + 10
            yield large[y * SCALE : (y + 10) * SCALE]

    done = 0
    for band in colour_fix(bands(), lambda a, b, c, d: small[a:b, c:d], 8, 400, SCALE):
        done += len(band) // SCALE
        assert given - done <= 40
    assert done == 400
