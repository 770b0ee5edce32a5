"""`imgfix restore --old`: scratches and fading where they are found, masks that are saved, edited and given back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.tasks.scenes import scene, scratched, with_noise


def write(path: Path, picture: np.ndarray) -> Path:
    Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).save(path)
    return path


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def spread(picture: np.ndarray) -> np.ndarray:
    low, high = picture.min(), picture.max()
    return ((picture - low) / (high - low)).astype(np.float32)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write(tmp_path / "whole.png", spread(with_noise(scene(300, 400, 3), 0)))


@pytest.fixture
def print_(tmp_path: Path) -> Path:
    picture, _ = scratched(0.25 + 0.5 * spread(with_noise(scene(300, 400, 3), 0)), 3)
    return write(tmp_path / "print.png", picture)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    values = np.zeros((300, 400), np.uint8)
    values[100:104, 50:350] = 255
    Image.fromarray(values).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


@pytest.mark.slow
def test_scratches_and_fading_are_found_and_undone(imgfix: Run, print_: Path, tmp_path: Path) -> None:
    result = imgfix("restore", print_, "--old", "--save-mask", tmp_path / "m.png")
    assert result.code == 0, result.err
    assert "scratches on" in result.err and "fading (black" in result.err and "found noise" in result.err
    before, after, mask = read(print_), read(tmp_path / "print_restored.png"), read(tmp_path / "m.png")
    assert mask.any() and np.ptp(after[mask == 0]) > 1.3 * np.ptp(before[mask == 0])


def test_a_picture_that_is_whole_is_copied(imgfix: Run, whole: Path) -> None:
    result = imgfix("restore", whole, "--old")
    assert result.code == 0, result.err
    assert "no scratches found" in result.err and "fading" not in result.err and "nothing to do" in result.err
    assert whole.with_name("whole_restored.png").read_bytes() == whole.read_bytes()


def test_each_part_can_be_turned_off(imgfix: Run, print_: Path) -> None:
    result = imgfix("restore", print_, "--old", "--no-fading", "--no-scratches", "--denoise", "off")
    assert result.code == 0, result.err
    assert "fading" not in result.err and "scratches" not in result.err
    alone = imgfix("restore", print_, "--fading", "--overwrite", "--json")
    assert alone.code == 0, alone.err
    (item,) = alone.items
    assert item["steps"] == [] and "noise" not in item


@pytest.mark.slow
def test_a_mask_that_was_edited_is_filled_instead_of_what_would_be_found(
    imgfix: Run, print_: Path, mask: Path, tmp_path: Path
) -> None:
    result = imgfix("restore", print_, "--scratch-mask", mask, "--save-mask", tmp_path / "again.png", "--json")
    assert result.code == 0, result.err
    changed = (read(tmp_path / "print_restored.png") != read(print_)).any(axis=2)
    assert changed.any() and not changed[read(mask) == 0].any()
    assert np.array_equal(read(tmp_path / "again.png"), read(mask))
    (item,) = result.items
    assert item["coverage"] == pytest.approx(4 * 300 / (300 * 400))


def test_an_emptied_mask_fills_nothing_and_one_of_another_size_is_refused(
    imgfix: Run, print_: Path, mask: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((300, 400), np.uint8)).save(mask)
    result = imgfix("restore", print_, "--scratch-mask", mask)
    assert result.code == 0 and "the mask is empty" in result.err
    assert (tmp_path / "print_restored.png").read_bytes() == print_.read_bytes()
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(mask)
    result = imgfix("restore", print_, "--scratch-mask", mask, "--overwrite")
    assert result.code == 1 and "mask.png" in result.err


def test_a_dry_run_says_what_would_be_done(imgfix: Run, print_: Path) -> None:
    result = imgfix("restore", print_, "--old", "--dry-run")
    assert result.code == 0 and "scratches on" in result.err and "fading (black" in result.err
    assert not print_.with_name("print_restored.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--old", "--no-scratches", "--save-mask", "m.png"], "--scratches"),
        (["--no-scratches", "--scratch-mask", "m.png"], "--scratches"),
    ],
)
def test_senseless_combinations_are_refused(imgfix: Run, print_: Path, arguments: list[str], words: str) -> None:
    result = imgfix("restore", print_, *arguments)
    assert result.code == 2 and words in result.err


def test_clips_are_refused(imgfix: Run, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((32, 32), value, np.uint8)) for value in (40, 80, 120)]
    frames[0].save(tmp_path / "old.gif", save_all=True, append_images=frames[1:])
    result = imgfix("restore", tmp_path / "old.gif", "--old")
    assert result.code != 0 and "--old" in result.err
