"""RefinedFFDNet: an FFDNet, and a U-Net after it that takes away what white noise does not look like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.convolution import through
from imgfix.nets.evidence import stage
from imgfix.nets.ffdnet import FFDNet
from imgfix.nets.twolevels import TwoLevels

ENLARGED = 8.0
"""By how much weak differences are enlarged before the U-Net sees them, or they are lost beside the picture."""
_PLANES = 4 * 9 + 1


class RefinedFFDNet(TwoLevels):
    """Restorer of noise and JPEG artefacts; (N, 4, H, W) -> (N, 3, H, W), both sides multiples of 8.

    The last input channel is told what FFDNet is told: the standard deviation of the noise in the units of the picture,
    [0, 1]; it may differ from place to place. The rest is the picture in [0, 1]. The output is not clipped.

    FFDNet was made for white noise. The noise of developed photos is correlated, in chroma over many pixels, and a JPEG
    has blocks: FFDNet's receptive field hardly holds either. The U-Net sees the picture, how its pixels differ from the
    mean around them, and what FFDNet takes away, on cells of 2, 4 and 8 pixels a side, and gives what is to be
    added to FFDNet's result: nothing at the start. Plain convolutions only, no norms.

    FFDNet: Zhang, Zuo, Zhang 2018, arXiv 1710.04026; U-Net: Ronneberger et al. 2015, arXiv 1505.04597. Own design;
    defaults: 2.5 M parameters, 0.85 M of them FFDNet's, which may start from the published weights. Receptive field:
    see `receptive_field`.
    """

    def __init__(
        self,
        features: int = 96,
        convolutions: int = 12,
        widths: tuple[int, int, int] = (48, 80, 128),
        blocks: tuple[int, int, int] = (2, 2, 3),
    ) -> None:
        layers = FFDNet(3, features, convolutions).layers
        super().__init__(nn.Conv2d(_PLANES, widths[0], 3, padding=1), stage, widths, blocks)
        self.layers = layers
        self.tail = nn.Conv2d(widths[0], 12, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        assert self.tail.bias is not None
        nn.init.zeros_(self.tail.bias)

    def forward(self, x: Tensor) -> Tensor:
        picture, level = x[:, :3], x[:, 3:]
        told, cells = F.avg_pool2d(level, 2), F.pixel_unshuffle(picture, 2)
        denoised = through(self.layers, torch.cat([cells, told], dim=1))
        apart = picture - F.interpolate(F.avg_pool2d(picture, 4), scale_factor=4.0)
        planes = [
            2 * cells - 1,
            ENLARGED * F.pixel_unshuffle(apart, 2),
            ENLARGED * (denoised - cells),
            ENLARGED * told,
        ]
        added = self.tail(self.features(torch.cat(planes, dim=1))) / ENLARGED
        return F.pixel_shuffle(denoised + added.to(denoised.dtype), 2)


def receptive_field(convolutions: int = 12, blocks: tuple[int, int, int] = (2, 2, 3)) -> int:
    """Input pixels on each side that can change an output pixel."""
    refined = 2 * (4 * blocks[0] + 2) + 4 * 4 * blocks[1] + 8 * 2 * blocks[2]
    return 2 * convolutions + refined + 7  # a cell of eight less the pixel itself
