"""A modern generator and its discriminator: residual blocks without any normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.conditions import ConditionEncoder, Conditions

WIDTHS = {4: 288, 8: 176, 16: 104, 32: 56}
"""Channels at each resolution; the last one is shuffled into pixels twice as fine."""


class R3Generator(nn.Module):
    """Residual blocks, scaled and shifted by noise and condition, from 4 x 4 to a picture.

    After R3GAN (Huang et al. 2024, arXiv 2501.05441): no normalisation, fix-up initialisation, plain upsampling; with
    full instead of grouped convolutions, which a processor prefers, and a modulation in each block as in StyleGAN 2
    (Karras et al. 2019, arXiv 1912.04958). The last step is a pixel shuffle: nothing is computed at full resolution.

    Shapes: noise (N, noise) and conditions to (N, channels, side, side), about [0, 1]; colours are multiplied by the
    opacity where there is a fourth channel.
    Parameters: 4.2 M with the widths above, without the encoders of the conditions.
    """

    def __init__(
        self,
        side: int = 64,
        channels: int = 4,
        noise: int = 64,
        widths: Sequence[int] = tuple(WIDTHS.values()),
        style: int = 320,
        condition: int = 256,
        **conditions: Any,
    ) -> None:
        super().__init__()
        if side != 8 * 2 ** (len(widths) - 1):
            raise ValueError(f"side {side} needs {side.bit_length() - 3} widths, not {len(widths)}")
        self.side, self.channels, self.noise = side, channels, noise
        self.conditions = ConditionEncoder(size=condition, channels=channels, **conditions)
        self.style = nn.Sequential(
            nn.Linear(noise + self.conditions.total, style), nn.LeakyReLU(0.2), nn.Linear(style, style), nn.LeakyReLU(0.2)
        )
        self.seed = nn.Linear(style, widths[0] * 16)
        self.blocks = nn.ModuleList(_Block(width, style) for width in widths)
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.last = nn.Conv2d(widths[-1], 4 * channels, 3, 1, 1)
        nn.init.normal_(self.last.weight, 0, 0.02)

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Draw pictures from noise (N, noise) and condition vectors (N, total)."""
        style = self.style(torch.cat((noise, condition), 1))
        x = self.seed(style).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        for number, block in enumerate(self.blocks):
            if number:
                x = F.interpolate(self.narrow[number - 1](x), scale_factor=2, mode="nearest")
            x = block(x, style)
        return F.pixel_shuffle(self.last(F.leaky_relu(x, 0.2)), 2) / 2 + 0.5

    def forward(self, noise: Tensor, given: Conditions) -> Tensor:
        return self.draw(noise, self.conditions(given, noise.shape[0]))


class _Block(nn.Module):
    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(style, 2 * width)
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.modulate.bias)
        nn.init.normal_(self.second.weight, 0, 0.2 / (9 * width) ** 0.5)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.modulate(style)[..., None, None].chunk(2, 1)
        y = self.first(F.leaky_relu(x, 0.2))
        return x + self.second(F.leaky_relu(y * (1 + scale) + shift, 0.2))


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
        self.blocks = nn.ModuleList(_Plain(width) for width in widths[1:])
        features = 2 * widths[-1]
        self.gather = nn.Linear(widths[-1] * 16, features)
        self.judge = nn.Linear(features, 1)
        self.asked = nn.Sequential(nn.Linear(asked, features), nn.LeakyReLU(0.2), nn.Linear(features, features)) if asked else None

    def forward(self, picture: Tensor, asked: Tensor | None = None) -> Tensor:
        x = self.first((picture * 2 - 1).contiguous(memory_format=torch.channels_last))
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(down(F.leaky_relu(x, 0.2)))
        features = F.leaky_relu(self.gather(F.leaky_relu(x, 0.2).flatten(1)), 0.2)
        logits = self.judge(features)[:, 0]
        if self.asked is not None and asked is not None:
            logits = logits + (self.asked(asked) * features).sum(1) / features.shape[1] ** 0.5
        return logits


class _Plain(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        nn.init.normal_(self.second.weight, 0, 0.2 / (9 * width) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2))
