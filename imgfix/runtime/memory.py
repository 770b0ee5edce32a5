"""How much memory there is, how much a network takes, and what running out of it looks like."""

from __future__ import annotations

import ctypes
import gc
import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from imgfix.errors import MemoryExhaustedError
from imgfix.runtime import container

CPU_SHARE = 0.5  # of the free memory: the picture, the output and other programs need the rest
GPU_SHARE = 0.8  # kernels ask for scratch space that no tensor shows
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of mallopt(3)


class OutOfMemory(MemoryExhaustedError):
    """One run of the network did not fit; the tiling answers with smaller tiles, others let it reach the user."""


def release(device: torch.device) -> None:
    """Give cached blocks of a device back, so that smaller tiles find room."""
    gc.collect()
    if device.type == "cpu":
        libc = _libc()
        if libc is not None:
            libc.malloc_trim(0)
    elif device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "xpu":
        torch.xpu.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@cache
def keep_pages() -> None:
    """Let the C library reuse large blocks instead of handing each back to the system (glibc only; once a process).

    A network allocates and frees blocks of a hundred megabytes at every layer. By default each comes as fresh pages
    that the system has to clear and map one by one, which can take half as long as the convolutions themselves.

    The network often runs in a thread that prefetches. The arenas of threads map every block above 64 MiB anew,
    whatever the thresholds, so that all threads share the main one; it has to be said before there are others.
    """
    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(_M_ARENA_MAX, 1)


@cache
def _libc() -> ctypes.CDLL | None:
    """The GNU C library, where it is the one in use."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
    except OSError:
        return None


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Memory that a process may still take on a device, in bytes: what is free, within the limits of its container."""
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # Blocks that torch keeps for itself are free to us, though not to others.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "xpu":
        free, _ = torch.xpu.mem_get_info(device)
        return free + torch.xpu.memory_reserved(device) - torch.xpu.memory_allocated(device)
    host = _host_free()
    if device.type == "mps":
        return max(0, min(host, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()))
    return host


def budget(device: torch.device | str = "cpu") -> int:
    """Bytes that one run of a network may take on a device."""
    device = torch.device(device)
    return int(free_bytes(device) * (GPU_SHARE if device.type in ("cuda", "xpu") else CPU_SHARE))


def _host_free() -> int:
    if sys.platform == "linux":
        return min(_meminfo(), container.memory_room(), _rlimit_free())
    if sys.platform == "darwin":
        return _mac_free()
    if sys.platform == "win32":
        return _windows_free()
    return 4 << 30


def _meminfo() -> int:
    text = Path("/proc/meminfo").read_text()
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE) or re.search(
        r"^MemFree:\s+(\d+) kB", text, re.MULTILINE
    )
    return int(found[1]) * 1024 if found else 4 << 30


def _rlimit_free() -> int:
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return max(0, limit - pages * resource.getpagesize())


def _mac_free() -> int:
    try:
        text = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, check=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return 4 << 30
    size = re.search(r"page size of (\d+) bytes", text)
    kinds = ("free", "inactive", "speculative", "purgeable")
    pages = sum(int(found[1]) for kind in kinds if (found := re.search(rf"^Pages {kind}:\s+(\d+)", text, re.MULTILINE)))
    return pages * int(size[1]) if size else 4 << 30


def _windows_free() -> int:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in ("total", "free", "page", "pagefree", "virtual", "virtualfree", "x")
            ),
        )

    status = Status()
    status.length = ctypes.sizeof(Status)
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    return int(status.free) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else 4 << 30


class _Peak(TorchDispatchMode):
    """Adds up the storages that operations create and lets go, and remembers the highest sum."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._seen: dict[int, int] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing the compiler to keep it away takes two seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor) and not leaf.is_mkldnn:
                self._add(leaf.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen[key] = storage.nbytes()
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.live -= self._seen.pop(key, 0)


_Result = TypeVar("_Result")


def with_peak_bytes(call: Callable[[], _Result], device: torch.device) -> tuple[_Result, int]:
    """Call, and also tell how many bytes of tensors the call held at its highest point, its result included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = call()
        torch.cuda.synchronize(device)
        return result, torch.cuda.max_memory_allocated(device) - before
    counter = _Peak()
    with counter:
        result = call()
    return result, counter.peak
