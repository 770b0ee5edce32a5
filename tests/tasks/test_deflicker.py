"""Flicker of brightness evened out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imgfix.tasks.chain import Chain
from imgfix.tasks.deflicker import RADIUS, Deflicker, shifted, tones
from tests.tasks.doubling import Remembering
from tests.tasks.scenes import scene


def clip(count: int = 24, kind: type = np.uint8, seed: int = 3) -> list[np.ndarray]:
    """A plane that is panned over."""
    plane = scene(64, 96 + 2 * count, seed) * 0.7 + 0.1
    top = np.iinfo(kind).max
    return [(plane[:, 2 * n : 2 * n + 96] * top + 0.5).astype(kind) for n in range(count)]


def flickering(frames: list[np.ndarray]) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    made = []
    for frame in frames:
        top = np.iinfo(frame.dtype).max
        colours = (frame[..., :3] / top) ** np.exp(generator.normal(0, 0.15))
        made.append(np.concatenate([(colours * top + 0.5).astype(frame.dtype), frame[..., 3:]], axis=2))
    return made


def evened(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [made.frame for made in Deflicker().run(iter(frames))]


def difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return float(np.abs(np.stack(one).astype(float) - np.stack(other)).mean() / np.iinfo(one[0].dtype).max)


def unsteadiness(frames: list[np.ndarray]) -> float:
    return float(np.diff([frame.mean() for frame in frames], 2).std() / np.iinfo(frames[0].dtype).max)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_flicker_goes_and_the_picture_comes_back(kind: type) -> None:
    clean = clip(kind=kind)
    damaged = flickering(clean)
    made = evened(damaged)
    assert made[0].dtype == kind and made[0].shape == clean[0].shape
    assert unsteadiness(made) < 0.25 * unsteadiness(damaged)
    assert difference(made, clean) < 0.5 * difference(damaged, clean)


def test_a_clip_that_does_not_flicker_stays() -> None:
    assert difference(evened(clip()), clip()) < 0.5 / 255


def test_a_light_that_is_dimmed_slowly_stays() -> None:
    still = clip(1)[0]
    dimmed = [(still * (1 - 0.012 * n) + 0.5).astype(np.uint8) for n in range(60)]
    made = evened(dimmed)
    assert difference(made[2:-2], dimmed[2:-2]) < 1 / 255


def test_nothing_is_carried_across_a_cut() -> None:
    dark = [(frame * 0.3).astype(np.uint8)[:, ::-1] for frame in clip(12, seed=8)]
    both = evened([*clip(12), *dark])
    apart = [*evened(clip(12)), *evened(dark)]
    assert all(np.array_equal(one, other) for one, other in zip(both, apart, strict=True))


def test_alpha_stays() -> None:
    frames = [np.dstack([frame, np.full((64, 96), 40 + n, np.uint8)]) for n, frame in enumerate(clip(6))]
    made = evened(flickering(frames))
    assert all(np.array_equal(one[..., 3], other[..., 3]) for one, other in zip(made, frames, strict=True))


def chained() -> Chain:
    behind: Any = Remembering(1)
    return Chain(Deflicker(), behind)


@pytest.mark.parametrize("task", [Deflicker, chained])
def test_work_that_is_taken_up_gives_the_same_frames(task: Callable[[], Deflicker | Chain]) -> None:
    frames = [*flickering(clip(20)), *[frame[:, ::-1] for frame in flickering(clip(25, seed=9))]]
    whole = list(task().run(iter(frames)))
    for number, made in enumerate(whole):
        if made.restart is None:
            continue
        rest = list(task().run(iter(frames[made.restart.first_input :]), made.restart))
        assert len(rest) == len(frames) - number
        assert all(np.array_equal(one.frame, other.frame) for one, other in zip(rest, whole[number:], strict=True))


@pytest.mark.parametrize("count", [0, 1, 2, RADIUS, 3 * RADIUS])
def test_clips_of_any_length(count: int) -> None:
    assert len(evened(clip(count))) == count


def test_a_flat_frame_is_moved_as_a_whole() -> None:
    flat = np.full((16, 16, 3), 100, np.uint8)
    own = tones(flat)
    made = shifted(flat, own, np.full_like(own, 20 / 255))
    assert (made == 120).all()
