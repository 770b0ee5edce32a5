"""The ways of seeing a picture, and which of their fills is the likeliest."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.tasks.looks import LOOKS, back, ranked, seam, turned


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 3)])
def test_the_way_back_gives_the_picture_again(look: int, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(back(turned(pixels, look), look), pixels)


def test_all_looks_differ() -> None:
    pixels = np.arange(9).reshape(3, 3)
    assert len({turned(pixels, look).tobytes() for look in LOOKS}) == len(LOOKS) == 8


def fills(*levels: int) -> tuple[list[np.ndarray], np.ndarray]:
    """A grey picture with a hole, filled with each of these levels."""
    hole = np.zeros((12, 12), bool)
    hole[4:8, 3:9] = True
    return [np.where(hole, level, 100).astype(np.uint8)[..., None] for level in levels], hole


def test_the_fill_that_goes_on_smoothly_comes_first() -> None:
    made, hole = fills(150, 101, 180, 120)
    assert ranked(made, hole) == [1, 3, 0, 2]


def test_of_fills_that_are_alike_the_picture_as_it_is_comes_first() -> None:
    made, hole = fills(*[110] * 8)
    assert ranked(made, hole) == list(range(8))


def test_the_seam_is_measured_in_the_units_of_the_picture() -> None:
    made, hole = fills(110)
    assert seam(made[0], hole) == pytest.approx(10)
    assert seam(np.repeat(made[0].astype(np.uint16) * 257, 3, axis=2), hole) == pytest.approx(3 * 2570)
