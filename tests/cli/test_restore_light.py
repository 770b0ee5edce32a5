"""`imgfix restore --low-light`: noise is looked for after brightening."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.cli.conftest import Run
from tests.tasks.scenes import scene, with_noise

LUMA = np.array([0.299, 0.587, 0.114])


def test_noise_that_is_faint_in_the_dark_is_found_in_the_light(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    true = scene() * 0.9
    dark = with_noise(true, 14) * 0.15
    source = tmp_path / "dark.png"
    Image.fromarray((dark * 255 + 0.5).astype(np.uint8)).save(source)
    assert "nothing to do" in imgfix("restore", source).err
    result = imgfix("restore", source, "--low-light", "--denoise", "auto", "--overwrite", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert [step["undoes"] for step in item["steps"]] == [["light"], ["noise"]] and item["noise"] > 5
    made = np.asarray(Image.open(tmp_path / "dark_restored.png")) @ LUMA
    assert made.mean() > 3 * 255 * (dark @ LUMA).mean()


def test_without_noise_to_look_for_it_is_brightened_alone(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = tmp_path / "dark.png"
    Image.fromarray((scene() * 0.2 * 255).astype(np.uint8)).save(source)
    result = imgfix("restore", source, "--low-light", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert [step["undoes"] for step in item["steps"]] == [["light"]] and set(installed) == {"light"}
