"""Boxes, names and scores of the things in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from imgfix.nets.efficientdet import DEVIATION, MEAN, anchors
from imgfix.tasks.select.names import COCO
from imgfix.tasks.select.pixels import as_tensor, resized

SIDES = (320, 512)
"""Sides of the square into which a picture is brought; at the second, larger one small things are found."""
DEFAULT_SCORE = 0.4
"""How sure the detector has to be: at lower values every third thing it names is not there (COCO)."""
OVERLAP = 0.5
"""Of two boxes of one name that overlap more than this (intersection over union) the surer one stays."""
SAME = 0.85
"""Boxes of different names that overlap more than this are one thing."""
MOST = 100

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Detection:
    """One thing that was found."""

    name: str
    score: float
    """How sure the detector is, 0 to 1."""
    box: Box
    mask: np.ndarray | None = field(default=None, compare=False, repr=False)
    """(S, S) float32 in [0, 1] over the box, small however large the picture is; None: the detector draws none."""

    @property
    def area(self) -> float:
        """Pixels inside the box."""
        left, top, right, bottom = self.box
        return max(0.0, right - left) * max(0.0, bottom - top)


class Detector:
    """Finds things of COCO's 80 names.

    net: an `EfficientDetLite`. sides: of the squares in which it looks, multiples of 32; what is found in several of
    them is joined. Boxes come in the pixels of the picture, cut off at its edge.
    """

    def __init__(self, net: nn.Module, device: torch.device | str = "cpu", sides: Sequence[int] = SIDES) -> None:
        self.net, self.device = net.to(device), torch.device(device)
        self._anchors = {side: anchors(side) for side in sides}

    def find(self, rgb: np.ndarray, least: float = DEFAULT_SCORE) -> list[Detection]:
        """Things in a picture (H, W, 3) that the detector is at least so sure of, from the surest down."""
        # A picture that is not larger than a square gains nothing from a larger one.
        sides = [side for side in self._anchors if side == min(self._anchors) or side <= 1.2 * max(rgb.shape[:2])]
        found = [self._look(rgb, side, least) for side in sides]
        scores, boxes = torch.cat([each[0] for each in found]), torch.cat([each[1] for each in found])
        return _best(scores, boxes, least)

    @torch.inference_mode()
    def _look(self, rgb: np.ndarray, side: int, least: float) -> tuple[Tensor, Tensor]:
        """Scores (n, names) and boxes (n, 4) of what is sure enough, the picture in a square of this side."""
        height, width = rgb.shape[:2]
        # Its shape is kept: things that are stretched are found less often.
        factor = side / max(height, width)
        fitted = max(1, round(height * factor)), max(1, round(width * factor))
        small = resized(as_tensor(rgb).to(self.device), *fitted).clamp(0, 1)
        square = torch.zeros(1, 3, side, side, device=self.device)
        square[:, :, : fitted[0], : fitted[1]] = (small - MEAN) / DEVIATION
        logits, differences = self.net(square)
        scores = logits[0].sigmoid().cpu()
        sure = scores.amax(dim=1) >= least
        boxes = decoded(differences[0].cpu()[sure], self._anchors[side][sure])
        boxes = boxes / torch.tensor([fitted[1] / width, fitted[0] / height] * 2)
        boxes[:, 0::2].clamp_(0, width)
        boxes[:, 1::2].clamp_(0, height)
        return scores[sure], boxes


def decoded(differences: Tensor, bases: Tensor) -> Tensor:
    """The network's answers (dy, dx, log height, log width) and the anchors to left, top, right, bottom; (n, 4)."""
    centre = differences[:, :2] * bases[:, 2:] + bases[:, :2]
    half = differences[:, 2:].exp() * bases[:, 2:] / 2
    low, high = centre - half, centre + half
    return torch.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], dim=1)


def keep_best(boxes: Tensor, scores: Tensor, overlap: float = OVERLAP) -> list[int]:
    """Non-maximum suppression: indices of the boxes (n, 4) that no better one covers, from the best down."""
    kept: list[int] = []
    order = scores.argsort(descending=True, stable=True)
    areas = (boxes[:, 2] - boxes[:, 0]).clamp(min=0) * (boxes[:, 3] - boxes[:, 1]).clamp(min=0)
    while order.numel():
        best = order[0]
        kept.append(int(best))
        rest = order[1:]
        low = torch.maximum(boxes[best, :2], boxes[rest, :2])
        high = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        union = areas[best] + areas[rest] - shared
        order = rest[shared <= overlap * union.clamp(min=1e-9)]
    return kept


def _best(scores: Tensor, boxes: Tensor, least: float) -> list[Detection]:
    found = []
    for number, name in enumerate(COCO):
        sure = (scores[:, number] >= least).nonzero()[:, 0]
        if name is None or sure.numel() == 0:
            continue
        own, rated = boxes[sure], scores[sure, number]
        for index in keep_best(own, rated):
            left, top, right, bottom = own[index].tolist()
            if right - left >= 1 and bottom - top >= 1:
                found.append(Detection(name, float(rated[index]), (left, top, right, bottom)))
    found.sort(key=lambda thing: -thing.score)
    if not found:
        return []
    # One thing under two names keeps the surer one: a box that is all but the same.
    kept = keep_best(
        torch.tensor([thing.box for thing in found]), torch.tensor([thing.score for thing in found]), SAME
    )  # fmt: skip
    return [found[index] for index in kept[:MOST]]
