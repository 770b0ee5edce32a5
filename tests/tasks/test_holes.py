"""Groups of holes: everything is covered once, with enough picture around it, and as little as that takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgfix.tasks.holes import Group, find


def covered(groups: list[Group], shape: tuple[int, int], region: np.ndarray) -> np.ndarray:
    count = np.zeros(shape, int)
    for group in groups:
        top, bottom, left, right = group.box
        count[top:bottom, left:right] += group.owns()
        window = group.window
        assert window[0] <= top and bottom <= window[1] and window[2] <= left and right <= window[3]
        assert min(window) >= 0 and window[1] <= shape[0] and window[3] <= shape[1]
    return np.where(region, count, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 150), st.integers(1, 150),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=6),
    st.sampled_from([16, 64, 512]),
)  # fmt: skip
def test_every_pixel_to_fill_belongs_to_one_group(
    height: int, width: int, boxes: list[tuple[float, float, float, float]], native: int
) -> None:
    region = np.zeros((height, width), bool)
    for y, x, h, w in boxes:
        top, left = int(y * height), int(x * width)
        region[top : top + 1 + int(h * height * 0.7), left : left + 1 + int(w * width * 0.7)] = True
    groups = find(region, native)
    assert np.array_equal(covered(groups, region.shape, region), region.astype(int))


def test_nothing_to_fill_is_no_group() -> None:
    assert find(np.zeros((50, 50), bool), 512) == []


def test_dust_is_gathered_into_few_windows_of_the_native_size() -> None:
    region = np.zeros((1500, 2000), bool)
    region[np.random.default_rng(0).integers(0, 1500, 3000), np.random.default_rng(1).integers(0, 2000, 3000)] = True
    groups = find(region, 512)
    assert len(groups) < 40
    assert all(group.window[1] - group.window[0] == group.window[3] - group.window[2] == 512 for group in groups)


def test_a_large_hole_gets_a_window_twice_its_size() -> None:
    region = np.zeros((3000, 4000), bool)
    region[1000:1800, 1500:2300] = True
    (group,) = find(region, 512)
    top, bottom, left, right = group.window
    assert (bottom - top, right - left) == (1600, 1600)
    assert (top + bottom) // 2 == 1400 and (left + right) // 2 == 1900


def test_a_window_at_the_edge_is_moved_into_the_picture() -> None:
    region = np.zeros((1000, 1000), bool)
    region[:20, :20] = True
    (group,) = find(region, 512)
    assert group.window == (0, 512, 0, 512)


def test_a_long_scratch_is_filled_in_pieces_at_full_size() -> None:
    region = np.zeros((3000, 4000), bool)
    for x in range(200, 3800):
        region[x * 2 // 3 : x * 2 // 3 + 6, x] = True
    groups = find(region, 512)
    assert len(groups) > 8
    assert all(group.window[1] - group.window[0] <= 512 for group in groups)
    assert np.array_equal(covered(groups, region.shape, region), region.astype(int))


@pytest.mark.parametrize("apart", [2, 600])
def test_holes_share_a_window_only_when_they_are_near(apart: int) -> None:
    region = np.zeros((600, 1400), bool)
    region[300:340, 100:140] = region[300:340, 140 + apart : 180 + apart] = True
    assert len(find(region, 512)) == (1 if apart == 2 else 2)


def test_an_island_inside_a_large_hole_is_filled_with_it() -> None:
    region = np.zeros((2000, 2000), bool)
    region[500:1500, 500:1500] = True
    region[700:1300, 700:1300] = False
    region[980:1020, 980:1020] = True
    (group,) = find(region, 512)
    assert group.box == (500, 1500, 500, 1500)
