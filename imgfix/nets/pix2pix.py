"""pix2pix: a U-Net that turns one kind of picture into another."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pix2Pix(nn.Module):
    """Halvings and doublings with skips between equal sizes (Isola et al. 2017, arXiv 1611.07004).

    As in the paper convolutions of 4 x 4 and dropout in the innermost layers while it learns; instance instead of batch
    norm (the paper's batches held one picture), and plain enlarging before a convolution instead of transposed
    convolutions, which leave a chequered pattern.

    Shapes: (N, inputs, H, W) in [0, 1], sides multiples of 2 ** depth, to (N, channels, H, W) in [0, 1].
    Parameters: 6.1 M at 32 channels and 6 halvings.

    Args:
        side: pixels of a side it is trained at.
        inputs, channels: of the picture given and drawn.
        width: channels at full resolution, doubled at each halving up to 8 times as many.
        depth: halvings.
        source: what it is given, in words: `edges`, `grey` or `pairs`.
        padding: what lies beyond the borders. Zeros are a grey that no drawing has: where a layer finds little else,
            instance norm makes bright lines of them. Reflected pictures go on as they are.
    """

    def __init__(
        self,
        side: int = 64,
        inputs: int = 3,
        channels: int = 3,
        width: int = 32,
        depth: int = 5,
        source: str = "pairs",
        padding: Literal["zeros", "reflect"] = "zeros",
    ) -> None:
        super().__init__()
        if side % 2**depth or side < 2**depth:
            raise ValueError(f"side {side}: must be a multiple of {2**depth}")
        self.side, self.inputs, self.channels, self.source = side, inputs, channels, source
        sizes = [width * min(8, 2**i) for i in range(depth + 1)]
        conv = partial(nn.Conv2d, padding=1, padding_mode=padding)
        self.first = conv(inputs, sizes[0], 3)
        self.down = nn.ModuleList(conv(sizes[i], sizes[i + 1], 4, 2) for i in range(depth))
        self.up = nn.ModuleList(conv(sizes[i + 1] + sizes[i], sizes[i], 3) for i in reversed(range(depth)))
        self.last = conv(sizes[0], channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        skips = [self.first(x * 2 - 1)]
        for layer in self.down:
            skips.append(_normed(layer(F.leaky_relu(skips[-1], 0.2))))
        y = skips.pop()
        for number, layer in enumerate(self.up):
            y = torch.cat((F.interpolate(y, scale_factor=2, mode="nearest"), skips.pop()), 1)
            y = _normed(layer(F.relu(y)))
            if number < 2:
                y = F.dropout(y, 0.5, self.training)
        return torch.sigmoid(self.last(F.relu(y)))


def _normed(x: Tensor) -> Tensor:
    """Instance norm; a single pixel has nothing to be compared with and stays."""
    return F.instance_norm(x) if x.shape[-1] * x.shape[-2] > 1 else x
