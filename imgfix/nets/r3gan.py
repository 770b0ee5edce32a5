"""A modern generator and its discriminator: residual blocks without any normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.conditions import ConditionEncoder, Conditions

CODE = 16
"""Channels of a code."""


class R3Generator(nn.Module):
    """Noise and condition to a code of 8 x 8 places, and residual blocks from the code to a picture.

    The blocks are those of R3GAN (Huang et al. 2024, arXiv 2501.05441): no normalisation, fix-up initialisation, plain
    upsampling; with full instead of grouped convolutions, which a processor prefers. The last step is a pixel shuffle:
    nothing is computed at full resolution. An encoder gives the code of a true picture. It is there for training, so
    that the blocks can learn to draw before the first layers know what is asked for (as in VAE-GAN, Larsen et al.
    2016, arXiv 1512.09300), and for starting from a picture.

    Shapes: noise (N, noise) and conditions to (N, channels, side, side), about [0, 1]; colours are multiplied by the
    opacity where there is a fourth channel.
    Parameters: 4.6 M with the widths below, without the encoders of the conditions.

    Args:
        side: 8 times a power of two.
        widths: channels at 8 x 8 and each doubling but the last.
        hidden: numbers inside the layers that turn noise and condition into a code.
    """

    def __init__(
        self,
        side: int = 64,
        channels: int = 4,
        noise: int = 64,
        widths: Sequence[int] = (160, 96, 48),
        hidden: int = 640,
        condition: int = 256,
        **conditions: Any,
    ) -> None:
        super().__init__()
        if side != 8 * 2 ** len(widths):
            raise ValueError(f"side {side} needs {side.bit_length() - 4} widths, not {len(widths)}")
        self.side, self.channels, self.noise = side, channels, noise
        self.conditions = ConditionEncoder(size=condition, channels=channels, **conditions)
        self.plan = CodePlanner(noise + self.conditions.total, hidden)
        self.encoder = CodeEncoder(channels, side)
        self.first = nn.Conv2d(CODE, widths[0], 3, 1, 1)
        self.middle = _Block(widths[0])
        self.blocks = nn.ModuleList(_Block(width) for width in widths)
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.last = nn.Conv2d(widths[-1], 4 * channels, 3, 1, 1)
        nn.init.normal_(self.last.weight, 0, 0.02)

    def decode(self, code: Tensor) -> Tensor:
        """Draw the pictures of codes (N, CODE, 8, 8)."""
        x = self.middle(self.first(code.contiguous(memory_format=torch.channels_last)))
        for number, block in enumerate(self.blocks):
            if number:
                x = F.interpolate(self.narrow[number - 1](x), scale_factor=2, mode="nearest")
            x = block(x)
        return F.pixel_shuffle(self.last(F.leaky_relu(x, 0.2)), 2) / 2 + 0.5

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Draw pictures from noise (N, noise) and condition vectors (N, total)."""
        return self.decode(self.plan(torch.cat((noise, condition), 1)))

    def forward(self, noise: Tensor, given: Conditions) -> Tensor:
        return self.draw(noise, self.conditions(given, noise.shape[0]))


class CodePlanner(nn.Module):
    """Fully connected residual layers: (N, inputs) to a code (N, CODE, 8, 8) in [-2, 2]."""

    def __init__(self, inputs: int, hidden: int, depth: int = 3) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden))
            for _ in range(depth)
        )
        self.last = nn.Linear(hidden, CODE * 64)
        nn.init.normal_(self.last.weight, 0, 0.5 / hidden**0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = x + layer(x)
        return bounded(self.last(F.leaky_relu(x, 0.2)).unflatten(1, (CODE, 8, 8)))


class CodeEncoder(nn.Module):
    """Strided convolutions: a picture (N, channels, side, side) to its code (N, CODE, 8, 8) in [-2, 2]."""

    def __init__(self, channels: int, side: int, widths: Sequence[int] = (24, 48, 80)) -> None:
        super().__init__()
        steps = side.bit_length() - 4
        sizes = [*widths, *([widths[-1]] * steps)][:steps]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise((channels, *sizes)))
        self.block = _Block(sizes[-1])
        self.last = nn.Conv2d(sizes[-1], CODE, 3, 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        x = (picture * 2 - 1).contiguous(memory_format=torch.channels_last)
        for layer in self.down:
            x = F.leaky_relu(layer(x), 0.2)
        return bounded(self.last(F.leaky_relu(self.block(x), 0.2)))


def bounded(code: Tensor) -> Tensor:
    """Keep a code within [-2, 2], softly."""
    return 2 * torch.tanh(code / 2)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        nn.init.normal_(self.second.weight, 0, 0.2 / (9 * width) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2))


class R3Discriminator(nn.Module):
    """Judges whether a picture is true and shows what it should: residual blocks without normalisation.

    Shapes: (N, channels, side, side) and what it should show (N, asked) to logits (N,).
    """

    def __init__(
        self, side: int = 64, channels: int = 4, widths: Sequence[int] = (32, 64, 112, 160), asked: int = 0
    ) -> None:
        super().__init__()
        if side != 4 * 2 ** len(widths):
            raise ValueError(f"side {side} needs {side.bit_length() - 3} widths, not {len(widths)}")
        self.first = nn.Conv2d(channels, widths[0], 4, 2, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(_Block(width) for width in widths[1:])
        features = 2 * widths[-1]
        self.gather = nn.Linear(widths[-1] * 16, features)
        self.judge = nn.Linear(features, 1)
        self.asked = (
            nn.Sequential(nn.Linear(asked, features), nn.LeakyReLU(0.2), nn.Linear(features, features))
            if asked
            else None
        )

    def forward(self, picture: Tensor, asked: Tensor | None = None) -> Tensor:
        x = self.first((picture * 2 - 1).contiguous(memory_format=torch.channels_last))
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(down(F.leaky_relu(x, 0.2)))
        features = F.leaky_relu(self.gather(F.leaky_relu(x, 0.2).flatten(1)), 0.2)
        logits = self.judge(features)[:, 0]
        if self.asked is not None and asked is not None:
            logits = logits + (self.asked(asked) * features).sum(1) / features.shape[1] ** 0.5
        return logits
