"""The heads of Mask R-CNN: what is in a box, where exactly, and which of its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.boxes import clipped, decoded, large_enough, suppressed_by_group
from imgfix.nets.roialign import roi_align

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""Of the boxes' differences, see `boxes.decoded`."""
LEAST_SCORE = 0.05
OVERLAP = 0.5
MOST = 100
BOX_SIDE, MASK_SIDE = 7, 14
_LEAST = 1e-2
_FINEST, _COARSEST = 2, 5
"""Levels whose maps are looked at: 1 / 2^2 to 1 / 2^5 of the picture's sides."""
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4


def level_of(boxes: Tensor) -> Tensor:
    """Which level (n,) each box (n, 4) is looked at in: one of 224 pixels at 4 (arXiv 1612.03144, equation 1)."""
    side = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
    level = torch.floor(_CANONICAL_LEVEL + torch.log2(side / _CANONICAL_SIDE) + 1e-6)
    return level.clamp(_FINEST, _COARSEST).long()


def pooled(levels: Sequence[Tensor], boxes: Tensor, side: int) -> Tensor:
    """What the maps (1, C, h, w), finest first, say in boxes (n, 4): (n, C, side, side)."""
    chosen = level_of(boxes)
    order, found = [], []
    for number, features in enumerate(levels[: _COARSEST - _FINEST + 1], _FINEST):
        own = (chosen == number).nonzero()[:, 0]
        order.append(own)
        found.append(roi_align(features[0], boxes[own], 1 / 2**number, side))
    return torch.cat(found)[torch.cat(order).argsort()]


class RoIHeads(nn.Module):
    """Classes, boxes and masks of proposals. Names of the tensors are those of torchvision."""

    def __init__(self, width: int, hidden: int, mask: int, layers: int, classes: int) -> None:
        super().__init__()
        self.box_head = BoxHead(width * BOX_SIDE**2, hidden)
        self.box_predictor = BoxPredictor(hidden, classes)
        self.mask_head = nn.Sequential(
            *[
                nn.Sequential(nn.Conv2d(width if index == 0 else mask, mask, 3, padding=1), nn.ReLU())
                for index in range(layers)
            ]
        )
        self.mask_predictor = MaskPredictor(mask, classes)

    def forward(
        self, levels: Sequence[Tensor], proposals: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Boxes (n, 4), scores (n,), classes (n,) and masks (n, 28, 28) in [0, 1], surest first, n <= 100.

        proposals: (m, 4). size: height and width of the picture, in the pixels of the boxes.
        """
        logits, differences = self.box_predictor(self.box_head(pooled(levels, proposals, BOX_SIDE)))
        boxes, scores, classes = best(logits, differences, proposals, size)
        masks = self.mask_predictor(self.mask_head(pooled(levels, boxes, MASK_SIDE))).sigmoid()
        return boxes, scores, classes, masks[torch.arange(len(classes), device=classes.device), classes]


def best(
    logits: Tensor, differences: Tensor, proposals: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and classes of what the box head is sure enough of; class 0 is the background.

    logits: (m, classes). differences: (m, 4 * classes). proposals: (m, 4).
    """
    count, classes = logits.shape
    boxes = clipped(decoded(differences.reshape(count, classes, 4), proposals[:, None], WEIGHTS), *size)
    flat, scores = boxes[:, 1:].reshape(-1, 4), logits.softmax(dim=1)[:, 1:].flatten()
    named = torch.arange(1, classes, device=logits.device).repeat(count)
    sure = (scores > LEAST_SCORE) & large_enough(flat, _LEAST)
    flat, scores, named = flat[sure], scores[sure], named[sure]
    kept = suppressed_by_group(flat, scores, named, OVERLAP)[:MOST]
    return flat[kept], scores[kept], named[kept]


class BoxHead(nn.Module):
    """Two full layers over what is in a box."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(inputs, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class BoxPredictor(nn.Module):
    """A logit and a box for each class."""

    def __init__(self, hidden: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, classes)
        self.bbox_pred = nn.Linear(hidden, 4 * classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(x), self.bbox_pred(x)


class MaskPredictor(nn.Module):
    """A mask for each class, at twice the side of what is put in."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(width, width, 2, 2)
        self.mask_fcn_logits = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mask_fcn_logits(F.relu(self.conv5_mask(x)))


def pasted(mask: Tensor, box: Tensor, height: int, width: int) -> Tensor:
    """A mask (S, S) put where its box (4,) is in a picture: (height, width), zero outside.

    Before it is enlarged it gets a border of zeros, and its box grows by as much, so that its edge falls off.
    """
    side = mask.shape[-1]
    half = (box[2:] - box[:2]) * 0.5 * ((side + 2) / side)
    middle = (box[2:] + box[:2]) * 0.5
    # Cut off towards zero, not rounded: that is what the published results were measured with.
    left, top, right, bottom = (int(edge) for edge in torch.cat([middle - half, middle + half]).tolist())
    across, down = max(right - left + 1, 1), max(bottom - top + 1, 1)
    large = F.interpolate(F.pad(mask, (1, 1, 1, 1))[None, None], (down, across), mode="bilinear", align_corners=False)
    found = mask.new_zeros(height, width)
    x0, x1, y0, y1 = max(left, 0), min(right + 1, width), max(top, 0), min(bottom + 1, height)
    if math.prod((max(x1 - x0, 0), max(y1 - y0, 0))):
        found[y0:y1, x0:x1] = large[0, 0, y0 - top : y1 - top, x0 - left : x1 - left]
    return found
