"""A detector that draws masks: names from numbers, masks in the picture's pixels, no second network for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgfix.errors import InputError, ModelError
from imgfix.nets.maskrcnn import Instances
from imgfix.tasks.select.choose import Selector, choose, parse_object
from imgfix.tasks.select.detect import Detection
from imgfix.tasks.select.instances import InstanceDetector, inside
from tests.tasks.test_select import Tools, picture

HALF = torch.cat([torch.ones(28, 14), torch.zeros(28, 14)], dim=1)
BOX = (20.0, 10.0, 60.0, 50.0)


class Found(nn.Module):
    """A network that finds a dog, a number that COCO never used, and a faint person."""

    classes = 91
    names: tuple[str, ...] = ()

    def forward(self, x: Tensor) -> Instances:
        assert x.shape == (1, 3, 60, 100) and x.max() <= 1
        masks = torch.stack([HALF, HALF, HALF])
        return Instances(torch.tensor([BOX] * 3), torch.tensor([0.9, 0.8, 0.1]), torch.tensor([18, 12, 1]), masks)


def test_numbers_of_classes_become_names() -> None:
    found = InstanceDetector(Found()).find(picture(), 0.4)  # type: ignore[arg-type]
    assert [(one.name, one.box) for one in found] == [("dog", BOX)]
    assert [one.name for one in InstanceDetector(Found()).find(picture(), 0.05)] == ["dog", "person"]  # type: ignore[arg-type]


def test_a_network_with_other_classes_is_refused() -> None:
    net = Found()
    net.classes = 5
    with pytest.raises(ModelError, match="5 classes"):
        InstanceDetector(net)  # type: ignore[arg-type]


def test_a_mask_covers_its_part_of_the_box() -> None:
    drawn = inside(Detection("dog", 0.9, BOX, HALF.numpy()), 60, 100)
    assert drawn.dtype == bool and drawn[12:48, 22:38].all()
    assert not drawn[:, 42:].any() and not drawn[:8].any()


def test_a_detection_without_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="dog has no mask"):
        inside(Detection("dog", 0.9, BOX), 60, 100)


def test_masks_of_the_detector_need_no_segmenter(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools(Detection("dog", 0.9, BOX, HALF.numpy()))

    def refused() -> None:
        raise AssertionError("a second network was asked for")

    monkeypatch.setattr(tools, "segmenter", refused)
    chosen = choose(picture(), [parse_object("dog")], tools)
    assert np.array_equal(chosen.mask > 0.5, inside(Detection("dog", 0.9, BOX, HALF.numpy()), 60, 100))


def test_a_network_with_names_of_its_own_goes_by_them() -> None:
    net = Found()
    net.classes, net.names = 19, tuple(f"kind {number}" for number in range(1, 19))
    found = InstanceDetector(net).find(picture(), 0.4)  # type: ignore[arg-type]
    assert [one.name for one in found] == ["kind 18", "kind 12"]


DATE = Detection("date", 0.9, (60.0, 40.0, 90.0, 50.0), np.ones((28, 28), np.float32))
OTHER = Detection("date", 0.8, (60.0, 5.0, 90.0, 15.0), np.ones((28, 28), np.float32))
LOGO = Detection("logo", 0.6, (5.0, 5.0, 25.0, 15.0), np.ones((28, 28), np.float32))


def test_what_was_laid_over_is_joined_and_counted_from_the_left() -> None:
    tools = Tools(over=(DATE, LOGO, OTHER))
    assert [one.name for one in choose(picture(), [Selector("overlay")], tools).things] == ["date"]  # what is very sure
    chosen = choose(picture(), [Selector("overlay")], tools, least=0.4)
    assert [(one.name, one.number) for one in chosen.things] == [("logo", 1), ("date", 1), ("date", 2)]
    assert {one.kind for one in chosen.things} == {"overlay"}
    inside = chosen.mask >= 0.5
    assert inside[42:48, 62:88].all() and inside[7:13, 7:23].all() and not inside[20:35].any()


def test_one_thing_under_two_kinds_is_taken_once() -> None:
    twice = Detection("caption", 0.7, (61.0, 40.0, 91.0, 50.0), np.ones((28, 28), np.float32))
    chosen = choose(picture(), [Selector("overlay")], Tools(over=(twice, DATE)))
    assert [one.name for one in chosen.things] == ["date"]


def test_what_was_laid_over_is_widened_so_that_no_edge_of_it_stays() -> None:
    tools = Tools(over=(DATE,))
    plain, wide = (choose(picture(), [Selector("overlay")], tools, dilate=reach).mask >= 0.5 for reach in (0.0, None))
    grown = wide.any(axis=0).sum() - plain.any(axis=0).sum()
    assert 4 <= grown <= 8 and (wide | ~plain).all()


def test_where_nothing_was_laid_over_this_is_said() -> None:
    with pytest.raises(InputError, match="nothing that was laid over") as caught:
        choose(picture(), [Selector("overlay")], Tools(over=(LOGO,)), least=0.7)
    assert "score" in str(caught.value.hint)
