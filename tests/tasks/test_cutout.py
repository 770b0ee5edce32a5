"""The cut-out: a matte that follows the picture, colours without a rim, and what is put behind."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.tasks.cutout import Background, covering, cutout, decontaminated, guided, matte

RED, GREEN = np.array([0.9, 0.1, 0.1], np.float32), np.array([0.1, 0.8, 0.2], np.float32)


def scene(side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A red disc with a soft edge on green, and its alpha."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    distance = np.hypot(x - side / 2, y - side / 2)
    alpha = np.clip((side / 4 - distance) / 4 + 0.5, 0, 1).astype(np.float32)
    return alpha[..., None] * RED + (1 - alpha[..., None]) * GREEN, alpha


def rough_of(alpha: np.ndarray) -> np.ndarray:
    """What a coarse network would say: the shape moved a little and blurred."""
    import cv2

    return cv2.GaussianBlur(np.roll(alpha, 2, axis=1), (0, 0), 3)


def test_the_matte_follows_the_edge_of_the_picture() -> None:
    rgb, alpha = scene()
    rough = rough_of(alpha)
    found = matte(rgb, rough)
    assert np.abs(found - alpha).mean() < np.abs(rough - alpha).mean() / 2
    assert found[64, 64] == 1 and found[0, 0] == 0


def test_the_guided_filter_of_a_flat_guide_is_an_average() -> None:
    values = np.zeros((32, 32), np.float32)
    values[:, 16:] = 1
    found = guided(np.full((32, 32, 3), 0.5, np.float32), values, 2)
    assert found[16, 16] == pytest.approx(found[16, :].mean(), abs=0.2) and 0 < found[16, 16] < 1
    assert found[16, 4] == 0 and found[16, 28] == pytest.approx(1)


def test_the_colours_of_the_edge_lose_what_was_behind() -> None:
    rgb, alpha = scene()
    edge = (alpha > 0.2) & (alpha < 0.8)
    before, after = (np.abs(picture[edge] - RED).mean() for picture in (rgb, decontaminated(rgb, alpha)))
    assert after < before / 4
    inside = alpha == 1
    assert np.array_equal(decontaminated(rgb, alpha)[inside], rgb[inside])


def test_what_is_all_subject_stays_as_it_is() -> None:
    rgb, alpha = scene()
    made, share, kept = cutout(rgb, rough_of(alpha))
    assert made.shape == rgb.shape and share.shape == kept.shape == alpha.shape
    assert kept[64, 64] and not kept[0, 0]
    assert np.array_equal(made[kept], rgb[kept])


def test_a_colour_behind_it_fills_the_rest() -> None:
    rgb, alpha = scene()
    made, _, _ = cutout(rgb, alpha, Background(colour=(255, 255, 255)))
    assert np.allclose(made[0, 0], 1) and np.allclose(made[64, 64], RED)


def test_a_blurred_background_has_no_glow_of_the_subject() -> None:
    rgb, alpha = scene()
    made, _, _ = cutout(rgb, alpha, Background(blur=0.05))
    assert np.abs(made[alpha == 0] - GREEN).max() < 0.01


def test_a_picture_behind_covers_everything() -> None:
    wide = np.zeros((10, 40, 3), np.float32)
    wide[:, 10:30] = 1
    assert covering(wide, 20, 10).min() > 0.9
    assert covering(wide, 7, 31).shape == (31, 7, 3)


def test_no_subject_is_an_error() -> None:
    rgb, alpha = scene()
    with pytest.raises(InputError, match="no main subject"):
        cutout(rgb, np.zeros_like(alpha))
