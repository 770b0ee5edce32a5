"""Generated photos and the tiny job, for every test of the training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix.train import kinds
from imgfix.train.recipe import Recipe, build_recipe

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def tiny_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.KINDS, "tiny", "tests.train.tiny_job")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    y, x = np.mgrid[:40, :48] / 40
    for number in range(8):
        waves = [np.sin(7 * x + number + channel) * np.cos(5 * y * (1 + number % 3)) for channel in range(3)]
        pixels = (127.5 + 100 * np.stack(waves, -1)).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"wave{number}.png")
    return folder


@pytest.fixture
def recipe_of(photos: Path) -> Callable[..., Recipe]:
    def make(**settings: Any) -> Recipe:
        return build_recipe("tiny", [{"photos": (str(photos),), "device": "cpu", **settings}])

    return make


@pytest.fixture
def command() -> Callable[..., subprocess.Popen[str]]:
    """Starts `imgfix train tiny ...` as a process of its own."""

    def start(*arguments: str | Path, launcher: tuple[str, ...] = (), **named: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
        words = [sys.executable, *launcher, str(HERE / "command.py"), "train", "tiny", *map(str, arguments)]
        return subprocess.Popen(
            words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **named
        )

    return start


def curve(folder: Path) -> list[dict[str, Any]]:
    """The run's losses and metrics, without what differs between any two runs: the time."""
    from imgfix.train.log import read_log

    records = read_log(folder / "log.jsonl")
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records if r["kind"] != "event"]


def assert_same_curve(one: Path, other: Path, tolerance: float = 1e-4) -> None:
    """Two runs logged the same records, with the same numbers within a relative tolerance."""
    pairs = list(zip(curve(one), curve(other), strict=True))
    assert pairs
    for left, right in pairs:
        assert (left.pop("kind"), left.pop("step")) == (right.pop("kind"), right.pop("step"))
        assert left == pytest.approx(right, rel=tolerance)
