"""SRVGG compact: shapes, sizes, and the form that makes x4 and brings it down."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from imgfix.nets.srvgg import SRVGG


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_output_is_scaled(scale: int) -> None:
    net = SRVGG(scale=scale, features=8, convs=2)
    assert net(torch.rand(2, 3, 7, 9)).shape == (2, 3, 7 * scale, 9 * scale)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_smaller_scale_is_the_networks_own_output_brought_down(scale: int) -> None:
    small = SRVGG(scale=scale, shuffle=4, features=8, convs=2)
    whole = SRVGG(scale=4, features=8, convs=2)
    whole.load_state_dict(small.state_dict())
    x = torch.rand(1, 3, 8, 10)
    expected = F.interpolate(whole(x), scale_factor=scale / 4, mode="bicubic", align_corners=False)
    torch.testing.assert_close(small(x), expected)


def test_the_published_sizes_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in SRVGG(convs=32).parameters()) == 1_213_296
        assert sum(p.numel() for p in SRVGG(convs=16).parameters()) == 621_424


def test_a_network_of_zeros_repeats_pixels() -> None:
    net = SRVGG(scale=2, features=4, convs=1)
    for parameter in net.parameters():
        parameter.data.zero_()
    x = torch.rand(1, 3, 3, 3)
    torch.testing.assert_close(net(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("activation", ["prelu", "relu", "leakyrelu"])
def test_every_activation_is_known(activation: str) -> None:
    assert SRVGG(features=4, convs=1, activation=activation)(torch.rand(1, 3, 4, 4)).shape == (1, 3, 16, 16)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="swish"):
        SRVGG(activation="swish")
