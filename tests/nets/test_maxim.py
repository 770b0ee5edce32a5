"""MAXIM: sizes, parameters, and the mixing along the two axes."""

from __future__ import annotations

import pytest
import torch

from imgfix.nets.maxim import MAXIM, AxisMix, Joined


@pytest.mark.parametrize(("stages", "count"), [(2, 14_170_988), (3, 22_207_605)])
def test_it_has_the_published_number_of_parameters(stages: int, count: int) -> None:
    with torch.device("meta"):
        net = MAXIM(stages)
    assert sum(parameter.numel() for parameter in net.parameters()) == count


@pytest.mark.parametrize("size", [(64, 64), (128, 64), (64, 192)])
def test_the_size_is_kept(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = MAXIM(2, features=4, groups=1, bottlenecks=1).eval()
    with torch.inference_mode():
        out = net(torch.rand(2, 3, *size))
    assert out.shape == (2, 3, *size)
    assert out.isfinite().all()


def test_block_mixing_stays_inside_a_block() -> None:
    mix = AxisMix(8, "block")
    x = torch.zeros(1, 32, 32, 1)
    x[0, 9, 18] = 1
    change = (mix(x) - mix(torch.zeros_like(x)))[0, ..., 0] != 0
    assert change[8:16, 16:24].all()
    assert change.sum() == 64


def test_grid_mixing_reaches_the_same_place_of_every_cell() -> None:
    """8 x 8 cells of 4 x 3 pixels: what lies at (1, 2) in one goes to (1, 2) in all."""
    mix = AxisMix(8, "grid")
    x = torch.zeros(1, 32, 24, 1)
    x[0, 4 * 5 + 1, 3 * 2 + 2] = 1
    change = (mix(x) - mix(torch.zeros_like(x)))[0, ..., 0] != 0
    assert change[1::4, 2::3].all()
    assert change.sum() == 64


def test_mixing_is_a_dense_layer_over_places() -> None:
    mix = AxisMix(2, "block")
    x = torch.rand(1, 2, 2, 3)
    expected = torch.einsum("op,pc->oc", mix.weight, x.reshape(4, 3)) + mix.bias[:, None]
    assert torch.allclose(mix(x).reshape(4, 3), expected, atol=1e-6)


def test_signals_of_all_sizes_are_brought_to_one() -> None:
    joined = Joined([4, 8, 16], 8)
    signals = [torch.rand(1, 32 >> level, 24 >> level, 4 << level) for level in range(3)]
    assert joined(signals).shape == (1, 16, 12, 24)
