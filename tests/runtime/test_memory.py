"""Free memory is measured, limits of containers included; running out is recognised."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from imgfix.errors import ExitCode
from imgfix.runtime import memory

CPU = torch.device("cpu")


def test_free_memory_is_a_plausible_number() -> None:
    assert 1 << 20 < memory.free_bytes("cpu") < 1 << 50
    assert 0 < memory.budget("cpu") < memory.free_bytes("cpu") * 2


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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="settings of the GNU C library")
def test_large_blocks_are_reused_in_threads_too() -> None:
    code = """
import resource, sys, threading, torch
from imgfix.runtime import memory
if memory._libc() is None:
    sys.exit()
memory.keep_pages()
def work():
    for _ in range(20):
        torch.zeros(100 << 20, dtype=torch.uint8)
thread = threading.Thread(target=work)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread.start(); thread.join()
mapped = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize()
sys.exit(mapped > 12 * (100 << 20) and f"{mapped >> 20} MB were mapped for blocks of 100 MB, one after the other")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_counting_does_not_import_torchs_compiler() -> None:
    """It takes two seconds, which every first run of a model would wait for."""
    code = (
        "import sys, torch; from imgfix.runtime import memory; convolution = torch.nn.Conv2d(1, 1, 3)\n"
        "memory.with_peak_bytes(lambda: convolution(torch.zeros(1, 1, 8, 8)), torch.device('cpu'))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
