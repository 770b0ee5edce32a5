"""Training a detector: composites in, a model out that the zoo loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import zoo
from imgfix.errors import ModelError, UsageError
from imgfix.nets.maskrcnn import MaskRCNN
from imgfix.train.job import Draw
from imgfix.train.jobs.select import Finds, SelectJob, box_of, scores, truths
from imgfix.train.kinds import find_kind
from imgfix.train.labelled import Labelled
from imgfix.train.recipe import build_recipe
from imgfix.train.run import run_training

TINY = {"pyramid": 8, "hidden": 8, "mask": 8, "layers": 1}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        grey = np.kron(rng.integers(40, 200, (10, 12, 3)), np.ones((10, 10, 1)))
        Image.fromarray(grey.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def job_of(photos: Path, **settings: Any) -> SelectJob:
    layers: list[Mapping[str, Any]] = [
        {"photos": (str(photos),), "crop": 64, "batch": 2, "net_config": TINY, "overlays": True, "val_limit": 2},
        settings,
    ]
    return find_kind("select").build(build_recipe("select", layers), torch.device("cpu"))  # type: ignore[no-any-return]


def test_a_run_leaves_a_model_that_loads(photos: Path, tmp_path: Path) -> None:
    layers: list[Mapping[str, Any]] = [
        {"photos": (str(photos),), "crop": 64, "batch": 1, "net_config": TINY, "overlays": True, "steps": 1},
        {"val_limit": 1, "device": "cpu", "precision": "fp32"},
    ]
    outcome = run_training(build_recipe("select", layers), tmp_path / "run")
    assert outcome.step == 1 and {"precision", "recall", "iou"} <= outcome.metrics.keys()
    model = zoo.load(str(tmp_path / "run" / "model.safetensors"))
    assert isinstance(model.net, MaskRCNN) and model.descriptor.task == "overlay"
    assert model.net.names == ("date", "subtitle", "caption", "sticker", "stamp", "logo", "frame")


def test_every_part_that_is_trained_gets_a_gradient(photos: Path) -> None:
    job = job_of(photos)
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert len(batch["boxes"]), "the seed shows something"
    sum(job.losses("net", job.networks(), batch, 0).values()).backward()  # type: ignore[union-attr]
    parts = ("backbone.body", "backbone.fpn", "rpn", "roi_heads.box_head", "roi_heads.mask_head")
    for part in parts:
        gradients = [p.grad for p in job.net.get_submodule(part).parameters() if p.grad is not None]
        assert any(float(gradient.abs().max()) > 0 for gradient in gradients), part


def test_a_batch_with_nothing_in_it_has_losses(photos: Path) -> None:
    job = job_of(photos, none=1.0)
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert not len(batch["boxes"])
    found = {name: value.detach() for name, value in job.losses("net", job.networks(), batch, 0).items()}
    assert all(torch.isfinite(value) for value in found.values())
    assert float(found["mask"]) == float(found["box"]) == float(found["proposal"]) == 0


def test_samples_follow_from_seed_and_row(photos: Path) -> None:
    job = job_of(photos)
    one, again, other = (job.sample(Draw(seed, 3, 0, 1, 2)) for seed in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["input"], other["input"])


def test_truths_are_those_of_their_own_picture(photos: Path) -> None:
    batch = job_of(photos, none=0.0).sample(Draw(0, 1, 0, 1, 2))
    found = truths(batch)
    assert sum(len(one.boxes) for one in found) == len(batch["boxes"]) > 0
    for one in found:
        for box, mask in zip(one.boxes, one.masks, strict=True):
            assert box.tolist() == list(box_of(mask.numpy().astype(bool)))


def test_scores_count_each_thing_once() -> None:
    def square(left: int) -> np.ndarray:
        mask = np.zeros((10, 40), bool)
        mask[2:8, left : left + 6] = True
        return mask

    picture = Labelled(np.zeros((10, 40, 3), np.uint8), (square(0), square(20)), (1, 2))
    # The first is found twice, the second is missed, and something is found where nothing is.
    found = Finds([1, 1, 1], [square(1), square(0), square(30)])
    rated = scores([picture], [found], ("date", "logo"))
    assert rated["precision"] == pytest.approx(1 / 3) and rated["recall"] == pytest.approx(1 / 2)
    assert rated["iou"] == pytest.approx(5 / 7)
    assert rated["recall_date"] == 1 and rated["recall_logo"] == 0


def test_a_crop_that_the_pyramid_cannot_halve_is_refused(photos: Path) -> None:
    with pytest.raises(UsageError, match="multiple of 32"):
        job_of(photos, crop=70)


def test_a_file_that_is_no_backbone_is_refused(photos: Path, tmp_path: Path) -> None:
    torch.save({"features.0.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth: no weights of MobileNetV2"):
        job_of(photos, backbone=str(tmp_path / "other.pth"))
