"""What a picture shows of noise, and the residual block of the networks that read it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.convolution import Convolution

TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
"""R, G, B -> luma and the two colour differences of JPEG, rows."""


def ycc(x: Tensor) -> Tensor:
    """Luma and chroma, (N, 3, H, W), of a picture of that shape."""
    return torch.einsum("oc,nchw->nohw", x.new_tensor(TO_YCC), x)


def strengths(planes: Tensor) -> tuple[Tensor, Tensor]:
    """How large the details of a picture are, as logarithms of about 1 in size; two of (N, 18, H / 4, W / 4).

    planes: luma and chroma, (N, 3, H, W) of [0, 1]. Of each cell of 4 x 4 pixels the diagonal, horizontal and vertical
    details of two sizes, where natural pictures have few: on average over 3 x 3 cells, and the least of that over
    7 x 7, which texture seldom fills.
    """
    fine, halved = _details(planes)
    coarse, _ = _details(halved)
    strength = torch.cat([F.avg_pool2d(fine, 2), coarse], dim=1)
    strength = (F.avg_pool2d(strength, 3, 1, 1, count_include_pad=False) + 0.3 / 255).log() + 5
    return strength, -F.max_pool2d(-strength, 7, 1, 3)


def _details(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Sizes of the Haar details of blocks of 2 x 2 pixels, (N, 9, h / 2, w / 2), and the planes' means over them."""
    a, b, c, d = F.pixel_unshuffle(planes, 2).unflatten(1, (3, 4)).unbind(2)
    return torch.cat([a - b - c + d, a + b - c - d, a - b + c - d], dim=1).abs() / 2, (a + b + c + d) / 4


class Block(nn.Module):
    """Two convolutions beside the way past them; at the start it changes nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        assert self.second.bias is not None
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x, slope=0.0))


def stage(channels: int, blocks: int) -> nn.Sequential:
    """So many blocks, one after the other."""
    return nn.Sequential(*(Block(channels) for _ in range(blocks)))
