"""DamageUNet: where a print is scratched, dusty, cracked, creased, stained or torn."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.evidence import Block, stage

RARE = -3.0
"""The bias of the last layer at the start: one pixel in twenty is damaged."""


class DamageUNet(nn.Module):
    """Segments damage; (N, 3, H, W) -> (N, 1, H, W), the chance that a pixel is damaged; sides multiples of 16.

    A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) on pixels unshuffled by 2, with four levels: a scratch is one or
    two pixels wide, and what tells it from a wire lies a hundred pixels away. Dilated convolutions in the middle (Yu &
    Koltun 2016, arXiv 1511.07122) see that far. Plain convolutions only, no norms.

    Picture in [0, 1], sRGB-encoded. Own design; defaults: 1.68 M parameters; receptive field: see `receptive_field`.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 48, 80, 128),
        blocks: tuple[int, int, int] = (1, 2, 2),
        dilations: tuple[int, ...] = (1, 2, 3),
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(12, widths[0], 3, padding=1)
        self.encode = nn.ModuleList([stage(w, n) for w, n in zip(widths, blocks, strict=False)])
        self.down = nn.ModuleList([nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths)])
        self.middle = nn.Sequential(*(_widened(Block(widths[3]), dilation) for dilation in dilations))
        self.up = nn.ModuleList([nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths)])
        self.decode = nn.ModuleList([stage(w, n) for w, n in zip(widths, blocks, strict=False)])
        self.tail = nn.Conv2d(widths[0], 4, 3, padding=1)
        assert self.tail.bias is not None
        nn.init.constant_(self.tail.bias, RARE)

    def forward(self, x: Tensor) -> Tensor:
        hidden, passed = self.head(F.pixel_unshuffle(2 * x - 1, 2)), []
        for encode, down in zip(self.encode, self.down, strict=True):
            hidden = encode(hidden)
            passed.append(hidden)
            hidden = F.relu(down(hidden))
        hidden = self.middle(hidden)
        for level in (2, 1, 0):
            hidden = self.decode[level](passed[level] + F.pixel_shuffle(self.up[level](hidden), 2))
        chances = F.pixel_shuffle(self.tail(F.relu(hidden)), 2)
        return (chances if chances.dtype.itemsize > 4 else chances.float()).sigmoid()


def receptive_field(blocks: tuple[int, int, int], dilations: tuple[int, ...]) -> int:
    """Input pixels on each side that can change an output pixel, rounded up to the grid of 16."""
    reach = 2 * 2 + sum(2 * 2 * 2 * n * cell for n, cell in zip(blocks, (1, 2, 4), strict=True))
    return -(-(reach + 16 * sum(2 * dilation for dilation in dilations)) // 16) * 16 + 32


def _widened(block: Block, dilation: int) -> Block:
    for layer in (block.first, block.second):
        layer.dilation, layer.padding = (dilation, dilation), (dilation, dilation)
    return block
