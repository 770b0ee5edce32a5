"""ResNet with a feature pyramid: five levels of one width, the backbone of Mask R-CNN."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXPANSION = 4
"""Outputs of a bottleneck for each of its inner channels."""


class ResNetFPN(nn.Module):
    """ResNet (He et al. 2015, arXiv 1512.03385) and feature pyramid (Lin et al. 2016, arXiv 1612.03144).

    Shapes: (N, 3, H, W), normalised, sides multiples of 32, to five maps (N, pyramid, h, w) at a quarter, an eighth,
    1/16, 1/32 and 1/64 of the sides. Parameters: 26.9 M in ResNet-50's size, a width of 64 and a pyramid of 256.
    Names of the tensors are those of torchvision.
    """

    def __init__(self, width: int, blocks: Sequence[int], pyramid: int, epsilon: float) -> None:
        super().__init__()
        self.body = ResNet(width, blocks, epsilon)
        self.fpn = Pyramid([width * 2**level * EXPANSION for level in range(4)], pyramid)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.fpn(self.body(x))


class FrozenBatchNorm(nn.Module):
    """Batch normalisation whose statistics stay as they are: a scale and a shift for each channel."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.epsilon).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class Bottleneck(nn.Module):
    """Narrow, filter, widen, and the input is added; the step is taken by the filter."""

    def __init__(self, inputs: int, inner: int, stride: int, epsilon: float) -> None:
        super().__init__()
        outputs = inner * EXPANSION
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = FrozenBatchNorm(inner, epsilon)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = FrozenBatchNorm(inner, epsilon)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = FrozenBatchNorm(outputs, epsilon)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), FrozenBatchNorm(outputs, epsilon))
            if stride != 1 or inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        inside = F.relu(self.bn1(self.conv1(x)))
        inside = F.relu(self.bn2(self.conv2(inside)))
        direct = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn3(self.conv3(inside)) + direct)


class ResNet(nn.Module):
    """(N, 3, H, W) to four maps at a quarter to 1/32 of the sides."""

    def __init__(self, width: int, blocks: Sequence[int], epsilon: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = FrozenBatchNorm(width, epsilon)
        inputs = width
        for level, count in enumerate(blocks):
            layers = []
            for block in range(count):
                stride = 2 if level > 0 and block == 0 else 1
                layers.append(Bottleneck(inputs, width * 2**level, stride, epsilon))
                inputs = width * 2**level * EXPANSION
            self.add_module(f"layer{level + 1}", nn.Sequential(*layers))
        self.levels = len(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        found = []
        for level in range(self.levels):
            x = self.get_submodule(f"layer{level + 1}")(x)
            found.append(x)
        return found


class Pyramid(nn.Module):
    """Brings the levels to one width, adds to each the coarser ones, and puts one more behind the coarsest."""

    def __init__(self, inputs: Sequence[int], outputs: int) -> None:
        super().__init__()
        # Each in a sequence of one, for the names that torchvision gives them.
        self.inner_blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(count, outputs, 1)) for count in inputs])
        self.layer_blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1)) for _ in inputs])

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        inner = [block(level) for block, level in zip(self.inner_blocks, levels, strict=True)]
        for index in range(len(inner) - 2, -1, -1):
            inner[index] = inner[index] + F.interpolate(inner[index + 1], inner[index].shape[2:], mode="nearest")
        found = [block(level) for block, level in zip(self.layer_blocks, inner, strict=True)]
        return [*found, found[-1][:, :, ::2, ::2]]
