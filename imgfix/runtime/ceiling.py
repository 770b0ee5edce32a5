"""How fast a device can multiply at all: the yardstick for networks, measured and not read from a data sheet."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_ROUNDS = 3
_LEAST = 0.02  # seconds that one timing lasts


def measure(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second (a multiplication and an addition are two), the best that was reached.

    The larger of a product of two square matrices and a 3x3 convolution of 128 channels in the layout that torch
    computes quickest in; both are large enough to keep every unit busy, and small enough for a tenth of a second.
    On a CPU it is the time that the process was given which counts, so that what else the machine does is left out.
    A convolution by Winograd's method does fewer operations than are counted, and may come out above it.
    """
    return max(_rate(device, *_product(device, dtype)), _rate(device, *_convolution(device, dtype)))


def _product(device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], Tensor], float]:
    side = 1024 if device.type == "cpu" else 4096
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return lambda: left @ right, 2.0 * side**3


def _convolution(device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], Tensor], float]:
    side, channels = (96, 128) if device.type == "cpu" else (512, 128)
    layout = torch.channels_last
    x = torch.randn(1, channels, side, side, device=device).to(dtype).contiguous(memory_format=layout)
    weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype).contiguous(memory_format=layout)
    return lambda: F.conv2d(x, weight, padding=1), 2.0 * channels**2 * 9 * side**2


def _rate(device: torch.device, run: Callable[[], Tensor], operations: float) -> float:
    def seconds(times: int) -> float:
        start = _spent(device)
        for _ in range(times):
            out = run()
        out.sum().item()  # a GPU is done only when its result can be read
        return _spent(device) - start

    with torch.inference_mode():
        seconds(1)
        times = max(1, round(_LEAST / max(seconds(1), 1e-6)))
        return times * operations / min(seconds(times) for _ in range(_ROUNDS))


def _spent(device: torch.device) -> float:
    return time.process_time() / torch.get_num_threads() if device.type == "cpu" else time.perf_counter()
