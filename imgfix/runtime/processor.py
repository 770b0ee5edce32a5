"""The processor of this machine: its name, and what it can do."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import torch


@cache
def processor() -> str:
    """The name of this machine's processor, and the instructions that torch uses of it."""
    name = platform.processor() or platform.machine()
    if sys.platform == "linux":
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8", "replace"), re.MULTILINE)
        name = found[1] if found else name
    elif sys.platform == "darwin":
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        name = answer.stdout.strip() or name
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def capabilities() -> dict[str, object]:
    """What torch knows of the processor, by names like `avx512_bf16`, `amx_bf16`, `bf16` (Arm)."""
    ask = getattr(torch.cpu, "get_capabilities", None)
    if ask is not None:
        return dict(ask())
    # Older versions of torch answer one question at a time.
    probes = {"avx512_bf16": "_is_avx512_bf16_supported", "amx_bf16": "_is_amx_tile_supported"}
    return {name: bool(getattr(torch.cpu, probe, bool)()) for name, probe in probes.items()}
