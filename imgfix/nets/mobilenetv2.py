"""MobileNetV2 with a feature pyramid: the light backbone of Mask R-CNN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.resnetfpn import FrozenBatchNorm, Pyramid

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks and first stride of each stage (arXiv 1801.04381, table 2)."""
STEM = 32
TAPS = (3, 6, 13, 17)
"""Modules of the body whose outputs the pyramid takes: the last ones at 1/4, 1/8, 1/16 and 1/32 of the sides."""
EPSILON = 1e-5


class MobileNetV2FPN(nn.Module):
    """MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) and feature pyramid (Lin et al. 2016, arXiv 1612.03144).

    Shapes: (N, 3, H, W), normalised, sides multiples of 32, to five maps (N, pyramid, h, w) at a quarter, an eighth,
    1/16, 1/32 and 1/64 of the sides. Parameters: 1.8 M, and 0.4 M of a pyramid 96 wide. The body's tensors have the
    names that torchvision's mobilenet_v2 has behind `features.`; batch normalisation is frozen.
    """

    def __init__(self, pyramid: int) -> None:
        super().__init__()
        self.body = MobileNetV2()
        self.fpn = Pyramid(self.body.taken, pyramid)

    def forward(self, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = self.fpn(self.body(x))
        return found


class MobileNetV2(nn.Sequential):
    """(N, 3, H, W) to four maps at a quarter to 1/32 of the sides, `taken` channels wide."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [ConvNorm(3, STEM, 3, 2, active=True)]
        widths = [STEM]
        for expansion, channels, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(widths[-1], channels, stride if block == 0 else 1, expansion))
                widths.append(channels)
        super().__init__(*layers)
        self.taken = [widths[tap] for tap in TAPS]

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for index, layer in enumerate(self):
            x = layer(x)
            if index in TAPS:
                found.append(x)
        return found


class ConvNorm(nn.Sequential):
    """A convolution and its frozen normalisation, computed as one convolution; then perhaps ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = False
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            FrozenBatchNorm(outputs, EPSILON),
        )
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = normalised(self[0], self[1], x)
        return F.relu6(x) if self.active else x


class InvertedResidual(nn.Module):
    """Widen, filter each channel alone, narrow without activation; the input is added where shapes are equal."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [ConvNorm(inputs, inner, 1, active=True)]
        narrowing = ConvNorm(inner, outputs, 1)
        # The names are torchvision's: the last pair is not in a sequence of its own.
        self.conv = nn.Sequential(
            *layers, ConvNorm(inner, inner, 3, stride, groups=inner, active=True), narrowing[0], narrowing[1]
        )
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        *layers, conv, norm = self.conv
        inside = x
        for layer in layers:
            inside = layer(inside)
        inside = normalised(conv, norm, inside)
        return x + inside if self.added else inside


def normalised(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """A convolution without bias and a frozen normalisation behind it, computed as one convolution."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenBatchNorm)
    scale = norm.weight * (norm.running_var + norm.epsilon).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    kernel = conv.weight * scale[:, None, None, None]
    return F.conv2d(x, kernel, shift, conv.stride, conv.padding, groups=conv.groups)


def imagenet_body(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the body from a state of torchvision's mobilenet_v2.

    Its last convolution and its classifier, which the pyramid has no use for, and the counters of batches are dropped.
    Raises KeyError when a tensor is missing.
    """
    wanted = MobileNetV2().state_dict()
    return {name: state[f"features.{name}"].to(torch.float32) for name in wanted}
