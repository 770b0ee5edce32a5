"""What was laid over a clip is told from what moves behind it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.tasks.select.still import not_told, standing
from tests.tasks.scenes import scene

WORLD = (scene(400, 900, 3) * 255).astype(np.uint8)
SIZE = (270, 360)


def clip(count: int, stamp: str = "", logo: float = 0.0, moves: bool = True, bars: int = 0) -> Iterator[np.ndarray]:
    for number in range(count):
        top, left = (number // 2, 5 * number) if moves else (0, 0)
        frame = WORLD[top : top + SIZE[0], left : left + SIZE[1]].copy()
        if bars:
            frame[:bars] = frame[-bars:] = 0
        if stamp:
            cv2.putText(frame, stamp, (230, 250), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 160, 40), 2)
        if logo:
            shape = cv2.circle(np.zeros(SIZE, np.float32), (320, 40), 18, 1.0, -1)[..., None] * logo
            frame = (frame * (1 - shape) + 255 * shape).astype(np.uint8)
        yield frame


def still_overlay(frames: Iterator[np.ndarray], count: int) -> np.ndarray:
    """What stands still, or the error where nothing of it can be taken."""
    found = standing(frames, count)
    if found is None or not found.any():
        raise not_told(found)
    return found


def drawn(**what: object) -> np.ndarray:
    """Which pixels of the first frame are the overlay's."""
    with_it, without = next(clip(1, **what)), next(clip(1))  # type: ignore[arg-type]
    return (with_it != without).any(axis=2)


@pytest.mark.parametrize("what", [{"stamp": "12.05.2019"}, {"logo": 0.5}, {"stamp": "A 7", "logo": 0.6}])
def test_a_stamp_and_a_half_transparent_logo_are_found(what: dict[str, object]) -> None:
    found, true = still_overlay(clip(60, **what), 60), drawn(**what)  # type: ignore[arg-type]
    wide = cv2.dilate(found.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0  # as it is widened before it is filled
    assert (wide & true).sum() > 0.97 * true.sum()
    near = cv2.dilate(true.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    assert not (found & ~near).any()


def test_frames_of_an_unknown_number_and_of_16_bits_give_the_same() -> None:
    deep = (frame.astype(np.uint16) * 257 for frame in clip(60, "12.05.2019"))
    found, usual = still_overlay(deep, 0), still_overlay(clip(60, "12.05.2019"), 60)
    assert (found & usual).sum() > 0.8 * (found | usual).sum()


def test_a_large_frame_is_looked_at_smaller() -> None:
    large = (cv2.resize(frame, (1800, 1350)) for frame in clip(30, "12.05.2019"))
    found, true = still_overlay(large, 30), drawn(stamp="12.05.2019")
    assert found.shape == (1350, 1800)
    small = cv2.resize(found.astype(np.uint8), SIZE[::-1]) > 0
    wide = cv2.dilate(small.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert (wide & true).sum() > 0.95 * true.sum()


def test_black_bars_stay() -> None:
    found = still_overlay(clip(60, "12.05.2019", bars=12), 60)
    assert found.any() and not found[:18].any() and not found[-14:].any()


@pytest.mark.parametrize(
    ("frames", "count", "said"),
    [
        (clip(60), 60, "nothing that was laid over"),
        (clip(60, moves=False), 60, "too little moves"),
        (clip(1, "12.05.2019"), 1, "one frame does not tell"),
    ],
)
def test_what_cannot_be_told_is_said(frames: Iterator[np.ndarray], count: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        still_overlay(frames, count)
