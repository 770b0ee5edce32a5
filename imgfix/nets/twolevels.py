"""The U-Net on three sizes that restorers share."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


class TwoLevels(nn.Module):
    """Two levels down and up again around a middle, with what was passed added; a base for restorers.

    U-Net: Ronneberger et al. 2015, arXiv 1505.04597. Between the levels 2x2 convolutions with a stride of 2, and pixel
    shuffles.

    Args:
        head: makes features of what comes in, (N, widths[0], h, w); h and w multiples of 4.
        stage: so many blocks (second number) between so many channels (first).
        widths: channels on each size.
        blocks: of each stage.
    """

    def __init__(
        self,
        head: nn.Module,
        stage: Callable[[int, int], nn.Module],
        widths: tuple[int, int, int],
        blocks: tuple[int, int, int],
    ) -> None:
        super().__init__()
        a, b, c = widths
        self.head = head
        self.encode = nn.ModuleList([stage(a, blocks[0]), stage(b, blocks[1])])
        self.down = nn.ModuleList([nn.Conv2d(a, b, 2, 2), nn.Conv2d(b, c, 2, 2)])
        self.middle = stage(c, blocks[2])
        self.up = nn.ModuleList([nn.Conv2d(b, 4 * a, 1), nn.Conv2d(c, 4 * b, 1)])
        self.decode = nn.ModuleList([stage(a, blocks[0]), stage(b, blocks[1])])

    def features(self, planes: Tensor) -> Tensor:
        """What is known of each place, (N, widths[0], h, w)."""
        fine = self.encode[0](self.head(planes))
        coarse = self.encode[1](self.down[0](fine))
        coarse = coarse + F.pixel_shuffle(self.up[1](self.middle(self.down[1](coarse))), 2)
        made: Tensor = self.decode[0](fine + F.pixel_shuffle(self.up[0](self.decode[1](coarse)), 2))
        return made
