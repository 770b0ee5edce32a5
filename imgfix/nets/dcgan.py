"""DCGAN with conditions: the simplest of the generators."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from imgfix.nets.conditions import ConditionEncoder, Conditions

BESIDE_NOISE = 0.2
"""What conditions are multiplied by: they are the same for many pictures, so they are learned before the noise is, and
at full weight a class is one picture for long."""


class DCGANGenerator(nn.Module):
    """Transposed convolutions with batch norm from noise to a picture (Radford et al. 2015, arXiv 1511.06434).

    The condition joins the noise at the start. The output runs through tanh as in the paper and is then brought to
    [0, 1]; colours are multiplied by the opacity where there is a fourth channel.

    Shapes: noise (N, noise) and conditions to (N, channels, side, side).
    Parameters: 3.6 M at 64 pixels and 64 base channels, without the encoders of the conditions.
    """

    def __init__(
        self,
        side: int = 64,
        channels: int = 3,
        noise: int = 100,
        width: int = 64,
        condition: int = 128,
        **conditions: Any,
    ) -> None:
        super().__init__()
        steps = _halvings(side)
        self.side, self.channels, self.noise = side, channels, noise
        self.conditions = ConditionEncoder(size=condition, channels=channels, **conditions)
        widths = [width * 2**i for i in reversed(range(steps))]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(noise + self.conditions.total, widths[0], 4, 1, 0, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1))
        self.apply(_normal)

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Draw pictures from noise (N, noise) and condition vectors (N, total)."""
        code = torch.cat((noise, BESIDE_NOISE * condition), 1)
        return torch.tanh(self.layers(code[..., None, None])) / 2 + 0.5

    def forward(self, noise: Tensor, given: Conditions) -> Tensor:
        return self.draw(noise, self.conditions(given, noise.shape[0]))


class DCGANDiscriminator(nn.Module):
    """Strided convolutions with batch norm to one logit; what the picture should show comes in by a projection.

    Radford et al. 2015; the projection is Miyato & Koyama 2018 (arXiv 1802.05637).

    Shapes: (N, channels, side, side) and what it should show (N, asked) to logits (N,).
    """

    def __init__(self, side: int = 64, channels: int = 3, width: int = 64, asked: int = 0) -> None:
        super().__init__()
        steps = _halvings(side)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for step in range(1, steps):
            before, after = width * 2 ** (step - 1), width * 2**step
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        features = width * 2 ** (steps - 1)
        self.judge = nn.Linear(features * 16, 1)
        self.project = nn.Linear(asked, features) if asked else None
        self.layers.apply(_normal)

    def forward(self, picture: Tensor, asked: Tensor | None = None) -> Tensor:
        features = self.layers(picture * 2 - 1)
        logits = self.judge(features.flatten(1))[:, 0]
        if self.project is not None and asked is not None:
            pooled = features.mean((2, 3))
            logits = logits + (self.project(asked) * pooled).sum(1) / pooled.shape[1] ** 0.5
        return logits


def _halvings(side: int) -> int:
    steps = side.bit_length() - 3
    if side < 8 or 4 * 2**steps != side:
        raise ValueError(f"side {side}: must be 8, 16, 32, 64, 128 ...")
    return steps


def _normal(module: nn.Module) -> None:
    """First weights as in the paper: normal, deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
