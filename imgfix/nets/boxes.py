"""Boxes as detectors use them: (n, 4) as left, top, right, bottom in pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LONGEST = math.log(1000 / 16)
"""Largest logarithm by which a side is stretched: a random or faulty answer must not overflow."""


def overlaps(one: Tensor, boxes: Tensor) -> Tensor:
    """Intersection over union of a box (4,) with each of others (n, 4): (n,)."""
    low, high = torch.maximum(one[:2], boxes[:, :2]), torch.minimum(one[2:], boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    return shared / ((one[2:] - one[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) - shared)


def suppressed(boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """Non-maximum suppression: indices of the boxes that stay, best first.

    most: intersection over union with a better box above which a box is dropped.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while order.numel():
        kept.append(order[0])
        order = order[1:][~(overlaps(boxes[order[0]], boxes[order[1:]]) > most)]
    return torch.stack(kept) if kept else order


def suppressed_by_group(boxes: Tensor, scores: Tensor, groups: Tensor, most: float) -> Tensor:
    """Non-maximum suppression within each group (level or class) alone: indices of what stays, best first."""
    kept = []
    for group in groups.unique():
        own = (groups == group).nonzero()[:, 0]
        kept.append(own[suppressed(boxes[own], scores[own], most)])
    if not kept:
        return torch.empty(0, dtype=torch.long, device=boxes.device)
    found = torch.cat(kept)
    return found[scores[found].argsort(descending=True, stable=True)]


def decoded(differences: Tensor, bases: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Boxes (..., 4) from differences (..., 4) to bases that broadcast with them.

    A difference is the shift of the centre in x and y in units of the base's sides, then the logarithms of the
    changes of width and height, each times its weight (Girshick et al. 2014, arXiv 1311.2524, appendix C).
    """
    sides = bases[..., 2:] - bases[..., :2]
    centre = bases[..., :2] + 0.5 * sides
    scaled = differences / differences.new_tensor(weights)
    middle = scaled[..., :2] * sides + centre
    half = 0.5 * (scaled[..., 2:].clamp(max=LONGEST).exp() * sides)
    return torch.cat([middle - half, middle + half], dim=-1)


def clipped(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (..., 4) cut off at the picture's edges."""
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def large_enough(boxes: Tensor, least: float) -> Tensor:
    """Whether both sides of each box (n, 4) reach so many pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= least).all(dim=1)
