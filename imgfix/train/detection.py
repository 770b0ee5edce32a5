"""Training Mask R-CNN: which anchors and proposals learn what, and the five losses.

Faster R-CNN: Ren et al. 2015, arXiv 1506.01497, section 3.1. Mask R-CNN: He et al. 2017, arXiv 1703.06870, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.boxes import clipped, decoded, encoded, large_enough, overlap_table, suppressed
from imgfix.nets.maskrcnn import MaskRCNN
from imgfix.nets.proposals import anchors
from imgfix.nets.roialign import roi_align
from imgfix.nets.roiheads import BOX_SIDE, MASK_SIDE, WEIGHTS, pooled

BACKGROUND, NEITHER = -1, -2
_LEAST_SIDE = 1.0


@dataclass(frozen=True)
class Truth:
    """What is in one picture."""

    boxes: Tensor
    """(n, 4): left, top, right, bottom in pixels."""
    classes: Tensor
    """(n,) int64, from 1."""
    masks: Tensor
    """(n, H, W) uint8, 1 inside."""


@dataclass(frozen=True)
class Sampling:
    """How many anchors and proposals of a picture learn, and which are right or wrong."""

    anchors: int = 128
    """Of a picture, at most half of them on a thing."""
    anchor_high: float = 0.6
    """Intersection over union with a thing from which an anchor is on it; the best one of each thing always is."""
    anchor_low: float = 0.3
    """Below this an anchor is on nothing; between the two it does not learn."""
    candidates: int = 200
    """Proposals of each level that go into the suppression."""
    proposals: int = 160
    """Proposals of a picture that come out of it."""
    regions: int = 64
    """Proposals of a picture that the heads learn from."""
    on_things: float = 0.35
    """Highest part of these that is on things."""
    region_high: float = 0.5
    """Intersection over union from which a proposal is on a thing."""
    masks: int = 10
    """Proposals of a picture whose masks are learned."""


def detection_losses(
    net: MaskRCNN, pictures: Tensor, truths: list[Truth], sampling: Sampling, generator: torch.Generator
) -> dict[str, Tensor]:
    """The losses of a batch: `objectness` and `proposal` of the proposals, `class`, `box` and `mask` of the heads.

    pictures: (N, 3, S, S) in [0, 1], sides multiples of 32, at the size at which the network sees them. Each loss is
    a mean over the pictures; all weigh the same (arXiv 1703.06870, section 3). generator: chooses who learns, on the
    CPU.
    """
    size = (pictures.shape[2], pictures.shape[3])
    levels = net.backbone((pictures - net.mean) / net.deviation)
    logits, differences, bases, counts = _proposed(net, levels, size)
    objectness, proposal = _proposal_losses(logits, differences, bases, truths, sampling, generator)
    regions = [
        _regions(logits[index].detach(), differences[index].detach(), bases, counts, truth, size, sampling, generator)
        for index, truth in enumerate(truths)
    ]
    # Taken apart once: a slice for each use would cost a gradient of the whole batch's size each.
    apart = list(zip(*(level.split(1) for level in levels), strict=True))
    classed, boxed = _box_losses(net, apart, regions, truths)
    masked = _mask_loss(net, apart, regions, truths, sampling)
    return {"objectness": objectness, "proposal": proposal, "class": classed, "box": boxed, "mask": masked}


# -- proposals ---------------------------------------------------------------------------------------------------------


def _proposed(net: MaskRCNN, levels: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """Logits (N, A) and differences (N, A, 4) of all anchors (A, 4), and how many of them each level has."""
    logits, differences, bases = [], [], []
    head = net.rpn.head
    for level, side in zip(levels, net.rpn.sizes, strict=True):
        inside = F.relu(head.conv(level))
        logits.append(head.cls_logits(inside).permute(0, 2, 3, 1).flatten(1).float())
        differences.append(head.bbox_pred(inside).permute(0, 2, 3, 1).reshape(len(level), -1, 4).float())
        bases.append(anchors(side, level.shape[2:], size, net.rpn.ratios).to(level.device, torch.float32))
    return torch.cat(logits, 1), torch.cat(differences, 1), torch.cat(bases), [len(each) for each in bases]


def _proposal_losses(
    logits: Tensor,
    differences: Tensor,
    bases: Tensor,
    truths: list[Truth],
    sampling: Sampling,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    objectness, proposal = logits.sum() * 0, differences.sum() * 0
    for own, moved, truth in zip(logits, differences, truths, strict=True):
        target = matched(
            overlap_table(bases, truth.boxes), sampling.anchor_high, sampling.anchor_low, best_of_each=True
        )
        on, off = chosen(target, sampling.anchors, sampling.anchors // 2, generator)
        both = torch.cat([on, off])
        wanted = (target[both] >= 0).float()
        objectness = objectness + F.binary_cross_entropy_with_logits(own[both], wanted)
        if len(on):
            goal = encoded(truth.boxes[target[on]], bases[on], (1.0, 1.0, 1.0, 1.0))
            loss = F.smooth_l1_loss(moved[on], goal, beta=1 / 9, reduction="sum")
            proposal = proposal + loss / len(both)
    return objectness / len(truths), proposal / len(truths)


def matched(table: Tensor, high: float, low: float, best_of_each: bool = False) -> Tensor:
    """The thing (a,) that each box is on, from 0; `BACKGROUND`, or `NEITHER` for boxes that must not learn.

    table: (a, n) intersections over union with n things. best_of_each: the boxes that overlap a thing most are on it
    even below `high`, so that every thing has one.
    """
    if not table.shape[1]:
        return torch.full((table.shape[0],), BACKGROUND, dtype=torch.long, device=table.device)
    best, thing = table.max(dim=1)
    target = torch.where(best >= high, thing, torch.where(best < low, BACKGROUND, NEITHER))
    if best_of_each:
        most = table.max(dim=0).values
        forced = ((table == most) & (most > 0)).any(dim=1)
        target = torch.where(forced, thing, target)
    return target


def chosen(target: Tensor, count: int, most_on: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices of at most `count` boxes that learn, drawn at random: on things, at most `most_on`, and on nothing."""
    on, off = (target >= 0).nonzero()[:, 0], (target == BACKGROUND).nonzero()[:, 0]
    on = on[torch.randperm(len(on), generator=generator)[:most_on].to(on.device)]
    off = off[torch.randperm(len(off), generator=generator)[: count - len(on)].to(off.device)]
    return on, off


# -- heads -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Regions:
    """Proposals of one picture that the heads learn from; those on things come first."""

    boxes: Tensor
    """(m, 4)."""
    things: Tensor
    """(k,), k <= m: the thing that each of the first k is on."""


def _regions(
    logits: Tensor,
    differences: Tensor,
    bases: Tensor,
    counts: list[int],
    truth: Truth,
    size: tuple[int, int],
    sampling: Sampling,
    generator: torch.Generator,
) -> _Regions:
    boxes, scores, start = [], [], 0
    for count in counts:
        best = start + logits[start : start + count].topk(min(sampling.candidates, count)).indices
        some = clipped(decoded(differences[best], bases[best], (1.0, 1.0, 1.0, 1.0)), *size)
        some, rated = some[large_enough(some, _LEAST_SIDE)], logits[best][large_enough(some, _LEAST_SIDE)]
        kept = suppressed(some, rated, 0.7)
        boxes.append(some[kept])
        scores.append(rated[kept])
        start += count
    found, rated = torch.cat(boxes), torch.cat(scores)
    found = found[rated.topk(min(sampling.proposals, len(rated))).indices]
    # The things' own boxes too: at the start no proposal is good enough to learn masks from.
    found = torch.cat([truth.boxes, found])
    target = matched(overlap_table(found, truth.boxes), sampling.region_high, sampling.region_high)
    on, off = chosen(target, sampling.regions, round(sampling.on_things * sampling.regions), generator)
    return _Regions(torch.cat([found[on], found[off]]), target[on])


def _box_losses(
    net: MaskRCNN, levels: list[tuple[Tensor, ...]], regions: list[_Regions], truths: list[Truth]
) -> tuple[Tensor, Tensor]:
    seen = torch.cat([pooled(maps, own.boxes, BOX_SIDE) for maps, own in zip(levels, regions, strict=True)])
    logits, differences = (each.float() for each in net.roi_heads.box_predictor(net.roi_heads.box_head(seen)))
    classes, rows, goals, start = [], [], [], 0
    for own, truth in zip(regions, truths, strict=True):
        named = torch.zeros(len(own.boxes), dtype=torch.long, device=logits.device)
        named[: len(own.things)] = truth.classes[own.things]
        classes.append(named)
        rows.append(torch.arange(start, start + len(own.things), device=logits.device))
        goals.append(encoded(truth.boxes[own.things], own.boxes[: len(own.things)], WEIGHTS))
        start += len(own.boxes)
    wanted, row, goal = torch.cat(classes), torch.cat(rows), torch.cat(goals)
    classed = F.cross_entropy(logits, wanted)
    moved = differences.reshape(len(wanted), -1, 4)[row, wanted[row]]
    return classed, F.smooth_l1_loss(moved, goal, beta=1 / 9, reduction="sum") / len(wanted)


def _mask_loss(
    net: MaskRCNN, levels: list[tuple[Tensor, ...]], regions: list[_Regions], truths: list[Truth], sampling: Sampling
) -> Tensor:
    seen, wanted, classes = [], [], []
    for maps, own, truth in zip(levels, regions, truths, strict=True):
        things = own.things[: sampling.masks]
        boxes = own.boxes[: len(things)]
        seen.append(pooled(maps, boxes, MASK_SIDE))
        wanted.append(mask_targets(truth.masks, things, boxes, 2 * MASK_SIDE))
        classes.append(truth.classes[things])
    features, named = torch.cat(seen), torch.cat(classes)
    logits: Tensor = net.roi_heads.mask_predictor(net.roi_heads.mask_head(features)).float()
    if not len(named):
        return logits.sum() * 0
    rows = torch.arange(len(named), device=named.device)
    return F.binary_cross_entropy_with_logits(logits[rows, named], torch.cat(wanted))


def mask_targets(masks: Tensor, things: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What of each thing's mask is in its box: (k, side, side), 0 or 1.

    masks: (n, H, W). things: (k,). boxes: (k, 4).
    """
    found = [
        roi_align(masks[thing][None].float(), box[None], 1.0, side)[0]
        for thing, box in zip(things.tolist(), boxes, strict=True)
    ]
    return (torch.cat(found) >= 0.5).float() if found else boxes.new_zeros(0, side, side)
