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


def as_bytes(rgb: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    return (rgb * np.iinfo(dtype).max + 0.5).astype(dtype)


class Never:
    def find(self, rgb: np.ndarray) -> None:
        return None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_result_has_the_depth_of_the_picture(dtype: type) -> None:
    rgb, alpha = scene()
    pixels, matted = cutout(as_bytes(rgb, dtype), Never(), rough=rough_of(alpha))
    assert pixels.dtype == matted.dtype == dtype and pixels.shape == (128, 128, 3)
    assert matted[64, 64] == np.iinfo(dtype).max and matted[0, 0] == 0


def test_a_grey_picture_gets_three_channels() -> None:
    rgb, alpha = scene()
    pixels, _ = cutout(as_bytes(rgb)[..., :1], Never(), rough=alpha)
    assert pixels.shape[2] == 3


def test_a_colour_behind_it_leaves_nothing_transparent() -> None:
    rgb, alpha = scene()
    pixels, matted = cutout(as_bytes(rgb), Never(), Background(colour=(255, 255, 255)), alpha)
    assert pixels[0, 0].tolist() == [255, 255, 255] and int(matted.min()) == 255
    assert np.abs(pixels[64, 64] - as_bytes(RED)).max() <= 1


def test_a_blurred_background_has_no_glow_of_the_subject() -> None:
    rgb, alpha = scene()
    pixels, _ = cutout(as_bytes(rgb), Never(), Background(blur=0.05), alpha)
    outside = alpha == 0
    assert np.abs(pixels[outside].astype(int) - as_bytes(GREEN)).max() <= 2


def test_a_picture_behind_covers_everything() -> None:
    wide = np.zeros((10, 40, 3), np.float32)
    wide[:, 10:30] = 1
    assert covering(wide, 20, 10).min() > 0.9
    assert covering(wide, 7, 31).shape == (31, 7, 3)


def test_no_subject_is_an_error() -> None:
    rgb, _ = scene()
    with pytest.raises(InputError, match="no main subject"):
        cutout(as_bytes(rgb), Never())
