"""SPAN: the layers of training add up to one convolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from imgfix.nets.span import SPAN, folded


def test_the_folded_convolution_gives_what_the_four_gave() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 9, 11)
    wide, middle, narrow, skip = (
        (torch.randn(shape), torch.randn(shape[0]))
        for shape in ((6, 3, 1, 1), (8, 6, 3, 3), (4, 8, 1, 1), (4, 3, 1, 1))
    )
    expected = F.conv2d(F.conv2d(F.conv2d(x, *wide), *middle), *narrow) + F.conv2d(x, *skip)[..., 1:-1, 1:-1]
    torch.testing.assert_close(F.conv2d(x, *folded(wide, middle, narrow, skip)), expected, atol=1e-4, rtol=1e-5)


def test_a_picture_of_one_colour_can_be_taken_as_it_is() -> None:
    net = SPAN(scale=2, features=4, normalised=False, in_channels=1, out_channels=1)
    assert net(torch.rand(1, 1, 5, 7)).shape == (1, 1, 10, 14)
