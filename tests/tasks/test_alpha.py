"""Colour runs under transparent edges, and flat alpha stays exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from imgfix.tasks.alpha import bleed_alpha, flat_as_it_was


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_hidden_pixels_take_the_colour_beside_them(dtype: type, channels: int) -> None:
    top = np.iinfo(dtype).max
    pixels = np.zeros((41, 53, channels), dtype)
    pixels[:, :20] = top // 3
    pixels[:, 40:] = top // 2
    alpha = np.zeros((41, 53), dtype)
    alpha[:, :20] = alpha[:, 40:] = top
    out = bleed_alpha(pixels, alpha)
    assert (
        out.dtype == dtype
        and np.array_equal(out[:, :20], pixels[:, :20])
        and np.array_equal(out[:, 40:], pixels[:, 40:])
    )
    near_left, near_right = out[20, 21].astype(int), out[20, 38].astype(int)
    assert np.abs(near_left - top // 3).max() < top * 0.06
    assert np.abs(near_right - top // 2).max() < top * 0.06
    assert out[:, 20:40].min() >= top // 3 and out[:, 20:40].max() <= top // 2 + 1


def test_visible_pixels_keep_their_colour_however_faint() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    alpha = np.random.default_rng(1).choice(np.array([0, 1, 128], np.uint8), (9, 9))
    assert np.array_equal(bleed_alpha(pixels, alpha)[alpha > 0], pixels[alpha > 0])


def test_nothing_hidden_or_nothing_visible_means_nothing_to_do() -> None:
    pixels = np.zeros((3, 3, 3), np.uint8)
    for value in (0, 255):
        assert bleed_alpha(pixels, np.full((3, 3), value, np.uint8)) is pixels


def test_the_input_is_not_written_to() -> None:
    pixels = np.full((4, 4, 3), 9, np.uint8)
    pixels.flags.writeable = False
    alpha = np.eye(4, dtype=np.uint8)
    bleed_alpha(pixels, alpha)


def test_what_is_flat_all_around_stays_exactly_so() -> None:
    alpha = np.zeros((12, 10, 3), np.float32)
    alpha[3:9, 3:8] = 1
    hazy = np.clip(alpha.repeat(2, 0).repeat(2, 1), 0.02, 0.98)

    def read(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        return alpha[y0:y1, x0:x1]

    for cuts in ([0, 24], [0, 2, 4, 14, 24]):
        bands = (hazy[a:b] for a, b in itertools.pairwise(cuts))
        out = np.concatenate(list(flat_as_it_was(bands, read, 10, 12, 2)))
        assert out.shape == (24, 20, 1)
        assert (out[:4] == 0).all() and (out[:, :4] == 0).all() and (out[20:] == 0).all()
        assert (out[8:16, 8:14] == 1).all()
        assert out[6, 10] == np.float32(0.98)  # at an edge the network has its say
