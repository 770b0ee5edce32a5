"""Structural similarity, with the numbers of the original MATLAB code."""

from __future__ import annotations

import torch
from torch.nn import functional

from imgfix.metrics.arrays import Pixels, luma, pair, shave

WINDOW = 11
SIGMA = 1.5


def gaussian_window(size: int = WINDOW, sigma: float = SIGMA) -> torch.Tensor:
    """One axis of a normalised Gaussian window: (size,) float64."""
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    return weights / weights.sum()


def blur_valid(pixels: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """Separable filter over the area where the whole window fits: (N, C, H, W) -> (N, C, H - k + 1, W - k + 1)."""
    channels = pixels.shape[1]
    rows = window.to(pixels).reshape(1, 1, -1, 1).expand(channels, 1, -1, 1)
    columns = rows.transpose(2, 3)
    return functional.conv2d(functional.conv2d(pixels, rows, groups=channels), columns, groups=channels)


def ssim(result: Pixels, target: Pixels, *, y: bool = False, border: int = 0, full: bool = False) -> torch.Tensor:
    """Mean SSIM: two batches (N, C, H, W) or arrays (H, W, C) in [0, 1] -> (N,).

    An 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, no downsampling, averaged over the area where the
    window fits; `full` returns the map (N, C, H - 10, W - 10) instead. Colour is averaged over its channels.
    `y` and `border` as for `psnr`. Differentiable.
    Raises ValueError when the shapes differ or a side is shorter than the window.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 13 (2004).
    """
    first, second = pair(result, target)
    if y:
        first, second = luma(first), luma(second)
    first, second = shave(first, border), shave(second, border)
    if min(first.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels, got {first.shape[-1]}x{first.shape[-2]}")
    window = gaussian_window()
    # Half floats lose the variance in E[x^2] - E[x]^2.
    if first.dtype in (torch.float16, torch.bfloat16):
        first, second = first.float(), second.float()
    mean_first, mean_second = blur_valid(first, window), blur_valid(second, window)
    variance_first = blur_valid(first.square(), window) - mean_first.square()
    variance_second = blur_valid(second.square(), window) - mean_second.square()
    covariance = blur_valid(first * second, window) - mean_first * mean_second
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_first * mean_second + c1) / (mean_first.square() + mean_second.square() + c1)
    structure = (2 * covariance + c2) / (variance_first + variance_second + c2)
    values = luminance * structure
    return values if full else values.mean(dim=(1, 2, 3))
