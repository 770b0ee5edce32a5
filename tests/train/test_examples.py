"""The scripts that assemble the photo set, on pictures made here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "examples" / "train"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def photo(seed: int, height: int = 600, width: int = 800) -> np.ndarray:
    rough = np.random.default_rng(seed).integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)


def test_flat_pictures_and_near_duplicates_are_dropped_and_pages_are_not_mistaken_for_each_other() -> None:
    assemble = script("assemble_photos")
    first = assemble.statistics(photo(0))
    brighter = assemble.statistics(np.clip(photo(0).astype(int) + 12, 0, 255).astype(np.uint8))
    other = assemble.statistics(photo(1))
    flat = assemble.statistics(np.full((600, 800, 3), 90, np.uint8))
    assert assemble.reason_to_drop(first, [], 0.6) is None
    assert "duplicate" in assemble.reason_to_drop(brighter, [first.hash], 0.6)
    assert assemble.reason_to_drop(other, [first.hash], 0.6) is None
    assert assemble.reason_to_drop(flat, [], 0.6) == "flat"


def test_lossy_sources_are_halved_and_recorded(tmp_path: Path) -> None:
    assemble = script("assemble_photos")
    cv2.imwrite(str(tmp_path / "a.jpg"), photo(0))
    picture, lossy, _ = assemble.load(tmp_path / "a.jpg")
    assert picture.shape == (300, 400, 3) and lossy
    record = assemble.save(tmp_path, assemble.SOURCES[0], tmp_path / "a.jpg", picture, lossy)
    assert record["halved"] and record["licence"] == "public domain" and (tmp_path / record["file"]).exists()
    assert json.dumps(record)


def test_crops_are_cut_into_parts_and_held_out_photos_appear_nowhere_else(tmp_path: Path) -> None:
    for seed in range(6):
        (tmp_path / "photos").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "photos" / f"photo{seed}.png"), photo(seed, 300, 520))
    command = [sys.executable, str(SCRIPTS / "cut_crops.py"), str(tmp_path / "photos"), str(tmp_path / "crops")]
    done = subprocess.run(
        [*command, "--size", "256", "--parts", "2", "--held-out", "2"], check=True, capture_output=True, text=True
    )
    assert "part 1" in done.stdout
    held = {p.name.rsplit("-", 1)[0] for p in (tmp_path / "crops" / "held-out").iterdir()}
    used = {p.name.rsplit("-", 1)[0] for part in "01" for p in (tmp_path / "crops" / f"part-{part}").iterdir()}
    assert len(held) == 2 and len(used) == 4 and not held & used


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_understood(path: Path) -> None:
    from imgfix.train.kinds import KINDS
    from imgfix.train.recipe import build_recipe, read_toml

    content = read_toml(path)
    kind = next(key for key in KINDS if key in content)
    assert build_recipe(kind, [content]).kind == kind
