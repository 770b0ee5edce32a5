"""`--engine` reaches the network, the line, JSON and the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgfix.media import image
from imgfix.runtime import engines
from tests.cli.conftest import Run


@pytest.mark.skipif(not engines.is_installed("onnx"), reason="needs the onnx extra")
def test_the_engine_that_worked_is_said_and_recorded(imgfix: Run, photo: Path, tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    found = imgfix("upscale", photo, "--model", tiny, "--engine", "onnx", "-o", target, "--json")
    assert found.code == 0, found.err
    assert "on cpu, fp32, onnx" in found.err
    assert json.loads(found.out)["engine"] == "onnx"
    record = image.read_record(target)
    assert record is not None and "--engine onnx" in str(record["command"])


def test_torch_is_said_in_json_and_not_recorded(imgfix: Run, photo: Path, tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    found = imgfix("upscale", photo, "--model", tiny, "-o", target, "--json")
    assert json.loads(found.out)["engine"] == "torch"
    record = image.read_record(target)
    assert record is not None and "--engine" not in str(record["command"])
