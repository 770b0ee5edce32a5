from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def picture(seed: int = 0, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 230, (*size, 3), dtype=np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for seed in range(3):
        save(tmp_path / "gt" / f"p{seed}.png", picture(seed))
        save(tmp_path / "out" / f"p{seed}_x4.png", picture(seed) + np.uint8(seed))
    return tmp_path / "out", tmp_path / "gt"


def test_a_folder_against_a_folder_gives_a_table_with_the_protocol(imgfix: Any, folders: tuple[Path, Path]) -> None:
    result = imgfix("evaluate", folders[0], "--against", folders[1], "--protocol", "sr-rgb2")
    assert result.code == 0
    assert "2 pixels cut off each side" in result.out
    lines = result.out.splitlines()
    assert any(line.startswith("p0_x4.png") and "identical" in line for line in lines)
    assert any(line.startswith("p1_x4.png") and "48.13" in line for line in lines)


def test_json_has_an_object_a_picture_and_a_summary(imgfix: Any, folders: tuple[Path, Path]) -> None:
    result = imgfix("evaluate", folders[0], "-a", folders[1], "--json")
    *items, summary = result.items
    assert [item["status"] for item in items] == ["done"] * 3
    assert items[0]["metrics"]["psnr"] is None  # identical
    assert items[2]["metrics"]["psnr"] == pytest.approx(20 * np.log10(255 / 2))
    assert summary["pictures"] == 3 and "RGB" in summary["stated"]


def test_csv_holds_every_digit_and_the_mean(imgfix: Any, folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert imgfix("evaluate", folders[0] / "p1_x4.png", "-a", folders[1], "--csv", tmp_path / "t.csv").code == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [row["result"].rsplit("/")[-1] for row in rows] == ["p1_x4.png", "mean"]
    assert float(rows[0]["psnr"]) == float(rows[1]["psnr"]) == pytest.approx(20 * np.log10(255))


def test_pictures_without_a_partner_are_named(imgfix: Any, folders: tuple[Path, Path]) -> None:
    save(folders[0] / "stray.png", picture())
    result = imgfix("evaluate", folders[0], "-a", folders[1])
    assert result.code == 0
    assert "stray.png: no reference of that name" in result.err


def test_different_sizes_fail_alone_unless_cropped(imgfix: Any, folders: tuple[Path, Path]) -> None:
    save(folders[0] / "p1_x4.png", picture(1)[:36])
    result = imgfix("evaluate", folders[0], "-a", folders[1])
    assert result.code == 1
    assert "48x36" in result.err and "--crop" in result.err and "p2_x4.png" in result.out
    assert imgfix("evaluate", folders[0], "-a", folders[1], "--crop").code == 0


def test_sixteen_bit_and_transparency(imgfix: Any, tmp_path: Path) -> None:
    import cv2

    deep = np.full((30, 30, 3), 30000, np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    cv2.imwrite(str(tmp_path / "b.png"), deep + np.uint16(1))
    result = imgfix("evaluate", tmp_path / "a.png", "-a", tmp_path / "b.png", "--json")
    assert result.items[0]["metrics"]["psnr"] == pytest.approx(20 * np.log10(65535))
    rgba = np.dstack([picture(), np.zeros((40, 48), np.uint8)])
    save(tmp_path / "c.png", rgba)
    save(tmp_path / "d.png", picture())
    result = imgfix("evaluate", tmp_path / "c.png", "-a", tmp_path / "d.png")
    assert "transparency is not measured" in result.err and "identical" in result.out


def test_usage_errors_come_before_any_work(imgfix: Any, folders: tuple[Path, Path], tmp_path: Path) -> None:
    existing = tmp_path / "there.csv"
    existing.write_text("mine")
    assert imgfix("evaluate").code == 2
    assert imgfix("evaluate", folders[0], "--metric", "psnr").code == 2
    assert imgfix("evaluate", folders[0], "-a", folders[1], "--protocol", "nonsense").code == 2
    assert imgfix("evaluate", folders[0], "-a", folders[1], "--csv", existing).code != 0
    assert existing.read_text() == "mine"
    assert imgfix("evaluate", "--data", folders[1]).code == 2


def test_the_sheet_shows_both_and_the_page_needs_nothing_else(
    imgfix: Any, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    sheet, page = tmp_path / "sheet.png", tmp_path / "page.html"
    assert imgfix("evaluate", folders[0], "-a", folders[1], "--sheet", sheet, "--report", page).code == 0
    assert Image.open(sheet).size[1] > 3 * 240
    text = page.read_text()
    assert text.count('type="range"') == 3
    assert "http" not in text and text.count('src="data:image/') == 6


def test_a_benchmark_damages_runs_and_measures(imgfix: Any, folders: tuple[Path, Path], plain: Path) -> None:
    result = imgfix("evaluate", "--benchmark", "mine", "--data", folders[1], "-m", "bicubic", "-m", plain, "--json")
    assert result.code == 0, result.err
    bicubic, doubled, stated = result.items
    assert bicubic["metrics"].keys() == {"psnr", "ssim"} and bicubic["parameters"] is None
    assert doubled["parameters"] > 0 and doubled["multiply_adds"] > 0 and doubled["peak_bytes"] > 0
    assert stated["protocol"] == "sr-y2" and "bicubic" in stated["damage"]


def test_a_picture_that_cannot_be_read_fails_no_model(
    imgfix: Any, folders: tuple[Path, Path], plain: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "--data", folders[1], "-m", "bicubic", "-m", plain, "--json")
    good = imgfix(*words)
    (folders[1] / "a-broken.png").write_bytes((folders[1] / "p1.png").read_bytes()[:60])
    save(folders[1] / "dot.png", picture(0, (1, 1)))
    sheet = tmp_path / "sheet.png"
    result = imgfix(*words, "--sheet", sheet)
    assert result.code == 1 and sheet.exists()
    assert [item["metrics"] for item in result.items[:2]] == [item["metrics"] for item in good.items[:2]]
    assert {item["status"] for item in result.items[:2]} == {"done"}
    assert result.err.count("a-broken.png") == 1 and result.err.count("dot.png") == 1
    assert "left out for every model" in result.err


def test_models_of_one_name_are_told_apart(
    imgfix: Any, folders: tuple[Path, Path], plain: Path, tmp_path: Path
) -> None:
    words: list[Any] = []
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        shutil.copy(plain, tmp_path / run / "model.safetensors")
        words += ["-m", tmp_path / run / "model.safetensors"]
    result = imgfix("evaluate", "--data", folders[1], *words)
    assert result.code == 0, result.err
    assert "first/model" in result.out and "second/model" in result.out
    twice = imgfix("evaluate", "--data", folders[1], *words[:2], *words[:2])
    assert "(1)" in twice.out and "(2)" in twice.out


def test_clips_are_compared_frame_by_frame(imgfix: Any, tmp_path: Path) -> None:
    av = pytest.importorskip("av")

    def clip(path: Path, change: int, count: int = 4) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=10, options={"slices": "4"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
            for number in range(count):
                pixels = np.roll(picture(0, (48, 64)) // 2, number, 1) + np.uint8(change)
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    good, off = clip(tmp_path / "good.mkv", 0), clip(tmp_path / "off.mkv", 2)
    item, summary = imgfix("evaluate", off, "-a", good, "--protocol", "video", "--metric", "psnr", "--json").items
    assert item["frames"] == 4
    assert item["metrics"]["psnr"] == pytest.approx(20 * np.log10(255 / 2) - 20 * np.log10(219 / 255), abs=0.01)
    assert summary["metrics" if "metrics" in summary else "summary"]["psnr"] == item["metrics"]["psnr"]
    short = clip(tmp_path / "short.mkv", 0, 3)
    result = imgfix("evaluate", short, "-a", good)
    assert result.code == 1 and "ends after 3 frames" in result.err


def test_sets_are_compared_as_sets(imgfix: Any, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from imgfix.metrics import fid

    def coarse(pictures: Any, **options: Any) -> torch.Tensor:
        return torch.stack([torch.from_numpy(values[::16, ::16].reshape(-1)) for values in pictures])

    monkeypatch.setattr(fid, "features", coarse)
    result = imgfix("evaluate", folders[1], "-a", folders[1], "--protocol", "sets", "--json")
    assert result.code == 0
    assert json.loads(result.out)["summary"]["fid"] == pytest.approx(0, abs=1e-9)
