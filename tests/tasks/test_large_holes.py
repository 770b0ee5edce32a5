"""Holes larger than the network: several runs that agree, and fine detail from the surroundings."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from imgfix.tasks.consensus import UNDECIDED, consensus
from imgfix.tasks.detail import refined
from imgfix.tasks.inpaint import InpaintOptions, inpaint
from imgfix.zoo.descriptor import Descriptor
from tests.tasks.test_inpaint import FACTS, Painter


def test_a_whim_of_one_run_is_outvoted() -> None:
    sound = [np.full((60, 60, 3), value, np.float32) for value in (0.50, 0.51, 0.49)]
    odd = sound[0].copy()
    odd[20:40, 20:40] = (1, 0, 0)
    for firmness in (1e5, UNDECIDED):
        joined = consensus([odd, *sound], firmness=firmness)
        assert np.abs(joined - 0.5).max() < 0.06
    with_voters = consensus([odd, sound[0]], sound[1:], UNDECIDED)
    assert np.abs(with_voters[28:32, 28:32] - 0.5).max() < 0.06


def test_fills_that_agree_are_averaged_where_nothing_is_to_be_decided() -> None:
    first, second = np.full((20, 20, 3), 0.50, np.float32), np.full((20, 20, 3), 0.52, np.float32)
    assert np.allclose(consensus([first, second], firmness=UNDECIDED), 0.51, atol=1e-5)
    assert consensus([first]) is first


def textured(side: int) -> np.ndarray:
    """Left smooth and dark, right bright with grain that vanishes when the picture is shrunk."""
    y, x = np.mgrid[:side, :side]
    grain = 0.15 * np.where((x + y) % 2 == 0, 1, -1) * (x > side // 2)
    return np.repeat((np.where(x > side // 2, 0.7, 0.2) + grain)[..., None], 3, axis=2).astype(np.float32)


def test_fine_detail_comes_from_where_the_picture_is_alike() -> None:
    picture = textured(384)
    hole = np.zeros((384, 384), bool)
    hole[130:250, 100:300] = True
    coarse = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA)
    broken = np.where(hole[..., None], 1, picture).astype(np.float32)
    result = refined(broken, hole, coarse)
    smooth, grainy = result[140:240, 110:170], result[140:240, 215:290]
    assert smooth.std() < 0.02, "what is smooth stays smooth"
    assert 0.10 < grainy.std() < 0.17, "what has grain gets it"
    assert abs(float(grainy.mean()) - 0.7) < 0.02
    assert not np.isin(1.0, result[hole].round(3)), "nothing of what was in the hole is left"


def test_without_enough_known_picture_the_coarse_fill_is_enlarged() -> None:
    hole = np.ones((200, 200), bool)
    hole[:4] = False
    coarse = np.full((50, 50, 3), 0.4, np.float32)
    assert np.allclose(refined(np.zeros((200, 200, 3), np.float32), hole, coarse), 0.4, atol=1e-4)


def test_how_often_the_network_runs() -> None:
    def runs(side: int, hole: int, tta: bool | None, facts: Descriptor = FACTS) -> int:
        pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
        mask = np.zeros((side, side), np.float32)
        mask[side // 3 : side // 3 + hole, side // 3 : side // 3 + hole] = 1
        painter = Painter(descriptor=facts)  # native size 64
        inpaint(pixels, mask, painter, InpaintOptions(tta=tta))  # type: ignore[arg-type]
        return len(painter.seen)

    assert [runs(side, hole, False) for side, hole in ((40, 9), (150, 9), (150, 60))] == [1, 1, 1]
    assert runs(150, 9, None) == 1, "a small hole at the native size"
    assert runs(40, 9, None) > 1, "a small picture"
    assert runs(150, 60, None) > 1, "a large hole"
    assert runs(150, 9, True) > 1
    single = replace(FACTS, self_ensemble=False)
    assert [runs(40, 9, None, single), runs(150, 60, None, single)] == [1, 1], "a network whose runs are not joined"
    assert runs(150, 60, True, single) > 1, "unless it is asked for"


def test_mirrored_runs_are_turned_back() -> None:
    class Echo(Painter):
        def run(self, x: torch.Tensor) -> torch.Tensor:
            super().run(x)
            ramp = torch.linspace(0, 1, x.shape[-1]).expand(1, 3, *x.shape[2:])
            return ramp if len(self.seen) % 2 else ramp.flip(-1)  # as if it saw through the mirror

    pixels = np.zeros((64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = 1
    result = inpaint(pixels, mask, Echo(), InpaintOptions(tta=True))  # type: ignore[arg-type]
    assert (np.diff(result[32, 20:44, 0].astype(int)) >= 0).all() and result[32, 44, 0] > result[32, 20, 0] + 50
