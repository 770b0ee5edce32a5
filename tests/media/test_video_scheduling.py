"""An encoder may not take the processor away from everything else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from imgfix.media.video.scheduling import ordinary_scheduling

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="schedulers are told apart on Linux only")


def schedulers() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_what_asks_for_real_time_does_not_keep_it() -> None:
    before = schedulers()
    with ordinary_scheduling():
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pytest.skip("only root may ask for real time")
    assert schedulers() == before == {os.SCHED_OTHER}
