"""GateUNet: a small U-Net of gated, re-parameterised convolutions that restores a picture at its own size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.repgate import GateBlock, RepConv3
from imgfix.nets.twolevels import TwoLevels


class GateUNet(TwoLevels):
    """Restorer: pixel unshuffle, three levels of gated blocks with skips added, and the input added at the end.

    Works on halves, quarters and eighths of the picture's sides: wide context for few operations, and nothing but
    plain convolutions (U-Net, Ronneberger et al. 2015, arXiv 1505.04597; the unshuffle is FFDNet's, Zhang et al. 2018,
    arXiv 1710.04026).

    Shapes: (N, 3, H, W) in [0, 1] to the same, not clipped; H and W multiples of 8.
    Parameters (merged, default): about 3.0 M. Own design; licence as the project's. The receptive field is bounded,
    see `receptive_field`.
    """

    def __init__(
        self,
        widths: tuple[int, int, int] = (64, 112, 160),
        blocks: tuple[int, int, int] = (2, 2, 3),
        merged: bool = False,
    ) -> None:
        def stage(channels: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(GateBlock(channels, 2, merged=merged) for _ in range(count)))

        super().__init__(RepConv3(12, widths[0], merged=merged), stage, widths, blocks)
        self.tail = RepConv3(widths[0], 12, merged=merged)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.pixel_shuffle(self.tail(self.features(F.pixel_unshuffle(x, 2))), 2).to(x.dtype)


def receptive_field(blocks: tuple[int, int, int]) -> int:
    """Input pixels on each side that can change an output pixel, rounded up to the grid of 8."""
    convolutions = 2 * 2 * blocks[0] + 2, 2 * 2 * blocks[1], 2 * blocks[2]
    reach = 2 * convolutions[0] + 4 * convolutions[1] + 8 * convolutions[2]
    return reach + 16  # the grid's own cells at each change of level
