"""FFDNet: removes Gaussian noise of a level that is told to it."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class FFDNet(nn.Module):
    """Denoiser on half-size sub-pictures; (N, channels + 1, H, W) -> (N, channels, H, W), both sides even.

    The last input channel is the noise map: the standard deviation of the noise in the units of the picture, [0, 1]; it
    may differ from place to place. The rest is the picture in [0, 1]. The output is not clipped.

    Zhang, Zuo, Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image Denoising" (2018), arXiv
    1710.04026. Weights by its authors: MIT. Colour, 12 convolutions of 96 channels: 0.85 M parameters, receptive field
    25 pixels to each side; grey, 15 of 64: 0.49 M, 31 pixels.
    """

    def __init__(self, channels: int = 3, features: int = 96, convolutions: int = 12) -> None:
        super().__init__()
        widths = [4 * channels + 1, *[features] * (convolutions - 1), 4 * channels]
        self.layers = nn.ModuleList([nn.Conv2d(inside, outside, 3, padding=1) for inside, outside in pairwise(widths)])

    def forward(self, x: Tensor) -> Tensor:
        picture, noise = x[:, :-1], x[:, -1:]
        hidden = torch.cat([functional.pixel_unshuffle(picture, 2), functional.avg_pool2d(noise, 2)], dim=1)
        for layer in self.layers[:-1]:
            hidden = functional.relu(layer(hidden))
        return functional.pixel_shuffle(self.layers[-1](hidden), 2)
