"""Discriminators for adversarial training: a patch discriminator and a U-Net one, both with spectral norm."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of 70 x 70 pixels (PatchGAN; Isola et al. 2017, arXiv 1611.07004).

    Spectral norm (Miyato et al. 2018, arXiv 1802.05957) stands in for the batch norm of the original.

    Shapes: (N, inputs, H, W), sides of at least 32, to logits (N, 1, about H / 8, about W / 8).
    Parameters: 2.8 M at 64 channels.
    """

    def __init__(self, inputs: int = 3, channels: int = 64) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels, 8 * channels]
        layers: list[nn.Module] = [nn.Conv2d(inputs, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for index, (before, after) in enumerate(pairwise(widths)):
            stride = 2 if index < 2 else 1
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class UNetDiscriminator(nn.Module):
    """Judges every pixel with wide context: three halvings, three doublings, skips added.

    After Real-ESRGAN's discriminator (Wang et al. 2021, arXiv 2107.10833) and Schönfeld et al. 2020 (arXiv 2002.12655).

    Shapes: (N, inputs, H, W), sides multiples of 8, to logits (N, 1, H, W).
    Parameters: 4.4 M at 64 channels, 1.1 M at 32.
    """

    def __init__(self, inputs: int = 3, channels: int = 64) -> None:
        super().__init__()
        c = channels
        self.first = nn.Conv2d(inputs, c, 3, 1, 1)
        self.down = nn.ModuleList(_normed(c * 2**i, c * 2 ** (i + 1), 4, 2) for i in range(3))
        self.up = nn.ModuleList(_normed(c * 2 ** (i + 1), c * 2**i, 3, 1) for i in reversed(range(3)))
        self.last = nn.Sequential(_normed(c, c, 3, 1), nn.LeakyReLU(0.2), nn.Conv2d(c, 1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        levels = [F.leaky_relu(self.first(x), 0.2)]
        for convolution in self.down:
            levels.append(F.leaky_relu(convolution(levels[-1]), 0.2))
        y = levels.pop()
        for convolution in self.up:
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            y = F.leaky_relu(convolution(y), 0.2) + levels.pop()
        return self.last(y)


def build(kind: str, inputs: int, channels: int) -> nn.Module:
    """Make a discriminator: `unet` or `patch`."""
    return {"unet": UNetDiscriminator, "patch": PatchDiscriminator}[kind](inputs, channels)


def _normed(before: int, after: int, size: int, stride: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(before, after, size, stride, 1, bias=False))
