"""Frames between two frames."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from imgfix.errors import ModelError
from imgfix.nets.rife import RIFE
from imgfix.runtime.engine import Engine
from imgfix.tasks import interpolate
from imgfix.tasks.interpolate import ByFlow, ByNetwork, snapped
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.building import describe
from imgfix.zoo.descriptor import Model
from tests.tasks.scenes import scene

HALF = Fraction(1, 2)


def moving(step: float, kind: type = np.uint8, count: int = 3) -> list[np.ndarray]:
    """A textured plane that moves by so many pixels a frame to the left; (96, 128, 3)."""
    plane = scene(96, 400)
    top = np.iinfo(kind).max
    return [(plane[:, round(n * step) + 40 :][:, :128] * top + 0.5).astype(kind) for n in range(count)]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    top = float(np.iinfo(one.dtype).max)
    error = float(np.square((one.astype(np.float64) - other) / top)[8:-8, 16:-16].mean())
    return -10 * float(np.log10(error + 1e-12))


def engine(**config: int) -> Engine:
    torch.manual_seed(1)
    config = {"features": 6, **config}
    facts = describe(ARCHITECTURES["rife"], config, name="tiny", task="interpolate", sha256="0" * 64)
    return Engine(Model(facts, RIFE(**config).eval()), "cpu", "fp32")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_flow_finds_what_moved(kind: type) -> None:
    before, truth, after = moving(4, kind)
    (made,) = ByFlow().made(before, after, [HALF])
    mean = ((before.astype(np.float64) + after) / 2).astype(kind)
    assert made.dtype == kind and made.shape == truth.shape
    assert psnr(made, truth) > psnr(mean, truth) + 8


def test_flow_goes_to_any_place() -> None:
    frames = moving(2, count=6)
    places = [Fraction(part, 5) for part in range(1, 5)]
    made = ByFlow().made(frames[0], frames[5], places)
    assert all(psnr(one, truth) > 25 for one, truth in zip(made, frames[1:5], strict=True))


def test_the_ends_are_the_frames_themselves() -> None:
    before, _, after = moving(4)
    for between in (ByFlow(), ByNetwork(engine())):
        made = between.made(before, after, [Fraction(0), Fraction(1)])
        assert made[0] is before and made[1] is after


def test_large_frames_are_searched_at_a_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    before, truth, after = moving(8)
    monkeypatch.setattr(interpolate, "LARGEST", 64 * 48)
    (made,) = ByFlow().made(before, after, [HALF])
    mean = ((before.astype(np.float64) + after) / 2).astype(np.uint8)
    assert psnr(made, truth) > psnr(mean, truth) + 3


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_alpha_moves_with_the_colours(kind: type) -> None:
    top = np.iinfo(kind).max
    frames = []
    for colours, left in zip(moving(4, kind), (40, 36, 32), strict=True):
        alpha: np.ndarray = np.zeros((96, 128), kind)
        alpha[20:70, left : left + 50] = top
        frames.append(np.dstack([colours, alpha]))
    for between in (ByFlow(), ByNetwork(engine())):
        (made,) = between.made(frames[0], frames[2], [HALF])
        assert made.shape == frames[0].shape and made.dtype == kind
    (made,) = ByFlow().made(frames[0], frames[2], [HALF])
    wrong = np.abs(made[..., 3].astype(float) - frames[1][..., 3]) > top / 2
    assert wrong.mean() < 0.01


class Counting(ByNetwork):
    """The mean as the middle; notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__(engine())
        self.asked = 0

    def _middle(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        self.asked += 1
        made: np.ndarray = ((before.astype(np.uint16) + after) // 2).astype(before.dtype)
        return made


def test_a_network_of_middles_reaches_other_places_by_halves_of_halves() -> None:
    before, after = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 160, np.uint8)
    between = Counting()
    places = [Fraction(part, 8) for part in range(8)]
    made = between.made(before, after, places)
    assert [int(one[0, 0, 0]) for one in made] == [20 * part for part in range(8)]
    assert between.asked == 7, "none is made twice"


@pytest.mark.parametrize(("place", "nearest"), [(Fraction(2, 5), Fraction(3, 8)), (Fraction(1, 3), Fraction(5, 16))])
def test_places_are_taken_to_the_nearest_sixteenth(place: Fraction, nearest: Fraction) -> None:
    assert snapped(place) == nearest


def test_a_network_runs_on_any_size_and_gives_the_size_back() -> None:
    before, _, after = moving(4)
    (made,) = ByNetwork(engine()).made(before[:50, :70], after[:50, :70], [HALF])
    assert made.shape == (50, 70, 3) and made.dtype == np.uint8


def test_a_model_for_something_else_is_refused() -> None:
    dncnn, config = ARCHITECTURES["dncnn"], {"channels": 3, "features": 4, "convolutions": 3}
    model = Model(describe(dncnn, config, name="x", task="restore"), dncnn.build(config).eval())
    with pytest.raises(ModelError, match="makes no frames between"):
        ByNetwork(Engine(model, "cpu", "fp32"))
