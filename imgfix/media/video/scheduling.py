"""Keeps an encoder from taking the processor away from everything else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """What runs inside may not make this process a real-time one.

    SVT-AV1, run by root on Linux, as in a container, asks for real time for the thread that opens it, from which its
    own threads and every later one inherit it: nothing else on the machine gets a turn while they work. What was real
    time before stays so.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # the thread has ended, or may not be changed
                if os.sched_getscheduler(int(task.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
