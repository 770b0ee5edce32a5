"""`imgfix upscale` as its user sees it: where results go, what is said, what is left alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media import image
from tests.cli.conftest import Run, litter, save_photo


def _size(source: Path | bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
        return picture.size


def _tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_result_stands_beside_the_input_and_the_first_line_names_model_device_precision(
    imgfix: Run, photo: Path, tiny: Path
) -> None:
    result = imgfix("upscale", photo, "--model", tiny, "--device", "cpu", "--precision", "fp32")
    assert result.code == 0, result.err
    assert result.err.splitlines()[0] == "tiny-x2 (x2) on cpu, fp32"
    assert result.out == ""
    assert _size(photo.with_name("photo_x2.png")) == (64, 48)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (["--scale", "3"], (96, 72)),
        (["--scale", "1.5"], (48, 36)),
        (["--width", "80"], (80, 60)),
        (["--width", "80", "--height", "50"], (80, 50)),
        (["--long-side", "100"], (100, 75)),
        (["--megapixels", "0.0048"], (80, 60)),
    ],
)
def test_any_size(
    imgfix: Run, photo: Path, tiny: Path, tmp_path: Path, options: list[str], size: tuple[int, int]
) -> None:
    result = imgfix("upscale", photo, "-o", tmp_path / "big.png", "--model", tiny, *options)
    assert result.code == 0, result.err
    assert _size(tmp_path / "big.png") == size


def test_folder_tree_is_mirrored(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    for name in ("a.png", "deep/b.jpg", "deep/er/ümläut 写真.png"):
        save_photo(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    result = imgfix("upscale", tmp_path / "in", "-r", "-o", tmp_path / "out", "--model", tiny)
    assert result.code == 0, result.err
    assert _tree(tmp_path / "out") == _tree(tmp_path / "in")[:-1]
    assert litter(tmp_path) == []


def test_globs_lists_and_templates(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    for name in ("a1.png", "a2.png", "b.png"):
        save_photo(tmp_path / name)
    listed = tmp_path / "list.txt"
    listed.write_text(f"{tmp_path}/b.png\n{tmp_path}/a1.png\n")
    pattern = f"{tmp_path}/out/{{stem}}-{{model}}-{{n:02d}}{{ext}}"
    assert imgfix("upscale", f"{tmp_path}/a*.png", "-o", f"{tmp_path}/g/", "--model", tiny).code == 0
    assert imgfix("upscale", f"@{listed}", "-o", pattern, "--model", tiny).code == 0
    assert _tree(tmp_path / "g") == ["a1.png", "a2.png"]
    assert _tree(tmp_path / "out") == ["a1-tiny-x2-02.png", "b-tiny-x2-01.png"]


def test_two_inputs_for_one_output_are_refused_before_any_work(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    for name in ("x/a.png", "y/a.png", "x/other.png"):
        save_photo(tmp_path / name)
    result = imgfix(
        "upscale", tmp_path / "x/other.png", tmp_path / "x/a.png", tmp_path / "y/a.png", "-o", f"{tmp_path}/out/",
        "--model", tiny,
    )  # fmt: skip
    assert result.code == 2
    assert "x/a.png" in result.err and "y/a.png" in result.err
    assert not (tmp_path / "out").exists()


def test_an_existing_output_is_an_error_unless_told_otherwise(imgfix: Run, photo: Path, tiny: Path) -> None:
    target = photo.with_name("photo_x2.png")
    target.write_bytes(b"precious")
    other = save_photo(photo.with_name("other.png"))
    refused = imgfix("upscale", photo, other, "--model", tiny)
    assert refused.code == 1 and "--overwrite" in refused.err
    assert target.read_bytes() == b"precious"
    assert other.with_name("other_x2.png").exists(), "the rest of the batch is done"
    skipped = imgfix("upscale", photo, "--model", tiny, "--skip-existing", "--json")
    assert skipped.code == 0 and skipped.items[0]["status"] == "skipped"
    assert target.read_bytes() == b"precious"
    assert imgfix("upscale", photo, "--model", tiny, "--overwrite").code == 0
    assert _size(target) == (64, 48)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_pipe_in_and_a_pipe_out_keep_the_format(imgfix: Run, photo: Path, tiny: Path, kind: str) -> None:
    given = io.BytesIO()
    Image.open(photo).save(given, kind)
    for output in ([], ["-o", "-"]):
        result = imgfix("upscale", "-", *output, "--model", tiny, stdin=given.getvalue())
        assert result.code == 0, result.err
        with Image.open(io.BytesIO(result.data)) as picture:
            assert (picture.format, picture.size) == (kind, (64, 48))


def test_a_pipe_can_be_turned_into_another_format(imgfix: Run, photo: Path, tiny: Path) -> None:
    result = imgfix("upscale", "-", "--format", "webp", "--model", tiny, stdin=photo.read_bytes())
    assert Image.open(io.BytesIO(result.data)).format == "WEBP"


def test_json_is_one_object_an_item_and_nothing_else_on_stdout(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    good, bad = save_photo(tmp_path / "good.png"), tmp_path / "bad.png"
    bad.write_bytes(b"")
    result = imgfix("upscale", good, bad, "--model", tiny, "--json", "--device", "cpu")
    assert result.code == 1
    first, second = result.items
    assert (first["source"], first["status"], first["error"]) == (str(good), "done", None)
    assert first["target"] == str(tmp_path / "good_x2.png")
    assert first["input"] == {"width": 32, "height": 24, "format": "PNG"}
    assert first["output"]["width"] == 64 and first["output"]["bytes"] == (tmp_path / "good_x2.png").stat().st_size
    assert first["model"] == "tiny-x2" and first["device"] == "cpu" and first["seconds"] >= 0
    assert second["status"] == "failed" and str(bad) in second["error"]


def test_quiet_says_nothing_when_all_is_well(imgfix: Run, photo: Path, tiny: Path) -> None:
    result = imgfix("upscale", photo, "--model", tiny, "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_dry_run_prints_the_plan_and_touches_nothing(imgfix: Run, photo: Path, tiny: Path) -> None:
    before = _tree(photo.parent)
    text = imgfix("upscale", photo, "--model", tiny, "--dry-run", "-o", photo.parent / "new" / "x.png")
    machine = imgfix("upscale", photo, "--model", tiny, "--dry-run", "--json")
    assert text.code == 0 and "64x48" in text.err and "1 tile" in text.err
    assert machine.items[0]["status"] == "planned"
    assert {"tiles", "memory_bytes", "seconds", "output"} <= machine.items[0].keys()
    assert _tree(photo.parent) == before


def test_dry_run_of_a_model_that_is_not_here_pulls_nothing(imgfix: Run, photo: Path, own_home: Path) -> None:
    result = imgfix("upscale", photo, "--model", "realesrgan-x4plus", "--dry-run")
    assert result.code == 0, result.err
    assert "would pull realesrgan-x4plus" in result.err and "128x96" in result.err
    assert _tree(own_home) == []


def test_the_result_says_how_it_was_made_unless_told_not_to(imgfix: Run, photo: Path, tiny: Path) -> None:
    imgfix("upscale", photo, "--model", tiny, "--scale", "1.5", "--no-color-fix", "-q", "--overwrite")
    made = image.read_record(photo.with_name("photo_x1.5.png"))
    assert made is not None
    assert made["command"] == f"imgfix upscale {photo} --model {tiny} --scale 1.5 --no-color-fix"
    assert len(str(made["sha256"])) == 64
    imgfix("upscale", photo, "--model", tiny, "--no-record", "-o", photo.with_name("bare.png"))
    assert image.read_record(photo.with_name("bare.png")) is None


def test_same_input_same_bytes(imgfix: Run, photo: Path, tiny: Path, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        assert imgfix("upscale", photo, "--model", tiny, "-o", tmp_path / name).code == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_tiles_do_not_show(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = save_photo(tmp_path / "wide.png", size=(150, 90))
    for name, tile in (("whole.png", "auto"), ("tiled.png", "40")):
        options = ["--tile", tile, "--precision", "fp32", "-o", tmp_path / name]
        assert imgfix("upscale", source, "--model", tiny, *options).code == 0
    whole, tiled = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("whole.png", "tiled.png"))
    assert np.abs(whole - tiled).max() <= 1


def test_more_pixels_than_allowed_are_refused_with_the_way_out(imgfix: Run, photo: Path, tiny: Path) -> None:
    refused = imgfix("upscale", photo, "--model", tiny, "--max-pixels", "100")
    assert refused.code == 1 and "--max-pixels" in refused.err
    assert imgfix("upscale", photo, "--model", tiny, "--max-pixels", "0").code == 0


def test_a_coarse_jpeg_stays_as_it_was_and_that_is_said(imgfix: Run, photo: Path, tiny: Path) -> None:
    for quality in (40, 90):
        Image.open(photo).convert("RGB").save(photo.with_name(f"{quality}.jpg"), quality=quality)
    files = [photo.with_name("40.jpg"), photo.with_name("90.jpg")]
    result = imgfix("upscale", *files, "--model", tiny)
    assert result.code == 0 and "JPEG quality, 40; --quality 92" in result.err and "quality, 90" not in result.err
    assert "JPEG quality" not in imgfix("upscale", files[0], "--model", tiny, "--quality", "92", "--overwrite").err
