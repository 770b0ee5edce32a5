"""The region proposal network: where in a picture there may be a thing, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.boxes import clipped, decoded, large_enough, suppressed_by_group

SIZES = (32, 64, 128, 256, 512)
"""Side of the square anchor of each level, in pixels."""
RATIOS = (0.5, 1.0, 2.0)
"""Height to width of the anchors."""
CANDIDATES = 1000
"""Of each level this many go into the suppression, and this many of all levels come out."""
OVERLAP = 0.7
_LEAST = 1e-3


class RegionProposals(nn.Module):
    """Boxes that may hold a thing, from a pyramid of features (Ren et al. 2015, arXiv 1506.01497)."""

    def __init__(self, width: int, sizes: Sequence[int] = SIZES, ratios: Sequence[float] = RATIOS) -> None:
        super().__init__()
        self.sizes, self.ratios = tuple(sizes), tuple(ratios)
        self.head = ProposalHead(width, len(self.ratios))

    def forward(self, levels: Sequence[Tensor], padded: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """Boxes (n, 4), surest first, n <= 1000.

        levels: one map (1, C, h, w) for each size. padded: height and width that the network saw. size: those
        of the picture in it, at whose edge the boxes are cut off.
        """
        boxes, scores, groups = [], [], []
        for index, (level, anchor) in enumerate(zip(levels, self.sizes, strict=True)):
            logits, differences = self.head(level)
            best = logits.topk(min(CANDIDATES, logits.numel())).indices
            bases = anchors(anchor, level.shape[2:], padded, self.ratios).to(level)
            boxes.append(clipped(decoded(differences[best], bases[best], (1.0, 1.0, 1.0, 1.0)), *size))
            scores.append(logits[best].sigmoid())
            groups.append(torch.full_like(best, index))
        found, rated, level_of = torch.cat(boxes), torch.cat(scores), torch.cat(groups)
        usable = large_enough(found, _LEAST)
        found, rated, level_of = found[usable], rated[usable], level_of[usable]
        return found[suppressed_by_group(found, rated, level_of, OVERLAP)[:CANDIDATES]]


class ProposalHead(nn.Module):
    """For each anchor how likely it holds a thing, and how the thing's box differs from it; shared by the levels."""

    def __init__(self, width: int, anchors_each: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Sequential(nn.Conv2d(width, width, 3, padding=1)))
        self.cls_logits = nn.Conv2d(width, anchors_each, 1)
        self.bbox_pred = nn.Conv2d(width, 4 * anchors_each, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(1, C, h, w) to logits (h * w * anchors,) and differences (h * w * anchors, 4)."""
        inside = F.relu(self.conv(x))
        logits = self.cls_logits(inside)[0].permute(1, 2, 0).flatten()
        return logits, self.bbox_pred(inside)[0].permute(1, 2, 0).reshape(-1, 4)


def anchors(size: int, cells: Sequence[int], padded: tuple[int, int], shapes: Sequence[float] = RATIOS) -> Tensor:
    """Boxes (h * w * ratios, 4) of one level, around the left top corner of each cell, rounded to whole pixels."""
    ratios = torch.tensor(shapes)
    tall = ratios.sqrt()
    heights, widths = tall * size, (1 / tall) * size
    around = (torch.stack([-widths, -heights, widths, heights], dim=1) / 2).round()
    y = torch.arange(cells[0]) * (padded[0] // cells[0])
    x = torch.arange(cells[1]) * (padded[1] // cells[1])
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    corners = torch.stack([columns, rows, columns, rows], dim=-1).reshape(-1, 1, 4)
    return (corners + around).reshape(-1, 4)
