"""`--overlay` with the detector that ships, and with one of a user: tiny and random, it finds something somewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from imgfix import zoo
from imgfix.nets.maskrcnn import MaskRCNN
from tests.cli.conftest import Run
from tests.cli.conftest import save_photo as small_photo
from tests.tasks.scenes import scene

CONFIG = {
    "backbone": "mobilenetv2", "classes": 3, "names": ["date", "logo"], "pyramid": 8, "hidden": 8, "mask": 8,
    "layers": 1, "least": 64, "most": 96, "sizes": [8] * 5,
}  # fmt: skip

SURE = "0.3"
"""A score that many of its finds have: two classes and the background share 1."""


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    net = MaskRCNN(**CONFIG)  # type: ignore[arg-type]
    for name, parameter in net.named_parameters():
        if "bbox_pred" in name:  # boxes stay the anchors, which are small
            torch.nn.init.zeros_(parameter)
    path = tmp_path / "finder.safetensors"
    zoo.save(path, "maskrcnn", CONFIG, net.state_dict(), task="overlay")
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return small_photo(tmp_path / "photo.png", size=(100, 60))


def test_select_takes_a_detector_of_the_user_s_own(imgfix: Run, photo: Path, detector: Path) -> None:
    result = imgfix("select", photo, "--overlay", "--model", detector, "--score", SURE, "--json")
    assert result.code == 0, result.err
    [item] = result.items
    assert {one["name"] for one in item["things"]} <= {"date", "logo"} and item["things"]
    assert np.asarray(Image.open(photo.with_name("photo_mask.png"))).max() == 255


def test_inpaint_fills_what_a_detector_finds(imgfix: Run, photo: Path, detector: Path) -> None:
    shown = photo.with_name("found.png")
    words = ("--detector", detector, "--score", SURE, "--dilate", "0", "--model", "telea", "--save-mask", shown)
    result = imgfix("inpaint", photo, "--overlay", *words)
    assert result.code == 0, result.err
    found = np.asarray(Image.open(shown)) > 127
    before, after = (np.asarray(Image.open(path)).astype(int) for path in (photo, photo.with_name("photo_filled.png")))
    assert found.any() and np.array_equal(before[~found], after[~found])


def test_nothing_sure_enough_is_said(imgfix: Run, photo: Path, detector: Path) -> None:
    result = imgfix("select", photo, "--overlay", "--model", detector, "--score", "0.99")
    assert result.code == 1 and "nothing that was laid over" in result.err and "--score" in result.err


def test_objects_go_by_the_names_of_a_detector_of_the_user_s_own(imgfix: Run, photo: Path, detector: Path) -> None:
    own = detector.with_name("own.safetensors")
    model = zoo.load(str(detector))
    zoo.save(own, "maskrcnn", CONFIG, model.net.state_dict(), task="detect")
    result = imgfix("select", photo, "--object", "date", "--model", own, "--score", SURE, "--json")
    assert result.code == 0, result.err
    assert {one["name"] for one in result.items[0]["things"]} == {"date"}
    refused = imgfix("select", photo, "--object", "dog", "--model", own)
    assert refused.code == 2 and "date, logo" in refused.err


def test_the_detector_that_ships_finds_a_subtitle_and_a_date(imgfix: Run, tmp_path: Path) -> None:
    picture = Image.fromarray((scene(480, 640) * 255).astype(np.uint8))
    drawing = ImageDraw.Draw(picture)
    drawing.text(
        (320, 430), "We should leave before it rains", font=ImageFont.load_default(30), fill="white", anchor="mm",
        stroke_width=2, stroke_fill="black",
    )  # fmt: skip
    drawing.text((520, 40), "12.08.'98", font=ImageFont.load_default(24), fill=(255, 140, 30))
    picture.save(tmp_path / "photo.png")
    result = imgfix("select", tmp_path / "photo.png", "--overlay", "--json")
    assert result.code == 0, result.err
    boxes = {one["name"]: one["box"] for one in result.items[0]["things"]}
    assert np.allclose(boxes["subtitle"], (101, 419, 536, 444), atol=12)
    assert np.allclose(boxes["date"], (526, 46, 617, 65), atol=12)
