"""Dark clips are brightened alike: one gain for a scene, whatever the network makes of single frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from imgfix.tasks.brighten_frames import BrightenFrames
from imgfix.tasks.restore import RestoreOptions
from imgfix.tasks.restore_frames import RestoreFrames
from imgfix.tasks.sequence import FrameResult, Restart
from tests.tasks.scenes import scene

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Unsteady(RestoreFrames):
    """Stands in for a network that makes every other frame much brighter."""

    def __init__(self) -> None:
        super().__init__(RestoreOptions(light=True), engine_for=None)  # type: ignore[arg-type]

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        for number, frame in enumerate(frames, start=0 if restart is None else restart.index):
            made = (frame / 255) ** (0.4 if number % 2 else 0.65)
            yield FrameResult((made * 255 + 0.5).astype(np.uint8), Restart(number, number))


def dark(count: int, other: bool = False) -> list[np.ndarray]:
    whole = scene(96, 128, 5 if other else 3)
    whole = 1 - whole if other else whole
    return [(np.roll(whole, 2 * number, axis=1) * 0.25 * 255).astype(np.uint8) for number in range(count)]


def means(frames: list[np.ndarray]) -> np.ndarray:
    return np.array([float((frame @ LUMA).mean()) for frame in frames])


def made(frames: list[np.ndarray], strength: float = 1.0) -> list[np.ndarray]:
    return [result.frame for result in BrightenFrames(Unsteady(), strength).run(iter(frames))]


def test_what_a_network_makes_of_single_frames_does_not_flicker() -> None:
    frames = dark(8)
    alone = [result.frame for result in Unsteady().run(iter(frames))]
    flicker = np.abs(np.diff(means(alone))).mean()
    shown = means(made(frames))
    assert flicker > 20 and np.abs(np.diff(shown)).max() < flicker / 10
    assert shown.mean() > 1.5 * means(frames).mean()


def test_another_scene_asks_for_its_own_light() -> None:
    first, second = dark(6), dark(6, other=True)
    together = means(made([*first, *second]))
    assert together[6:] == pytest.approx(means(made(second)), rel=0.02)


def test_work_taken_up_again_gives_the_same_frames() -> None:
    frames = [*dark(5), *dark(4, other=True)]
    results = list(BrightenFrames(Unsteady()).run(iter(frames)))
    for number in (0, 3, 5, 7):
        place = results[number].restart
        assert place is not None and place.first_input == number
        again = [result.frame for result in BrightenFrames(Unsteady()).run(iter(frames[number:]), place)]
        assert all(np.array_equal(one, two.frame) for one, two in zip(again, results[number:], strict=True))


def test_strength_blends_and_alpha_stays() -> None:
    frames = dark(2)
    half, whole = means(made(frames, 0.5)), means(made(frames))
    assert half == pytest.approx((whole + means(frames)) / 2, abs=1.5)
    clear = [np.concatenate([frame, np.full((*frame.shape[:2], 1), 77, np.uint8)], axis=2) for frame in frames]

    class Carries(Unsteady):
        def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
            for frame in frames:
                yield FrameResult(frame.copy())

    shown = [result.frame for result in BrightenFrames(Carries()).run(iter(clear))]
    assert all((frame[..., 3] == 77).all() for frame in shown)
