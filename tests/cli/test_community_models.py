"""Community checkpoints on the command line, through spandrel itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.zoo.test_spandrel import restorer, upscaler


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("asked", [[], ["--denoise", "10"], ["--jpeg", "40"], ["--deblur"]], ids=" ".join)
def test_a_restorer_runs_when_it_is_named_whatever_is_asked_for(
    asked: list[str], photo: Path, tmp_path: Path, imgfix: Run
) -> None:
    restorer(tmp_path / "1x.pth")
    done = imgfix("restore", photo, "--model", tmp_path / "1x.pth", *asked, "-o", tmp_path / "out.png")
    assert done.code == 0, done.err
    assert (np.asarray(Image.open(tmp_path / "out.png")) != np.asarray(Image.open(photo))).any()


def test_an_upscaler_upscales(photo: Path, tmp_path: Path, imgfix: Run) -> None:
    upscaler(tmp_path / "2x.pth")
    done = imgfix("upscale", photo, "--model", tmp_path / "2x.pth", "-o", tmp_path / "out.png")
    assert done.code == 0, done.err
    assert Image.open(tmp_path / "out.png").size == (80, 48)
