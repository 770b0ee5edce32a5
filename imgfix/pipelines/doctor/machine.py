"""Devices and folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from imgfix.errors import ImgfixError
from imgfix.pipelines.doctor.check import Check
from imgfix.pipelines.units import size_in_words


def devices(checks: list[Check]) -> list[dict[str, Any]]:
    """Each device with its precisions and its free memory in bytes; none where torch cannot be imported."""
    try:
        import torch

        from imgfix.runtime import device, memory
    except Exception:  # said above: torch cannot be imported
        return []
    found: list[dict[str, Any]] = []
    for kind in device.available():
        count = torch.cuda.device_count() if kind == "cuda" else torch.xpu.device_count() if kind == "xpu" else 1
        for number in range(count):
            placed = torch.device(kind, number) if kind in ("cuda", "xpu") else torch.device(kind)
            names = device.precisions(placed)
            free = memory.free_bytes(placed)
            found.append({"name": str(placed), "words": device.device_name(placed), "precisions": names, "free": free})
            cores = f", {_threads(torch.get_num_threads())}" if kind == "cpu" else ""
            words = f"{', '.join(names)}{cores}, {size_in_words(free)} free"
            checks.append(Check("devices", device.device_name(placed), "ok", words))
    if len(found) == 1 and (unused := _unused_gpu()):
        checks.append(
            Check("devices", unused, "missing", "is here, but this torch cannot use it", "see pytorch.org/get-started")
        )
    found[-1]["bf16_gain"] = None
    if found[-1]["precisions"] == ["fp32"]:
        checks.append(Check("devices", "bf16 on the CPU", "missing", "not in this processor; fp32 is used"))
    else:
        gain = device.cpu_gain_of_bf16()
        found[-1]["bf16_gain"] = gain.times
        remedy = None if gain.known else "set IMGFIX_HOME to a folder you may write in"
        checks.append(Check("devices", "bf16 on the CPU", "ok" if gain.known else "missing", gain.words, remedy))
    if found[-1]["free"] < 1 << 30:
        checks.append(
            Check("devices", "memory", "missing", "less than 1 GB is free", "close other programs, or use small tiles")
        )
    return found


def folders(checks: list[Check]) -> dict[str, Any]:
    """Where weights are kept, how much room is left there in bytes, and where the shipped ones are."""
    from imgfix.zoo import folders

    home = folders.home()
    nearest = home
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    free = shutil.disk_usage(nearest).free
    origin = "set by IMGFIX_HOME" if os.environ.get("IMGFIX_HOME") else "set IMGFIX_HOME to move it"
    if not nearest.is_dir():
        remedy = "set IMGFIX_HOME to a folder, or unset it"
        checks.append(Check("folders", str(home), "broken", "it is a file, not a folder", remedy))
    elif os.access(nearest, os.W_OK):
        checks.append(Check("folders", str(home), "ok", f"weights; {size_in_words(free)} free; {origin}"))
    else:
        remedy = "set IMGFIX_HOME to a folder you may write in"
        checks.append(Check("folders", str(home), "missing", "cannot be written; weights cannot be pulled", remedy))
    return {"home": str(home), "free": free, "shipped": str(_shipped())}


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def _unused_gpu() -> str | None:
    """The name of an NVIDIA device that the driver knows while torch does not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        query = [tool, "--query-gpu=name", "--format=csv,noheader"]
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.splitlines()[0].strip() if answer.strip() else None


def _shipped() -> Path | None:
    from imgfix.zoo import folders

    try:
        return folders.shipped_folder()
    except ImgfixError:
        return None
