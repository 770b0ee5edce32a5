"""`imgfix inpaint --no-grain`: the fill as the method drew it, in pictures, at new borders and in clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgfix as library
from imgfix.media import image
from imgfix.tasks.grain import high_pass
from tests.cli.conftest import Run

SIDE = 160


@pytest.fixture
def grainy(tmp_path: Path) -> Path:
    """A photo of a grey wall in poor light."""
    pixels = np.random.default_rng(0).normal(128, 9, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wall.png")
    return tmp_path / "wall.png"


def grain_of(pixels: np.ndarray) -> float:
    return float(high_pass(pixels.astype(np.float32).mean(axis=2))[4:-4, 4:-4].std())


def hole(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))[50:110, 50:110]


def test_the_fill_of_a_picture(imgfix: Run, grainy: Path, tmp_path: Path) -> None:
    words = ("inpaint", grainy, "--box", "50,50,60,60", "--model", "telea")
    assert imgfix(*words, "-o", tmp_path / "with.png").code == 0
    assert imgfix(*words, "-o", tmp_path / "without.png", "--no-grain").code == 0
    around = grain_of(hole(grainy))
    assert 0.7 * around < grain_of(hole(tmp_path / "with.png")) < 1.3 * around
    assert grain_of(hole(tmp_path / "without.png")) < 0.4 * around
    made = image.read_record(tmp_path / "without.png")
    assert made is not None and "--no-grain" in str(made["command"])
    assert "grain" not in str((image.read_record(tmp_path / "with.png") or {})["command"])
    same = library.inpaint(grainy, boxes=[(50, 50, 60, 60)], model="telea", grain=False)
    assert np.array_equal(same[50:110, 50:110], hole(tmp_path / "without.png"))


def test_new_borders(imgfix: Run, grainy: Path, tmp_path: Path) -> None:
    words = ("inpaint", grainy, "--expand", "left=48", "--model", "telea")
    assert imgfix(*words, "-o", tmp_path / "with.png").code == 0
    assert imgfix(*words, "-o", tmp_path / "without.png", "--no-grain").code == 0
    found = [grain_of(np.asarray(Image.open(tmp_path / name))[:, :44]) for name in ("with.png", "without.png")]
    assert found[1] < 0.5 * found[0]


def test_clips_have_as_much_in_every_frame_and_never_the_same(imgfix: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(4):
        frame = rng.normal(128, 9, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(frame).save(tmp_path / "in" / f"{number:02d}.png")
    words = ("inpaint", tmp_path / "in", "--frames", "--box", "50,50,60,60", "--model", "telea")
    for name, more in (("a", ()), ("b", ()), ("c", ("--no-grain",))):
        assert imgfix(*words, "-o", tmp_path / name, *more).code == 0
    fills = {name: [hole(path) for path in sorted((tmp_path / name).iterdir())] for name in "abc"}
    assert all(np.array_equal(*pair) for pair in zip(fills["a"], fills["b"], strict=True)), "seeded by the frame"
    strength = [grain_of(fill) for fill in fills["a"]]
    assert max(strength) < 1.15 * min(strength)
    assert all(not np.array_equal(fills["a"][0], fill) for fill in fills["a"][1:])
    assert max(grain_of(fill) for fill in fills["c"]) < 0.5 * min(strength)
