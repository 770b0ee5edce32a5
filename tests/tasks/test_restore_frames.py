"""Restoring clips: one decision for all frames, and the same result wherever the work is taken up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imgfix.tasks.restore import RestoreOptions
from imgfix.tasks.restore_frames import LOOKED_AT, RestoreFrames
from tests.tasks.scenes import scene, with_noise
from tests.tasks.test_restore import blind, bytes_of, offers, told


def clip(count: int = 8, sigma: float = 20.0) -> list[np.ndarray]:
    return [bytes_of(with_noise(np.roll(scene(160, 192), n, axis=1), sigma, seed=n)) for n in range(count)]


def task(**engines: Any) -> RestoreFrames:
    one = told()
    return RestoreFrames(RestoreOptions(), offers(**({"noise": one, "jpeg": one} | engines)))


def test_every_frame_comes_back_in_order() -> None:
    frames = clip()
    made = list(task(noise=blind()).run(iter(frames)))
    assert [one.restart.index for one in made if one.restart] == list(range(8))
    assert all(one.frame.shape == frames[0].shape and one.frame.dtype == np.uint8 for one in made)


def test_the_level_is_found_once_and_held() -> None:
    frames = clip(7, 20) + clip(5, 40)
    work = task()
    made = list(work.run(iter(frames)))
    assert len(made) == 12
    (step,) = work.steps
    assert step.level == pytest.approx(20, rel=0.12)


def test_work_that_is_taken_up_again_gives_the_same_frames() -> None:
    frames = clip(9)
    whole = list(task(noise=blind()).run(iter(frames)))
    restart = whole[6].restart
    assert restart is not None
    rest = list(task(noise=blind()).run(iter(frames[restart.first_input :]), restart))
    assert len(rest) == 3
    assert all(np.array_equal(a.frame, b.frame) for a, b in zip(whole[6:], rest, strict=True))


def test_a_clip_shorter_than_what_is_looked_at_is_restored() -> None:
    assert len(list(task(noise=blind()).run(iter(clip(2))))) == 2
    assert list(task().run(iter([]))) == []


def test_frames_wait_only_where_something_has_to_be_found() -> None:
    assert task().held == LOOKED_AT
    assert RestoreFrames(RestoreOptions(denoise=10), offers(noise=blind())).held == 1
    assert RestoreFrames(RestoreOptions(denoise=10), offers(noise=blind())).fills_cpu and not task().fills_cpu
    assert task().size(64, 48) == (64, 48)


def test_alpha_travels_beside_the_picture() -> None:
    alpha = np.random.default_rng(0).integers(1, 255, (160, 192, 1), dtype=np.uint8)
    frames = [np.concatenate([frame, alpha], axis=2) for frame in clip(3)]
    made = list(task(noise=blind()).run(iter(frames)))
    assert all(np.array_equal(one.frame[..., 3:], alpha) for one in made)
    assert not np.array_equal(made[0].frame[..., :3], frames[0][..., :3])


def test_a_clean_clip_is_given_back_as_it_is() -> None:
    frames = clip(6, 0)
    assert all(np.array_equal(a.frame, b) for a, b in zip(task().run(iter(frames)), frames, strict=True))
