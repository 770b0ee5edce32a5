"""`imgfix inpaint` as its user sees it: what is filled, what is left alone, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run, litter, save_photo

SIZE = (32, 24)
HOLE = (slice(6, 15), slice(8, 18))  # rows, columns


def save_mask(path: Path, size: tuple[int, int] = SIZE, white: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(size[::-1], np.uint8)
    if white:
        values[HOLE] = 255
    Image.fromarray(values).save(path)
    return path


def changed(before: Path, after: Path) -> np.ndarray:
    """(H, W) bool: which pixels differ."""
    return (np.asarray(Image.open(before)) != np.asarray(Image.open(after))).any(axis=-1)


def inside() -> np.ndarray:
    hole = np.zeros(SIZE[::-1], bool)
    hole[HOLE] = True
    return hole


@pytest.mark.parametrize("method", ["telea", "ns"])
def test_a_classical_fill_needs_no_weights(imgfix: Run, photo: Path, method: str) -> None:
    result = imgfix("inpaint", photo, "--box", "8,6,10,9", "--model", method, "--json")
    assert result.code == 0, result.err
    assert result.err.startswith(f"{method} (classical) on cpu")
    item = result.items[0]
    assert item["target"] == str(photo.with_name("photo_filled.png"))
    assert item["coverage"] == pytest.approx(90 / 768, abs=1e-5)
    difference = changed(photo, Path(item["target"]))
    assert difference[HOLE].any() and not difference[~inside()].any()


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_numbers_outside_the_hole_stay_the_same_on_every_page(imgfix: Run, tmp_path: Path, dtype: str) -> None:
    import tifffile

    pages = [(np.random.default_rng(n).random((24, 32)) * 10 ** (n + 4) - 7).astype(dtype) for n in range(2)]
    pages[0][0, 0] = np.nan if dtype == "float32" else -(2**31)
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for page in pages:
            out.write(page, photometric="minisblack", metadata=None)
    result = imgfix("inpaint", tmp_path / "a.tif", "--box", "8,6,10,9", "--model", "telea", "-o", tmp_path / "b.tif")
    assert result.code == 0, result.err
    for number, page in enumerate(pages):
        again = tifffile.imread(tmp_path / "b.tif", key=number)
        assert again.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(again[~inside()], page[~inside()])
        assert (again[inside()] != page[inside()]).mean() > 0.9  # though one number is far out


def test_coverage_is_printed(imgfix: Run, photo: Path) -> None:
    result = imgfix("inpaint", photo, "--box", "8,6,10,9", "--model", "telea")
    assert "11.7 % filled" in result.err


@pytest.mark.parametrize(
    "how",
    ["mask", "inverted mask", "box", "box in percent", "two boxes", "colour", "alpha"],
)
def test_every_way_to_say_what_to_fill(imgfix: Run, tmp_path: Path, how: str) -> None:
    photo = save_photo(tmp_path / "photo.png")
    pixels = np.array(Image.open(photo))
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[HOLE] = 255
    options: list[object]
    if how == "mask":
        options = ["--mask", save_mask(tmp_path / "mask.png")]
    elif how == "inverted mask":
        Image.fromarray(255 - mask).save(tmp_path / "mask.png")
        options = ["--mask", tmp_path / "mask.png", "--invert"]
    elif how == "box":
        options = ["--box", "8,6,10,9"]
    elif how == "box in percent":
        options = ["--box", "25%,25%,31.25%,37.5%"]
    elif how == "two boxes":
        options = ["--box", "8,6,5,9", "--box", "13,6,5,9"]
    elif how == "colour":
        pixels[HOLE] = (255, 0, 255)
        options = ["--color", "#ff00ff"]
    else:
        pixels = np.dstack([pixels, 255 - mask])
        options = ["--alpha"]
    Image.fromarray(pixels).save(photo)
    result = imgfix("inpaint", photo, *options, "--model", "telea", "-o", tmp_path / "out.png")
    assert result.code == 0, result.err
    difference = changed(photo, tmp_path / "out.png")
    assert difference[HOLE].mean() > 0.5 and not difference[~inside()].any()
    if how == "alpha":
        assert (np.asarray(Image.open(tmp_path / "out.png"))[..., 3] == 255).all(), "what is filled is seen"


def test_masks_of_a_folder_are_paired_by_place_and_name(imgfix: Run, tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.jpg", "sub/c.png"):
        save_photo(tmp_path / "in" / name)
    save_mask(tmp_path / "masks" / "a.png")
    save_mask(tmp_path / "masks" / "sub" / "b_mask.png")
    result = imgfix(
        "inpaint", tmp_path / "in", "-r", "--mask", tmp_path / "masks", "-o", tmp_path / "out", "--model", "telea",
        "--json",
    )  # fmt: skip
    assert result.code == 1
    assert [item["status"] for item in result.items] == ["done", "done", "failed"]
    assert "c.png" in result.items[2]["error"] and "no mask" in result.items[2]["error"]


def test_one_mask_for_many(imgfix: Run, tmp_path: Path) -> None:
    photos = [save_photo(tmp_path / f"{index}.png", seed=index) for index in range(3)]
    result = imgfix(
        "inpaint", *photos, "--mask", save_mask(tmp_path / "m" / "m.png"), "-o", f"{tmp_path}/out/", "--model", "telea"
    )
    assert result.code == 0, result.err
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_dilating_and_feathering_reach_so_far_and_no_farther(imgfix: Run, photo: Path) -> None:
    for options, reach in ((["--dilate", "3"], 3), (["--grow", "3"], 3), (["--feather", "4"], 4)):
        target = photo.with_name("out.png")
        arguments = ["--box", "8,6,10,9", *options, "--model", "telea", "-o", target, "--overwrite"]
        assert imgfix("inpaint", photo, *arguments).code == 0
        rows, columns = np.nonzero(changed(photo, target))
        assert 6 - reach <= rows.min() < 6 and 15 <= rows.max() + 1 <= 15 + reach
        assert 8 - reach <= columns.min() < 8 and 18 <= columns.max() + 1 <= 18 + reach


def test_the_canvas_can_grow(imgfix: Run, photo: Path) -> None:
    result = imgfix("inpaint", photo, "--expand", "left=10,top=25%", "--model", "telea", "--json")
    assert result.code == 0, result.err
    wide = photo.with_name("photo_wide.png")
    assert result.items[0]["output"]["width"] == 42 and result.items[0]["output"]["height"] == 30
    assert np.array_equal(np.asarray(Image.open(wide))[6:, 10:], np.asarray(Image.open(photo)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--mask"),
        (["--box", "1,2,3"], "x,y,w,h"),
        (["--color", "no-colour"], "--color"),
        (["--expand", "up=3"], "--expand"),
        (["--mask", "nowhere.png"], "nowhere.png"),
        (["--box", "1,1,2,2", "--invert"], "--invert"),
    ],
)
def test_an_unclear_region_is_a_usage_error(imgfix: Run, photo: Path, options: list[str], words: str) -> None:
    result = imgfix("inpaint", photo, *options, "--model", "telea")
    assert result.code == 2 and words in result.err, result.err


def test_a_mask_of_another_size_is_refused_with_both_sizes(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    mask = save_mask(tmp_path / "m" / "large.png", (64, 48))
    refused = imgfix("inpaint", photo, "--mask", mask, "--model", "telea")
    assert refused.code == 1
    assert "64x48" in refused.err and "32x24" in refused.err and "--fit-mask" in refused.err
    assert not photo.with_name("photo_filled.png").exists() and litter(tmp_path) == []
    assert imgfix("inpaint", photo, "--mask", mask, "--model", "telea", "--fit-mask").code == 0


def test_an_empty_mask_is_refused(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    mask = save_mask(tmp_path / "m" / "empty.png", white=False)
    result = imgfix("inpaint", photo, "--mask", mask, "--model", "telea")
    assert result.code == 1
    assert "empty.png" in result.err and "nothing in it is white" in result.err and "--invert" in result.err


def test_a_mask_of_nearly_everything_is_refused(imgfix: Run, photo: Path) -> None:
    result = imgfix("inpaint", photo, "--box", "0,0,32,24", "--model", "telea")
    assert result.code == 1 and "covers" in result.err


def test_a_damaged_mask_is_named(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(photo.read_bytes()[:60])
    result = imgfix("inpaint", photo, "--mask", tmp_path / "torn.png", "--model", "telea")
    assert result.code == 1 and "torn.png" in result.err


def test_auto_names_what_to_do_when_no_model_is_here(imgfix: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgfix.zoo import store

    monkeypatch.setattr(store, "installed", lambda entry: False)
    result = imgfix("inpaint", photo, "--box", "8,6,10,9")
    assert result.code == 3 and "imgfix weights pull" in result.err and "--model telea" in result.err


def test_dry_run_says_how_much_and_touches_nothing(imgfix: Run, photo: Path) -> None:
    result = imgfix("inpaint", photo, "--box", "8,6,10,9", "--model", "telea", "--dry-run", "--json")
    assert result.code == 0 and result.items[0]["windows"] == 1
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


def test_a_network_fills_through_the_command_too(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    import torch

    from imgfix import zoo
    from imgfix.nets.migan import MIGAN

    torch.manual_seed(0)
    config = {"resolution": 256}
    weights = zoo.save(
        tmp_path / "w" / "random.safetensors", "migan", config, MIGAN(**config).state_dict(), task="inpaint",
        name="random",
    )  # fmt: skip
    result = imgfix("inpaint", photo, "--box", "8,6,10,9", "--model", weights, "-o", tmp_path / "out.png", "--json")
    assert result.code == 0, result.err
    difference = changed(photo, tmp_path / "out.png")
    assert difference[HOLE].any() and not difference[~inside()].any()
