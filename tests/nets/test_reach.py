"""Receptive fields by formula, beside those that gradients show."""

from __future__ import annotations

import torch

from imgfix.nets.drunet import DRUNet
from imgfix.nets.drunet import receptive_field as drunet_field
from imgfix.nets.reach import Span
from imgfix.nets.scunet import SCUNet
from imgfix.nets.scunet import receptive_field as scunet_field
from imgfix.nets.swinir import SwinIR
from imgfix.nets.swinir import receptive_field as swinir_field


def seen(net: torch.nn.Module, channels: int, side: int, multiple: int, scale: int, declared: int) -> int:
    """How far from an input pixel a result of it depends on anything, for results in one cell of the size rule."""
    net = net.double().eval()
    width = 2 * (declared + 2 * multiple) // multiple * multiple + multiple
    start = (width // 2) // multiple * multiple
    x = torch.rand(1, channels, side, width, dtype=torch.float64, requires_grad=True)
    out = net(x)
    reach = 0
    for place in range(start * scale, (start + multiple) * scale):
        (gradient,) = torch.autograd.grad(out[..., place].sum(), x, retain_graph=True)
        columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero()
        first, last, own = int(columns[0]), int(columns[-1]), place // scale
        assert first > 0 and last < width - 1, "the picture is too small to see the whole field"
        reach = max(reach, own - first, last - own)
    return reach


def test_a_window_is_seen_as_a_whole() -> None:
    assert Span(9, 9).windowed(8, 0) == Span(8, 15)
    assert Span(9, 9).windowed(8, 4) == Span(4, 11)
    assert Span(3, 4).windowed(8, 4) == Span(-4, 11)


def test_drunet() -> None:
    torch.manual_seed(0)
    net = DRUNet(widths=(4, 4, 6, 8), blocks=1)
    assert seen(net, 4, 8, 8, 1, drunet_field(1)) == drunet_field(1)


def test_scunet() -> None:
    torch.manual_seed(0)
    blocks = (2, 1, 1, 2, 1, 1, 2)
    net = SCUNet(features=8, blocks=blocks, head=4, window=2)
    assert seen(net, 3, 16, 16, 1, scunet_field(blocks, 2)) == scunet_field(blocks, 2)


def test_swinir() -> None:
    for upsampler, scale, thin, unshuffle in (
        ("nearest", 4, False, 1), ("shuffle", 3, True, 1), ("shuffle-direct", 2, False, 1), ("none", 1, False, 1),
        ("nearest", 4, False, 2),
    ):  # fmt: skip
        torch.manual_seed(0)
        depths = (3, 2)
        net = SwinIR(scale, 3, 8, depths, (2, 2), 4, 16, upsampler, 8, thin, unshuffle=unshuffle)  # type: ignore[arg-type]
        declared = swinir_field(scale, depths, 4, upsampler, thin, unshuffle)  # type: ignore[arg-type]
        assert seen(net, 3, 4 * unshuffle, 4 * unshuffle, scale // unshuffle, declared) == declared, upsampler
