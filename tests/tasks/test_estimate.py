"""What is found in a picture: its noise, and the JPEG it was."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.media.picture import JpegSettings
from imgfix.tasks import estimate
from imgfix.tasks.estimate import Damage
from tests.tasks.scenes import as_jpeg, decoded, scene, with_noise


@pytest.mark.parametrize("sigma", [5, 10, 25, 50])
def test_the_noise_level_is_found(sigma: float) -> None:
    found = estimate.noise_level(with_noise(scene(), sigma)[..., 1])
    assert found == pytest.approx(sigma, rel=0.12)


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_picture_has_no_noise(seed: int) -> None:
    assert estimate.noise_level(with_noise(scene(seed=seed), 0)[..., 0]) < 1.5


def test_texture_is_not_taken_for_noise() -> None:
    """Fine stripes and a fabric: regular, strong, everywhere."""
    y, x = np.mgrid[:256, :256]
    fabric = 0.5 + 0.2 * np.sin(x * 1.1) * np.sin(y * 0.9) + 0.1 * np.sin(x * 0.31 + y * 0.17)
    assert estimate.noise_level(fabric.astype(np.float32)) < 1


def test_clipped_areas_do_not_hide_the_noise() -> None:
    picture = scene()
    picture[:, :160] = 1.0
    assert estimate.noise_level(with_noise(picture, 12)[..., 1]) == pytest.approx(12, rel=0.2)


@pytest.mark.parametrize("shape", [(3, 5), (7, 7), (20, 1), (1, 400)])
def test_pictures_too_small_to_tell_have_no_noise(shape: tuple[int, int]) -> None:
    assert estimate.noise_level(np.random.default_rng(0).random(shape, np.float32)) == 0


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90])
def test_the_quality_of_a_former_jpeg_is_found_in_its_pixels(quality: int) -> None:
    found = estimate.jpeg_quality(decoded(as_jpeg(scene(), quality)) @ np.array([0.299, 0.587, 0.114], np.float32))
    assert found is not None
    assert abs(found - quality) <= 2


def test_a_cropped_jpeg_is_still_recognised() -> None:
    grey = decoded(as_jpeg(scene(), 30)) @ np.array([0.299, 0.587, 0.114], np.float32)
    assert estimate.jpeg_quality(grey[3:, 5:]) == 30


@pytest.mark.parametrize("sigma", [0, 3, 20])
def test_what_never_was_a_jpeg_is_not_called_one(sigma: float) -> None:
    for seed in range(3):
        assert estimate.jpeg_quality(with_noise(scene(seed=seed), sigma)[..., 1]) is None


def test_a_flat_picture_is_neither_noisy_nor_a_jpeg() -> None:
    flat = np.full((128, 128, 3), 0.5, np.float32)
    assert estimate.damage(flat, None, flat) == Damage(0.0, None)


def test_the_file_says_its_quality_and_the_pixels_may_say_a_lower_one() -> None:
    picture = decoded(as_jpeg(scene(), 30))
    assert estimate.damage(picture, JpegSettings(30), picture) == Damage(pytest.approx(0, abs=1.5), 30, "file")
    again = estimate.damage(picture, JpegSettings(98), picture)
    assert (again.jpeg, again.seen_in) == (30, "pixels")
