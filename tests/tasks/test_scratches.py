"""Scratches and dust: found, and little else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imgfix.tasks import scratches
from tests.tasks.scenes import scene, scratched, with_noise


def measured(found: np.ndarray, true: np.ndarray, margin: int = 3) -> tuple[float, float]:
    """Precision with a margin in pixels, recall."""
    near = cv2.dilate(true.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    return float((found * near).sum() / max(1, found.sum())), float(found[true].mean())


def test_scratches_are_found_and_little_else() -> None:
    results = [
        measured(scratches.find(picture), true)
        for picture, true in (scratched(with_noise(scene(300, 400, seed), 1), seed) for seed in range(4))
    ]
    precision, recall = np.mean(results, axis=0)
    assert precision > 0.9
    assert recall > 0.5


def test_a_grey_scan_is_no_different() -> None:
    results = []
    for seed in range(4):
        picture, true = scratched(with_noise(scene(300, 400, seed), 1), seed)
        grey = np.repeat((picture @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=2)
        results.append(measured(scratches.find(grey), true))
    precision, recall = np.mean(results, axis=0)
    assert precision > 0.9
    assert recall > 0.5


def test_specks_of_dust_are_found() -> None:
    picture = with_noise(scene(300, 400), 1)
    true = np.zeros((300, 400), np.uint8)
    for place in ((60, 40), (200, 80), (330, 60)):
        cv2.circle(true, place, 3, 1, -1)
    picture[true > 0] = 0.98
    precision, recall = measured(scratches.find(picture), true > 0)
    assert precision > 0.9
    assert recall > 0.6


@pytest.mark.parametrize("seed", range(4))
def test_a_clean_picture_is_left_alone(seed: int) -> None:
    assert scratches.find(with_noise(scene(300, 400, seed), 3)).mean() < 0.001


def test_print_and_fences_are_no_scratches() -> None:
    picture = with_noise(scene(300, 400), 1)
    for x in range(20, 400, 12):
        picture[40:260, x : x + 2] = 0.95
    assert scratches.find(picture).mean() < 0.002


def test_a_large_scan_is_looked_at_in_a_smaller_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratches, "WORKING_PIXELS", 300 * 400)
    small, true = scratched(with_noise(scene(300, 400, 3), 1), seed=3)
    large = cv2.resize(small, (801, 601), interpolation=cv2.INTER_LINEAR)
    found = scratches.find(large)
    assert found.shape == (601, 801)
    precision, recall = measured(found, cv2.resize(true.astype(np.uint8), (801, 601), interpolation=0) > 0, margin=8)
    assert precision > 0.85
    assert recall > 0.4


@pytest.mark.parametrize("shape", [(1, 1), (40, 300), (49, 49)])
def test_pictures_too_small_for_a_scratch_are_left_alone(shape: tuple[int, int]) -> None:
    assert not scratches.find(np.random.default_rng(0).random((*shape, 3), np.float32)).any()
