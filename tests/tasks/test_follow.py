"""What was chosen is followed: moved along, lost behind something and found again, ended at a cut. No weights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.tasks.select.choose import parse_object, parse_point
from imgfix.tasks.select.detect import Detection
from imgfix.tasks.select.follow import EVERY, FollowRequest, Masks, follow
from imgfix.tasks.select.segment import Segment
from tests.tasks.scenes import scene

WIDTH, HEIGHT = 240, 160
RADIUS = 22
BACKGROUND = (scene(HEIGHT, WIDTH + 200, 3) * 255).astype(np.uint8)


class ByColour:
    """A segmenter for which a thing is what has the colour of the point, connected with it."""

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        return rgb

    def segment(self, picture, points=(), not_points=(), box=None, rough=None) -> Segment:
        self.asked += 1
        x, y = (int(value) for value in points[0])
        alike = np.abs(picture.astype(int) - picture[y, x]).max(axis=2) < 70
        _, labels = cv2.connectedComponents(alike.astype(np.uint8))
        return Segment(np.where(labels == labels[y, x], 5.0, -5.0).astype(np.float32), 0.9)

    def segment_boxes(self, picture, boxes) -> list[Segment]:
        return [self.segment(picture, [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)]) for box in boxes]


class GreenThings:
    """A detector that finds a dog in everything that is green, from one frame on."""

    def __init__(self, blind: int = 0) -> None:
        self.blind = blind

    def find(self, rgb: np.ndarray, least: float) -> list[Detection]:
        if self.blind > 0:
            self.blind -= 1
            return []
        green = (rgb[..., 1] > 180) & (rgb[..., 0] < 60) & (rgb[..., 2] < 60)
        count, _, facts, _ = cv2.connectedComponentsWithStats(green.astype(np.uint8))
        boxes = [tuple(float(v) for v in (x, y, x + w, y + h)) for x, y, w, h, area in facts[1:count] if area > 100]
        return [Detection("dog", 0.9, box) for box in boxes]  # type: ignore[arg-type]


class Tools:
    def __init__(self, blind: int = 0) -> None:
        self.boxes, self.dogs = ByColour(), GreenThings(blind)

    def segmenter(self) -> ByColour:
        return self.boxes

    def detector(self) -> GreenThings:
        return self.dogs


def disc(x: float, y: float = HEIGHT / 2) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 <= RADIUS**2


def clip(places: Sequence[float | None], pillar: bool = False) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Frames of a green, patterned disc before a background that moves too, and what is seen of the disc."""
    pattern = np.random.default_rng(1).integers(0, 40, (2 * RADIUS + 2, 2 * RADIUS + 2, 1), np.uint8)
    pattern = cv2.resize(cv2.resize(pattern, (12, 12)), (2 * RADIUS + 2, 2 * RADIUS + 2))
    frames, true = [], []
    for number, x in enumerate(places):
        frame = BACKGROUND[:, 2 * number : 2 * number + WIDTH].copy()
        seen = np.zeros((HEIGHT, WIDTH), bool)
        if x is not None:
            seen = disc(x)
            left, top = int(x) - RADIUS, HEIGHT // 2 - RADIUS
            rows, columns = np.nonzero(seen)
            shade = pattern[np.clip(rows - top, 0, 2 * RADIUS), np.clip(columns - left, 0, 2 * RADIUS)]
            frame[seen] = np.array([10, 210, 10]) + shade[:, None] * np.array([1, 1, 1])
        if pillar:
            frame[:, 110:170] = BACKGROUND[:, 300:360]
            seen[:, 110:170] = False
        frames.append(frame)
        true.append(seen)
    return frames, true


def overlaps(found: Masks, true: list[np.ndarray]) -> np.ndarray:
    return np.array(
        [
            (found.get(n) & mask).sum() / max(1, (found.get(n) | mask).sum()) if mask.any() else not found.get(n).any()
            for n, mask in enumerate(true)
        ]
    )


def test_a_point_in_the_first_frame_is_followed_to_the_last() -> None:
    frames, true = clip([40 + 5 * n for n in range(24)])
    found = follow(iter(frames), Tools(), FollowRequest((parse_point("40,80"),), 0.4))
    assert found.count == 24 and overlaps(found, true).min() > 0.9


def test_a_moment_in_the_middle_is_followed_both_ways() -> None:
    frames, true = clip([40 + 5 * n for n in range(24)])
    found = follow(iter(frames), Tools(), FollowRequest((parse_point("100,80"),), 0.4, at=12))
    assert overlaps(found, true).min() > 0.9


def test_what_goes_behind_something_is_lost_and_found_again() -> None:
    frames, true = clip([40 + 5 * n for n in range(34)], pillar=True)
    found = follow(iter(frames), Tools(), FollowRequest((parse_point("40,80"),), 0.4))
    whole = np.array([mask.sum() for mask in true])
    got = overlaps(found, true)
    assert (whole == 0).any()
    assert got[:8].min() > 0.9 and got[-5:].min() > 0.9
    assert not any(found.get(number).any() for number in np.flatnonzero(whole == 0))


def test_nothing_is_followed_across_a_cut() -> None:
    frames, _ = clip([40 + 5 * n for n in range(8)])
    other = [np.ascontiguousarray(255 - frame[::-1, ::-1]) for frame in clip([None] * 8)[0]]
    found = follow(iter(frames + other), Tools(), FollowRequest((parse_point("40,80"),), 0.4))
    assert all(found.get(number).any() for number in range(8))
    assert not any(found.get(number).any() for number in range(8, 16))


def test_what_has_a_name_is_looked_for_again_and_followed_back() -> None:
    places: list[float | None] = [None] * 5 + [30 + 5 * n for n in range(20)]
    frames, true = clip(places)
    found = follow(iter(frames), Tools(), FollowRequest((parse_object("dog"),), 0.4))
    assert EVERY > 5  # it came after the first look, and is found in the frames before the second too
    assert overlaps(found, true).min() > 0.85


def test_after_a_cut_what_has_a_name_is_looked_for_at_once() -> None:
    frames, true = clip([60 + 4 * n for n in range(6)])
    turned = [np.ascontiguousarray(np.roll(frame, 90, axis=0)[:, ::-1]) for frame in frames]
    again = [np.ascontiguousarray(np.roll(mask, 90, axis=0)[:, ::-1]) for mask in true]
    found = follow(iter(frames + turned), Tools(), FollowRequest((parse_object("dog"),), 0.4))
    assert overlaps(found, true + again).min() > 0.85


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (FollowRequest((parse_object("dog"),), 0.4), "no dog was found"),
        (FollowRequest((parse_object("dog:2"),), 0.4), "no dog was found"),
        (FollowRequest((parse_point("500,5"),), 0.4), "outside the picture"),
        (FollowRequest((parse_point("5,5"),), 0.4, at=40), "behind the end"),
    ],
)
def test_what_is_in_no_frame_is_said(asked: FollowRequest, said: str) -> None:
    frames, _ = clip([None] * 10)
    with pytest.raises(InputError, match=said):
        follow(iter(frames), Tools(), asked)  # type: ignore[arg-type]


def test_masks_are_kept_small_and_given_back_as_they_were() -> None:
    kept = Masks((WIDTH, HEIGHT))
    kept.put(0, np.zeros((HEIGHT, WIDTH), bool))
    kept.put(2, disc(50))
    kept.put(2, disc(150))
    assert kept.count == 3 and not kept.get(0).any() and not kept.get(1).any()
    assert np.array_equal(kept.get(2), disc(50) | disc(150))
    assert sum(map(len, kept._packed.values())) < WIDTH * HEIGHT / 40
