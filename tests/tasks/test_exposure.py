"""Brightened pictures get the brightness and the colours that the dark ones speak for."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.tasks.exposure import POWERS, Exposure, measure
from tests.tasks.scenes import scene

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def photo() -> np.ndarray:
    picture = scene(120, 160, 3)
    picture[:16, :24] = 0.98
    return picture.clip(0, 1).astype(np.float32)


def saturation(picture: np.ndarray) -> float:
    return float((picture.max(axis=2) - picture.min(axis=2)).mean() / (picture @ LUMA).mean())


@pytest.mark.parametrize("power", [0.6, 0.85, 1.3])
@pytest.mark.parametrize("light", [0.2, 0.5])
def test_brightness_within_a_tenth_and_colours_come_back(power: float, light: float) -> None:
    true = photo()
    luma = (true @ LUMA)[..., None]
    pale = (luma**power + 0.6 * (true - luma)).clip(0, 1).astype(np.float32)
    made = measure(true * np.float32(light), pale).settled(pale)
    assert float((made @ LUMA).mean()) == pytest.approx(float(luma.mean()), rel=0.1)
    assert saturation(made) == pytest.approx(saturation(true), rel=0.15)  # what is clipped is lost
    assert np.abs(made - true).mean() < np.abs(pale - true).mean()


def test_what_is_right_stays() -> None:
    true = photo()
    found = measure(true * np.float32(0.3), true)
    assert found.power == pytest.approx(1, abs=0.1) and found.saturation == pytest.approx(1, abs=0.05)


def test_grey_stays_grey_and_nothing_is_bent_without_limit() -> None:
    grey = np.repeat((photo() @ LUMA)[..., None], 3, axis=2)
    found = measure(grey * np.float32(0.3), grey)
    assert float(np.ptp(found.settled(grey), axis=2).max()) < 1e-5
    black = np.zeros((8, 8, 3), np.float32)
    assert np.isfinite(measure(black, black).settled(black)).all()
    assert POWERS[0] <= measure(grey, np.full_like(grey, 0.001)).power <= POWERS[1]
    assert float(Exposure(0.3, 2.0).settled(photo()).max()) <= 1
