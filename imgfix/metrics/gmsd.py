"""Gradient magnitude similarity deviation: how unevenly the edges of two pictures differ."""

from __future__ import annotations

import torch
from torch.nn import functional

from imgfix.metrics.arrays import Pixels, luma, pair, shave

CONTRAST = 170.0
"""The paper's constant c for grey values from 0 to 255."""


def gmsd(result: Pixels, target: Pixels, *, border: int = 0) -> torch.Tensor:
    """GMSD: two batches (N, 1 or 3, H, W) or arrays (H, W, 1 or 3) in [0, 1] -> (N,), 0 for equal pictures.

    On full-range luma of BT.601, averaged over 2x2 and halved, with Prewitt gradients; the sample standard deviation of
    the similarity map. Outside the picture all is 0, as in the authors' MATLAB code. `border` cuts that many pixels off
    each side first. Differentiable. Raises ValueError when the shapes differ or a side is shorter than 4 pixels.

    Source: Xue, Zhang, Mou, Bovik, "Gradient Magnitude Similarity Deviation: A Highly Efficient Perceptual Image
    Quality Index", IEEE TIP 23 (2014), arXiv 1308.3052.
    """
    first, second = (grey_values(shave(picture, border)) for picture in pair(result, target))
    if min(first.shape[-2:]) < 4:
        raise ValueError(f"GMSD needs 4x4 pixels, got {first.shape[-1]}x{first.shape[-2]}")
    before, after = gradient_magnitude(halved(first)), gradient_magnitude(halved(second))
    similarity = (2 * before * after + CONTRAST) / (before.square() + after.square() + CONTRAST)
    return similarity.flatten(1).std(dim=1)


def grey_values(rgb: torch.Tensor) -> torch.Tensor:
    """(N, 1 or 3, H, W) in [0, 1] -> full-range luma (N, 1, H, W) in [0, 255], in fp32 or fp64."""
    if rgb.dtype in (torch.float16, torch.bfloat16):
        rgb = rgb.float()
    return (luma(rgb) * 255.0 - 16.0) * (255.0 / 219.0)


def halved(grey: torch.Tensor) -> torch.Tensor:
    """Means of 2x2 pixels at every second row and column: (N, 1, H, W) -> (N, 1, ceil(H / 2), ceil(W / 2))."""
    height, width = grey.shape[-2:]
    return functional.avg_pool2d(functional.pad(grey, (0, width % 2, 0, height % 2)), 2)


def gradient_magnitude(grey: torch.Tensor) -> torch.Tensor:
    """Length of the Prewitt gradient, 0 outside the picture: (N, 1, H, W) -> the same shape."""
    across = grey.new_tensor([[1.0, 0.0, -1.0]] * 3) / 3
    kernels = torch.stack([across, across.T])[:, None]
    gradient = functional.conv2d(grey, kernels, padding=1)
    # The root has no gradient at 0, which flat areas would hand to a network that trains on this.
    return gradient.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()
