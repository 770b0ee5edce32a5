"""Loss functions: zero where nothing is to be learned, and gradients that point the right way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from imgfix.nets.lpips import LPIPS
from imgfix.train.losses import Perceptual, charbonnier, fool, fourier, gradient_penalty, judge


def test_pixel_and_spectrum_losses_vanish_at_the_target() -> None:
    x = torch.rand(2, 3, 16, 16)
    assert float(charbonnier(x, x)) == pytest.approx(1e-3) and float(fourier(x, x)) == 0
    assert float(fourier(x, x + 0.1)) > 0


@pytest.mark.parametrize("kind", ["nonsaturating", "hinge", "relativistic"])
def test_net_and_discriminator_pull_in_opposite_directions(kind: str) -> None:
    fake, real = torch.zeros(4, 1, 2, 2, requires_grad=True), torch.full((4, 1, 2, 2), 0.3)
    (up,) = torch.autograd.grad(fool(kind, fake, real), fake)  # type: ignore[arg-type]
    (down,) = torch.autograd.grad(judge(kind, fake, real), fake)  # type: ignore[arg-type]
    assert (up < 0).all() and (down > 0).all()


def test_the_penalty_is_half_the_squared_gradient() -> None:
    layer = nn.Conv2d(3, 1, 1, bias=False)
    expected = 0.5 * 5 * 7 * layer.weight.detach().square().sum()
    assert torch.allclose(gradient_penalty(layer, torch.rand(2, 3, 5, 7)), expected)


def test_lpips_of_pictures_smaller_than_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgfix.zoo.load", lambda *_, **__: SimpleNamespace(net=LPIPS()))
    loss = Perceptual("lpips-alex", torch.device("cpu"), jitter=4)
    small = torch.rand(2, 3, 16, 16)
    assert float(loss(small, small)) == 0 and float(loss(small, 1 - small)) != 0
    assert loss.distance(small, 1 - small).shape == (2,)
