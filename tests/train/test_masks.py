"""Masks for training: every kind fills something, never everything, and follows from its seed."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.train.masks import KINDS, MOST, MaskKind, draw_mask, draw_masks


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 96), (17, 9)])
def test_every_kind_leaves_something_to_go_by(kind: MaskKind, size: tuple[int, int]) -> None:
    for seed in range(30):
        mask = draw_mask(kind, *size, np.random.default_rng(seed))
        assert mask.shape == size and set(np.unique(mask)) == {0.0, 1.0} and mask.mean() <= MOST


def test_thicker_strokes_leave_wider_holes() -> None:
    def widest(kind: MaskKind) -> float:
        import cv2

        masks = [draw_mask(kind, 128, 128, np.random.default_rng(seed)) for seed in range(20)]
        return float(np.mean([cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, 3).max() for m in masks]))

    assert widest("thin") < widest("medium") / 2 < widest("thick") / 3


def test_borders_touch_the_border_and_leave_the_middle() -> None:
    for seed in range(20):
        mask = draw_mask("borders", 64, 64, np.random.default_rng(seed))
        assert mask[32, 32] == 0 and max(mask[0].min(), mask[-1].min(), mask[:, 0].min(), mask[:, -1].min()) == 1


def test_equal_seeds_give_equal_batches_and_weights_choose_the_kind() -> None:
    seeds = [(7, row) for row in range(6)]
    first, again = (draw_masks((1, 1, 1, 1, 1, 1), 48, 48, seeds) for _ in range(2))
    assert first.shape == (6, 1, 48, 48) and np.array_equal(first, again) and len({m.tobytes() for m in first}) == 6
    only = draw_masks((0, 0, 0, 1, 0, 0), 48, 48, seeds)
    assert all(row.any() and (mask.sum(axis=1)[row] > 0).all() for mask in only[:, 0] for row in [mask.any(axis=1)])
