"""RefinedFFDNet starts as the FFDNet that it takes over."""

from __future__ import annotations

import torch

from imgfix.nets.ffdnet import FFDNet
from imgfix.nets.refinedffdnet import RefinedFFDNet


def test_it_starts_as_the_ffdnet_whose_layers_it_takes() -> None:
    torch.manual_seed(0)
    plain, refined = FFDNet(3, 8, 4).eval(), RefinedFFDNet(8, 4, (4, 6, 8), (1, 1, 1)).eval()
    refined.load_state_dict(plain.state_dict(), strict=False)
    x = torch.rand(2, 4, 24, 32)
    with torch.inference_mode():
        assert torch.allclose(refined(x), plain(x), atol=1e-6)


def test_what_it_adds_depends_on_the_picture_and_on_the_level() -> None:
    torch.manual_seed(0)
    net = RefinedFFDNet(8, 4, (4, 6, 8), (1, 1, 1)).double()
    torch.nn.init.normal_(net.tail.weight)
    x = torch.rand(1, 4, 16, 16, dtype=torch.float64, requires_grad=True)
    net(x).sum().backward()
    assert x.grad is not None and bool((x.grad.abs().sum((2, 3)) > 0).all())
