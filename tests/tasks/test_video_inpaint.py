"""Filling a region of every frame: background from other frames, steady fills, nothing changed outside."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.tasks.inpaint import inpaint
from imgfix.tasks.sequence import FrameResult, Restart
from imgfix.tasks.video_inpaint import VideoInpaint, VideoInpaintOptions

HEIGHT, WIDTH = 96, 128


def background(seed: int = 0, height: int = 200, width: int = 400) -> np.ndarray:
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32) + random.integers(60, 196, 3)
    for cells, strength in ((8, 40), (40, 25)):
        noise = random.normal(0, strength, (cells, 2 * cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def pan(count: int, step: int = 2, seed: int = 0) -> list[np.ndarray]:
    plane = background(seed)
    return [np.ascontiguousarray(plane[20 : 20 + HEIGHT, t * step : t * step + WIDTH]) for t in range(count)]


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[top : top + height, left : left + width] = 1
    return mask


def with_logo(frames: list[np.ndarray], mask: np.ndarray) -> list[np.ndarray]:
    return [np.where(mask[..., None] > 0, np.uint8(255), frame) for frame in frames]


def run(task: VideoInpaint, frames: list[np.ndarray], restart: Restart | None = None) -> list[FrameResult]:
    first = restart.first_input if restart is not None else 0
    return list(task.run(iter(frames[first:]), restart))


def error(one: np.ndarray, two: np.ndarray, mask: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - two)[mask > 0].mean())


def test_a_logo_over_a_pan_is_replaced_by_what_other_frames_show() -> None:
    clean, mask = pan(14, step=3), box(36, 50, 16, 20)
    frames = with_logo(clean, mask)
    task = VideoInpaint(mask, "telea")
    given = [frame.copy() for frame in frames]
    results = run(task, frames)
    assert all(np.array_equal(one, two) for one, two in zip(frames, given, strict=True))  # the input is not touched
    assert len(results) == 14
    assert task.seen > 0.9 * 14 * mask.sum()
    ours = np.mean([error(m.frame, c, mask) for m, c in zip(results, clean, strict=True)])
    alone = np.mean([error(inpaint(f, mask, "telea"), c, mask) for f, c in zip(frames, clean, strict=True)])
    assert ours < 6
    assert ours < 0.5 * alone


def test_something_that_moves_is_taken_out_of_a_still_scene() -> None:
    clean = pan(1)[0]
    holes = [box(40, 4 + 7 * t, 18, 14) for t in range(12)]
    frames = [with_logo([clean], hole)[0] for hole in holes]
    task = VideoInpaint(lambda number, frame: holes[number], "telea")
    results = run(task, frames)
    assert task.made == 0
    assert max(error(m.frame, clean, hole) for m, hole in zip(results, holes, strict=True)) < 2


def test_outside_the_mask_every_pixel_is_the_same() -> None:
    random = np.random.default_rng(1)
    frames = [frame.copy() for frame in pan(6)]
    mask = (cv2.resize(random.random((8, 8)).astype(np.float32), (WIDTH, HEIGHT)) > 0.7).astype(np.float32)
    for made, frame in zip(run(VideoInpaint(mask, "ns"), frames), frames, strict=True):
        assert np.array_equal(made.frame[mask == 0], frame[mask == 0])


def test_what_no_frame_shows_is_made_once_and_then_carried() -> None:
    """A logo on a still camera: nothing is ever seen behind it, so the first fill stays, and nothing flickers."""
    random = np.random.default_rng(0)
    mask = box(30, 40, 24, 30)
    still = pan(1)[0].astype(float)
    frames = [np.clip(still + random.normal(0, 4, still.shape), 0, 255).astype(np.uint8) for _ in range(8)]
    frames = with_logo(frames, mask)
    task = VideoInpaint(mask, "telea")
    results = [m.frame.astype(float) for m in run(task, frames)]
    assert task.made == mask.sum()
    assert task.carried == 7 * mask.sum()
    alone = [inpaint(frame, mask, "telea").astype(float) for frame in frames]

    def flicker(clip: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(a - b)[mask > 0].mean() for a, b in zip(clip[1:], clip[:-1], strict=True)]))

    assert flicker(results) < 0.5 * flicker(alone)


def test_a_change_of_light_is_followed() -> None:
    clean = [np.clip(f.astype(float) * (0.7 + 0.04 * t), 0, 255).astype(np.uint8) for t, f in enumerate(pan(10, 3))]
    mask = box(36, 50, 14, 16)
    results = run(VideoInpaint(mask, "telea"), with_logo(clean, mask))
    assert np.mean([error(m.frame, c, mask) for m, c in zip(results, clean, strict=True)]) < 6


def test_a_fade_from_black_is_followed() -> None:
    """A logo on a still camera: the fill of a dark frame must not stay when the picture is bright."""
    clean = [(pan(1)[0] * share).astype(np.uint8) for share in np.linspace(0, 1, 16)]
    mask = box(36, 50, 10, 12)
    results = run(VideoInpaint(mask, "telea"), with_logo(clean, mask))
    darker = [np.mean(c[mask > 0].astype(float) - m.frame[mask > 0]) for m, c in zip(results, clean, strict=True)]
    assert np.abs(darker).max() < 25


def lamp(count: int) -> list[np.ndarray]:
    """A still scene of which one side grows light from frame 3 on."""
    still = pan(1)[0].astype(float) * 0.5
    grow = np.clip(np.arange(WIDTH) / WIDTH, 0, 1)[None, :, None]
    return [np.clip(still + max(0, t - 2) * 14 * grow, 0, 255).astype(np.uint8) for t in range(count)]


def test_a_fill_that_does_not_fit_any_more_joins_its_surroundings_and_is_made_anew() -> None:
    clean, mask = lamp(14), box(30, 40, 24, 30)
    task = VideoInpaint(mask, "telea")
    results = [m.frame.astype(float) for m in run(task, with_logo(clean, mask))]
    assert mask.sum() < task.made < 8 * mask.sum()
    rows, columns = slice(30, 54), slice(40, 70)
    for frame, truth in zip(results, clean, strict=True):
        for step in (frame[30, columns] - frame[29, columns], frame[rows, 69] - frame[rows, 70]):
            assert np.abs(step).mean() < 9
        assert np.abs(frame[rows, columns].mean((0, 1)) - truth[rows, columns].mean((0, 1))).max() < 25


def test_nothing_comes_from_beyond_a_cut() -> None:
    first, second = pan(6, 3, seed=1), pan(6, 3, seed=9)
    mask = box(36, 50, 14, 16)
    joined = run(VideoInpaint(mask, "telea"), with_logo(first + second, mask))
    apart = [m for part in (first, second) for m in run(VideoInpaint(mask, "telea"), with_logo(part, mask))]
    assert all(np.array_equal(one.frame, two.frame) for one, two in zip(joined, apart, strict=True))


@pytest.mark.parametrize("scene", ["pan", "still", "lamp"])
def test_work_is_taken_up_with_the_same_bytes(scene: str) -> None:
    mask = box(30, 40, 24, 30)
    first = lamp(11) if scene == "lamp" else pan(11, 1 if scene == "pan" else 0)
    frames = with_logo(first + pan(5, 2, seed=8), mask)
    options = VideoInpaintOptions(reach=3, restart_every=4)
    straight = run(VideoInpaint(mask, "telea", options), frames)
    places = [m.restart for m in straight if m.restart is not None]
    assert [p.index for p in places] == [0, 4, 8, 12]
    for place in places:
        again = run(VideoInpaint(mask, "telea", options), frames, place)
        assert len(again) == len(frames) - place.index
        assert all(np.array_equal(a.frame, b.frame) for a, b in zip(again, straight[place.index :], strict=True))


def test_frames_without_a_hole_pass_and_lend_what_they_show() -> None:
    clean = pan(8, 2)
    mask = box(30, 40, 40, 60)
    holes = [mask if number == 4 else np.zeros_like(mask) for number in range(8)]
    frames = [with_logo([frame], hole)[0] for frame, hole in zip(clean, holes, strict=True)]
    results = run(VideoInpaint(lambda number, frame: holes[number], "telea"), frames)
    for number in (0, 3, 5, 7):
        assert np.array_equal(results[number].frame, frames[number])
    assert error(results[4].frame, clean[4], mask) < 4


def test_sixteen_bits_alpha_and_soft_edges_are_kept() -> None:
    mask = cv2.GaussianBlur(box(36, 50, 16, 20), (5, 5), 0)
    frames = [np.dstack((f.astype(np.uint16) * 257, np.full(f.shape[:2], 40000, np.uint16))) for f in pan(5, 3)]
    for made, frame in zip(run(VideoInpaint(mask, "telea"), frames), frames, strict=True):
        assert made.frame.dtype == np.uint16
        assert np.array_equal(made.frame[..., 3], frame[..., 3])
        assert np.array_equal(made.frame[mask == 0], frame[mask == 0])


def test_no_more_frames_wait_than_was_promised() -> None:
    task: Any = VideoInpaint(box(30, 40, 10, 10), "telea", VideoInpaintOptions(reach=3))
    taken = given = most = 0

    def frames() -> Any:
        nonlocal taken
        for frame in pan(10):
            taken += 1
            yield frame

    for _ in task.run(frames()):
        most = max(most, taken - given)
        given += 1
    assert given == 10
    assert most <= task.held == 4


def test_a_mask_of_another_size_is_a_clear_error() -> None:
    with pytest.raises(InputError, match="frame 0 is 128x96, its mask 10x10"):
        run(VideoInpaint(np.ones((10, 10), np.float32), "telea"), pan(2))


def test_each_frame_of_a_grainy_clip_gets_grain_of_its_own() -> None:
    random = np.random.default_rng(4)
    clip = [np.clip(random.normal(120, 8, (160, 192, 3)), 0, 255).astype(np.uint8) for _ in range(4)]
    mask = np.zeros((160, 192), np.float32)
    mask[56:104, 72:120] = 1
    results = run(VideoInpaint(mask, "telea", VideoInpaintOptions(reach=1)), clip)
    assert all(np.array_equal(m.frame[mask == 0], f[mask == 0]) for m, f in zip(results, clip, strict=True))
    holes = [made.frame[60:100, 76:116].astype(np.float32) for made in results]
    assert [float(hole.std()) for hole in holes] == pytest.approx([8] * 4, rel=0.25)
    for before, after in itertools.pairwise(holes):
        assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.2
