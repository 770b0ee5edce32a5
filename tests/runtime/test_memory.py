"""Free memory is measured, limits of containers included; running out is recognised."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from imgfix.errors import ExitCode
from imgfix.runtime import memory

CPU = torch.device("cpu")


def test_free_memory_is_a_plausible_number() -> None:
    assert 1 << 20 < memory.free_bytes("cpu") < 1 << 50
    assert 0 < memory.budget("cpu") < memory.free_bytes("cpu") * 2


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
    assert memory._cgroup_free(tmp_path / "fs", tmp_path / "self") == sys.maxsize
    # The group above may be the tight one; pages of files that can be dropped are free.
    (tmp_path / "fs2" / "box" / "inner").mkdir()
    assert memory._cgroup_free(tmp_path / "fs2", tmp_path / "self") == 500


def test_a_container_that_sees_its_group_as_the_root_is_understood(tmp_path: Path) -> None:
    _group(tmp_path / "fs", "1000", 100, 0, V2)
    (tmp_path / "self").write_text("0::/docker/abc\n")
    assert memory._cgroup_free(tmp_path / "fs", tmp_path / "self") == 900


def test_the_first_version_of_control_groups_is_understood(tmp_path: Path) -> None:
    _group(tmp_path / "fs" / "memory" / "box", "2000", 700, 100, V1)
    (tmp_path / "self").write_text("9:cpu,cpuacct:/box\n4:memory:/box\n")
    assert memory._cgroup_free(tmp_path / "fs", tmp_path / "self") == 1400


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        memory.OutOfMemory("no"),
    ],
)
def test_every_way_of_running_out_is_recognised(error: Exception) -> None:
    assert memory.is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), ValueError("out of memory"), KeyError("x")])
def test_other_errors_are_not(error: Exception) -> None:
    assert not memory.is_out_of_memory(error)


def test_a_real_failed_allocation_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert memory.is_out_of_memory(caught.value)


def test_out_of_memory_exits_with_its_own_code() -> None:
    assert memory.OutOfMemory("no").exit_code is ExitCode.MEMORY


def test_the_peak_counts_what_lives_at_once_and_not_what_was_let_go() -> None:
    def chain() -> torch.Tensor:
        x = torch.zeros(1000)
        for _ in range(5):
            x = x + 1  # two of them at a time
        return x

    result, peak = memory.with_peak_bytes(chain, CPU)
    assert float(result[0]) == 5
    assert peak == 2 * 4000


def test_views_and_results_in_place_are_not_counted_twice() -> None:
    _, peak = memory.with_peak_bytes(lambda: torch.zeros(1000).add_(1).view(10, 100).t(), CPU)
    assert peak == 4000


def test_settings_of_the_c_library_do_no_harm() -> None:
    memory.keep_pages()
    memory.release(CPU)
