from __future__ import annotations

import cv2
import numpy as np
import pytest

from imgfix.metrics.warping import to_grey, warping_error
from imgfix.nets.motion import dense_inverse_search


def moving(shift: int) -> np.ndarray:
    noise = np.random.default_rng(0).random((96, 160, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return smooth[8:88, 20 + shift : 130 + shift]


def test_the_flow_follows_a_shift() -> None:
    motion = dense_inverse_search(to_grey(moving(0)), to_grey(moving(3)))
    assert np.median(motion[20:60, 20:90], axis=(0, 1)).tolist() == pytest.approx([-3, 0], abs=0.2)


def test_motion_costs_little_and_flicker_costs_its_square() -> None:
    before, after = moving(0), moving(3)
    steady = warping_error(before, after, before, after)
    flickering = warping_error(before, np.clip(after * 0.9, 0, 1), before, after)
    assert steady < 1e-4
    assert flickering == pytest.approx(np.square(0.1 * after).mean(), rel=0.2)
