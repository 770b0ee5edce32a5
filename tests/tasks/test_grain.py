"""Grain of the surroundings in fills: how much, of which kind, and where none belongs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imgfix.tasks import grain
from imgfix.tasks.inpaint import InpaintOptions, inpaint


def shaded(height: int = 192, width: int = 256) -> np.ndarray:
    """(h, w, 3) float32 of 255: light that changes slowly."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([60 + 0.4 * x, 80 + 0.3 * y, 120 + 0.1 * (x + y)], axis=-1)


def noisy(clean: np.ndarray, sigma: float | np.ndarray, blur: float = 0.0, seed: int = 3) -> np.ndarray:
    """uint8, with noise of this deviation, independent or correlated over pixels."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape).astype(np.float32)
    if blur:
        noise = cv2.GaussianBlur(noise, (0, 0), blur)
        noise = noise / np.float32(noise.std())
    found: np.ndarray = np.clip(clean + sigma * noise + 0.5, 0, 255).astype(np.uint8)
    return found


def centre(pixels: np.ndarray) -> np.ndarray:
    mask = np.zeros(pixels.shape[:2], np.float32)
    mask[64:128, 96:160] = 1
    return mask


def spread(pixels: np.ndarray) -> float:
    return float(grain.high_pass(pixels.astype(np.float32).mean(axis=2))[4:-4, 4:-4].std())


def correlation(pixels: np.ndarray) -> float:
    """Of neighbours in a row, what is slow taken away."""
    plane = pixels.astype(np.float32).mean(axis=2)
    rest = plane - cv2.GaussianBlur(plane, (0, 0), 6)
    return float((rest[:, 1:] * rest[:, :-1]).mean() / (rest * rest).mean())


@pytest.mark.parametrize("filler", ["telea", "ns"])
@pytest.mark.parametrize(("sigma", "blur"), [(4.0, 0.0), (8.0, 0.7), (15.0, 0.6)])
def test_a_fill_is_as_grainy_as_its_surroundings(filler: str, sigma: float, blur: float) -> None:
    picture = noisy(shaded(), sigma, blur)
    filled = inpaint(picture, centre(picture), filler)
    inside, outside = filled[64:128, 96:160], picture[64:128, 96:160]
    assert spread(inside) == pytest.approx(spread(outside), rel=0.15)
    assert correlation(inside) == pytest.approx(correlation(outside), abs=0.12)


def test_without_grain_the_fill_stays_smooth() -> None:
    picture = noisy(shaded(), 8.0)
    filled = inpaint(picture, centre(picture), "telea", InpaintOptions(grain=False))
    assert spread(filled[64:128, 96:160]) < 0.5 * spread(picture[64:128, 96:160])


def test_grain_is_measured_on_curved_shades() -> None:
    x = np.arange(256, dtype=np.float32)
    clean = np.broadcast_to((128 + 50 * np.sin(x / 16))[None, :, None], (192, 256, 3)).astype(np.float32)
    picture = noisy(clean, 5.0)
    hole = centre(picture) > 0
    found = grain.matched(clean.astype(np.uint8), picture, hole)
    assert spread(found[64:128, 96:160]) == pytest.approx(spread(picture[64:128, 96:160]), rel=0.15)


def test_a_few_samples_of_black_do_not_hide_the_grain_of_a_dark_picture() -> None:
    clean = np.full((192, 256, 3), 14, np.float32)
    picture = noisy(clean, 5.0)
    hole = centre(picture) > 0
    found = grain.matched(clean.astype(np.uint8), picture, hole)
    assert spread(found[64:128, 96:160]) == pytest.approx(spread(picture[64:128, 96:160]), rel=0.15)


def test_chroma_and_luma_are_as_strong_as_around() -> None:
    random = np.random.default_rng(5)
    luma = random.normal(0, 3, (192, 256, 1))
    chroma = random.normal(0, 6, (192, 256, 3)) * [1, 0, -1]
    picture = np.clip(128 + luma + chroma, 0, 255).astype(np.uint8)
    hole = centre(picture) > 0
    found = grain.matched(np.full_like(picture, 128), picture, hole)[hole].astype(np.float32)
    for channels in ((0, 1), (0, 2), (1, 2)):
        wanted = np.std(np.diff(picture[~hole].astype(np.float32)[:, channels], axis=1))
        assert np.std(np.diff(found[:, channels], axis=1)) == pytest.approx(float(wanted), rel=0.15)


def test_grain_follows_the_brightness() -> None:
    clean = np.broadcast_to(np.linspace(40, 200, 256, dtype=np.float32)[None, :, None], (192, 256, 3))
    picture = noisy(clean, np.linspace(8, 4, 256, dtype=np.float32)[None, :, None])
    hole = np.zeros((192, 256), bool)
    hole[70:120, 20:236] = True
    found = grain.matched(clean.astype(np.uint8), picture, hole)[70:120]
    assert spread(found[:, 20:70]) > 1.35 * spread(found[:, 186:236])


def test_black_that_is_cut_off_stays_black() -> None:
    picture = noisy(shaded(), 8.0)
    picture[:, :128] = 0
    hole = np.zeros(picture.shape[:2], bool)
    hole[70:120, 40:90] = True
    filled = grain.matched(picture, picture, hole)
    assert int(filled[hole].max()) <= 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_outside_the_mask_nothing_changes_at_any_depth(channels: int, bits: int) -> None:
    top = 2**bits - 1
    noise = np.random.default_rng(1).normal(0.5, 0.03, (192, 256, channels))
    picture = np.clip(noise * top, 0, top).astype(f"uint{bits}")
    mask = centre(picture)
    filled = inpaint(picture, mask, "telea")
    assert filled.dtype == picture.dtype
    assert np.array_equal(filled[mask == 0], picture[mask == 0])
    assert np.std(filled[mask > 0] / top) == pytest.approx(0.03, rel=0.2)


def test_the_same_input_gives_the_same_bytes_and_another_frame_other_noise() -> None:
    picture = noisy(shaded(), 8.0)
    hole = centre(picture) > 0
    smooth = shaded().astype(np.uint8)
    first = grain.matched(smooth, picture, hole, number=1)
    assert np.array_equal(first, grain.matched(smooth, picture, hole, number=1))
    other = grain.matched(smooth, picture, hole, number=2)
    noise = [(one.astype(np.float32) - smooth)[hole].ravel() for one in (first, other)]
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.1


def test_what_the_hole_hides_has_no_influence() -> None:
    picture = noisy(shaded(), 8.0)
    hole = centre(picture) > 0
    painted = picture.copy()
    painted[hole] = [255, 0, 255]
    smooth = shaded().astype(np.uint8)
    assert np.array_equal(grain.matched(smooth, picture, hole), grain.matched(smooth, painted, hole))


def test_a_fill_that_is_grainy_already_gets_no_more() -> None:
    picture = noisy(shaded(), 8.0)
    hole = centre(picture) > 0
    found = grain.matched(noisy(shaded(), 8.0, seed=9), picture, hole)
    assert spread(found[64:128, 96:160]) == pytest.approx(spread(picture[64:128, 96:160]), rel=0.15)


def test_nothing_is_added_where_the_picture_is_clean() -> None:
    for picture in (
        shaded().astype(np.uint8),
        noisy(shaded(), 0.4),
        noisy(shaded(), 12.0, blur=3.0),  # cloth or clouds: of too wide a correlation for grain
        np.kron(np.random.default_rng(2).integers(0, 255, (48, 64, 3)), np.ones((4, 4, 1))).astype(np.uint8),
    ):
        hole = centre(picture) > 0
        smooth = shaded().astype(np.uint8)
        assert grain.matched(smooth, picture, hole) is smooth


def test_transparent_parts_are_not_measured() -> None:
    picture = noisy(shaded(), 8.0)
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:, :80] = 0
    picture[:, :80] = 0
    filled = inpaint(picture, centre(picture), "telea", alpha=alpha)
    assert spread(filled[64:128, 96:160]) == pytest.approx(spread(picture[64:128, 164:228]), rel=0.15)


def test_a_picture_too_small_to_measure_is_filled_without_grain() -> None:
    tiny = noisy(shaded(), 8.0)[:12, :12]
    hole = np.zeros((12, 12), bool)
    hole[4:8, 4:8] = True
    assert grain.measure(tiny, hole) is None
