"""U2-Net and its small sister U2-Netp: which pixels belong to the picture's main subject."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of each level from the finest to the coarsest: layers of the block, inner and outer width; then of the way back.
_FULL = ((7, 32, 64), (6, 32, 128), (5, 64, 256), (4, 128, 512), (0, 256, 512), (0, 256, 512))
_FULL_BACK = ((0, 256, 512), (4, 128, 256), (5, 64, 128), (6, 32, 64), (7, 16, 64))
_SMALL = tuple((layers, 16, 64) for layers, _, _ in _FULL)
_SMALL_BACK = tuple((layers, 16, 64) for layers, _, _ in _FULL_BACK)


class U2Net(nn.Module):
    """A U-Net whose every level is a small U-Net (Qin et al. 2020, arXiv 2005.09007).

    Licence of the published weights: Apache-2.0. Parameters: 44.0 M, small: 1.1 M. Batch normalisation is folded into
    the convolutions. Works at 320 x 320.

    Shapes: (N, 3, H, W), normalised as ImageNet, to (N, 1, H, W) in [0, 1]; any size, trained at 320.
    """

    def __init__(self, small: bool = False) -> None:
        super().__init__()
        down, back = (_SMALL, _SMALL_BACK) if small else (_FULL, _FULL_BACK)
        self.down = nn.ModuleList()
        width = 3
        for layers, inner, outer in down:
            self.down.append(Nested(layers, width, inner, outer))
            width = outer
        self.back = nn.ModuleList()
        for (layers, inner, outer), (_, _, skip) in zip(back, reversed(down[:-1]), strict=True):
            self.back.append(Nested(layers, width + skip, inner, outer))
            width = outer
        sides = [outer for _, _, outer in reversed(back)] + [down[-1][2]]
        self.sides = nn.ModuleList([nn.Conv2d(side, 1, 3, padding=1) for side in sides])
        self.join = nn.Conv2d(len(sides), 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        levels = []
        for index, stage in enumerate(self.down):
            x = stage(x if index == 0 else _halved(x))
            levels.append(x)
        seen = [levels.pop()]
        for stage in self.back:
            skip = levels.pop()
            seen.insert(0, stage(torch.cat([_enlarged(seen[0], skip), skip], dim=1)))
        maps = [side(level) for side, level in zip(self.sides, seen, strict=True)]
        return torch.sigmoid(self.join(torch.cat([_resized(one, size) for one in maps], dim=1)))


class Nested(nn.Module):
    """A residual U-block of so many layers; 0: four layers at one resolution, dilated instead of halved."""

    def __init__(self, layers: int, inputs: int, inner: int, outer: int) -> None:
        super().__init__()
        self.flat = layers == 0
        depth = layers or 4
        dilations = [1, 2, 4, 8] if self.flat else [1] * (depth - 1) + [2]
        self.enter = _convolution(inputs, outer, 1)
        self.down = nn.ModuleList(
            [_convolution(outer if index == 0 else inner, inner, step) for index, step in enumerate(dilations)]
        )
        back = [4, 2, 1] if self.flat else [1] * (depth - 1)
        self.back = nn.ModuleList(
            [
                _convolution(2 * inner, outer if index == len(back) - 1 else inner, step)
                for index, step in enumerate(back)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        levels = []
        x = entered
        for index, stage in enumerate(self.down):
            # Neither the first layer nor the dilated one at the bottom works on a smaller picture than the one before.
            halve = not self.flat and 0 < index < len(self.down) - 1
            x = stage(_halved(x) if halve else x)
            levels.append(x)
        x = levels.pop()
        for stage in self.back:
            skip = levels.pop()
            x = stage(torch.cat([_enlarged(x, skip), skip], dim=1))
        return x + entered


def _convolution(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.ReLU(inplace=True))


def _halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, ceil_mode=True)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return _resized(x, like.shape[2:])


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=False)
