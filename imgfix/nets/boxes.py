"""Boxes as detectors use them: (n, 4) as left, top, right, bottom in pixels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

LONGEST = math.log(1000 / 16)
"""Largest logarithm by which a side is stretched: a random or faulty answer must not overflow."""


def overlap_table(some: Tensor, others: Tensor) -> Tensor:
    """Intersections over union (n, m) of boxes (n, 4) with others (m, 4)."""
    low = torch.maximum(some[:, None, :2], others[None, :, :2])
    high = torch.minimum(some[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    areas, other_areas = ((each[:, 2:] - each[:, :2]).prod(dim=1) for each in (some, others))
    return shared / (areas[:, None] + other_areas - shared)


def suppressed(boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """Non-maximum suppression: indices of the boxes that stay, best first.

    most: intersection over union with a better box above which a box is dropped.
    """
    order = scores.argsort(descending=True, stable=True)
    ranked = boxes[order]
    # The table is made at once, and walked through outside of torch, whose every step costs more than a row of it.
    covered = (overlap_table(ranked, ranked) > most).cpu().numpy()
    dropped = np.zeros(len(order), bool)
    kept = []
    for index in range(len(order)):
        if not dropped[index]:
            kept.append(index)
            dropped |= covered[index]
    return order[torch.tensor(kept, dtype=torch.long, device=order.device)]


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


def encoded(boxes: Tensor, bases: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """The differences (..., 4) from which `decoded` makes these boxes (..., 4)."""
    sides, wanted = bases[..., 2:] - bases[..., :2], boxes[..., 2:] - boxes[..., :2]
    shift = (boxes[..., :2] + 0.5 * wanted - bases[..., :2] - 0.5 * sides) / sides
    return torch.cat([shift, (wanted / sides).log()], dim=-1) * boxes.new_tensor(weights)


def clipped(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (..., 4) cut off at the picture's edges."""
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def large_enough(boxes: Tensor, least: float) -> Tensor:
    """Whether both sides of each box (n, 4) reach so many pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= least).all(dim=1)
