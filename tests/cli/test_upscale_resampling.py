"""`imgfix upscale --model nearest|bicubic|lanczos`, as its user sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import imgfix as library
from imgfix.media import image
from imgfix.media.picture import Picture
from imgfix.media.video.reader import Reader
from tests.cli.conftest import Run, litter
from tests.cli.test_upscale_clips import moving
from tests.media.clips import EVEN, Recipe, make

METHODS = ("nearest", "bicubic", "lanczos")


def twice(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("method", METHODS)
def test_it_is_a_model_like_another(imgfix: Run, photo: Path, method: str) -> None:
    result = imgfix("upscale", photo, "--model", method, "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert item["model"] == method and item["device"] == "cpu" and "sha256" not in item
    assert (item["output"]["width"], item["output"]["height"]) == (128, 96)
    assert result.err.splitlines()[0] == f"{method} (classical) on cpu, the file's own precision"
    made = image.read_record(photo.with_name("photo_x4.png"))
    assert made is not None and made["command"] == f"imgfix upscale {photo} --model {method}"
    assert made["model"] == method and "sha256" not in made
    assert litter(photo.parent) == []


def test_two_methods_give_two_results(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    for method in METHODS:
        assert imgfix("upscale", photo, "--model", method, "-o", tmp_path / "{model}{ext}").code == 0
    made = [np.asarray(Image.open(tmp_path / f"{method}.png")) for method in METHODS]
    assert np.array_equal(made[0][::4, ::4], np.asarray(Image.open(photo)))
    assert not np.array_equal(made[0], made[1]) and not np.array_equal(made[1], made[2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_nearest_changes_no_sample(imgfix: Run, tmp_path: Path, dtype: type, channels: int, alpha: bool) -> None:
    rng = np.random.default_rng(0)
    top = int(np.iinfo(dtype).max) + 1
    pixels = rng.integers(0, top, (9, 7, channels), dtype)
    share = rng.integers(0, top, (9, 7), dtype) if alpha else None
    image.write(tmp_path / "a.png", Picture(pixels, share))
    assert imgfix("upscale", tmp_path / "a.png", "--model", "nearest", "--scale", "2").code == 0
    made = image.read(tmp_path / "a_x2.png")
    assert np.array_equal(made.pixels, twice(pixels))
    assert made.alpha is None if share is None else np.array_equal(made.alpha, twice(share))


@pytest.mark.parametrize("dtype", ["f4", "f8", "u4", "i4"])
@pytest.mark.parametrize("channels", [1, 4])
def test_nearest_changes_no_number_of_a_tiff(imgfix: Run, tmp_path: Path, dtype: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    pages = []
    for _ in range(2):
        page = rng.normal(0, 1000, (9, 7, channels)).astype(dtype) if dtype[0] == "f" else None
        page = rng.integers(0, 2**31, (9, 7, channels)).astype(dtype) if page is None else page
        if dtype[0] == "f":
            page[0, 0, 0], page[4, 4, 0] = np.nan, 1e30
        pages.append(page if channels > 1 else page[..., 0])
    about: dict[str, Any] = {"photometric": "rgb", "extrasamples": "unassalpha"} if channels > 1 else {}
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, metadata=None, **about)
    for number, size in enumerate((("--scale", "2"), ("--width", "14", "--height", "18"))):
        made = tmp_path / f"b{number}.tif"
        result = imgfix("upscale", tmp_path / "a.tif", "--model", "nearest", *size, "-o", made)
        assert result.code == 0 and "those that nothing changes stay exactly the same" in result.err, result.err
        for page, before in enumerate(pages):
            after = tifffile.imread(made, key=page)
            assert after.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(after, twice(before))


def test_inks_are_repeated_too(imgfix: Run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    Image.fromarray(pixels, "CMYK").save(tmp_path / "a.tif")
    result = imgfix("upscale", tmp_path / "a.tif", "--model", "nearest", "--scale", "2")
    assert result.code == 0 and "approximate" not in result.err, result.err
    with Image.open(tmp_path / "a_x2.tif") as made:
        assert made.mode == "CMYK" and np.array_equal(np.asarray(made), twice(pixels))


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animations_keep_their_colours(imgfix: Run, tmp_path: Path, suffix: str) -> None:
    result = imgfix("upscale", moving(tmp_path / f"a{suffix}", False), "--model", "nearest", "--scale", "2", "--json")
    assert result.code == 0, result.err
    assert result.items[0]["model"] == "nearest" and result.items[0]["frames"] == 6
    with Image.open(tmp_path / f"a{suffix}") as before, Image.open(tmp_path / f"a_x2{suffix}") as after:
        for number in range(6):
            before.seek(number)
            after.seek(number)
            assert np.array_equal(np.asarray(after.convert("RGB")), twice(np.asarray(before.convert("RGB"))))


@pytest.mark.parametrize("method", METHODS)
def test_clips(imgfix: Run, tmp_path: Path, method: str) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=EVEN[:3]))
    result = imgfix("upscale", source, "--model", method, "--scale", "2", "--codec", "ffv1", "--json")
    assert result.code == 0, result.err
    assert result.items[0]["model"] == method and result.items[0]["frames"] == 3
    before, after = ([frame.pixels for frame in Reader(path).frames()] for path in (source, tmp_path / "a_x2.mkv"))
    assert [frame.shape for frame in after] == [(2 * before[0].shape[0], 2 * before[0].shape[1], 3)] * 3
    assert np.abs(after[0].astype(int) - twice(before[0])).mean() < 6


def test_python_gives_what_the_command_gives(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    imgfix("upscale", photo, "--model", "lanczos", "--width", "50", "-o", tmp_path / "a.png")
    made = library.upscale(np.asarray(Image.open(photo)), model="lanczos", width=50)
    assert np.array_equal(made, np.asarray(Image.open(tmp_path / "a.png")))


def test_a_plan_names_the_method(imgfix: Run, photo: Path) -> None:
    result = imgfix("upscale", photo, "--model", "nearest", "--dry-run", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert item["status"] == "planned" and item["model"] == "nearest" and item["output"]["width"] == 128
    assert item["memory_bytes"] > 0 and "tiles" not in item


def test_options_for_networks_are_named_when_they_say_nothing(imgfix: Run, photo: Path) -> None:
    result = imgfix("upscale", photo, "--model", "bicubic", "--tta", "--blend", "0.5")
    assert result.code == 0
    assert "--tta --blend: only for networks, left out" in result.err


def test_a_name_nobody_knows_is_refused_as_before(imgfix: Run, photo: Path) -> None:
    result = imgfix("upscale", photo, "--model", "neerest")
    assert result.code == 3 and "nearest" in result.err
