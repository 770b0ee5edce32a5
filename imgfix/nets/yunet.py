"""YuNet: a very small detector of faces and their five landmarks.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (Machine Intelligence Research 20, 2023). 53,104 parameters
with the batch normalisation folded in, as in the weights that OpenCV publishes (MIT). It was trained on faces of about
10 to 300 pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
"""Pixels between the cells of each level; sides of a picture are multiples of the last."""
VALUES = 15
"""What is said of each cell: left, top, right, bottom, five landmarks (x, y), score."""


class Unit(nn.Module):
    """A pointwise convolution and a 3x3 one a channel."""

    def __init__(self, inputs: int, outputs: int, active: bool = True) -> None:
        super().__init__()
        self.point = nn.Conv2d(inputs, outputs, 1)
        self.depth = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        made: Tensor = self.depth(self.point(x))
        return F.relu_(made) if self.active else made


class YuNet(nn.Module):
    """The smaller of the two published sizes; modules stand in the order in which they run."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.second = Unit(16, 16)
        widths = ((16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
        self.stages = nn.ModuleList(nn.Sequential(Unit(a, a), Unit(a, b)) for a, b in widths)
        self.lateral = nn.ModuleList(Unit(64, 64) for _ in STRIDES)  # the coarsest level first
        self.named, self.boxed, self.there, self.marked = (
            nn.ModuleList(Unit(64, values, active=False) for _ in STRIDES) for values in (1, 4, 1, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Look for faces.

        Args:
            x: (N, 3, H, W) RGB in [0, 1]; sides are multiples of 32.

        Returns:
            (N, cells, 15) in pixels of the picture: left, top, right and bottom of a box; x and y of the right eye, the
            left eye, the tip of the nose, the right and the left corner of the mouth (right as the person has it, so it
            is on the left of a picture); the score in [0, 1]. Most cells have a score near 0.
        """
        x = F.max_pool2d(self.second(F.relu_(self.first(255 * x.flip(1)))), 2)
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number >= 2:
                levels.append(x)
            if number in (1, 2, 3):
                x = F.max_pool2d(x, 2)
        x = self.lateral[0](levels[2])
        joined = [x]
        for level, lateral in ((levels[1], self.lateral[1]), (levels[0], self.lateral[2])):
            x = lateral(level + F.interpolate(x, scale_factor=2.0, mode="nearest"))
            joined.insert(0, x)
        return torch.cat([self._decoded(level, number) for number, level in enumerate(joined)], dim=1)

    def _decoded(self, features: Tensor, level: int) -> Tensor:
        """(N, 64, h, w) -> (N, h * w, 15)."""
        stride, (height, width) = STRIDES[level], features.shape[-2:]
        ys, xs = torch.meshgrid(
            torch.arange(height, device=features.device), torch.arange(width, device=features.device), indexing="ij"
        )
        cells = torch.stack([xs, ys], dim=-1).reshape(1, -1, 2).to(features.dtype)

        def flat(heads: nn.ModuleList) -> Tensor:
            made: Tensor = heads[level](features).flatten(2).transpose(1, 2)
            return made

        box, marks = flat(self.boxed), flat(self.marked)
        centre, half = cells + box[..., :2], box[..., 2:].exp() / 2
        points = marks + cells.repeat(1, 1, 5)
        score = (flat(self.named).sigmoid() * flat(self.there).sigmoid()).sqrt()
        return torch.cat([stride * torch.cat([centre - half, centre + half, points], dim=-1), score], dim=-1)
