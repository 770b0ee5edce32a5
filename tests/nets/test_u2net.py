"""U2-Net: sizes and the order of its layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgfix.nets.u2net import Nested, U2Net


@pytest.mark.parametrize(("height", "width"), [(64, 64), (67, 90), (33, 48)])
def test_any_size_gives_a_map_of_the_same_size(height: int, width: int) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        found = U2Net(small=True).eval()(torch.randn(1, 3, height, width))
    assert found.shape == (1, 1, height, width)
    assert float(found.min()) >= 0 and float(found.max()) <= 1


def test_the_two_sizes_have_the_published_number_of_parameters() -> None:
    """44.0 M and 1.13 M, less the statistics that are folded into the convolutions."""
    assert sum(value.numel() for value in U2Net(small=True).parameters()) == 1_125_485
    assert sum(value.numel() for value in U2Net().parameters()) == 43_981_069


def test_convolutions_stand_in_the_order_in_which_they_run() -> None:
    """The converter of exported graphs relies on it."""
    net = U2Net(small=True).eval()
    order: list[str] = []
    convolutions = [(name, part) for name, part in net.named_modules() if isinstance(part, nn.Conv2d)]
    for name, part in convolutions:
        part.register_forward_hook(lambda *values, name=name: order.append(name))
    with torch.no_grad():
        net(torch.zeros(1, 3, 32, 32))
    assert order == [name for name, _ in convolutions]


def test_a_flat_block_keeps_the_resolution_inside() -> None:
    sizes: set[torch.Size] = set()
    block = Nested(0, 4, 2, 4)
    for part in block.down:
        part.register_forward_hook(lambda *values: sizes.add(values[-1].shape[2:]))
    block(torch.zeros(1, 4, 9, 9))
    assert sizes == {torch.Size([9, 9])}
