"""Brightened pictures get the brightness and the colours that the dark ones speak for."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.tasks.exposure import POWERS, Exposure, Wanted, measure, wanted
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
def test_brightness_and_colours_that_are_wanted_come_back(power: float, light: float) -> None:
    true = photo()
    luma = (true @ LUMA)[..., None]
    pale = (luma**power + 0.6 * (true - luma)).clip(0, 1).astype(np.float32)
    made = measure(true * np.float32(light), pale, Wanted(1 / light, 1.0)).settled(pale)
    assert float((made @ LUMA).mean()) == pytest.approx(float(luma.mean()), rel=0.1)
    assert saturation(made) == pytest.approx(saturation(true), rel=0.15)  # what is clipped is lost
    assert np.abs(made - true).mean() < np.abs(pale - true).mean()


def test_what_is_right_stays() -> None:
    true = photo()
    found = measure(true * np.float32(0.3), true, Wanted(1 / 0.3, 1.0))
    assert found.power == pytest.approx(1, abs=0.1) and found.saturation == pytest.approx(1, abs=0.05)


def test_grey_stays_grey_and_nothing_is_bent_without_limit() -> None:
    grey = np.repeat((photo() @ LUMA)[..., None], 3, axis=2)
    found = measure(grey * np.float32(0.3), grey)
    assert float(np.ptp(found.settled(grey), axis=2).max()) < 1e-5
    black = np.zeros((8, 8, 3), np.float32)
    assert np.isfinite(measure(black, black).settled(black)).all()
    assert POWERS[0] <= measure(grey, np.full_like(grey, 0.001)).power <= POWERS[1]
    assert float(Exposure(0.3, 2.0).settled(photo()).max()) <= 1


def test_the_less_light_the_more_is_asked_for() -> None:
    lights = (0.15, 0.3, 0.5, 0.7)
    found = [wanted(photo() * np.float32(light)) for light in lights]
    assert [one.gain for one in found] == sorted((one.gain for one in found), reverse=True)
    for one, light in zip(found, lights, strict=True):
        assert 0.45 < one.gain * light < 1.5 and one.saturation == pytest.approx(1, abs=0.4)


def test_against_the_light_the_dark_part_counts() -> None:
    true = photo()
    dark = true.copy()
    dark[40:] *= 0.2
    assert wanted(dark).gain > 1.15 * wanted(true).gain


def test_frames_of_a_scene_share_the_mean_of_what_they_ask_for() -> None:
    both = Wanted(2.0, 1.0).mixed(Wanted(8.0, 1.0), 0.5)
    assert both.gain == pytest.approx(4) and both.saturation == pytest.approx(1)
