"""Mask R-CNN: its parts against references in loops, its tensors against torchvision's layout."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.boxes import decoded, suppressed, suppressed_by_group
from imgfix.nets.maskrcnn import MaskRCNN, fitted
from imgfix.nets.proposals import anchors
from imgfix.nets.resnetfpn import FrozenBatchNorm
from imgfix.nets.roialign import roi_align
from imgfix.nets.roiheads import best, level_of, pasted
from imgfix.zoo.architectures.maskrcnn import adapt, detect


def random_boxes(count: int, limit: float = 60.0) -> Tensor:
    corner = torch.rand(count, 2) * limit
    return torch.cat([corner, corner + torch.rand(count, 2) * limit * 0.6 + 0.5], dim=1)


def overlap(a: list[float], b: list[float]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return across * down / (whole - across * down)


def slow_suppression(boxes: list[list[float]], scores: list[float], most: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        if all(overlap(boxes[index], boxes[other]) <= most for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("most", [0.1, 0.3, 0.5, 0.7])
def test_suppression_keeps_what_a_loop_over_pairs_keeps(most: float) -> None:
    torch.manual_seed(1)
    boxes, scores = random_boxes(120), torch.rand(120)
    expected = slow_suppression(boxes.tolist(), scores.tolist(), most)
    assert 1 < len(expected) < 120
    assert suppressed(boxes, scores, most).tolist() == expected


def test_suppression_of_nothing_is_nothing() -> None:
    none = torch.zeros(0)
    assert suppressed(torch.zeros(0, 4), none, 0.5).tolist() == []
    assert suppressed_by_group(torch.zeros(0, 4), none, none.long(), 0.5).tolist() == []


def test_boxes_of_different_groups_do_not_suppress_each_other() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 9.5]])
    assert suppressed_by_group(boxes, torch.tensor([0.2, 0.9, 0.8]), torch.tensor([1, 2, 2]), 0.5).tolist() == [1, 0]


def slow_sample(plane: list[list[float]], y: float, x: float) -> float:
    height, width = len(plane), len(plane[0])
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = plane[top][left] * (1 - across) + plane[top][right] * across
    lower = plane[bottom][left] * (1 - across) + plane[bottom][right] * across
    return upper * (1 - down) + lower * down


def slow_align(plane: list[list[float]], box: list[float], scale: float, side: int, samples: int) -> list[list[float]]:
    left, top, right, bottom = (edge * scale for edge in box)
    across, down = max(right - left, 1.0) / side, max(bottom - top, 1.0) / side
    rows = []
    for row in range(side):
        cells = []
        for column in range(side):
            values = [
                slow_sample(
                    plane, top + (row + (i + 0.5) / samples) * down, left + (column + (j + 0.5) / samples) * across
                )
                for i in range(samples)
                for j in range(samples)
            ]
            cells.append(sum(values) / len(values))
        rows.append(cells)
    return rows


@pytest.mark.parametrize(("side", "samples"), [(7, 2), (3, 1), (2, 3)])
def test_roi_align_samples_as_a_loop_over_points_does(side: int, samples: int) -> None:
    torch.manual_seed(2)
    features = torch.randn(2, 9, 13, dtype=torch.float64)
    # Within the map, over its right lower edge, far outside, smaller than a cell, and before the left upper edge.
    boxes = [[3.0, 5, 30, 21], [40, 20, 70, 60], [200, 200, 240, 220], [8, 8, 8.5, 8.25], [-9.0, -7, 12, 10]]
    found = roi_align(features, torch.tensor(boxes, dtype=torch.float64), 0.25, side, samples)
    expected = [[slow_align(plane, box, 0.25, side, samples) for plane in features.tolist()] for box in boxes]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_roi_align_of_more_boxes_than_are_sampled_at_once() -> None:
    torch.manual_seed(3)
    features, boxes = torch.randn(1, 8, 8), random_boxes(130, 20)
    alone = torch.cat([roi_align(features, box[None], 0.25, 2) for box in boxes])
    torch.testing.assert_close(roi_align(features, boxes, 0.25, 2), alone)
    assert roi_align(features, boxes[:0], 0.25, 2).shape == (0, 1, 2, 2)


def test_differences_move_and_stretch_a_box() -> None:
    base = torch.tensor([[10.0, 20, 30, 60]])
    found = decoded(torch.tensor([[1.0, -0.5, 5 * math.log(2), 0.0]]), base, (10, 10, 5, 5))
    torch.testing.assert_close(found, torch.tensor([[2.0, 18, 42, 58]]))
    assert decoded(torch.full((1, 4), 1e4), base, (1, 1, 1, 1)).isfinite().all()


def test_anchors_are_whole_boxes_around_the_corner_of_each_cell() -> None:
    found = anchors(32, (2, 3), (64, 96))
    assert found.shape == (18, 4)
    # Height to width a half, 1 and 2: 45.25 x 22.63, 32 x 32, 22.63 x 45.25, their halves rounded.
    assert found[:3].tolist() == [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    assert (found[3] - found[0]).tolist() == [32, 0, 32, 0]
    assert (found[9] - found[0]).tolist() == [0, 32, 0, 32]


def test_a_box_of_224_pixels_is_looked_at_in_the_third_map() -> None:
    sides = torch.tensor([10.0, 112, 223, 224, 447, 448, 4000])
    assert level_of(torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)).tolist() == [2, 3, 3, 4, 4, 5, 5]


def test_one_place_may_hold_several_classes_and_the_background_none() -> None:
    logits = torch.tensor([[0.0, 4.0, 4.0], [0.0, 3.9, -9.0], [9.0, 0.0, 0.0]])
    places = torch.tensor([[0.0, 0, 20, 20], [1, 0, 20, 20], [30, 30, 50, 50]])
    boxes, scores, classes = best(logits, torch.zeros(3, 12), places, (40, 18))
    assert sorted(classes.tolist()) == [1, 2]  # the second place has the first's class 1, surer there
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert boxes[:, 2].max() == 18


def test_a_picture_is_brought_to_800_pixels_but_no_side_over_1333() -> None:
    assert fitted(480, 640, 800, 1333) == (800, 1066)
    assert fitted(1000, 4000, 800, 1333) == (333, 1333)


def test_a_mask_is_pasted_where_its_box_is_and_cut_off_at_the_edge() -> None:
    found = pasted(torch.ones(28, 28), torch.tensor([10.0, 5, 38, 33]), 50, 60)
    assert found.shape == (50, 60)
    assert (found[6:32, 11:37] > 0.9).all() and found[:3].max() == 0 and found[:, 41:].max() == 0
    over = pasted(torch.ones(28, 28), torch.tensor([-14.0, -14, 14, 14]), 50, 60)
    assert (over[:13, :13] > 0.9).all() and over[17:].max() == 0
    assert pasted(torch.ones(28, 28), torch.tensor([90.0, 90, 99, 99]), 50, 60).max() == 0


def test_frozen_normalisation_is_that_of_a_batch_in_inference() -> None:
    torch.manual_seed(4)
    norm = FrozenBatchNorm(3, 1e-5)
    for name, tensor in norm.named_buffers():
        tensor.copy_(torch.rand(3) + (0.5 if name == "running_var" else 0))
    x = torch.randn(2, 3, 4, 4)
    expected = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, 1e-5)
    torch.testing.assert_close(norm(x), expected)


def tiny() -> MaskRCNN:
    torch.manual_seed(5)
    sizes = {"classes": 5, "width": 4, "blocks": [1, 1, 1, 1], "pyramid": 8, "hidden": 12, "mask": 6, "layers": 2}
    return MaskRCNN(**sizes, least=64, most=128).eval()


@torch.inference_mode()
def test_what_is_found_is_inside_the_picture_sorted_and_has_masks() -> None:
    found = tiny()(torch.rand(1, 3, 50, 90))
    count = len(found.scores)
    assert 0 < count <= 100
    assert found.boxes.shape == (count, 4) and found.masks.shape == (count, 28, 28)
    assert found.boxes.min() >= 0 and found.boxes[:, 2].max() <= 90.01 and found.boxes[:, 3].max() <= 50.01
    assert (found.scores.diff() <= 0).all() and set(found.classes.tolist()) <= {1, 2, 3, 4}
    assert found.masks.min() >= 0 and found.masks.max() <= 1


@torch.inference_mode()
def test_a_picture_in_which_nothing_is_sure_gives_nothing() -> None:
    net = tiny()
    net.roi_heads.box_predictor.cls_score.bias[0] = 100.0
    found = net(torch.rand(1, 3, 40, 40))
    assert found.boxes.shape == (0, 4) and found.masks.shape == (0, 28, 28)


def test_two_pictures_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="one picture"):
        tiny()(torch.rand(2, 3, 40, 40))


def test_the_full_network_has_the_names_and_shapes_of_the_published_weights() -> None:
    with torch.device("meta"):
        net = MaskRCNN()
    state = net.state_dict()
    assert sum(parameter.numel() for parameter in net.parameters()) == 44401393
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert shapes["backbone.body.layer4.0.downsample.0.weight"] == (2048, 1024, 1, 1)
    assert shapes["backbone.body.bn1.running_var"] == (64,)
    assert shapes["backbone.fpn.inner_blocks.3.0.weight"] == (256, 2048, 1, 1)
    assert shapes["backbone.fpn.layer_blocks.0.0.bias"] == (256,)
    assert shapes["rpn.head.conv.0.0.weight"] == (256, 256, 3, 3)
    assert shapes["rpn.head.cls_logits.weight"] == (3, 256, 1, 1)
    assert shapes["roi_heads.box_head.fc6.weight"] == (1024, 12544)
    assert shapes["roi_heads.box_predictor.bbox_pred.weight"] == (364, 1024)
    assert shapes["roi_heads.mask_head.3.0.weight"] == (256, 256, 3, 3)
    assert shapes["roi_heads.mask_predictor.mask_fcn_logits.weight"] == (91, 256, 1, 1)


def test_the_former_names_of_the_published_file_are_brought_to_the_present_ones() -> None:
    net = tiny()
    former = {}
    for name, tensor in net.state_dict().items():
        old = name.replace(".conv.0.0.", ".conv.")
        for kind in ("inner_blocks", "layer_blocks"):
            for index in range(4):
                old = old.replace(f"{kind}.{index}.0.", f"{kind}.{index}.")
        for index in range(2):
            old = old.replace(f"mask_head.{index}.0.", f"mask_head.mask_fcn{index + 1}.")
        former[old] = tensor
    former["backbone.body.bn1.num_batches_tracked"] = torch.tensor(0)
    assert former.keys() != net.state_dict().keys()
    config = detect(former)
    assert config is not None and (config["layers"], config["classes"]) == (2, 5)
    net.load_state_dict(adapt(former))
