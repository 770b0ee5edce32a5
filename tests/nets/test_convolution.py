"""A convolution with its activation in one step is what both are one after the other."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from imgfix.nets import convolution
from imgfix.nets.convolution import Convolution
from imgfix.nets.ffdnet import FFDNet
from imgfix.nets.migan import MIGAN
from imgfix.nets.rrdbnet import RRDBNet


class Counted:
    """The one step, with how often it was taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        step, self.times = convolution._FUSED, 0
        if step is None or not torch.backends.mkldnn.is_available():
            pytest.skip("this torch has no oneDNN")
        self.step: Any = step
        monkeypatch.setattr(convolution, "_FUSED", self)

    def __call__(self, *arguments: object) -> Tensor:
        self.times += 1
        made: Tensor = self.step(*arguments)
        return made


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The one step, where it can be taken at all."""
    return Counted(monkeypatch)


def layer(inputs: int = 6, outputs: int = 10, size: int = 3, **facts: Any) -> Convolution:
    torch.manual_seed(0)
    return Convolution(inputs, outputs, size, padding=size // 2, **facts)


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("facts", [{}, {"size": 1}, {"stride": 2}, {"outputs": 6, "groups": 6}])
def test_one_step_gives_what_two_give(
    fused: Counted, slope: float, layout: torch.memory_format, facts: dict[str, Any]
) -> None:
    made = layer(**facts).to(memory_format=layout)  # type: ignore[call-overload]
    x = torch.randn(2, 6, 17, 23).contiguous(memory_format=layout)
    with torch.inference_mode():
        expected = F.leaky_relu(F.conv2d(x, made.weight, made.bias, made.stride, made.padding, 1, made.groups), slope)
        torch.testing.assert_close(made(x, slope=slope), expected, atol=1e-5, rtol=1e-5)
        assert fused.times == 1
        torch.testing.assert_close(made(x), nn.Conv2d.forward(made, x), atol=0, rtol=0)
        assert fused.times == 1


def test_it_is_near_in_bf16(fused: Counted) -> None:
    made, x = layer(), torch.randn(1, 6, 16, 16)
    with torch.inference_mode():
        expected = made(x, slope=0.2)
        found = copy.deepcopy(made).bfloat16()(x.bfloat16(), slope=0.2)
    assert found.dtype == torch.bfloat16 and float((found.float() - expected).abs().max()) < 0.03


def test_gradients_flow_through_two_steps(fused: Counted) -> None:
    made, x = layer(), torch.randn(1, 6, 8, 8, requires_grad=True)
    for slope in (0.0, 0.2):
        (found,) = torch.autograd.grad(made(x, slope=slope).square().sum(), [made.weight], retain_graph=False)
        out = F.leaky_relu(nn.Conv2d.forward(made, x), slope)
        (expected,) = torch.autograd.grad(out.square().sum(), [made.weight])
        torch.testing.assert_close(found, expected)
    assert fused.times == 0


def test_exporters_and_counters_see_operations_that_they_know(fused: Counted) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.layer(x, slope=0.2)
            return found

    net, x = Both().eval(), torch.randn(1, 6, 8, 8)
    with torch.no_grad():
        exported = torch.export.export(net, (x,))
        traced = torch.jit.trace(net, x, check_trace=False)
        with FlopCounterMode(display=False) as counter:
            net(x)
    assert not any("mkldnn" in str(node.target) for node in exported.graph.nodes)
    assert "mkldnn" not in str(traced.graph)
    assert counter.get_total_flops() == 2 * 8 * 8 * 6 * 10 * 9
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        net(x)
    assert fused.times == 0


@pytest.mark.parametrize(
    ("net", "channels"),
    [
        (FFDNet(3, 8, 4), 4),
        (RRDBNet(features=8, growth=4, blocks=1), 3),
        (MIGAN(resolution=32, base=512, maximum=16), 4),
    ],
)
def test_networks_give_the_same_pictures(
    monkeypatch: pytest.MonkeyPatch, fused: Counted, net: nn.Module, channels: int
) -> None:
    net = net.eval()
    fold = getattr(net, "fold_gains", None)
    if fold is not None:
        fold()
    x = torch.rand(1, channels, 32, 32)
    with torch.inference_mode():
        found = net(x)
        assert fused.times > 0
        monkeypatch.setattr(convolution, "_FUSED", None)
        torch.testing.assert_close(net(x), found, atol=1e-5, rtol=1e-4)


def test_hooks_of_a_layer_see_its_picture_alone(fused: Counted) -> None:
    made, seen = layer(), []
    made.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments)))
    with torch.inference_mode():
        made(torch.randn(1, 6, 8, 8), slope=0.0)
    assert seen == [1]
