"""InceptionV3 up to its last pooling: the features that FID and KID compare.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision" (2015),
arXiv 1512.00567, in the form of the network published with TensorFlow in December 2015, which every published FID uses:
its average poolings leave the padding out of the mean, and its very last block pools by maximum.
Licence of the published weights: Apache-2.0. 21.8 M parameters, the batch normalisation folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

Kernel = int | tuple[int, int]


class Convolution(nn.Sequential):
    """A convolution and a ReLU; `padding` keeps the size unless `valid`."""

    def __init__(self, inside: int, outside: int, kernel: Kernel, stride: int = 1, *, valid: bool = False) -> None:
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid else (size[0] // 2, size[1] // 2)
        super().__init__(nn.Conv2d(inside, outside, size, stride=stride, padding=padding), nn.ReLU())


class Branches(nn.ModuleList):
    """Runs its members on the same input and stacks their channels."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(pixels) for branch in self], dim=1)


def chain(inside: int, *steps: tuple[int, Kernel], stride: int = 1) -> nn.Sequential:
    """Convolutions in a row, (channels, kernel) each; only the last one has the stride, and is then unpadded."""
    layers: list[nn.Module] = []
    for index, (outside, kernel) in enumerate(steps):
        last = index == len(steps) - 1
        layers.append(Convolution(inside, outside, kernel, stride if last else 1, valid=last and stride > 1))
        inside = outside
    return nn.Sequential(*layers)


def pooled(inside: int, outside: int, *, maximum: bool = False) -> nn.Sequential:
    """A 3x3 pooling that keeps the size, then a 1x1 convolution."""
    pool: nn.Module
    if maximum:
        pool = nn.MaxPool2d(3, stride=1, padding=1)
    else:
        pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return nn.Sequential(pool, Convolution(inside, outside, 1))


def block_35(inside: int, pool: int) -> Branches:
    """Mixed block on the 35x35 grid."""
    return Branches(
        [
            chain(inside, (64, 1)),
            chain(inside, (48, 1), (64, 5)),
            chain(inside, (64, 1), (96, 3), (96, 3)),
            pooled(inside, pool),
        ]
    )


def block_17(inside: int, width: int) -> Branches:
    """Mixed block on the 17x17 grid: 7x7 kernels split into rows and columns."""
    row, column = (1, 7), (7, 1)
    return Branches(
        [
            chain(inside, (192, 1)),
            chain(inside, (width, 1), (width, row), (192, column)),
            chain(inside, (width, 1), (width, column), (width, row), (width, column), (192, row)),
            pooled(inside, 192),
        ]
    )


def block_8(inside: int, *, maximum: bool) -> Branches:
    """Mixed block on the 8x8 grid: two of its branches fork into a row and a column."""

    def fork(*steps: tuple[int, Kernel]) -> nn.Sequential:
        ends = Branches([chain(384, (384, (1, 3))), chain(384, (384, (3, 1)))])
        return nn.Sequential(*chain(inside, *steps), ends)

    return Branches(
        [
            chain(inside, (320, 1)),
            fork((384, 1)),
            fork((448, 1), (384, 3)),
            pooled(inside, 192, maximum=maximum),
        ]
    )


def shrink(inside: int, *branches: Sequence[tuple[int, Kernel]]) -> Branches:
    """Halves the grid: convolutions of stride 2 beside a maximum pooling."""
    return Branches([*(chain(inside, *steps, stride=2) for steps in branches), nn.MaxPool2d(3, stride=2)])


class InceptionFeatures(nn.Module):
    """(N, 3, 299, 299) in [0, 1] -> features (N, 2048), none of them negative."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Convolution(3, 32, 3, 2, valid=True),
            Convolution(32, 32, 3, valid=True),
            Convolution(32, 64, 3),
            nn.MaxPool2d(3, stride=2),
            Convolution(64, 80, 1, valid=True),
            Convolution(80, 192, 3, valid=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.mixed = nn.Sequential(
            block_35(192, 32),
            block_35(256, 64),
            block_35(288, 64),
            shrink(288, [(384, 3)], [(64, 1), (96, 3), (96, 3)]),
            block_17(768, 128),
            block_17(768, 160),
            block_17(768, 160),
            block_17(768, 192),
            shrink(768, [(192, 1), (320, 3)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)]),
            block_8(1280, maximum=False),
            block_8(2048, maximum=True),
        )

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        # The network was trained on (byte - 128) / 128.
        return self.mixed(self.stem(rgb * (255 / 128) - 1)).mean(dim=(2, 3))
