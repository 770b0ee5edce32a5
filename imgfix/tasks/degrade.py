"""Damage that anyone can repeat, for benchmarks.

Each function takes a picture (1, C, H, W) float64 in [0, 1], grey or RGB, a level and the picture's number, and returns
one of the same kind. The rows of `imgfix.degradations.TABLE` name them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def bicubic(picture: Tensor, level: float, number: int) -> Tensor:
    """Nothing besides the downscaling, which comes first whatever the damage."""
    return picture


def noise(picture: Tensor, level: float, number: int) -> Tensor:
    """Gaussian noise of a standard deviation, of 255, seeded by the number; neither clipped nor rounded."""
    generator = torch.Generator().manual_seed(number)
    return picture + torch.randn(picture.shape, generator=generator, dtype=torch.float64) * (level / 255)


def jpeg(picture: Tensor, level: float, number: int) -> Tensor:
    """A JPEG of a quality from libjpeg, colour at half the size."""
    import cv2

    pixels = (picture[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)[..., ::-1]
    _, stored = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(level)])
    found = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)
    assert found is not None
    found = found.reshape(*found.shape[:2], -1)
    return torch.from_numpy(found[..., ::-1] / 255.0).permute(2, 0, 1)[None]
