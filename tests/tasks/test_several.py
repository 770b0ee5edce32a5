"""Several drawings on one square."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imgfix.tasks.several import NUMBERS, several


def disc(colour: tuple[int, int, int]) -> np.ndarray:
    made = np.zeros((64, 64, 4), np.uint8)
    cv2.circle(made, (32, 32), 20, (*colour, 255), -1)
    return made


@pytest.mark.parametrize("count", sorted(set(NUMBERS.values())))
def test_every_drawing_is_seen_apart_and_none_is_cut(count: int) -> None:
    made = several([disc((200, 20 * number, 0)) for number in range(count)])
    assert made.shape == (64, 64, 4) and made.dtype == np.uint8
    found, _, sizes, _ = cv2.connectedComponentsWithStats((made[..., 3] > 128).astype(np.uint8))
    assert found - 1 == count
    assert sizes[1:, cv2.CC_STAT_AREA].max() < 1.3 * sizes[1:, cv2.CC_STAT_AREA].min()
    assert len({int(g) for g in made[made[..., 3] > 250][:, 1]}) >= count


def test_colours_are_those_of_the_drawings() -> None:
    made = several([disc((200, 100, 0)), disc((0, 100, 200))])
    inside = made[made[..., 3] == 255][:, :3]
    assert {tuple(pixel) for pixel in inside.tolist()} == {(200, 100, 0), (0, 100, 200)}


def test_a_drawing_of_nothing_leaves_its_place_empty() -> None:
    made = several([disc((200, 100, 0)), np.zeros((64, 64, 4), np.uint8)])
    assert made[:, :30, 3].any() and not made[:, 34:, 3].any()
