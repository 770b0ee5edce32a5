"""Limits of the container that a process runs in (Linux control groups, versions 1 and 2)."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def memory_room(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int:
    """Bytes left under the tightest memory limit; `sys.maxsize` without one."""
    room = sys.maxsize
    for group, version in _groups("memory", root, membership):
        limit, usage, cache = (
            ("memory.max", "memory.current", "inactive_file")
            if version == 2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        )
        try:
            allowed = (group / limit).read_text().strip()
            used = int((group / usage).read_text())
            # Pages of files that nobody has touched lately are given up when memory is asked for.
            found = re.search(rf"^{cache} (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        except (OSError, ValueError):
            continue
        if allowed != "max":
            room = min(room, max(0, int(allowed) - max(0, used - (int(found[1]) if found else 0))))
    return room


def processors(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Processors that the tightest quota is worth, rounded up; None without one."""
    share = math.inf
    for group, version in _groups("cpu", root, membership):
        try:
            if version == 2:
                quota, period = (group / "cpu.max").read_text().split()
            else:
                quota, period = ((group / name).read_text() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
            if quota != "max" and int(quota) > 0:
                share = min(share, int(quota) / int(period))
        except (OSError, ValueError):
            continue
    return max(1, math.ceil(share)) if math.isfinite(share) else None


def _groups(controller: str, root: Path, membership: Path) -> Iterator[tuple[Path, int]]:
    """Folders of the groups that hold this process, each with the version of its layout."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, version = root, 2
        elif controller in controllers.split(","):
            base, version = root / controller, 1
        else:
            continue
        folder = base / path.strip("/")
        # A container sees its own group as the root, whatever path it reads: both are looked at, and all above.
        for group in sorted({base, folder, *(above for above in folder.parents if above.is_relative_to(base))}):
            yield group, version
