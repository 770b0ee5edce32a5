"""`imgfix evaluate --protocol video` from files to numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tasks.scenes import scene

av = pytest.importorskip("av")


def write(path: Path, change: Callable[[int], int], count: int = 6) -> Path:
    """A scene that moves two pixels a frame, without loss, each frame made lighter by so much."""
    base = (scene(128, 192, seed=2) * 180 + 30).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, options={"slices": "4"})
        stream.width, stream.height, stream.pix_fmt = 160, 128, "bgr0"
        for number in range(count):
            pixels = np.ascontiguousarray(base[:, 2 * number : 2 * number + 160]) + np.uint8(change(number))
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def measured(imgfix: Any, clip: Path, reference: Path) -> dict[str, Any]:
    result = imgfix("evaluate", clip, "-a", reference, "--protocol", "video", "--json")
    assert result.code == 0, result.err
    item = result.items[0]
    assert item["frames"] == 6
    metrics: dict[str, Any] = item["metrics"]
    return metrics


def test_flicker_is_told_from_a_steady_error_of_the_same_size(imgfix: Any, tmp_path: Path) -> None:
    reference = write(tmp_path / "reference.mkv", lambda number: 8)
    steady = measured(imgfix, write(tmp_path / "steady.mkv", lambda number: 16), reference)
    flicker = measured(imgfix, write(tmp_path / "flicker.mkv", lambda number: 16 * (number % 2)), reference)
    same = measured(imgfix, write(tmp_path / "same.mkv", lambda number: 8), reference)
    assert steady.keys() == flicker.keys() == {"psnr", "ssim", "warping"}
    assert steady["psnr"] == pytest.approx(flicker["psnr"], abs=0.05)
    assert same["psnr"] is None, "infinity has no place in JSON"
    assert same["ssim"] == pytest.approx(1)
    assert steady["warping"] == pytest.approx(same["warping"], rel=0.01)
    assert flicker["warping"] > 5 * steady["warping"]


def test_the_table_states_the_protocol(imgfix: Any, tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mkv", lambda number: 8)
    result = imgfix("evaluate", clip, "-a", clip, "--protocol", "video")
    assert result.code == 0
    text = result.out + result.err
    assert "Warping" in text and "PSNR" in text


def test_a_clip_and_a_picture_are_no_pair(imgfix: Any, tmp_path: Path) -> None:
    from tests.cli.conftest import save_photo

    clip = write(tmp_path / "clip.mkv", lambda number: 8)
    result = imgfix("evaluate", clip, "-a", save_photo(tmp_path / "clip.png"), "--protocol", "video")
    assert result.code != 0
    assert "Traceback" not in result.err
