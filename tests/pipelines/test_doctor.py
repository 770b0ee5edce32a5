"""What doctor finds, without the command line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from imgfix.pipelines.doctor import program
from imgfix.pipelines.doctor.check import Check
from imgfix.pipelines.doctor.examine import examine
from imgfix.pipelines.doctor.machine import folders


def test_an_extra_that_is_not_here_is_missing_and_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    module = program.EXTRAS["jxl"][0]
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    checks: list[Check] = []
    assert program.extras(checks)["jxl"] is False
    (told,) = [check for check in checks if check.name == "jxl"]
    assert (told.state, told.remedy) == ("missing", "pip install 'imgfix[jxl]'")


def test_a_home_that_is_a_file_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMGFIX_HOME", str(tmp_path / "file"))
    checks: list[Check] = []
    folders(checks)
    assert [check.state for check in checks] == ["broken"]
    assert "IMGFIX_HOME" in (checks[0].remedy or "")


def test_every_area_is_looked_at() -> None:
    found = examine()
    assert {check.area for check in found.checks} == {"program", "devices", "formats", "weights", "folders", "extras"}
    assert set(found.values) == {
        "imgfix", "python", "platform", "libraries", "devices", "formats", "video", "weights", "folders", "extras",
        "checks",
    }  # fmt: skip
