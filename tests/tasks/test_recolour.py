"""Another colour for what is drawn."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from imgfix.tasks.recolour import COLOURS, recolour


def drawing(*colours: tuple[int, int, int]) -> np.ndarray:
    """Bands of colours, the first one as high as all others together, with transparent columns at the sides."""
    heights = [6 * max(1, len(colours) - 1), *[6] * (len(colours) - 1)]
    rows = np.concatenate(
        [np.full((height, 24, 3), each, np.uint8) for each, height in zip(colours, heights, strict=True)]
    )
    opacity = np.full((*rows.shape[:2], 1), 255, np.uint8)
    opacity[:, :4] = opacity[:, -4:] = 0
    return np.concatenate([rows, opacity], 2)


def hue(pixel: np.ndarray) -> float:
    return 360 * colorsys.rgb_to_hsv(*(pixel[:3] / 255))[0]


@pytest.mark.parametrize("name", ["red", "orange", "yellow", "green", "blue", "purple"])
def test_the_hue_that_dominates_becomes_the_colour_and_the_others_stay(name: str) -> None:
    start = drawing((200, 30, 150), (40, 160, 60))
    made = recolour(start, name)
    away = (hue(made[0, 12]) - COLOURS[name].hue + 180) % 360 - 180
    assert abs(away) < 10
    assert np.abs(made[-1].astype(int) - start[-1]).max() <= 1
    assert np.array_equal(made[..., 3], start[..., 3])


def test_light_and_shade_stay() -> None:
    made = recolour(drawing((220, 60, 60), (110, 30, 30)), "blue")
    assert made[0, 12].max() > 1.8 * made[-1, 12, :3].max()


def test_what_has_no_colour_is_given_one_and_black_lines_stay_black() -> None:
    made = recolour(drawing((230, 230, 230), (10, 10, 10)), "red")
    assert made[0, 12, 0] > 220 and made[0, 12, 1] < 100
    assert np.array_equal(made[-1], drawing((230, 230, 230), (10, 10, 10))[-1])


@pytest.mark.parametrize(("name", "low", "high"), [("black", 0, 80), ("grey", 90, 190), ("white", 190, 255)])
def test_colours_without_a_hue_are_reached_from_one(name: str, low: int, high: int) -> None:
    pixel = recolour(drawing((230, 180, 20)), name)[0, 12, :3].astype(int)
    assert low <= pixel.min() and pixel.max() <= high and np.ptp(pixel) <= 4


def test_what_has_the_colour_already_stays_as_it_is() -> None:
    start = drawing((220, 30, 30))
    assert np.array_equal(recolour(start, "red"), start)
