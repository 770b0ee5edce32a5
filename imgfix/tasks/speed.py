"""How fast one engine runs one network: seconds, memory, and what the device could have done in that time."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from imgfix.runtime import ceiling, tiling
from imgfix.runtime.engine import Engine
from imgfix.tasks.benchmark import multiply_adds


@dataclass(frozen=True)
class Turn:
    """One run over the whole picture, tiles included."""

    seconds: float
    cpu_seconds: float
    """Of all threads; on a machine that has other work to do, they say more."""
    ceiling: float
    """Operations per second that the device reached just after it, in the same precision."""


@dataclass(frozen=True)
class Stand:
    """What can be said of an engine besides its turns."""

    engine: str
    device: str
    precision: str
    operations: float | None
    """Of the network for the picture, overlaps not counted twice; None where they cannot be counted."""
    peak_bytes: int | None
    """The most memory that the process held (of a GPU: on the device), loading included."""
    psnr: float
    """dB to torch in fp32 on small test pictures; infinite when they are equal."""


class Stopwatch:
    """An engine with a picture to run on."""

    def __init__(self, engine: Engine, width: int, height: int) -> None:
        self.engine, self.width, self.height = engine, width, height
        generator = np.random.default_rng(1)
        slope = np.linspace(0.1, 0.9, width, dtype=np.float32)
        grain = generator.standard_normal((height, width, 1), dtype=np.float32)
        self._picture = np.clip(slope[None, :, None] + 0.05 * grain, 0, 1)
        if engine.placement.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(engine.placement.device)

    def turn(self) -> Turn:
        """Run over the picture once. Raises MemoryExhaustedError."""
        wall, spent = time.perf_counter(), time.process_time()
        tiling.run_tiled(self.engine, self._read, self.height, self.width, lambda band: None)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - spent
        where = self.engine.placement
        return Turn(seconds, cpu_seconds, ceiling.measure(where.device, where.dtype))

    def _read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        part = self._picture[y0:y1, x0:x1]
        return np.broadcast_to(part, (*part.shape[:2], self.engine.descriptor.in_channels))

    def stand(self) -> Stand:
        """To be asked after the turns."""
        where, facts = self.engine.placement, self.engine.descriptor
        peak = peak_bytes(where.device)  # what follows takes memory too
        pairs = multiply_adds(self.engine.model.net, facts, (self.height, self.width))
        return Stand(
            engine=where.engine,
            device=str(where.device),
            precision=where.precision,
            operations=None if pairs is None else 2.0 * pairs,
            peak_bytes=peak,
            psnr=self.engine.likeness(),
        )


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that this process held so far, on the host or on its GPU; None where that is not known."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage starts from what the parent process held
        found = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        return int(found.split()[1]) * 1024 if found else None
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None
