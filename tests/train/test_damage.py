"""Damage drawn over photos, and the training of a network that finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import zoo
from imgfix.errors import UsageError
from imgfix.train.job import Draw
from imgfix.train.jobs.damage import DamageJob, scores
from imgfix.train.kinds import find_kind
from imgfix.train.recipe import build_recipe
from imgfix.train.wear import lookalikes, marks
from imgfix.train.wear.compose import Plan, Worn, wear

NET = {"widths": [4, 6, 8, 10], "blocks": [1, 1, 1], "dilations": [1, 2]}


def photo(seed: int, height: int = 112, width: int = 128) -> np.ndarray:
    rough = np.random.default_rng(seed).integers(40, 200, (7, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(photo(number)).save(folder / f"{number}.png")
    return folder


def job_for(folder: Path, **settings: Any) -> DamageJob:
    layer = {"photos": (str(folder),), "crop": 64, "batch": 2, "device": "cpu", "net_config": NET, "val_crop": 64}
    job = find_kind("damage").build(build_recipe("damage", [layer | settings]), torch.device("cpu"))
    assert isinstance(job, DamageJob)
    return job


@pytest.mark.parametrize("kind", marks.KINDS)
def test_every_kind_of_damage_hides_a_part_of_the_picture(kind: str) -> None:
    hidden = []
    for seed in range(6):
        drawn = marks.KINDS[kind]((96, 128), np.random.default_rng(seed))
        assert all(mark.alpha.shape == (96, 128) and 0 <= mark.alpha.min() <= mark.alpha.max() <= 1 for mark in drawn)
        hidden.append(max(float((mark.alpha > 0.2).mean()) for mark in drawn))
    assert 0 < max(hidden) < 0.9


@pytest.mark.parametrize("kind", lookalikes.KINDS)
def test_every_lookalike_is_seen_and_is_no_damage(kind: str) -> None:
    changed = 0.0
    for seed in range(4):
        picture = photo(seed).astype(np.float32) / 255
        before = picture.copy()
        lookalikes.KINDS[kind](picture, np.random.default_rng(seed))
        changed = max(changed, float((np.abs(picture - before).max(axis=2) > 0.05).mean()))
        assert np.isfinite(picture).all()
    assert changed > 0.005
    worn = wear(photo(0), Plan(clean=1, lookalikes=1), np.random.default_rng(0))
    assert not worn.mask.any() and worn.care.all()


def test_the_mask_holds_what_is_changed_and_can_be_seen() -> None:
    for seed in range(12):
        worn = wear(photo(seed), Plan(clean=0), np.random.default_rng(seed))
        change = np.abs(worn.picture / np.float32(255) - worn.whole).max(axis=2)
        if worn.mask.sum() > 100:
            assert change[worn.mask].mean() > 2 * change[~worn.mask & worn.care].mean()
        assert worn.care[worn.mask].all() and not worn.care.all()
        again = wear(photo(seed), Plan(clean=0), np.random.default_rng(seed))
        assert np.array_equal(again.picture, worn.picture) and np.array_equal(again.mask, worn.mask)


def test_a_scratch_that_cannot_be_seen_is_not_to_be_found() -> None:
    white = np.full((96, 96, 3), 255, np.uint8)
    only = Plan(clean=0, lookalikes=0, kinds=(1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0))
    for seed in range(8):
        worn = wear(white, only, np.random.default_rng(seed))
        seen = np.abs(worn.picture.astype(np.float32) / 255 - worn.whole).max(axis=2)
        assert worn.mask.mean() < 0.5 and (not worn.mask.any() or seen[worn.mask].mean() > 0.04)


def test_precision_recall_and_overlap_count_certain_pixels_alone() -> None:
    truth = np.zeros((40, 40), bool)
    truth[10:14, 5:35] = True
    care = np.ones_like(truth)
    care[30:] = False
    worn = Worn(np.zeros((40, 40, 3), np.uint8), truth, care, np.zeros((40, 40, 3), np.float32))
    exact = scores([worn], [truth])
    assert exact["precision"] == exact["recall"] == exact["iou"] == 1
    wide = np.zeros_like(truth)
    wide[8:16, 5:20] = True  # half of its length, two pixels too wide, which is near enough
    wide[35:] = True  # where nobody knows
    found = scores([worn], [wide])
    assert found["precision"] == 1 and found["recall"] == 0.5 and found["iou"] == pytest.approx(60 / 180)
    whole = Worn(worn.picture, np.zeros_like(truth), np.ones_like(care), worn.whole)
    assert scores([whole], [wide])["false"] == pytest.approx(wide.mean())


def test_the_network_learns_its_own_batch_and_is_measured_beside_the_finder(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    job = job_for(photos, clean=0.0)
    networks, batch = job.networks(), job.sample(Draw(0, 0, 0, 1, 2))
    assert batch["input"].shape == (2, 3, 64, 64) and batch["target"].shape == (2, 1, 64, 64)
    assert torch.equal(batch["input"], job.sample(Draw(0, 0, 0, 1, 2))["input"])
    optimizer = torch.optim.Adam(networks["net"].parameters(), lr=3e-3)
    seen = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = sum(job.losses("net", networks, batch, 0).values(), torch.zeros(()))
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < 0.8 * seen[0]
    with torch.inference_mode():
        found = job.validate(networks["net"].eval())
    assert found is not None and found.baseline is not None
    assert set(found.metrics) == {"precision", "recall", "f1", "iou", "false"} == set(found.baseline.metrics)
    identity = job.identity()
    path = zoo.save(
        tmp_path / "d.safetensors", identity.net, identity.config, job.exported(job.net), **identity.metadata
    )
    model = zoo.load(str(path), task="damage")
    assert model.descriptor.out_channels == 1 and model.descriptor.config["dilations"] == [1, 2]


def test_sizes_that_do_not_fit_and_pairs_are_refused(photos: Path) -> None:
    for wrong in ({"crop": 72}, {"crop": 48}, {"val_crop": 32}):
        with pytest.raises(UsageError, match="does not fit"):
            job_for(photos, **wrong)
    with pytest.raises(UsageError, match="zoom"):
        job_for(photos, zoom=(3.0, 1.0))
    with pytest.raises(UsageError, match="pairs cannot be given"):
        job_for(photos, photos=(), input=str(photos), target=str(photos))
