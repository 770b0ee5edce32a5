"""A picture as the networks of this folder take it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def as_tensor(rgb: np.ndarray) -> Tensor:
    """(H, W, 3), or (H, W, 1) grey, uint8 or uint16, or float in [0, 1], to (1, 3, H, W) float32 in [0, 1]."""
    top = 1.0 if rgb.dtype.kind == "f" else float(np.iinfo(rgb.dtype).max)
    values = torch.from_numpy(np.ascontiguousarray(rgb, np.float32) / np.float32(top))
    return values.permute(2, 0, 1)[None, :3].expand(-1, 3, -1, -1)


def as_bytes(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3), or (H, W, 1) grey, uint8 or uint16, to (H, W, 3) uint8."""
    pixels = rgb if rgb.dtype == np.uint8 else (rgb.astype(np.float32) / 257 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) to another size: bilinear, and averaged over what a pixel of a smaller picture stands for."""
    return F.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)
