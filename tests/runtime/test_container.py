"""Limits of containers are found wherever they are set."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imgfix.runtime import container


def _group(folder: Path, limit: str, used: int, cache: int, names: tuple[str, str, str]) -> None:
    folder.mkdir(parents=True)
    (folder / names[0]).write_text(limit)
    (folder / names[1]).write_text(str(used))
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cache}\n")


V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def test_the_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    _group(tmp_path / "fs" / "box" / "inner", "max", 0, 0, V2)
    _group(tmp_path / "fs2" / "box", "1000", 700, 200, V2)
    (tmp_path / "self").write_text("0::/box/inner\n")
    assert container.memory_room(tmp_path / "fs", tmp_path / "self") == sys.maxsize
    # The group above may be the tight one; pages of files that can be dropped are free.
    (tmp_path / "fs2" / "box" / "inner").mkdir()
    assert container.memory_room(tmp_path / "fs2", tmp_path / "self") == 500


def test_a_container_that_sees_its_group_as_the_root_is_understood(tmp_path: Path) -> None:
    _group(tmp_path / "fs", "1000", 100, 0, V2)
    (tmp_path / "self").write_text("0::/docker/abc\n")
    assert container.memory_room(tmp_path / "fs", tmp_path / "self") == 900


def test_the_first_version_of_control_groups_is_understood(tmp_path: Path) -> None:
    _group(tmp_path / "fs" / "memory" / "box", "2000", 700, 100, V1)
    (tmp_path / "self").write_text("9:cpu,cpuacct:/box\n4:memory:/box\n")
    assert container.memory_room(tmp_path / "fs", tmp_path / "self") == 1400


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", None), ("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1)]
)
def test_a_quota_of_processors_is_rounded_up(tmp_path: Path, text: str, expected: int | None) -> None:
    (tmp_path / "fs" / "box").mkdir(parents=True)
    (tmp_path / "fs" / "box" / "cpu.max").write_text(f"{text}\n")
    (tmp_path / "self").write_text("0::/box\n")
    assert container.processors(tmp_path / "fs", tmp_path / "self") == expected


def test_a_quota_of_the_first_version_is_understood(tmp_path: Path) -> None:
    (tmp_path / "fs" / "cpu").mkdir(parents=True)
    (tmp_path / "fs" / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "fs" / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "self").write_text("9:cpu,cpuacct:/box\n")
    assert container.processors(tmp_path / "fs", tmp_path / "self") == 3


def test_no_control_groups_means_no_limits(tmp_path: Path) -> None:
    assert container.processors(tmp_path, tmp_path / "none") is None
    assert container.memory_room(tmp_path, tmp_path / "none") == sys.maxsize
