"""FFDNet: removes Gaussian noise of a level that is told to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from imgfix.nets.convolution import chain, through


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
        self.layers = chain(widths)

    def forward(self, x: Tensor) -> Tensor:
        picture, noise = x[:, :-1], x[:, -1:]
        hidden = torch.cat([functional.pixel_unshuffle(picture, 2), functional.avg_pool2d(noise, 2)], dim=1)
        return functional.pixel_shuffle(through(self.layers, hidden), 2)


class BlindFFDNet(nn.Module):
    """FFDNet that finds the level of the damage itself; (N, 3, H, W) -> (N, 3, H, W), both sides multiples of 4.

    The level is first taken from the finest diagonal details, averaged around a pixel: what they are in noise and in
    little else. A small estimator at a quarter of the sides corrects that for texture and JPEG, and gives a few more
    hints; all of it enters the first layer of an FFDNet, which may start from the weights of the published one. The
    estimator is trained along with it and has no target of its own. Picture in [0, 1], the output is not clipped.

    The idea of an estimator before the denoiser: Guo et al., "Toward Convolutional Blind Denoising of Real Photographs"
    (2019), arXiv 1807.04686. Own design; defaults: 0.93 M parameters. Receptive field: see `blind_receptive_field`.
    """

    def __init__(self, features: int = 96, convolutions: int = 12, estimator: int = 48, hints: int = 7) -> None:
        super().__init__()
        widths = [13, *[features] * (convolutions - 1), 12]
        self.layers = chain(widths)
        self.hint = nn.Conv2d(hints, features, 3, padding=1, bias=False)
        self.estimate = nn.Sequential(
            nn.Conv2d(24, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, estimator, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(estimator, estimator, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(estimator, estimator, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(estimator, 2 + hints, 1),
        )
        for layer in list(self.estimate)[:-1]:
            if isinstance(layer, nn.Conv2d):
                # The usual start of a convolution lets the signal fade until the hints no longer depend on the picture.
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        last = self.estimate[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(self.hint.weight)
        with torch.no_grad():
            last.weight[:2].zero_()
            last.bias.zero_()
            last.bias[1] = -6.0

    def levels(self, x: Tensor) -> Tensor:
        """Read the hints off a picture: (N, 1 + hints, H / 2, W / 2); the first is the noise level, about 0 to 0.25."""
        cells = functional.pixel_unshuffle(x, 2)
        details = _details(cells)
        found = self.estimate(torch.cat([cells, details.abs()], dim=1))
        around = functional.avg_pool2d(details[:, ::4].abs().mean(dim=1, keepdim=True), 2)
        around = functional.avg_pool2d(around, 5, stride=1, padding=2, count_include_pad=False)
        # Details of normal noise are normal with its deviation, of which their mean size is sqrt(2 / pi).
        level = around * math.sqrt(math.pi / 2) * found[:, :1].clamp(-4, 2).exp() + functional.softplus(found[:, 1:2])
        return functional.interpolate(torch.cat([level, found[:, 2:]], dim=1), scale_factor=2.0)

    def forward(self, x: Tensor) -> Tensor:
        levels = self.levels(x)
        first = torch.cat([functional.pixel_unshuffle(x, 2), levels[:, :1]], dim=1)
        hidden = functional.relu(self.layers[0](first) + self.hint(levels[:, 1:]))
        return functional.pixel_shuffle(through(self.layers[1:], hidden), 2)


def _details(cells: Tensor) -> Tensor:
    """Haar details of an unshuffled picture, (N, 12, h, w): four a colour, diagonal, rows, columns, mean.

    Each has the deviation of the noise in a pixel.
    """
    a, b, c, d = cells[:, 0::4], cells[:, 1::4], cells[:, 2::4], cells[:, 3::4]
    found = torch.stack([a - b - c + d, a + b - c - d, a - b + c - d, a + b + c + d], dim=2) / 2
    return found.flatten(1, 2)


def blind_receptive_field(convolutions: int = 12) -> int:
    """Input pixels on each side that can change an output pixel of a `BlindFFDNet`."""
    return 2 * convolutions + 2 + 4 * (2 + 2) + 3
