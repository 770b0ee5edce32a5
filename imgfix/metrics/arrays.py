"""Pictures in, batches out: the small steps that every full-reference metric shares."""

from __future__ import annotations

import numpy as np
import torch

Pixels = torch.Tensor | np.ndarray


def as_batch(pixels: Pixels) -> torch.Tensor:
    """Bring a picture into the shape the metrics work on.

    A tensor must be (N, C, H, W) or (C, H, W) and keeps its dtype, device and gradient. A numpy array must be (H, W) or
    (H, W, C) and becomes float64: integers are divided by their dtype's maximum, floats are taken as [0, 1].

    Returns (N, C, H, W), floating point, [0, 1]. Raises ValueError for any other shape.
    """
    if isinstance(pixels, torch.Tensor):
        if pixels.ndim == 3:
            pixels = pixels[None]
        if pixels.ndim != 4 or not pixels.is_floating_point():
            raise ValueError(f"expected a float tensor (N, C, H, W), got {pixels.dtype} of shape {tuple(pixels.shape)}")
        return pixels
    array = np.asarray(pixels)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ValueError(f"expected an array (H, W) or (H, W, C), got shape {array.shape}")
    values = array.astype(np.float64)
    if array.dtype.kind == "u":
        values /= np.iinfo(array.dtype).max
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


def pair(result: Pixels, target: Pixels) -> tuple[torch.Tensor, torch.Tensor]:
    """Both pictures as batches of one shape; raises ValueError when their shapes differ."""
    first, second = as_batch(result), as_batch(target)
    if first.shape != second.shape:
        raise ValueError(f"pictures of different shapes: {tuple(first.shape)} and {tuple(second.shape)}")
    return first, second


def luma(rgb: torch.Tensor) -> torch.Tensor:
    """Y of BT.601 in its limited range, as MATLAB's `rgb2ycbcr`: (N, 3, H, W) -> (N, 1, H, W) in [16 / 255, 235 / 255].

    One channel is taken as grey, that is R = G = B. Not rounded to 8 bit, as in the evaluation code of the
    super-resolution papers since 2017.
    """
    if rgb.shape[1] == 1:
        return (16.0 + 219.0 * rgb) / 255.0
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).reshape(1, 3, 1, 1)
    return ((rgb * weights).sum(1, keepdim=True) + 16.0) / 255.0


def shave(pixels: torch.Tensor, border: int) -> torch.Tensor:
    """Cut `border` pixels off each side; raises ValueError when nothing would be left."""
    if border == 0:
        return pixels
    height, width = pixels.shape[-2:]
    if border < 0 or min(height, width) <= 2 * border:
        raise ValueError(f"cannot shave {border} pixels off each side of {width}x{height}")
    return pixels[..., border:-border, border:-border]
