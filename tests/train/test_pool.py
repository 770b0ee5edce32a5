"""The pool of photos: crops, turns, splits, and what is said of files it cannot use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix.errors import InputError
from imgfix.train.job import Draw
from imgfix.train.pool import Pool, Windows, load_pairs, load_photos

CPU = torch.device("cpu")


def picture(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(folder: Path, name: str, pixels: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def test_a_crop_is_the_pixels_of_its_window_turned() -> None:
    pictures = [picture(0), picture(1, 30, 33)]
    pool = Pool(pictures, ["a", "b"], CPU)
    eight = torch.arange(8)
    windows = Windows(torch.ones(8, dtype=torch.long), torch.full((8,), 4), torch.full((8,), 7), eight)
    crops = (pool.take(windows, 16) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    cut = pictures[1][4:20, 7:23]
    for turn, crop in enumerate(crops):
        expected = cut[::-1] if turn & 1 else cut
        expected = expected[:, ::-1] if turn & 2 else expected
        expected = expected.transpose(1, 0, 2) if turn & 4 else expected
        assert (np.array_equal(crop, expected)) or turn & 4  # with a swap, the flips act on the swapped sides
    assert len({crop.tobytes() for crop in crops}) == 8


def test_windows_are_a_pure_function_of_the_draw_and_stay_inside() -> None:
    pool = Pool([picture(0), picture(1, 30, 33)], ["a", "b"], CPU)
    first, again = (pool.windows(Draw(3, 5, 0, 1, 200), 24) for _ in range(2))
    assert all(torch.equal(getattr(first, name), getattr(again, name)) for name in ("picture", "top", "left", "turn"))
    assert (first.top + 24 <= pool.heights[first.picture]).all()
    assert (first.left + 24 <= pool.widths[first.picture]).all()
    assert set(first.picture.tolist()) == {0, 1} and set(first.turn.tolist()) == set(range(8))


def test_pairs_stay_aligned_through_every_turn(tmp_path: Path) -> None:
    for number in range(3):
        small = picture(number, 20, 24)
        save(tmp_path / "low", f"{number}.png", small)
        save(tmp_path / "high", f"{number}.png", small.repeat(2, axis=0).repeat(2, axis=1))
    low, high, *_ = load_pairs(str(tmp_path / "low"), str(tmp_path / "high"), scale=2, crop=16, device=CPU)
    windows = low.windows(Draw(0, 0, 0, 1, 16), 8)
    small, large = low.take(windows, 8), high.take(windows, 8, 2)
    assert torch.equal(small.repeat_interleave(2, 2).repeat_interleave(2, 3), large)


def test_bad_and_small_files_are_skipped_and_named(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, f"good{number}.png", picture(number))
    save(tmp_path, "tiny.png", picture(9, 8, 8))
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    photos = load_photos([str(tmp_path)], crop=32, device=CPU)
    assert len(photos.training) + len(photos.held_out) == 4 and len(photos.held_out) == 1
    assert any("tiny.png" in line and "smaller" in line for line in photos.skipped)
    assert any("broken.jpg" in line for line in photos.skipped)


@pytest.mark.parametrize("what", ["empty", "tiny", "missing", "single"])
def test_a_folder_that_cannot_be_trained_on_is_refused_with_a_sentence(tmp_path: Path, what: str) -> None:
    folder = tmp_path / what
    if what != "missing":
        folder.mkdir()
    if what == "tiny":
        save(folder, "a.png", picture(0, 8, 8))
    if what == "single":
        save(folder, "a.png", picture(0))
    with pytest.raises(InputError) as caught:
        load_photos([str(folder)], crop=32, device=CPU)
    assert what != "tiny" or "32" in (caught.value.hint or "")


def test_pairs_of_the_wrong_size_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "low", f"{number}.png", picture(number, 20, 24))
        save(tmp_path / "high", f"{number}.png", picture(number, 41, 48))
    with pytest.raises(InputError, match="not 2 times as large"):
        load_pairs(str(tmp_path / "low"), str(tmp_path / "high"), scale=2, crop=16, device=CPU)


def test_large_photos_are_cut_to_the_memory_limit(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path, f"{number}.png", picture(number, 100, 100))
    photos = load_photos([str(tmp_path)], crop=32, device=CPU, megapixels=0.012)
    assert photos.training.megapixels + photos.held_out.megapixels <= 0.012
