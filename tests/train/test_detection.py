"""The losses of Mask R-CNN against references that go through one thing after the other."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.boxes import decoded, encoded, overlap_table
from imgfix.nets.maskrcnn import MaskRCNN
from imgfix.nets.proposals import anchors
from imgfix.train import detection
from imgfix.train.detection import (
    BACKGROUND,
    NEITHER,
    Sampling,
    Truth,
    chosen,
    detection_losses,
    mask_targets,
    matched,
)
from imgfix.train.detection_start import initialised

TINY = {"backbone": "mobilenetv2", "pyramid": 8, "hidden": 8, "mask": 8, "layers": 1}


def random_boxes(count: int, limit: float = 60.0) -> Tensor:
    corner = torch.rand(count, 2) * limit
    return torch.cat([corner, corner + torch.rand(count, 2) * limit * 0.6 + 0.5], dim=1)


def slow_overlap(a: list[float], b: list[float]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return across * down / (whole - across * down)


def smooth(difference: float, beta: float = 1 / 9) -> float:
    size = abs(difference)
    return 0.5 * size * size / beta if size < beta else size - 0.5 * beta


def slow_encoded(box: list[float], base: list[float], weights: tuple[float, ...]) -> list[float]:
    width, height = base[2] - base[0], base[3] - base[1]
    return [
        weights[0] * ((box[0] + box[2]) / 2 - (base[0] + base[2]) / 2) / width,
        weights[1] * ((box[1] + box[3]) / 2 - (base[1] + base[3]) / 2) / height,
        weights[2] * math.log((box[2] - box[0]) / width),
        weights[3] * math.log((box[3] - box[1]) / height),
    ]


def everyone(target: Tensor, count: int, most_on: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Instead of a random choice: all that may learn."""
    return (target >= 0).nonzero()[:, 0], (target == BACKGROUND).nonzero()[:, 0]


def test_overlaps_are_those_of_a_loop_over_pairs() -> None:
    torch.manual_seed(0)
    some, others = random_boxes(9), random_boxes(5)
    expected = [[slow_overlap(a, b) for b in others.tolist()] for a in some.tolist()]
    torch.testing.assert_close(overlap_table(some, others), torch.tensor(expected))


def test_encoding_is_the_opposite_of_decoding() -> None:
    torch.manual_seed(1)
    boxes, bases, weights = random_boxes(20), random_boxes(20), (10.0, 10.0, 5.0, 5.0)
    differences = encoded(boxes, bases, weights)
    torch.testing.assert_close(decoded(differences, bases, weights), boxes, rtol=1e-4, atol=1e-3)
    expected = [slow_encoded(a, b, weights) for a, b in zip(boxes.tolist(), bases.tolist(), strict=True)]
    torch.testing.assert_close(differences, torch.tensor(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("best_of_each", [False, True])
def test_boxes_are_matched_as_a_loop_matches_them(best_of_each: bool) -> None:
    torch.manual_seed(2)
    table = torch.rand(40, 4) * 0.65
    table[:, 3] *= 0.3  # a thing that nothing overlaps much
    expected = []
    for row in table.tolist():
        best = max(row)
        thing = row.index(best)
        answer = thing if best >= 0.6 else BACKGROUND if best < 0.3 else NEITHER
        if best_of_each and any(value == max(table[:, column].tolist()) for column, value in enumerate(row)):
            answer = thing
        expected.append(answer)
    found = matched(table, 0.6, 0.3, best_of_each)
    assert found.tolist() == expected
    assert {BACKGROUND, NEITHER} < set(expected)


def test_with_nothing_in_the_picture_every_box_is_background() -> None:
    assert matched(torch.zeros(3, 0), 0.6, 0.3, best_of_each=True).tolist() == [BACKGROUND] * 3


def test_who_learns_is_drawn_from_those_who_may() -> None:
    target = torch.tensor([0] * 10 + [BACKGROUND] * 50 + [NEITHER] * 20)
    on, off = chosen(target, 16, 4, torch.Generator().manual_seed(0))
    assert len(on) == 4 and len(off) == 12
    assert (target[on] == 0).all() and (target[off] == BACKGROUND).all()
    assert len(set(on.tolist())) == 4 and len(set(off.tolist())) == 12
    on, off = chosen(target, 200, 100, torch.Generator().manual_seed(0))
    assert len(on) == 10 and len(off) == 50


def test_losses_of_proposals_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "chosen", everyone)
    torch.manual_seed(3)
    bases = anchors(16, (4, 4), (64, 64), (0.5, 1.0, 2.0)).float()
    truth = Truth(torch.tensor([[4.0, 6, 22, 20], [30, 30, 50, 62]]), torch.tensor([1, 1]), torch.zeros(2, 64, 64))
    logits, differences = torch.randn(1, len(bases)), torch.randn(1, len(bases), 4)
    sampling = Sampling()
    found = detection._proposal_losses(logits, differences, bases, [truth], sampling, torch.Generator())
    target = matched(overlap_table(bases, truth.boxes), 0.6, 0.3, best_of_each=True).tolist()
    entropy = moved = count = 0.0
    for index, thing in enumerate(target):
        if thing == NEITHER:
            continue
        count += 1
        logit = float(logits[0, index])
        entropy += math.log1p(math.exp(-logit)) if thing >= 0 else math.log1p(math.exp(logit))
        if thing >= 0:
            goal = slow_encoded(truth.boxes[thing].tolist(), bases[index].tolist(), (1.0,) * 4)
            moved += sum(smooth(float(differences[0, index, k]) - goal[k]) for k in range(4))
    assert float(found[0]) == pytest.approx(entropy / count, rel=1e-4)
    assert float(found[1]) == pytest.approx(moved / count, rel=1e-4)


def test_losses_of_the_heads_are_those_of_a_loop() -> None:
    torch.manual_seed(4)
    net = MaskRCNN(classes=4, **TINY).eval()  # type: ignore[arg-type]
    size = 64
    masks = torch.zeros(2, size, size, dtype=torch.uint8)
    masks[0, 8:24, 8:40] = 1
    masks[1, 30:60, 30:50] = 1
    truth = Truth(torch.tensor([[8.0, 8, 40, 24], [30, 30, 50, 60]]), torch.tensor([2, 3]), masks)
    own = detection._Regions(
        torch.tensor([[9.0, 7, 41, 26], [31, 32, 52, 60], [0, 0, 20, 64], [40, 2, 60, 12]]), torch.tensor([0, 1])
    )
    with torch.no_grad():
        levels = net.backbone(torch.rand(1, 3, size, size))
        apart = list(zip(*(level.split(1) for level in levels), strict=True))
        classed, boxed = detection._box_losses(net, apart, [own], [truth])
        masked = detection._mask_loss(net, apart, [own], [truth], Sampling())
        heads = net.roi_heads
        seen = detection.pooled(levels, own.boxes, 7)
        logits, differences = heads.box_predictor(heads.box_head(seen))
        named = heads.mask_predictor(heads.mask_head(detection.pooled(levels, own.boxes[:2], 14)))
    wanted = [2, 3, 0, 0]
    entropy = sum(-float(F.log_softmax(logits[i].double(), 0)[name]) for i, name in enumerate(wanted)) / 4
    moved = 0.0
    for index in range(2):
        goal = slow_encoded(truth.boxes[index].tolist(), own.boxes[index].tolist(), (10.0, 10.0, 5.0, 5.0))
        offset = 4 * wanted[index]
        moved += sum(smooth(float(differences[index, offset + k]) - goal[k]) for k in range(4)) / 4
    targets = mask_targets(masks, torch.tensor([0, 1]), own.boxes[:2], 28)
    cells = 0.0
    for index in range(2):
        own_logits, own_targets = named[index, wanted[index]].flatten(), targets[index].flatten()
        for logit, inside in zip(own_logits.tolist(), own_targets.tolist(), strict=True):
            cells += math.log1p(math.exp(-logit)) if inside else math.log1p(math.exp(logit))
    assert float(classed) == pytest.approx(entropy, rel=1e-4)
    assert float(boxed) == pytest.approx(moved, rel=1e-4)
    assert float(masked) == pytest.approx(cells / (2 * 28 * 28), rel=1e-4)


def test_a_mask_s_target_is_what_of_it_is_in_the_box() -> None:
    mask = torch.zeros(1, 56, 56, dtype=torch.uint8)
    mask[0, 14:42, :28] = 1
    target = mask_targets(mask, torch.tensor([0]), torch.tensor([[0.0, 0, 56, 56]]), 28)[0]
    assert target[7:20, :13].all() and not target[:6].any() and not target[:, 15:].any() and not target[22:].any()
    assert set(target.unique().tolist()) == {0.0, 1.0}


def test_the_network_learns_to_tell_a_thing_from_what_is_around_it() -> None:
    torch.manual_seed(5)
    net = MaskRCNN(classes=2, least=64, most=64, sizes=(8, 16, 32, 64, 128), **TINY)  # type: ignore[arg-type]
    initialised(net, None, 0)
    picture = torch.full((1, 3, 64, 64), 0.3)
    picture[:, 0, 16:40, 20:52] = 1.0
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    mask[0, 16:40, 20:52] = 1
    truth = Truth(torch.tensor([[20.0, 16, 52, 40]]), torch.tensor([1]), mask)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    unsure = []
    for step in range(20):
        found = detection_losses(net, picture, [truth], Sampling(regions=16), torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        torch.stack(list(found.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        unsure.append(float(found["objectness"].detach() + found["class"].detach()))
    assert sum(unsure[-4:]) < 0.5 * sum(unsure[:4])
