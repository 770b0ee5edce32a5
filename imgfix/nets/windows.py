"""Attention in square windows that are shifted every other time, the Swin transformer's.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows" (2021), arXiv 2103.14030.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def partition(x: Tensor, size: int) -> Tensor:
    """Cut features into windows, row by row: (N, H, W, C) -> (N * windows, size * size, C)."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height // size, size, width // size, size, channels)
    return x.transpose(2, 3).reshape(-1, size * size, channels)


def join(windows: Tensor, size: int, height: int, width: int) -> Tensor:
    """The inverse of `partition`: (N * windows, size * size, C) -> (N, H, W, C)."""
    channels = windows.shape[-1]
    x = windows.reshape(-1, height // size, width // size, size, size, channels)
    return x.transpose(2, 3).reshape(-1, height, width, channels)


def relative_index(size: int) -> Tensor:
    """Where the bias of each pair of pixels stands: (size², size²), into the (2 size - 1)² offsets, row by row."""
    at = torch.arange(size)
    rows, columns = (axis.flatten() for axis in torch.meshgrid(at, at, indexing="ij"))
    down = rows[:, None] - rows[None, :] + size - 1
    across = columns[:, None] - columns[None, :] + size - 1
    return down * (2 * size - 1) + across


def strangers(height: int, width: int, size: int, shift: int, device: torch.device) -> Tensor:
    """Pairs of pixels that a shift has brought into one window, though they lie at opposite sides of the picture.

    Returns:
        (windows, size², size²) bool.
    """
    bottom = torch.arange(height, device=device) >= height - shift
    right = torch.arange(width, device=device) >= width - shift
    part = (2 * bottom[:, None] + right[None, :]).reshape(1, height, width, 1)
    part = partition(part, size)
    return part != part.transpose(1, 2)


def attend(qkv: Tensor, bias: Tensor, heads: int, apart: Tensor | None = None, blocked: float = -torch.inf) -> Tensor:
    """Multi-head attention inside each window.

    Args:
        qkv: (N * windows, n, 3 * C), queries, keys and values side by side, each head after head.
        bias: (heads, n, n), added to the products.
        heads: number of heads.
        apart: (windows, n, n) bool, pairs that do not see each other; `None`: all do.
        blocked: what is added to the products of those pairs.

    Returns:
        (N * windows, n, C).
    """
    count, pixels, width = qkv.shape
    query, key, value = qkv.reshape(count, pixels, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
    bias = bias[None].to(query.dtype)
    if apart is not None:
        windows = apart.shape[0]
        walls = torch.zeros_like(apart, dtype=query.dtype).masked_fill(apart, blocked)
        bias = (bias + walls[:, None]).repeat(count // windows, 1, 1, 1)
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return out.transpose(1, 2).reshape(count, pixels, width // 3)
