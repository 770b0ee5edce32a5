"""Colourisation: its colour space, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.nets.siggraph17 import Siggraph17, to_lab, to_rgb


def test_the_colour_space_is_cielab() -> None:
    color = pytest.importorskip("skimage.color")
    torch.manual_seed(0)
    rgb = torch.rand(1, 3, 16, 16)
    rgb[..., 0] *= 0.01
    expected = color.rgb2lab(rgb[0].permute(1, 2, 0).double().numpy())
    assert np.abs(to_lab(rgb)[0].permute(1, 2, 0).numpy() - expected).max() < 1e-3


def test_the_colour_space_and_back_is_the_identity() -> None:
    torch.manual_seed(0)
    rgb = torch.rand(1, 3, 16, 16)
    rgb[..., 0] *= 0.01
    assert torch.allclose(to_rgb(to_lab(rgb)), rgb, atol=1e-5)


@pytest.mark.parametrize("size", [(40, 56), (7, 90), (300, 200)])
def test_the_lightness_stays_and_colour_comes(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = Siggraph17(side=32).eval()
    with torch.no_grad():
        net.model_out[0].bias.copy_(torch.tensor([0.1, -0.1]))  # type: ignore[union-attr, operator]
        grey = torch.rand(1, 1, *size).expand(-1, 3, -1, -1) * 0.4 + 0.3
        out = net(grey)
    assert out.shape == grey.shape
    assert float((to_lab(out)[:, 0] - to_lab(grey)[:, 0]).abs().max()) < 0.5
    assert float((out[:, 0] - out[:, 2]).abs().min()) > 0.01


def test_a_hint_changes_the_colours_and_its_own_place_most() -> None:
    torch.manual_seed(0)
    net = Siggraph17().eval()
    light = torch.rand(1, 1, 64, 64) * 100
    hints, hinted = torch.zeros(1, 2, 64, 64), torch.zeros(1, 1, 64, 64)
    hints[..., 30:34, 30:34], hinted[..., 30:34, 30:34] = 60.0, 1.0
    with torch.inference_mode():
        change = (net.colours(light, hints, hinted) - net.colours(light)).abs().sum(dim=1)[0]
    assert float(change[28:36, 28:36].mean()) > 2 * float(change[:8, :8].mean())
