"""Peak signal-to-noise ratio."""

from __future__ import annotations

import torch

from imgfix.metrics.arrays import Pixels, luma, pair, shave


def mean_squared_error(result: Pixels, target: Pixels, *, y: bool = False, border: int = 0) -> torch.Tensor:
    """Mean squared error over channels and pixels: two batches (N, C, H, W) in [0, 1] -> (N,)."""
    first, second = pair(result, target)
    if y:
        first, second = luma(first), luma(second)
    return (shave(first, border) - shave(second, border)).square().mean(dim=(1, 2, 3))


def psnr(result: Pixels, target: Pixels, *, y: bool = False, border: int = 0) -> torch.Tensor:
    """PSNR in dB, peak 1: two batches (N, C, H, W) or arrays (H, W, C) in [0, 1] -> (N,).

    `y` compares the BT.601 limited-range luma (peak 255 of 255, as the super-resolution papers do), `border` cuts that
    many pixels off each side first. Equal pictures give infinity. Raises ValueError when the shapes differ.
    """
    return -10.0 * torch.log10(mean_squared_error(result, target, y=y, border=border))
