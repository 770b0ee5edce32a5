"""NAFNet: a U-Net without activation functions, for motion blur or the noise of a sensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel; (N, C, H, W) in and out."""

    def __init__(self, channels: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=1, keepdim=True)
        spread = centred.square().mean(dim=1, keepdim=True)
        scaled = centred * torch.rsqrt(spread + self.epsilon)
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


def _gated(x: Tensor) -> Tensor:
    """The product of the two halves of the channels."""
    first, second = x.chunk(2, dim=1)
    return first * second


class Block(nn.Module):
    """Convolutions and a dense part, each normalised before, gated, weighted and added; (N, C, H, W) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        double = 2 * channels
        self.norm1 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, double, 1)
        self.conv2 = nn.Conv2d(double, double, 3, padding=1, groups=double)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = ChannelNorm(channels)
        self.conv4 = nn.Conv2d(channels, double, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = _gated(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(y * self.sca(y)) * self.beta
        return x + self.conv5(_gated(self.conv4(self.norm2(x)))) * self.gamma


class NAFNet(nn.Module):
    """Nonlinear activation free network; (N, C, H, W) in [0, 1] to the same, not clipped.

    Both sides are multiples of 2 to the number of levels.

    Chen, Chu, Zhang, Sun, "Simple Baselines for Image Restoration" (2022), arXiv 2204.04676; code and weights MIT.
    Parameters: 67.9 M at width 64 for GoPro (1, 1, 1, 28 blocks down, 1 at the bottom, 1, 1, 1, 1 up), 17.1 M at 32;
    116.0 M for SIDD (2, 2, 4, 8; 12; 2, 2, 2, 2). Receptive field: the whole picture, by the channels' means.

    Args:
        channels: of the picture.
        width: features at full size; they double at each smaller one.
        down, middle, up: blocks at each level.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        down: Sequence[int] = (1, 1, 1, 28),
        middle: int = 1,
        up: Sequence[int] = (1, 1, 1, 1),
    ) -> None:
        super().__init__()
        if len(down) != len(up):
            raise ValueError(f"{len(down)} levels down and {len(up)} up")
        self.intro = nn.Conv2d(channels, width, 3, padding=1)
        self.encoders = nn.ModuleList()
        self.downs = nn.ModuleList()
        for blocks in down:
            self.encoders.append(nn.Sequential(*(Block(width) for _ in range(blocks))))
            self.downs.append(nn.Conv2d(width, 2 * width, 2, stride=2))
            width *= 2
        self.middle_blks = nn.Sequential(*(Block(width) for _ in range(middle)))
        self.ups = nn.ModuleList()
        self.decoders = nn.ModuleList()
        for blocks in up:
            self.ups.append(nn.Sequential(nn.Conv2d(width, 2 * width, 1, bias=False)))
            width //= 2
            self.decoders.append(nn.Sequential(*(Block(width) for _ in range(blocks))))
        self.ending = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.intro(x)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            y = encoder(y)
            skips.append(y)
            y = down(y)
        y = self.middle_blks(y)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            y = decoder(F.pixel_shuffle(up(y), 2) + skips.pop())
        return x + self.ending(y)
