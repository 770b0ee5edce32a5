"""RRDBNet: shapes, sizes and the names that published checkpoints use."""

from __future__ import annotations

import pytest
import torch

from imgfix.nets.rrdbnet import RRDBNet


@pytest.mark.parametrize(("upsamples", "unshuffle", "scale"), [(2, 1, 4), (2, 2, 2), (2, 4, 1), (1, 1, 2), (3, 1, 8)])
def test_the_output_is_scaled(upsamples: int, unshuffle: int, scale: int) -> None:
    net = RRDBNet(upsamples=upsamples, unshuffle=unshuffle, features=8, blocks=1, growth=4).eval()
    with torch.inference_mode():
        assert net(torch.rand(2, 3, 8, 12)).shape == (2, 3, 8 * scale, 12 * scale)


def test_the_published_sizes_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in RRDBNet(blocks=23).parameters()) == 16_697_987
        assert sum(p.numel() for p in RRDBNet(blocks=6).parameters()) == 4_467_779
        assert sum(p.numel() for p in RRDBNet(blocks=23, unshuffle=2).parameters()) == 16_703_171


def test_grey_networks_take_one_channel() -> None:
    net = RRDBNet(features=8, blocks=1, growth=4, in_channels=1, out_channels=1)
    assert net(torch.rand(1, 1, 6, 6)).shape == (1, 1, 24, 24)


def test_gradients_reach_every_parameter() -> None:
    net = RRDBNet(features=8, blocks=1, growth=4)
    net(torch.rand(1, 3, 6, 6)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())
