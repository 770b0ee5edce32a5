"""LPIPS, ready to use: the network of `imgfix.nets.lpips` with its published weights."""

from __future__ import annotations

from functools import cache

import torch

from imgfix.metrics.arrays import Pixels, pair
from imgfix.nets.lpips import LPIPS, Trunk

__all__ = ["LPIPS", "load", "lpips", "lpips_vgg"]


@cache
def load(trunk: Trunk = "alex") -> LPIPS:
    """The frozen metric on the CPU, in fp32; as a training loss, `.to(device)` a copy of it.

    The weights are pulled when they are missing. Raises ModelError or DownloadError.
    """
    from imgfix import zoo

    net = zoo.load(f"lpips-{trunk}").net
    assert isinstance(net, LPIPS)
    return net.eval().requires_grad_(False)


def lpips(result: Pixels, target: Pixels, *, trunk: Trunk = "alex") -> torch.Tensor:
    """LPIPS distance: two batches (N, 3, H, W) or arrays (H, W, 3) in [0, 1] -> (N,); one channel is taken as grey.

    Computed in fp32 on the CPU. Raises ValueError when the shapes differ or a side is too short.
    """
    first, second = (picture.float().cpu().expand(-1, 3, -1, -1) for picture in pair(result, target))
    with torch.inference_mode():
        distance: torch.Tensor = load(trunk)(first, second)
    return distance


def lpips_vgg(result: Pixels, target: Pixels) -> torch.Tensor:
    """LPIPS distance with the VGG16 trunk, which training uses; otherwise as `lpips`."""
    return lpips(result, target, trunk="vgg")
