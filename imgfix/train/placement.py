"""Where a training runs and how precise its forward pass is."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from imgfix.errors import UsageError
from imgfix.runtime.device import select
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


def channels_last(network: nn.Module, device: torch.device) -> nn.Module:
    """Keep a network's kernels channels-last, which convolutions prefer; in place. MPS does not."""
    if device.type in ("cuda", "cpu"):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def place(device: str = "auto", precision: str = "auto") -> Placement:
    """Choose device and precision; `auto` takes an accelerator where there is one, and bf16 where that computes it.

    On a CPU it is fp32, however quick that is in bf16: it was measured for inference alone. fp16 is never chosen by
    itself: it needs loss scaling, and its short range loses small gradients.

    Raises:
        UsageError: the device is unknown or not there, or the precision does not run on it.
    """
    team_member = "LOCAL_RANK" in os.environ and torch.cuda.is_available() and device in ("auto", "cuda")
    where = select(f"cuda:{local_rank() % torch.cuda.device_count()}" if team_member else device, "fp32").device
    if where.type == "cuda":
        torch.cuda.set_device(where)
    if precision == "auto":
        precision = (
            "bf16" if where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        )
    if precision == "fp16" and where.type == "cpu":
        raise UsageError("`precision` fp16 is not for training on the CPU", hint="use bf16 or fp32")
    return Placement(where, precision)
