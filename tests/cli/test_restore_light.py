"""`imgfix restore --low-light`: noise is looked for after brightening, in pictures and in clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media.video.reader import Reader
from tests.cli.conftest import Run
from tests.media.clips import EVEN, Recipe, make
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
    assert [step["undoes"] for step in item["steps"]] == [["light"], ["noise"]] and item["noise"] > 3
    made = np.asarray(Image.open(tmp_path / "dark_restored.png")) @ LUMA
    assert made.mean() > 2 * 255 * (dark @ LUMA).mean()


def test_without_noise_to_look_for_it_is_brightened_alone(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = tmp_path / "dark.png"
    Image.fromarray((scene() * 0.2 * 255).astype(np.uint8)).save(source)
    result = imgfix("restore", source, "--low-light", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert [step["undoes"] for step in item["steps"]] == [["light"]] and set(installed) == {"light"}


def dark_clip(path: Path, sigma: float) -> Path:
    whole = scene(192, 160) * 0.9
    frames = [with_noise(np.roll(whole, number, axis=1), sigma, seed=number) * 0.2 for number in range(6)]
    pictures = [(frame * 255 + 0.5).clip(0, 255).astype(np.uint8) for frame in frames]
    return make(path, Recipe(size=(160, 192), pictures=pictures, times=EVEN[:6], codec="ffv1", pixels="bgra"))


@pytest.mark.slow
def test_a_clip_is_brightened_first_and_its_noise_found_in_the_light(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    source = dark_clip(tmp_path / "dark.mkv", 14)
    result = imgfix("restore", source, "--low-light", "--denoise", "auto", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert [step["undoes"] for step in item["steps"]] == [["light"], ["noise"]] and item["noise"] > 3
    made = [frame.pixels[..., :3] @ LUMA for frame in Reader(tmp_path / "dark_restored.mkv").frames()]
    given = [frame.pixels[..., :3] @ LUMA for frame in Reader(source).frames()]
    means = np.array([frame.mean() for frame in made])
    assert len(made) == 6 and means.mean() > 1.8 * np.mean([frame.mean() for frame in given])
    assert np.ptp(means) < 0.03 * means.mean()


def test_a_clip_is_brightened_alone_where_nothing_else_is_asked_for(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    result = imgfix("restore", dark_clip(tmp_path / "dark.mkv", 1), "--low-light", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert [step["undoes"] for step in item["steps"]] == [["light"]] and set(installed) == {"light"}
