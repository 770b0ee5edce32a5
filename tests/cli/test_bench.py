"""`imgfix bench` prints a table, or an object an engine."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from imgfix.pipelines.bench import Bench, Measured
from imgfix.tasks.speed import Stand, Turn
from tests.cli.conftest import Run


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement of two engines, without measuring."""

    def run(self: Bench, progress: Any) -> list[Measured]:
        def one(engine: str, precision: str, seconds: float, psnr: float) -> Measured:
            stand = Stand(engine, "cpu", precision, 1e9, 300_000_000, psnr)
            return Measured("photo-x4", 640, 480, 1, stand, (Turn(seconds, seconds, 2e9),) * 3, 2e9)

        return [one("torch", "fp32", 1.0, math.inf), one("openvino", "bf16", 0.625, 51.9)]

    monkeypatch.setattr(Bench, "run", run)


def test_the_table_says_what_each_engine_took(imgfix: Run, two: None) -> None:
    found = imgfix("bench", "photo-x4", "--size", "640x480")
    assert found.code == 0
    rows = [" ".join(line.split()) for line in found.out.splitlines()]
    assert rows[2] == "torch, cpu, fp32 1 0.307 1.00 50% 300 MB equal"
    assert rows[3] == "openvino, cpu, bf16 0.625 0.492 1.60 80% 300 MB 51.9 dB"
    assert "photo-x4, 640x480, median of 3" in found.err


def test_json_is_one_object_an_engine(imgfix: Run, two: None) -> None:
    lines = [json.loads(line) for line in imgfix("bench", "photo-x4", "--json").out.splitlines()]
    assert [(each["engine"], each["seconds"], each["times_as_fast"], each["psnr"]) for each in lines] == [
        ("torch", 1.0, 1.0, None), ("openvino", 0.625, 1.6, 51.9),
    ]  # fmt: skip


def test_a_wrong_size_is_a_usage_error(imgfix: Run) -> None:
    found = imgfix("bench", "photo-x4", "--size", "large")
    assert found.code == 2 and "--size large: not a size" in found.err
