"""Where a training runs and how precise its forward pass is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from imgfix.errors import UsageError
from imgfix.train.distributed import local_rank


@dataclass(frozen=True)
class Placement:
    """Device and precision of a training."""

    device: torch.device
    """Where networks and batches live."""
    precision: str
    """fp32, bf16 or fp16, of the forward pass."""

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which a forward pass takes this precision."""
        if self.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=kind)

    def synchronize(self) -> None:
        """Wait until the device has done everything it was given (for honest timing)."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def peak_memory(self) -> int:
        """Most bytes this process ever held: on the accelerator, or in all on the CPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        try:
            import resource
            import sys

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024
        except ImportError:  # not on Windows
            return 0


def place(device: str = "auto", precision: str = "auto") -> Placement:
    """Choose device and precision; `auto` takes an accelerator where there is one, and bf16 where it computes it.

    fp16 is never chosen by itself: it needs loss scaling, and its short range loses small gradients.

    Raises:
        UsageError: the device is unknown or not there, or the precision does not run on it.
    """
    if device == "auto":
        if torch.cuda.is_available():
            device = "cuda"
        else:
            device = "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "cuda" and torch.cuda.is_available():
        device = f"cuda:{local_rank() % torch.cuda.device_count()}"
    try:
        where = torch.device(device)
    except RuntimeError:
        raise UsageError(f"--device {device}: not a device", hint="cpu, cuda, cuda:1, mps or auto") from None
    if where.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(
                f"--device {device}: no CUDA device here", hint="`imgfix doctor` says what this machine has"
            )
        if (where.index or 0) >= torch.cuda.device_count():
            raise UsageError(f"--device {device}: there are only {torch.cuda.device_count()} CUDA devices")
        torch.cuda.set_device(where)
    elif where.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {device}: no Apple GPU here", hint="`imgfix doctor` says what this machine has")
    elif where.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {device}: training runs on cpu, cuda and mps")
    if precision == "auto":
        precision = "bf16" if where.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    if precision == "fp16" and where.type == "cpu":
        raise UsageError("--precision fp16 is not for training on the CPU", hint="use bf16 or fp32")
    return Placement(where, precision)
