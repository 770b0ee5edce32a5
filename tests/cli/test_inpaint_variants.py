"""`imgfix inpaint --variants`: several fills to choose from, ranked, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import imgfix as api
from imgfix import zoo
from imgfix.nets.migan import MIGAN
from tests.cli.conftest import Run, save_photo
from tests.media.clips import EVEN, Recipe, make

BOX = "8,6,10,9"
HOLE = (slice(6, 15), slice(8, 18))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network for holes with random weights."""
    torch.manual_seed(3)
    config: dict[str, Any] = {"resolution": 32, "base": 256, "maximum": 16}
    place = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return zoo.save(place, "migan", config, MIGAN(**config).state_dict(), task="inpaint", name="random") or place


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_variants_differ_inside_the_hole_only_and_are_named_by_rank(imgfix: Run, photo: Path, network: Path) -> None:
    result = imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 4, "--json")
    assert result.code == 0, result.err
    files = [photo.with_name(f"photo_filled{ending}.png") for ending in ("", "-2", "-3", "-4")]
    assert result.items[0]["variants"] == [str(file) for file in files]
    made = [pixels(file) for file in files]
    outside = np.ones(made[0].shape[:2], bool)
    outside[HOLE] = False
    for one in made:
        np.testing.assert_array_equal(one[outside], pixels(photo)[outside])
    assert len({one.tobytes() for one in made}) == 4


def test_one_of_the_variants_is_the_fill_without_them(imgfix: Run, photo: Path, network: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.png"
    assert imgfix("inpaint", photo, "--box", BOX, "--model", network, "-o", alone).code == 0
    assert imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 3).code == 0
    made = [pixels(photo.with_name(f"photo_filled{ending}.png")).tobytes() for ending in ("", "-2", "-3")]
    assert pixels(alone).tobytes() in made


def test_each_file_says_which_variant_it_is(imgfix: Run, photo: Path, network: Path) -> None:
    assert imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 2).code == 0
    for number, ending in enumerate(("", "-2"), start=1):
        record = json.loads(Image.open(photo.with_name(f"photo_filled{ending}.png")).text["imgfix"])
        assert record["variant"] == number and "--variants 2" in record["command"]


def test_the_sheet_shows_all_of_them(imgfix: Run, photo: Path, network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 4, "--sheet", sheet)
    assert result.code == 0, result.err
    assert "4 variants" in result.err
    width, height = Image.open(sheet).size
    assert width > 2 * 10 and height > 2 * 9
    again = imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 4, "--sheet", sheet, "-o", "x.png")
    assert again.code == 1 and "add --overwrite, or choose another --sheet" in again.err


def test_sheets_of_a_folder_go_to_a_folder(imgfix: Run, tmp_path: Path, network: Path) -> None:
    for name in ("a", "b"):
        save_photo(tmp_path / "in" / f"{name}.png")
    asked = ("inpaint", tmp_path / "in", "--box", BOX, "--model", network, "--variants", 2, "-o", tmp_path / "out")
    refused = imgfix(*asked, "--sheet", tmp_path / "sheet.png")
    assert refused.code == 2 and "--sheet" in refused.err
    assert imgfix(*asked, "--sheet", f"{tmp_path / 'sheets'}/").code == 0
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["a_variants.jpg", "b_variants.jpg"]
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_dry_run_writes_nothing_and_says_how_many(imgfix: Run, photo: Path, network: Path) -> None:
    before = sorted(photo.parent.iterdir())
    result = imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 3, "--dry-run")
    assert result.code == 0 and "3 variants" in result.err
    assert sorted(photo.parent.iterdir()) == before


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_file_in_the_place_of_a_variant_is_kept(imgfix: Run, photo: Path, network: Path, dry: list[str]) -> None:
    other = save_photo(photo.with_name("photo_filled-2.png"), seed=5)
    held = other.read_bytes()
    asked = ("inpaint", photo, "--box", BOX, "--model", network, "--variants", 2, *dry)
    result = imgfix(*asked)
    assert result.code == 1 and "photo_filled-2.png exists already" in result.err
    assert other.read_bytes() == held and not photo.with_name("photo_filled.png").exists()
    assert imgfix(*asked, "--overwrite").code == 0
    assert (other.read_bytes() == held) == bool(dry)


def test_a_variant_never_takes_the_place_of_another_result(imgfix: Run, tmp_path: Path, network: Path) -> None:
    for name in ("a", "a-2"):
        save_photo(tmp_path / "in" / f"{name}.png")
    out = tmp_path / "out"
    result = imgfix(
        "inpaint", tmp_path / "in", "--box", BOX, "--model", network, "--variants", 2, "-o", out, "--overwrite"
    )
    assert result.code == 1 and "another result has this name" in result.err
    assert {path.name for path in out.iterdir()} == {"a-2.png", "a-2-2.png"}


def test_a_second_run_over_a_folder_does_not_fill_the_variants(imgfix: Run, photo: Path, network: Path) -> None:
    asked = ("inpaint", photo.parent, "--box", BOX, "--model", network, "--variants", 2, "--json")
    assert imgfix(*asked, "-o", photo.parent).code in (0, 1, 2)
    assert imgfix("inpaint", photo, "--box", BOX, "--model", network, "--variants", 2).code == 0
    again = imgfix(*asked, "--skip-existing")
    assert [Path(item["source"]).name for item in again.items] == ["photo.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "telea", "--variants", 4), "telea always gives the same fill"),
        (("--sheet", "s.jpg"), "--sheet shows variants side by side"),
        (("--variants", 2, "--tta"), "--tta merges runs into one fill"),
        (("--variants", 0), "--variants"),
        (("--variants", 9), "--variants"),
    ],
)
def test_what_makes_no_sense_is_refused(imgfix: Run, photo: Path, words: tuple[object, ...], said: str) -> None:
    result = imgfix("inpaint", photo, "--box", BOX, *words)
    assert result.code == 2 and said in result.err


def test_clips_and_streams_have_no_variants(imgfix: Run, tmp_path: Path, photo: Path, network: Path) -> None:
    clip = make(tmp_path / "clip.mkv", Recipe(times=EVEN[:4])) or tmp_path / "clip.mkv"
    asked = ("--box", BOX, "--model", network, "--variants", 2)
    moving = imgfix("inpaint", clip, *asked)
    assert moving.code != 0 and "--variants are for single pictures" in moving.err
    piped = imgfix("inpaint", photo, *asked, "-o", "-")
    assert piped.code != 0 and "a stream takes one" in piped.err


def test_python_gives_a_list_with_the_best_first(photo: Path, network: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    made = api.inpaint(photo, boxes=[BOX], model=network, variants=3, output=out)
    assert len(made) == 3
    for one, ending in zip(made, ("", "-2", "-3"), strict=True):
        np.testing.assert_array_equal(one, pixels(tmp_path / f"out{ending}.png"))
    again = api.inpaint(photo, boxes=[BOX], model=network, variants=3, output=out, skip_existing=True)
    assert [one.tobytes() for one in again] == [one.tobytes() for one in made]
    alone = api.inpaint(photo, boxes=[BOX], model=network)
    assert isinstance(alone, np.ndarray)


def test_the_canvas_is_extended_in_several_ways(photo: Path, network: Path) -> None:
    made = api.inpaint(photo, expand="left=8", model=network, variants=2)
    before = pixels(photo)
    assert not np.array_equal(made[0], made[1])
    for one in made:
        np.testing.assert_array_equal(one[:, 8:], before)
