"""Fading that is found and undone, and pictures that have not faded."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.tasks import fading
from imgfix.tasks.restore import Restore, RestoreOptions
from tests.tasks.scenes import scene

LUMA = np.array([0.299, 0.587, 0.114])


def photo() -> np.ndarray:
    """A colourful picture from black to white."""
    picture = scene(96, 128, 3)
    low, high = np.percentile(picture, (0.1, 99.9), axis=(0, 1))
    return ((picture - low) / (high - low)).clip(0, 1).astype(np.float32)


def faded(picture: np.ndarray, black: tuple[float, ...], white: tuple[float, ...]) -> np.ndarray:
    low, high = np.array(black, np.float32), np.array(white, np.float32)
    return low + picture * (high - low)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("cast", [(0.0, 0.0, 0.0), (0.06, 0.0, -0.04), (-0.03, 0.05, 0.02)])
def test_levels_and_cast_of_a_faded_print_come_back_most_of_the_way(cast: tuple[float, ...]) -> None:
    print_ = faded(photo(), tuple(0.2 + c for c in cast), tuple(0.8 + c for c in cast))
    found = fading.find(print_)
    assert found is not None and "black" in found.in_words()
    done = found.undone(print_)
    assert error(done, photo()) < 0.4 * error(print_, photo())
    before, after = (np.ptp((p - photo()).mean(axis=(0, 1))) for p in (print_, done))
    assert after < 0.5 * before + 0.02


def test_a_picture_with_its_blacks_in_one_channel_or_its_whites_is_left_alone() -> None:
    assert fading.find(photo()) is None
    assert fading.find(faded(photo(), (0.3, 0.0, 0.2), (0.9, 0.5, 0.7))) is None  # a sunset
    white = photo()
    white[:12, :12] = 1
    assert fading.find(faded(white, (0.3, 0.3, 0.3), (1.0, 1.0, 1.0))) is None
    assert fading.find(np.full((40, 40, 3), 0.4, np.float32)) is None
    assert fading.find(np.full((3, 3, 3), 0.4, np.float32)) is None


def test_a_toned_print_keeps_its_tone() -> None:
    grey = np.repeat((photo() @ LUMA.astype(np.float32))[..., None], 3, axis=2)
    toned = faded(grey * np.array([1.0, 0.9, 0.75], np.float32), (0.2, 0.2, 0.2), (0.85, 0.85, 0.85))
    found = fading.find(toned)
    assert found is not None and len(set(found.black)) == len(set(found.white)) == 1
    bright = grey[..., 0] > 0.7
    assert (found.undone(toned)[bright] @ np.array([1, 0, -1.0]) > 0.1).mean() > 0.95


def test_damage_is_not_measured() -> None:
    print_ = faded(photo(), (0.2, 0.2, 0.2), (0.8, 0.8, 0.8))
    whole = fading.find(print_[20:-12])
    torn, mask = print_.copy(), np.zeros(print_.shape[:2], np.float32)
    torn[:20], mask[:20] = 1.0, 1.0
    torn[-12:], mask[-12:] = 0.0, 1.0
    assert fading.find(torn) is None
    found = fading.find(torn, mask)
    assert whole is not None and found is not None
    assert np.allclose(found.black, whole.black, atol=0.05) and np.allclose(found.white, whole.white, atol=0.05)


def test_contrast_grows_by_no_more_than_the_limit_and_a_dark_print_is_not_made_bright() -> None:
    flat = fading.find(faded(photo(), (0.4, 0.4, 0.4), (0.62, 0.62, 0.62)))
    assert flat is not None
    steps = flat.undone(np.array([[0.4] * 3, [0.5] * 3], np.float32))
    assert float((steps[1] - steps[0]).max()) <= fading.MOST_GAIN * 0.1 + 1e-6
    dark = fading.find(faded(photo(), (0.12, 0.12, 0.12), (0.4, 0.4, 0.4)))
    assert dark is not None and float(dark.undone(np.full(3, 0.4, np.float32)).max()) < 0.45


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rows_come_in_bands_whether_a_network_runs_or_not(dtype: type) -> None:
    top = np.iinfo(dtype).max
    print_ = np.tile(faded(photo(), (0.2, 0.2, 0.2), (0.8, 0.8, 0.8)), (4, 1, 1))
    pixels = (print_ * top + 0.5).astype(dtype)
    found = fading.find(print_)
    assert found is not None
    bands = list(Restore(pixels, [], RestoreOptions(strength=0.5), fading=found).bands())
    done = np.concatenate(bands)
    assert len(bands) == 2 and done.shape == pixels.shape and done.dtype == dtype
    wanted = (0.5 * print_ + 0.5 * found.undone(print_)).clip(0, 1)
    assert np.abs(done / top - wanted).max() < 1.5 / 255
