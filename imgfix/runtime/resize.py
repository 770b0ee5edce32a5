"""Resizing as matrix products: MATLAB's antialiased bicubic, and bilinear, area and Lanczos beside it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

Filter = Literal["cubic", "linear", "box", "lanczos"]
_REACH = {"cubic": 4.0, "linear": 2.0, "box": 1.0, "lanczos": 6.0}


def resize(
    x: Tensor, size: tuple[int, int], kind: Filter = "cubic", scale: tuple[float, float] | None = None
) -> Tensor:
    """Resize a batch with an antialiased filter, as MATLAB's `imresize` does it (edges mirrored).

    Args:
        x: (N, C, H, W), floating point.
        size: (height, width) of the result.
        kind: `cubic` is Keys' kernel with a = -1/2 (1981), MATLAB's default.
        scale: output pixels per input pixel down and across where known; else each side's own ratio. MATLAB uses the
            given scale even where the result's size had to be rounded up.

    Returns:
        (N, C, height, width), not clipped.
    """
    down, across = scale or (size[0] / x.shape[-2], size[1] / x.shape[-1])
    with torch.autocast(x.device.type, enabled=False):
        if size[0] != x.shape[-2]:
            x = _weights(x.shape[-2], size[0], down, kind, x.device, x.dtype) @ x
        if size[1] != x.shape[-1]:
            x = x @ _weights(x.shape[-1], size[1], across, kind, x.device, x.dtype).T
        return x


def downscale(x: Tensor, factor: int) -> Tensor:
    """Shrink by a whole factor as MATLAB does with 8-bit pictures: the classic super-resolution input.

    MATLAB resizes columns first and rounds to 8 bits after each direction, so both roundings happen here too.

    Shapes: (N, C, H, W) in [0, 1] to (N, C, ceil(H / factor), ceil(W / factor)) in [0, 1].
    """
    size = math.ceil(x.shape[-2] / factor), math.ceil(x.shape[-1] / factor)
    # In float64 and whole levels: accelerators multiply float32 matrices at 11 bits where they are allowed to, and a
    # rounding error in front of a half moves a level.
    levels = (x.double() * 255).round()
    levels = (resize(levels, (size[0], x.shape[-1]), scale=(1 / factor, 1.0)) + 0.5).floor().clamp(0, 255)
    levels = (resize(levels, size, scale=(1.0, 1 / factor)) + 0.5).floor().clamp(0, 255)
    return (levels / 255).to(x.dtype)


def round_to_bytes(x: Tensor) -> Tensor:
    """Round to the nearest of 256 levels, halves up, clipped to [0, 1]."""
    return (x * 255 + 0.5).floor().clamp(0, 255) / 255


@lru_cache(maxsize=512)
def _weights(length: int, wanted: int, scale: float, kind: Filter, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Matrix (wanted, length) of one side's filter weights."""
    stretch = min(scale, 1.0)  # antialiasing: the kernel widens as the picture shrinks
    reach = _REACH[kind] / stretch
    centre = (torch.arange(wanted, dtype=torch.float64) + 0.5) / scale - 0.5
    first = torch.floor(centre - reach / 2).long() + 1
    taps = first[:, None] + torch.arange(math.ceil(reach) + 2) - 1
    weights = _kernel((centre[:, None] - taps) * stretch, kind)
    weights = weights / weights.sum(dim=1, keepdim=True)
    mirrored = torch.remainder(taps, 2 * length)
    mirrored = torch.where(mirrored >= length, 2 * length - 1 - mirrored, mirrored)
    matrix = torch.zeros(wanted, length, dtype=torch.float64).scatter_add_(1, mirrored, weights)
    return matrix.to(device=device, dtype=dtype)


def _kernel(distance: Tensor, kind: Filter) -> Tensor:
    d = distance.abs()
    if kind == "cubic":
        near = 1.5 * d**3 - 2.5 * d**2 + 1
        far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
    if kind == "linear":
        return (1 - d).clamp(min=0)
    if kind == "box":
        return ((distance >= -0.5) & (distance < 0.5)).double()
    return torch.where(d < 3, torch.sinc(d) * torch.sinc(d / 3), torch.zeros_like(d))
