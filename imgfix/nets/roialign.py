"""RoIAlign: what a feature map says inside boxes, brought to squares of one size."""

from __future__ import annotations

import torch
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
    parts = [_aligned(features, some * scale, side, samples) for some in boxes.split(_AT_ONCE)]
    return torch.cat(parts) if len(boxes) else features.new_zeros(0, features.shape[0], side, side)


def _aligned(features: Tensor, boxes: Tensor, side: int, samples: int) -> Tensor:
    channels, height, width = features.shape
    extent = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    cell = torch.arange(side, device=boxes.device, dtype=boxes.dtype)[:, None]
    within = (torch.arange(samples, device=boxes.device, dtype=boxes.dtype) + 0.5) / samples
    steps = (cell + within).flatten()
    x = boxes[:, :1] + steps * (extent[:, :1] / side)
    y = boxes[:, 1:2] + steps * (extent[:, 1:] / side)
    left, right, across = _neighbours(x, width)
    top, bottom, down = _neighbours(y, height)
    flat = features.flatten(1).t()

    def rows(row: Tensor, share: Tensor) -> Tensor:
        """(n, steps y, steps x, C) of one row each, weighted between its left and right neighbours."""
        values = (
            flat[row[:, :, None] * width + left[:, None]] * share[:, :, None, None] * across[:, 0][:, None, :, None]
        )
        values += (
            flat[row[:, :, None] * width + right[:, None]] * share[:, :, None, None] * across[:, 1][:, None, :, None]
        )
        return values

    sampled = rows(top, down[:, 0]) + rows(bottom, down[:, 1])
    cells = sampled.reshape(len(boxes), side, samples, side, samples, channels)
    return cells.mean(dim=(2, 4)).permute(0, 3, 1, 2)


def _neighbours(places: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices below and above each place (n, steps), and their weights (n, 2, steps), zero more than 1 outside."""
    inside = (places >= -1) & (places <= length)
    places = places.clamp(0, length - 1)
    low = places.floor().long()
    share = places - low
    weights = torch.stack([1 - share, share], dim=1) * inside[:, None]
    return low, (low + 1).clamp(max=length - 1), weights
