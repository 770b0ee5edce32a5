"""Siggraph17 beside the layers of its paper, by the names of the published tensors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.siggraph17 import Siggraph17
from imgfix.zoo.architectures import ARCHITECTURES
from tests.nets.published import shaken

DOWN = {
    "model1": ((0, 2), 4, 1), "model2": ((0, 2), 4, 1), "model3": ((0, 2, 4), 6, 1), "model4": ((0, 2, 4), 6, 1),
    "model5": ((0, 2, 4), 6, 2), "model6": ((0, 2, 4), 6, 2), "model7": ((0, 2, 4), 6, 1),
}  # fmt: skip
"""Stage -> numbers of its convolutions, each before a ReLU, that of its normalisation, dilation."""
UP = {"model8": ((1, 3), 5, "model3"), "model9": ((1,), 3, "model2")}
"""Stage -> the same, and the stage that is added to what comes from below, after a convolution of its own."""


PUBLISHED_BYTES = 136_787_426


def published() -> dict[str, Tensor]:
    """A random state dictionary of the published layout, with the head that was for training alone."""
    state = dict(shaken(Siggraph17(), gain=1.0))
    generator = torch.Generator().manual_seed(5)
    state["model_class.0.weight"] = torch.randn(529, 256, 1, 1, generator=generator)
    state["model_class.0.bias"] = torch.randn(529, generator=generator)
    return state


def reference(state: dict[str, Tensor], light: Tensor, hints: Tensor, hinted: Tensor) -> Tensor:
    """a and b over 110; light: L of CIELAB, hints: a and b, hinted: where they are."""

    def convolved(x: Tensor, name: str, dilation: int = 1) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.conv2d(x, weight, bias, padding=dilation * (weight.shape[-1] // 2), dilation=dilation)

    def normalised(x: Tensor, name: str) -> Tensor:
        mean, variance, gain, shift = (
            state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * gain + shift

    x = torch.cat(((light - 50) / 100, hints / 110, hinted), dim=1)
    seen = {}
    for stage, (numbers, last, dilation) in DOWN.items():
        for number in numbers:
            x = convolved(x, f"{stage}.{number}", dilation).relu()
        seen[stage] = x = normalised(x, f"{stage}.{last}")
        if stage in ("model1", "model2", "model3"):  # a pixel of four goes on
            x = x[:, :, ::2, ::2]
    for stage, (numbers, last, beside) in UP.items():
        doubled = F.conv_transpose2d(x, state[f"{stage}up.0.weight"], state[f"{stage}up.0.bias"], stride=2, padding=1)
        x = (doubled + convolved(seen[beside], f"{beside}short{stage[5:]}.0")).relu()
        for number in numbers:
            x = convolved(x, f"{stage}.{number}").relu()
        x = normalised(x, f"{stage}.{last}")
    doubled = F.conv_transpose2d(x, state["model10up.0.weight"], state["model10up.0.bias"], stride=2, padding=1)
    x = (doubled + convolved(seen["model1"], "model1short10.0")).relu()
    x = F.leaky_relu(convolved(x, "model10.1"), 0.2)
    return torch.tanh(convolved(x, "model_out.0"))


@pytest.mark.slow
def test_the_result_is_that_of_the_paper_and_only_its_own_architecture_takes_the_file() -> None:
    state = published()
    taken = [key for key, each in ARCHITECTURES.items() if each.detect is not None and each.detect(state) is not None]
    assert taken == ["siggraph17"]
    architecture = ARCHITECTURES["siggraph17"]
    assert architecture.detect is not None and architecture.adapt is not None
    net = architecture.build(architecture.detect(state) or {}).eval()
    net.load_state_dict(architecture.adapt(state))
    assert isinstance(net, Siggraph17)
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert 0 < PUBLISHED_BYTES - size < 30_000, "the published file holds these tensors, and little around them"
    generator = torch.Generator().manual_seed(7)
    light = torch.rand(1, 1, 64, 88, generator=generator) * 100
    hints = torch.randn(1, 2, 64, 88, generator=generator) * 40
    hinted = (torch.rand(1, 1, 64, 88, generator=generator) > 0.9).float()
    with torch.inference_mode():
        expected = reference(state, light, hints * hinted, hinted)
        found = net.colours(light, hints * hinted, hinted) / 110
        alone = net.colours(light) / 110
        blank = reference(state, light, torch.zeros_like(hints), torch.zeros_like(hinted))
    assert float(expected.std()) > 0.05 and float(expected.abs().max()) < 1, "nothing to compare"
    assert float((found - expected).abs().max()) <= 1e-5
    assert float((alone - blank).abs().max()) <= 1e-5
    assert float((alone - found).abs().max()) > 1e-3
