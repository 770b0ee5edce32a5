"""EfficientDet-Lite: boxes and names of the things in a picture, small enough for any processor."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# EfficientNet-Lite0: kernel, stride, expansion, channels and number of blocks of each stage.
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
           (3, 1, 6, 320, 1))  # fmt: skip
_TAPS = (2, 4, 6)
"""Stages whose result goes on: an eighth, a sixteenth and a thirty-second of the sides."""
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
RATIOS = (1.0, 2.0, 0.5)
"""Width to height of the anchors; of each cell all ratios of the first scale come first."""
LEVELS = 5
MEAN, DEVIATION = 127 / 255, 128 / 255
"""A picture in [0, 1] is brought to the network's range with these."""


class EfficientDetLite(nn.Module):
    """One-stage detector: EfficientNet-Lite0, three cells of BiFPN, heads shared by five levels.

    EfficientDet: Tan et al. 2019, arXiv 1911.09070 (the Lite variant sums where the paper weighs, and uses ReLU6).
    Licence of the published weights: Apache-2.0. Parameters: 3.3 M. Batch normalisation is folded into the
    convolutions, which is why the heads have pointwise layers of their own for each level.

    Shapes: (N, 3, S, S), normalised, S a multiple of 32, to logits (N, anchors, classes) and the boxes' differences
    from the anchors (N, anchors, 4) as dy, dx, log height, log width; see `anchors`.
    """

    def __init__(self, classes: int = 90, width: int = 64, cells: int = 3, depth: int = 3) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        stages: list[nn.Module] = []
        inputs, taps = 32, []
        for index, (kernel, stride, expansion, outputs, count) in enumerate(STAGES):
            blocks = [
                InvertedResidual(
                    inputs if block == 0 else outputs, outputs, kernel, stride if block == 0 else 1, expansion
                )
                for block in range(count)
            ]
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
            if index in _TAPS:
                taps.append(outputs)
        self.stages = nn.ModuleList(stages)
        self.extra = nn.Conv2d(taps[-1], width, 1)
        self.cells = nn.ModuleList([BiFPNCell(width, taps if index == 0 else None) for index in range(cells)])
        self.box = Head(width, 4 * len(SCALES) * len(RATIOS), depth)
        self.name = Head(width, classes * len(SCALES) * len(RATIOS), depth)
        self.classes = classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu6(self.stem(x))
        levels = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPS:
                levels.append(x)
        levels.append(_pooled(self.extra(x)))
        levels.append(_pooled(levels[-1]))
        for cell in self.cells:
            levels = cell(levels)
        names = [_by_anchor(self.name(level, index), self.classes) for index, level in enumerate(levels)]
        boxes = [_by_anchor(self.box(level, index), 4) for index, level in enumerate(levels)]
        return torch.cat(names, dim=1), torch.cat(boxes, dim=1)


def anchors(side: int, size: float = 3.0) -> Tensor:
    """The boxes that the network's answers start from: (anchors, 4) as centre y, x, height, width in pixels.

    size: side of the smallest anchor in cells of its level.
    """
    found = []
    cells = math.ceil(side / 8)
    for _ in range(LEVELS):
        step = side / cells
        centre = (torch.arange(cells, dtype=torch.float64) + 0.5) * step
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        shapes = [
            (size * step * scale / math.sqrt(ratio), size * step * scale * math.sqrt(ratio))
            for scale in SCALES
            for ratio in RATIOS
        ]
        sizes = torch.tensor(shapes, dtype=torch.float64).expand(cells, cells, -1, -1)
        places = torch.stack([y, x], dim=-1)[:, :, None].expand(-1, -1, len(shapes), -1)
        found.append(torch.cat([places, sizes], dim=-1).reshape(-1, 4))
        cells = math.ceil(cells / 2)
    return torch.cat(found).float()


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does: more behind than in front where the step does not divide evenly."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_padded(x, self.kernel_size[0], self.stride[0], 0.0))


class InvertedResidual(nn.Module):
    """Expand, filter each channel, narrow; the input is added where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = nn.Conv2d(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, outputs, 1)
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inside = x if self.expand is None else F.relu6(self.expand(x))
        result = self.project(F.relu6(self.depthwise(inside)))
        return result + x if self.added else result


class Separable(nn.Module):
    """A filter for each channel, then a mixture of the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.pointwise = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class BiFPNCell(nn.Module):
    """Five levels: from coarse to fine, then from fine to coarse, each joined by addition and a separable layer."""

    def __init__(self, width: int, taps: list[int] | None) -> None:
        super().__init__()
        # The first cell brings the backbone's levels to one width, for each use with weights of its own.
        self.enter_down = nn.ModuleList([nn.Conv2d(tap, width, 1) for tap in taps]) if taps else None
        self.enter_up = nn.ModuleList([nn.Conv2d(tap, width, 1) for tap in taps[1:]]) if taps else None
        self.down = nn.ModuleList([Separable(width) for _ in range(LEVELS - 1)])
        self.up = nn.ModuleList([Separable(width) for _ in range(LEVELS - 1)])

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        first, again = list(levels), list(levels)
        if self.enter_down is not None and self.enter_up is not None:
            for index, enter in enumerate(self.enter_down):
                first[index] = enter(levels[index])
            for index, enter in enumerate(self.enter_up):
                again[index + 1] = enter(levels[index + 1])
        fine = [first[-1]]
        for index, join in zip(range(LEVELS - 2, -1, -1), self.down, strict=True):
            larger = F.interpolate(fine[0], first[index].shape[2:], mode="nearest")
            fine.insert(0, join(F.relu6(first[index] + larger)))
        result = [fine[0]]
        for index, join in zip(range(1, LEVELS), self.up, strict=True):
            middle = again[index] + fine[index] if index < LEVELS - 1 else again[index]
            result.append(join(F.relu6(middle + _pooled(result[-1]))))
        return result


class Head(nn.Module):
    """Separable layers; the filters are shared by the levels, the mixtures are not (but for the last)."""

    def __init__(self, width: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(
            [nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False) for _ in range(depth)]
        )
        self.pointwise = nn.ModuleList(
            [nn.ModuleList([nn.Conv2d(width, width, 1) for _ in range(depth)]) for _ in range(LEVELS)]
        )
        self.last_depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor, level: int) -> Tensor:
        mixtures: nn.ModuleList = self.pointwise[level]  # type: ignore[assignment]
        for depthwise, pointwise in zip(self.depthwise, mixtures, strict=True):
            x = F.relu6(pointwise(depthwise(x)))
        return self.last(self.last_depthwise(x))


def _padded(x: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    margins = []
    for side in (x.shape[3], x.shape[2]):
        needed = max(0, (math.ceil(side / stride) - 1) * stride + kernel - side)
        margins += [needed // 2, needed - needed // 2]
    return F.pad(x, margins, value=value)


def _pooled(x: Tensor) -> Tensor:
    return F.max_pool2d(_padded(x, 3, 2, float("-inf")), 3, 2)


def _by_anchor(x: Tensor, values: int) -> Tensor:
    """(N, anchors of a cell * values, h, w) to (N, h * w * anchors of a cell, values)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, values)
