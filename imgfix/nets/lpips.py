"""LPIPS: a learned perceptual distance between two pictures.

Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (2018),
arXiv 1801.03924. Trunks: AlexNet (Krizhevsky 2014, arXiv 1404.5997; 2.47 M parameters here) or VGG16 (Simonyan and
Zisserman 2014, arXiv 1409.1556; 14.7 M). Licences of the published weights: trunk BSD-3-Clause, heads BSD-2-Clause.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

Trunk = Literal["alex", "vgg"]

# The ImageNet mean and deviation, carried over to inputs in [-1, 1], with the digits the metric was published with.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


def alexnet_layers() -> tuple[list[nn.Module], list[int]]:
    """The convolutional part of AlexNet, and the positions of its five feature maps."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    ]  # fmt: skip
    return layers, [1, 4, 7, 9, 11]


def vgg16_layers() -> tuple[list[nn.Module], list[int]]:
    """The convolutional part of VGG16, and the positions of its five feature maps."""
    layers: list[nn.Module] = []
    taps: list[int] = []
    width_before = 3
    for stage, (width, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
        if stage:
            layers.append(nn.MaxPool2d(2, stride=2))
        for _ in range(depth):
            layers += [nn.Conv2d(width_before, width, 3, padding=1), nn.ReLU()]
            width_before = width
        taps.append(len(layers) - 1)
    return layers, taps


class LPIPS(nn.Module):
    """Perceptual distance of two batches (N, 3, H, W) in [0, 1] -> (N,), 0 for equal pictures; differentiable.

    Sides of at least 31 (AlexNet) or 16 (VGG16) pixels. Layers keep the positions they have in the trunk's usual
    `features` list, so that its published weights fit by name.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, trunk: Trunk = "alex") -> None:
        super().__init__()
        layers, self.taps = alexnet_layers() if trunk == "alex" else vgg16_layers()
        self.minimum_size = 31 if trunk == "alex" else 16
        self.features = nn.ModuleList(layers)
        widths = [64, 192, 384, 256, 256] if trunk == "alex" else [64, 128, 256, 512, 512]
        self.heads = nn.ModuleList([nn.Conv2d(width, 1, 1, bias=False) for width in widths])
        self.register_buffer("shift", torch.tensor(SHIFT).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).reshape(1, 3, 1, 1), persistent=False)

    def feature_maps(self, rgb: torch.Tensor) -> list[torch.Tensor]:
        """The five feature maps, each scaled to length 1 over its channels."""
        hidden = (2 * rgb - 1 - self.shift) / self.scale
        maps = []
        for position, layer in enumerate(self.features):
            hidden = layer(hidden)
            if position in self.taps:
                # vector_norm, not a square root of our own: its gradient at an all-zero feature is 0 and not NaN.
                length = torch.linalg.vector_norm(hidden, dim=1, keepdim=True)
                maps.append(hidden / (length + 1e-10))
        return maps

    def forward(self, result: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if min(result.shape[-2:]) < self.minimum_size:
            raise ValueError(f"LPIPS needs sides of {self.minimum_size} pixels, got {tuple(result.shape[-2:])}")
        distance = result.new_zeros(result.shape[0])
        for first, second, head in zip(self.feature_maps(result), self.feature_maps(target), self.heads, strict=True):
            distance = distance + head((first - second).square()).mean(dim=(1, 2, 3))
        return distance
