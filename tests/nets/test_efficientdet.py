"""EfficientDet-Lite: the anchors, TensorFlow's padding, and one answer for each anchor."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from imgfix.nets.efficientdet import EfficientDetLite, SameConv, anchors


def test_every_anchor_gets_an_answer() -> None:
    net = EfficientDetLite(classes=5, width=8, cells=2, depth=1).eval()
    with torch.no_grad():
        names, boxes = net(torch.zeros(1, 3, 128, 128))
    count = len(anchors(128))
    assert names.shape == (1, count, 5) and boxes.shape == (1, count, 4)


def test_anchors_of_the_published_size() -> None:
    found = anchors(320)
    assert found.shape == (19206, 4)
    assert found[0].tolist() == pytest.approx([4, 4, 24, 24])  # three cells of eight pixels
    assert found[1].tolist() == pytest.approx([4, 4, 24 / 2**0.5, 24 * 2**0.5])  # twice as wide as high
    assert found[-1].tolist()[:2] == pytest.approx([320 * 5 / 6, 320 * 5 / 6])  # the last of three by three cells


def test_all_anchors_of_a_cell_have_the_areas_of_three_scales() -> None:
    areas = (anchors(320)[:9, 2] * anchors(320)[:9, 3]).sqrt() / 24
    assert areas.tolist() == pytest.approx([1] * 3 + [2 ** (1 / 3)] * 3 + [2 ** (2 / 3)] * 3)


def test_an_odd_margin_is_larger_behind() -> None:
    """As TensorFlow pads: of an even side at a step of two, nothing in front and one behind."""
    layer = SameConv(1, 1, 3, 2)
    x = torch.randn(1, 1, 8, 8)
    expected = F.conv2d(F.pad(x, (0, 1, 0, 1)), layer.weight, layer.bias, stride=2)
    assert torch.equal(layer(x), expected)
