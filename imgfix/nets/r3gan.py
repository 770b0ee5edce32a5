"""A modern generator and its discriminator: residual blocks without any normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.conditions import ConditionEncoder, Conditions


class R3Generator(nn.Module):
    """Noise and condition to a code, the code to a coarse picture of half the size, and residual blocks to the picture.

    The coarse picture is a weighted sum of fixed pictures: the principal components of what it was trained on (Turk &
    Pentland 1991), which cost no training at all. Planning a code is then a regression, and drawing means to
    sharpen what is coarse. The blocks are those of
    R3GAN (Huang et al. 2024, arXiv 2501.05441): no normalisation, fix-up initialisation, plain upsampling; with full
    instead of grouped convolutions, which a processor prefers. The last step is a pixel shuffle: nothing is computed
    at full resolution.

    Shapes: noise (N, noise) and conditions to (N, channels, side, side), about [0, 1]; colours are multiplied by the
    opacity where there is a fourth channel.
    Parameters: 4.7 M at 64 pixels, 1.6 M of them in the fixed pictures, without the encoders of the conditions.

    Args:
        side: 16 or more, a multiple of 8.
        codes: numbers of a code.
        widths: channels at a quarter and at half of the size.
        hidden: width of the layer between noise and condition and the code.
    """

    mean: Tensor
    basis: Tensor
    steps: Tensor

    def __init__(
        self,
        side: int = 64,
        channels: int = 4,
        noise: int = 64,
        codes: int = 384,
        widths: Sequence[int] = (96, 48),
        hidden: int = 4096,
        condition: int = 96,
        **conditions: Any,
    ) -> None:
        super().__init__()
        if side < 16 or side % 8:
            raise ValueError(f"side {side}: must be 16 or more, a multiple of 8")
        self.side, self.channels, self.noise, self.codes = side, channels, noise, codes
        self.conditions = ConditionEncoder(size=condition, channels=channels, **conditions)
        self.plan = CodePlanner(noise, self.conditions.total, codes, hidden)
        cells = channels * (side // 2) ** 2
        self.register_buffer("mean", torch.zeros(cells))
        self.register_buffer("basis", torch.zeros(codes, cells))
        self.register_buffer("steps", torch.ones(codes))
        self.first = nn.Conv2d(4 * channels, widths[0], 3, 1, 1)
        self.coarse = nn.ModuleList([_Block(widths[0]), _Block(widths[0])])
        self.narrow = nn.Conv2d(widths[0], widths[1], 1)
        self.again = nn.Conv2d(channels, widths[1], 3, 1, 1)
        self.fine = _Block(widths[1])
        self.last = nn.Conv2d(widths[1], 4 * channels, 3, 1, 1)
        nn.init.normal_(self.last.weight, 0, 0.005)

    @torch.no_grad()
    def settle(self, pictures: Tensor) -> float:
        """Choose the fixed pictures: principal components of these ones; returns the part of the variance they hold.

        To be done once, before training.

        Args:
            pictures: (N, channels, side, side) in [0, 1].
        """
        flat = self._halved(pictures)
        self.mean.copy_(flat.mean(0))
        flat = flat - self.mean
        wanted = min(self.codes, *flat.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, values, axes = torch.svd_lowrank(flat, min(wanted + 16, *flat.shape), niter=2)
        spread = values[:wanted] / len(flat) ** 0.5
        self.basis.zero_()
        self.basis[:wanted].copy_(axes[:, :wanted].T)
        # Between equal steps, in which fine detail is drowned out, and steps as large as the spread, in which noise is.
        self.steps[:wanted].copy_((spread * spread.mean()).sqrt().clamp_min(1e-4))
        return float(values[:wanted].square().sum() / flat.square().sum().clamp_min(1e-12))

    def encode(self, picture: Tensor) -> Tensor:
        """Codes (N, codes) of pictures."""
        lengths = self.basis.square().sum(1).clamp_min(1e-12)  # not 1 where they are stored in bytes
        return (self._halved(picture) - self.mean) @ self.basis.T / (lengths * self.steps)

    def decode(self, code: Tensor) -> Tensor:
        """Draw the pictures of codes (N, codes)."""
        half = self.side // 2
        coarse = (self.mean + (code * self.steps) @ self.basis).unflatten(1, (self.channels, half, half))
        seen = (coarse * 2 - 1).contiguous(memory_format=torch.channels_last)
        x = self.first(F.pixel_unshuffle(seen, 2))
        for block in self.coarse:
            x = block(x)
        x = F.interpolate(self.narrow(x), scale_factor=2, mode="nearest") + self.again(seen)
        x = self.fine(x)
        enlarged = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        return enlarged + F.pixel_shuffle(self.last(F.leaky_relu(x, 0.2)), 2)

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Draw pictures from noise (N, noise) and condition vectors (N, total)."""
        return self.decode(self.plan(torch.cat((noise, condition), 1)))

    def forward(self, noise: Tensor, given: Conditions) -> Tensor:
        return self.draw(noise, self.conditions(given, noise.shape[0]))

    def _halved(self, pictures: Tensor) -> Tensor:
        return F.avg_pool2d(pictures, 2).flatten(1)


class CodePlanner(nn.Module):
    """One wide hidden layer: noise (N, noise) beside conditions (N, conditions) to codes (N, codes).

    Its last layer can be solved for instead of learned (`solve`); noise means little at first.
    """

    def __init__(self, noise: int, conditions: int, codes: int, hidden: int) -> None:
        super().__init__()
        self.noise = noise
        self.first = nn.Linear(noise + conditions, hidden)
        self.last = nn.Linear(hidden, codes)
        with torch.no_grad():
            self.first.weight.normal_(0, 1 / conditions**0.5)
            self.first.weight[:, :noise] *= 0.03
            self.first.bias.normal_(0, 0.5)
            self.last.weight.normal_(0, 0.3 / hidden**0.5)

    def hidden(self, x: Tensor) -> Tensor:
        """What the last layer sees: (N, hidden)."""
        return F.leaky_relu(self.first(x), 0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.hidden(x))

    @torch.no_grad()
    def solve(self, conditions: Tensor, codes: Tensor, weights: Tensor, ridge: float = 1e-4) -> float:
        """Find the last layer that gives these codes for these conditions, by least squares with a ridge.

        With random first weights this is kernel regression in random features (Rahimi & Recht 2007), a far better
        start than a random last layer, and found in seconds.

        Args:
            conditions: (N, conditions).
            codes: (N, codes) wanted for them.
            weights: (N,) how much each matters.
            ridge: as a part of the mean square of the hidden layer.

        Returns:
            the part of the variance that is explained, of those codes whose weight is 1.
        """
        middle = codes.mean(0)
        square = torch.zeros(self.last.in_features, self.last.in_features, dtype=torch.float64)
        product = torch.zeros(self.last.in_features, codes.shape[1], dtype=torch.float64)
        inputs = F.pad(conditions, (self.noise, 0))
        for part, wanted, weight in zip(inputs.split(4096), codes.split(4096), weights.split(4096), strict=True):
            seen = self.hidden(part)
            counted = seen.T * weight
            square += (counted @ seen).cpu().double()
            product += (counted @ (wanted - middle)).cpu().double()
        square.diagonal().add_(ridge * float(square.diagonal().mean()))
        self.last.weight.copy_(torch.linalg.solve(square, product).float().T)
        self.last.bias.copy_(middle)
        inputs, codes = inputs[weights == 1], codes[weights == 1]
        left = (codes - torch.cat([self(part) for part in inputs.split(4096)])).square().sum()
        return float(1 - left / (codes - middle).square().sum().clamp_min(1e-12))


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
