"""RoIAlign: what a feature map says inside boxes, brought to squares of one size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_AT_ONCE = 64
"""Boxes sampled at a time: bounds the memory for a thousand proposals."""


def roi_align(features: Tensor, boxes: Tensor, scale: float, side: int, samples: int = 2) -> Tensor:
    """Bilinear samples of a map, averaged over each cell of a box.

    RoIAlign: He et al. 2017, arXiv 1703.06870, without the shift by half a pixel that came later (torchvision's
    `aligned=False`), which the published weights were trained with.
    features: (C, H, W). boxes: (n, 4), left, top, right, bottom in pixels of the picture. scale: of the map to the
    picture. side: cells along each side. samples: along each side of a cell. Gives (n, C, side, side).
    """
    if not len(boxes):
        return features.new_zeros(0, features.shape[0], side, side)
    return torch.cat([_aligned(features, some * scale, side, samples) for some in boxes.split(_AT_ONCE)])


def _aligned(features: Tensor, boxes: Tensor, side: int, samples: int) -> Tensor:
    channels, height, width = features.shape
    extent = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    count = side * samples
    within = (torch.arange(count, device=boxes.device, dtype=boxes.dtype) + 0.5) / count
    x = boxes[:, :1] + within * extent[:, :1]
    y = boxes[:, 1:2] + within * extent[:, 1:]
    across, down = _places(x, width)[:, None, :], _places(y, height)[:, :, None]
    grid = torch.stack([across.expand(-1, count, -1), down.expand(-1, -1, count)], dim=-1)
    # A point beside the map takes the value at its edge; one further than a cell away has none.
    sampled = F.grid_sample(
        features[None], grid.reshape(1, -1, count, 2).to(features), "bilinear", "border", align_corners=True
    )
    known = (_near(y, height)[:, :, None] & _near(x, width)[:, None, :]).reshape(1, 1, -1, count)
    cells = F.avg_pool2d(sampled * known.to(sampled), samples)
    return cells[0].reshape(channels, -1, side, side).transpose(0, 1)


def _places(places: Tensor, length: int) -> Tensor:
    """Cells of a map counted from its first to -1 ... 1."""
    return places.clamp(0, length - 1) * (2 / max(length - 1, 1)) - 1


def _near(places: Tensor, length: int) -> Tensor:
    return (places >= -1) & (places <= length)
